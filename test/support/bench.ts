// SPDX-License-Identifier: GPL-2.0-or-later
// Spares as five slots of bytes, judged and planned for by the core alone: no files, no host. For properties and fuzzing
// that look at many thousands of them.
import { crc32 as zlibCrc32 } from 'node:zlib';
import './engines';
import type { Gap } from '../../src/core/extents';
import type { CopyPlace, Generation } from '../../src/core/generation';
import { contentsOf, encodeCopy } from '../../src/core/generation';
import type { Level } from '../../src/core/judge';
import type { SetupDecision, SpareRead } from '../../src/core/model';
import type { Permissions } from '../../src/core/plan';
import { decideSetup } from '../../src/core/setup';

/** After every time in the fixtures. */
export const NOW_NS = 1_760_000_000_000_000_000n;

/** Every permission but a choice. */
export const YES: Permissions = { grant: 'yes', choose: null, acceptPartial: false, force: false };
export const PREEN: Permissions = { grant: 'preen', choose: null, acceptPartial: false, force: false };

export const COPY_INDEXES = [0, 1, 2, 3, 4] as const;

/** One spare; a slot may be of any length. */
export interface BenchSpare {
  readonly slots: Uint8Array[];
  /** By slot; left out: all was read. */
  readonly gaps?: readonly (readonly Gap[])[];
}

const uuids = new WeakMap<Generation, readonly string[]>();

/** The place of a copy of this generation. */
export function placeOf(generation: Generation, spareIndex: number, copyIndex: number): CopyPlace {
  const known =
    uuids.get(generation) ??
    contentsOf(generation)
      .devices.slice(1)
      .map((one) => one.deviceUuid);
  uuids.set(generation, known);
  const spareUuid = known[spareIndex];
  if (spareUuid === undefined) throw new RangeError(`no spare ${spareIndex}`);
  return { spareIndex, spareUuid, copyIndex };
}

/** All copies of a spare with the same generation. */
export function wholeSpare(generation: Generation, spareIndex: number): BenchSpare {
  return { slots: COPY_INDEXES.map((copy) => encodeCopy(generation, placeOf(generation, spareIndex, copy))) };
}

export function readOf(spare: BenchSpare, number: number): SpareRead {
  return {
    label: `input${number}`,
    base: 0n,
    slots: spare.slots.map((bytes, copy) => ({ bytes, gaps: spare.gaps?.[copy] ?? [] })),
  };
}

/** What the core decides about a setup on these spares. */
export function decide(
  setupUuid: string,
  spares: readonly BenchSpare[],
  level: Level = 'complete',
): SetupDecision {
  return decideSetup({ setupUuid, spares: spares.map(readOf), strays: [], level, now: NOW_NS });
}

/** What the first 512 bytes of a slot are evidence of, by another reading of FORMAT.md than the core's own. */
export interface SeenHeader {
  readonly setupUuid: string;
  readonly sequence: bigint;
  readonly runId: bigint;
}

const HEADER_CRC = 0x1f8;

/** The header in a slot if its magic, header_crc and sequence are right; else null. */
export function seenHeader(slot: Uint8Array, gaps: readonly Gap[] = []): SeenHeader | null {
  if (slot.length < 512 || gaps.some(({ start }) => start < 512)) return null;
  const header = Buffer.from(slot.subarray(0, 512));
  if (header.toString('latin1', 0, 16) !== 'dm-remap-v4\0\0\0\0\0') return null;
  const stored = header.readUInt32LE(HEADER_CRC);
  header.fill(0, HEADER_CRC, HEADER_CRC + 4);
  const sequence = header.readBigUInt64LE(0x30);
  if (zlibCrc32(header) !== stored || sequence === 0n || sequence >= 1n << 63n) return null;
  const hex = header.toString('hex', 0x50, 0x60);
  return {
    setupUuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    sequence,
    runId: header.readBigUInt64LE(0x78),
  };
}

/** The highest sequence that any slot is evidence of; 0 if none is. */
export function highestEvidence(setupUuid: string, spares: readonly BenchSpare[]): bigint {
  let highest = 0n;
  for (const { slots, gaps } of spares) {
    slots.forEach((slot, copy) => {
      const seen = seenHeader(slot, gaps?.[copy]);
      if (seen?.setupUuid === setupUuid && seen.sequence > highest) highest = seen.sequence;
    });
  }
  return highest;
}

/** Verdicts under which a generation goes on without a person's decision. */
export function isAccepted({ verdict }: SetupDecision): boolean {
  return verdict === 'clean' || verdict === 'repairable' || verdict === 'salvageable';
}
