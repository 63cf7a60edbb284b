// SPDX-License-Identifier: GPL-2.0-or-later
// The world of the tests of dmremap-dump and dmremap-restore: three generations of a setup, two spares in memory, and what is
// asked about them afterwards.
import { createHash } from 'node:crypto';
import Ajv2020 from 'ajv/dist/2020';
import dumpSchema from '../../docs/schemas/dump.json';
import restoreSchema from '../../docs/schemas/restore.json';
import {
  ALL_COPIES,
  RUN_A,
  SPARE_BYTES,
  commit,
  copyBytes,
  entriesOf,
  firstGeneration,
  slotAt,
} from '../../fixtures/build';
import { binding as dumpBinding } from '../../src/cli/dump';
import { binding as fsckBinding } from '../../src/cli/fsck';
import { binding as restoreBinding } from '../../src/cli/restore';
import { binding as undoBinding } from '../../src/cli/undo';
import { dumpDocument } from '../../src/core/dumpform';
import type { Generation } from '../../src/core/generation';
import { jsonText } from '../../src/render/json';
import { MemoryHost } from '../support/memory-host';
import type { Printed } from '../support/run-binding';
import { runBinding } from '../support/run-binding';

export const NOW_NS = 1_760_000_000_000_000_000n;
export const DUMP = '/d/setup.json';
export const [S0, S1] = ['/img/s0', '/img/s1'] as const;
export const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
export const isDump = ajv.compile(dumpSchema);
export const isRestore = ajv.compile(restoreSchema);

/** Sequences 1, 2 and 3 of one setup with two spares. */
export const FIRST = firstGeneration({
  spares: 2,
  entries: 40,
  unknownSection: true,
  reserved: true,
  name: 'vault',
});
export const SECOND = commit(FIRST, { run: RUN_A, entries: entriesOf(10, 2) });
export const THIRD = commit(SECOND, { entries: entriesOf(40, 2) });

export const dumpOf = (generation: Generation): string => jsonText(dumpDocument(generation));
export const noSpare = (size = SPARE_BYTES): Uint8Array => new Uint8Array(size);

export function machine(images: readonly Uint8Array[], dump: string | null = null): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  images.forEach((image, i) => host.addImage(`/img/s${i}`, image));
  host.addDirectory('/d');
  if (dump !== null) host.addImage(DUMP, Buffer.from(dump));
  host.reboot();
  return host;
}

export const run = {
  dump: (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(dumpBinding, host, words),
  restore: (host: MemoryHost, ...words: string[]): Promise<Printed> =>
    runBinding(restoreBinding, host, words),
  fsck: (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(fsckBinding, host, words),
  undo: (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(undoBinding, host, words),
};

export interface Restored {
  exitCode: number;
  status: string;
  sequence: string | null;
  writtenSequence: string | null;
  copies: { spare: number; copy: number; action: string }[];
  problems: { path: string; problem: string }[];
  overridden: string[];
  undo: string | null;
  error: { code: string; message: string } | null;
}

export async function restoreJson(host: MemoryHost, ...words: string[]): Promise<Restored> {
  const printed = await run.restore(host, '--json', ...words);
  const document = JSON.parse(printed.out) as Restored;
  isRestore(document);
  expect(isRestore.errors ?? []).toEqual([]);
  expect(document.exitCode).toBe(printed.status);
  return document;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function hashes(host: MemoryHost): string[] {
  return [S0, S1].map((path) => sha256(host.bytesOf(path)));
}

/** Whether both spares hold these bytes; quicker than hashes. */
export function hold(host: MemoryHost, images: readonly Uint8Array[]): boolean {
  return [S0, S1].every((path, i) => Buffer.compare(host.bytesOf(path), images[i] ?? noSpare(0)) === 0);
}

/** Which of the places hold this generation byte for byte: '0:1' is spare 0 copy 1. */
export function holding(host: MemoryHost, generation: Generation): string[] {
  return [S0, S1].flatMap((path, spare) => {
    const bytes = host.bytesOf(path);
    return ALL_COPIES.filter((copy) => {
      const wanted = copyBytes(generation, spare, copy);
      const at = slotAt(copy);
      return Buffer.compare(bytes.subarray(at, at + wanted.length), wanted) === 0;
    }).map((copy) => `${spare}:${copy}`);
  });
}

export const EVERYWHERE = [0, 1].flatMap((spare) => ALL_COPIES.map((copy) => `${spare}:${copy}`));
