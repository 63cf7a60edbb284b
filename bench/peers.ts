// SPDX-License-Identifier: GPL-2.0-or-later
// Checkers of other projects and small inputs for them, made without root. Measured where they are installed.
import { spawnSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeMd } from '../test/support/content-storage';
import type { Child } from './children';
import { findProgram } from './children';

export interface Peer {
  readonly name: string;
  readonly command: string;
  /** Makes the input; null if the program, or what makes its input, is not installed. */
  prepare(folder: string): Child | null;
}

function tool(program: string, ...argv: string[]): void {
  const done = spawnSync(program, argv, { encoding: 'utf8' });
  if (done.status !== 0)
    throw new Error(`${program} ${argv.join(' ')}: status ${done.status ?? '?'}\n${done.stderr}`);
}

function emptyImage(path: string, bytes: number): string {
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

const MIB = 1024 * 1024;

/** The checksum of an md superblock of version 1: 32-bit words added up, carries folded in, its own word as zero. */
function mendMdChecksum(superblock: Uint8Array): void {
  const view = new DataView(superblock.buffer, superblock.byteOffset, superblock.byteLength);
  const CHECKSUM_AT = 216;
  const length = 256 + 2 * view.getUint32(220, true);
  view.setUint32(CHECKSUM_AT, 0, true);
  let sum = 0;
  for (let at = 0; at + 4 <= length; at += 4) sum += view.getUint32(at, true);
  if (length % 4 === 2) sum += view.getUint16(length - 2, true);
  view.setUint32(CHECKSUM_AT, ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) % 2 ** 32, true);
}

export const PEERS: readonly Peer[] = [
  {
    name: 'mdadm',
    command: 'mdadm --examine (1.2, one device)',
    prepare(folder) {
      const mdadm = findProgram('mdadm');
      if (mdadm === null) return null;
      const image = new Uint8Array(8 * MIB);
      writeMd(image);
      mendMdChecksum(image.subarray(4096));
      const path = join(folder, 'md.img');
      writeFileSync(path, image);
      return { program: mdadm, argv: ['--examine', path], status: 0 };
    },
  },
  {
    name: 'e2fsck',
    command: 'e2fsck -fn (ext4, 64 MiB, empty)',
    prepare(folder) {
      const e2fsck = findProgram('e2fsck');
      const mke2fs = findProgram('mke2fs');
      if (e2fsck === null || mke2fs === null) return null;
      const path = emptyImage(join(folder, 'ext4.img'), 64 * MIB);
      tool(mke2fs, '-q', '-F', '-t', 'ext4', path);
      return { program: e2fsck, argv: ['-fn', path], status: 0 };
    },
  },
  {
    name: 'thin_check',
    command: 'thin_check (one device, 100 mappings)',
    prepare(folder) {
      const check = findProgram('thin_check');
      const restore = findProgram('thin_restore');
      if (check === null || restore === null) return null;
      const path = emptyImage(join(folder, 'thin.img'), 4 * MIB);
      const mappings = Array.from(
        { length: 100 },
        (_unused, i) => `<single_mapping origin_block="${2 * i}" data_block="${i}" time="0"/>`,
      );
      const device = `<device dev_id="1" mapped_blocks="100" transaction="0" creation_time="0" snap_time="0">`;
      const xml = join(folder, 'thin.xml');
      const head =
        '<superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="1000">';
      writeFileSync(xml, `${head}${device}${mappings.join('')}</device></superblock>\n`);
      tool(restore, '-i', xml, '-o', path);
      return { program: check, argv: [path], status: 0 };
    },
  },
];
