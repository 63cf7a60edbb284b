// SPDX-License-Identifier: GPL-2.0-or-later
// Takes the kernel proper out of a packed image. An emulated machine needs seconds to unpack it at each boot, and the
// emulator starts the unpacked one as well. Which kernels these are, is in setup.ts.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { SetupFailure } from './apt';

/** Offsets in the header of the x86 boot protocol, version 2.08 and later. */
const SETUP_SECTORS = 0x1f1;
const MAGIC = 0x202;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;

const PACKERS: readonly (readonly [magic: string, program: string, ...args: string[]])[] = [
  ['fd377a585a00', 'xz', '-dc', '--single-stream'],
  ['28b52ffd', 'zstd', '-dcq'],
  ['1f8b', 'gzip', '-dc'],
];

/** The ELF image in a bzImage; null where it is packed in a way that is not known here. */
export function unpackKernel(path: string): Uint8Array | null {
  const image = readFileSync(path);
  if (image.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS')
    throw new SetupFailure(`${path} is no Linux kernel`);
  const start = ((image[SETUP_SECTORS] ?? 0) + 1) * 512 + image.readUInt32LE(PAYLOAD_OFFSET);
  // The last four bytes of the payload are its unpacked length, and not the packer's.
  const payload = image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH) - 4);
  const packer = PACKERS.find(([magic]) => payload.toString('hex', 0, 8).startsWith(magic));
  if (packer === undefined) return null;
  const [, program, ...args] = packer;
  const done = spawnSync(program, args, { input: payload, maxBuffer: 512 << 20 });
  const { error, status, stdout, stderr } = done;
  if (error !== undefined || status !== 0)
    throw new SetupFailure(`${program} could not unpack ${path}: ${error?.message ?? stderr.toString()}`);
  if (stdout.toString('latin1', 0, 4) !== '\x7fELF') throw new SetupFailure(`${path} holds no ELF image`);
  return stdout;
}
