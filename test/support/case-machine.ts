// SPDX-License-Identifier: GPL-2.0-or-later
// The machine that a case of fixtures/ runs on, and quick fingerprints of what lies on it.
import { createHash } from 'node:crypto';
import type { Input, World } from '../../fixtures/case';
import { Fault } from '../../src/core/faults';
import { MemoryHost } from './memory-host';
import type { MachineOptions } from './memory-host';
import { PageStore } from './page-store';

/** 2025-10-09; after every time in the fixtures. */
export const NOW_NS = 1_760_000_000_000_000_000n;

export function inputPath(input: Input, index: number): string {
  return input.path ?? `/img/spare${index}.img`;
}

const PAGE = 4096;

/** A machine with the inputs of a world on it. */
export function machineOf(world: World, options: MachineOptions = { nowNs: NOW_NS }): MemoryHost {
  const host = new MemoryHost(options);
  world.inputs.forEach((input, index) => {
    const path = inputPath(input, index);
    if (input.instead === 'directory') host.addDirectory(path);
    if (input.instead !== undefined) return;
    const { bytes, kind = 'image', logicalBlockSize = 512, facts = {}, readOnly = false } = input;
    const kinds = { logicalBlockSize, facts, readOnly };
    if (kind === 'block') host.addBlock(path, bytes.length, kinds);
    else host.addImage(path, bytes.length, kinds);
    for (const { start, end } of usedRuns(bytes)) host.poke(path, start, bytes.subarray(start, end));
    for (const { start, end, dead = false } of input.unread ?? []) {
      host.failReads(path, BigInt(start), BigInt(end), 'EIO: i/o error', dead);
      if (dead) host.failWrites(path, BigInt(start), BigInt(end));
    }
    for (const { start, end } of input.failsWrites ?? []) host.failWrites(path, BigInt(start), BigInt(end));
    for (const { start, end } of input.losesWrites ?? []) host.loseWrites(path, BigInt(start), BigInt(end));
    if (input.uses !== undefined) host.setInUse(path, input.uses);
  });
  for (const directory of world.full ?? []) host.failFiles(directory);
  if (world.noAppending === true) {
    host.appendDurably = (path) => {
      throw new Fault('FILE_FAILED', {
        path,
        doing: 'append to it',
        reason: 'ENOSPC: no space left on device',
      });
    };
  }
  return host;
}

/** Runs of pages that are not all zero: a file in memory keeps only those. */
function usedRuns(bytes: Uint8Array): { start: number; end: number }[] {
  const zero = Buffer.alloc(PAGE);
  const runs: { start: number; end: number }[] = [];
  for (let start = 0; start < bytes.length; start += PAGE) {
    const page = bytes.subarray(start, start + PAGE);
    if (Buffer.compare(page, zero.subarray(0, page.length)) === 0) continue;
    const last = runs[runs.length - 1];
    if (last?.end === start) last.end = start + page.length;
    else runs.push({ start, end: start + page.length });
  }
  return runs;
}

/** The operands of a run. */
export function givenPaths(world: World): string[] {
  return world.inputs.flatMap((input, index) => (input.notGiven === true ? [] : [inputPath(input, index)]));
}

/** SHA-256 over the pages that are not all zero: most are. */
function hashOf(pages: Iterable<readonly [offset: number, page: Uint8Array]>): string {
  const hash = createHash('sha256');
  for (const [offset, page] of pages) hash.update(`${offset} `).update(page);
  return hash.digest('hex');
}

/** A fingerprint of every input. */
export function hashes(host: MemoryHost, world: World): string[] {
  return world.inputs.map((input, index) =>
    input.instead === undefined ? hashOf(host.usedPages(inputPath(input, index))) : '',
  );
}

/** The same of bytes that are on no machine. */
export function hashOfBytes(bytes: Uint8Array): string {
  return hashOf(PageStore.of(bytes).usedPages());
}
