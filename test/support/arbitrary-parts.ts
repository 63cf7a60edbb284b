// SPDX-License-Identifier: GPL-2.0-or-later
// Random parts of generations: records, texts, entries and where they lie, sections that nobody knows. What is put together
// from them is in arbitrary-generation.ts.
import fc from 'fast-check';
import { formatUuid, textField } from '../../src/core/bytes';
import { decode } from '../../src/core/codec';
import type { SectionParts } from '../../src/core/assemble';
import { encodeEvents, encodeHealth } from '../../src/core/assemble';
import type { DeviceRecord, EventRecord, RemapEntry } from '../../src/core/layout';
import { EVENT, EVENT_RING, HEALTH, MAX_TUNABLES, RETIRED_MAIN_SECTOR } from '../../src/core/layout';

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
export const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatUuid);
const flag = fc.nat(1);
/** Times that are plausible, and now and then any. */
export const time = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(1640995200_000000000n, 2000000000_000000000n) },
  u64,
);

export function text(size: number, malformed: boolean): fc.Arbitrary<Uint8Array> {
  const exact = fc
    .string({ unit: 'grapheme', maxLength: Math.min(size, 40) })
    .map((value) => textField(value.replace(/\0/g, ''), size));
  if (!malformed) return exact;
  return fc.oneof({ weight: 4, arbitrary: exact }, fc.uint8Array({ minLength: size, maxLength: size }));
}

/** Mostly zero, as reserved bytes are. */
export function reserved(size: number): fc.Arbitrary<Uint8Array> {
  return fc.oneof(fc.constant(new Uint8Array(size)), fc.uint8Array({ minLength: size, maxLength: size }));
}

export const reservedWord = fc.oneof(fc.constant(0), u32);

export interface Extent {
  /** In blocks of B sectors. */
  readonly gap: number;
  readonly length: number;
  readonly spareGap: number;
  readonly spare: number;
  readonly reason: number;
  readonly lost: number;
  readonly retired: boolean;
  readonly createdNs: bigint;
}

export const extent: fc.Arbitrary<Extent> = fc.record({
  gap: fc.nat(40),
  length: fc.integer({ min: 1, max: 16 }),
  spareGap: fc.nat(3),
  spare: fc.nat(7),
  reason: fc.integer({ min: 1, max: 4 }),
  lost: fc.oneof(flag, u16),
  retired: fc.nat(20).map((n) => n === 0),
  createdNs: time,
});

export interface Places {
  readonly remaps: RemapEntry[];
  readonly mainEnd: bigint;
  readonly spareEnds: bigint[];
}

/** Gives every extent its sectors: in order and apart on main, one behind the other on its spare. */
export function place(
  extents: readonly Extent[],
  block: bigint,
  mainStart: bigint,
  spareStarts: readonly bigint[],
): Places {
  let mainEnd = mainStart;
  const spareEnds = [...spareStarts];
  const remaps: RemapEntry[] = [];
  for (const one of extents) {
    const spareIndex = one.spare % spareStarts.length;
    const spareSector = (spareEnds[spareIndex] ?? 0n) + BigInt(one.spareGap) * block;
    const length = BigInt(one.length) * block;
    spareEnds[spareIndex] = spareSector + length;
    const mainSector = one.retired ? RETIRED_MAIN_SECTOR : mainEnd + BigInt(one.gap) * block;
    if (!one.retired) mainEnd = mainSector + length;
    remaps.push({
      mainSector,
      spareSector,
      length: Number(length),
      spareIndex,
      reason: one.reason,
      flags: one.lost,
      createdNs: one.createdNs,
    });
  }
  remaps.sort(
    (a, b) =>
      ascending(a.mainSector, b.mainSector) ||
      a.spareIndex - b.spareIndex ||
      ascending(a.spareSector, b.spareSector),
  );
  return { remaps, mainEnd, spareEnds };
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}

/** The parts of a device record that can be anything. */
export function deviceParts(malformed: boolean): fc.Arbitrary<Partial<DeviceRecord>> {
  return fc.record({
    flags: fc.oneof(fc.nat(7), u16),
    physicalBlockSize: fc.constantFrom(512, 4096),
    fsUuid: uuid,
    fsType: text(16, malformed),
    partUuid: uuid,
    wwn: text(64, malformed),
    serial: text(64, malformed),
    model: text(64, malformed),
    path: text(128, malformed),
    contentSha256: reserved(32),
    healthScore: fc.nat(100),
    lastCheckedNs: time,
    usedSectors: u64,
    reserved0: reservedWord,
    reserved1: reservedWord,
    reserved2: reservedWord,
  });
}

export interface SpareParts {
  readonly uuid: string;
  /** Added to the least data_start, in units of 8 sectors. */
  readonly start: number;
  /** How much it lags behind, and whether at all. */
  readonly lag: bigint;
  readonly present: boolean;
  readonly run: bigint;
  readonly device: Partial<DeviceRecord>;
}

export function spareParts(malformed: boolean): fc.Arbitrary<SpareParts> {
  return fc.record({
    uuid: uuid.filter((value) => value !== '00000000-0000-0000-0000-000000000000'),
    start: fc.nat(300),
    lag: fc.bigInt(1n, 1000n),
    present: fc.boolean(),
    run: u64,
    device: deviceParts(malformed),
  });
}

export const unknownSection: fc.Arbitrary<SectionParts> = fc.record({
  type: fc.integer({ min: 6, max: 0xffffffff }),
  recordCount: u32,
  reserved: reservedWord,
  bytes: fc.uint8Array({ maxLength: 5000 }),
});

/** Kinds, devices and values of events, oldest first; the ring begins with any serial. */
export const events = fc
  .record({
    first: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 0xfffffff0 - EVENT_RING })),
    list: fc.array(
      fc.record({ timeNs: time, sector: u64, kind: fc.nat(20), device: fc.nat(9), length: u32, value: u32 }),
      { maxLength: EVENT_RING },
    ),
  })
  .map(({ first, list }) => {
    const ring = Array.from({ length: EVENT_RING }, (): EventRecord =>
      decode(EVENT, new Uint8Array(EVENT.size)),
    );
    list.forEach((event, i) => {
      ring[(first + i - 1) % EVENT_RING] = { ...event, serial: first + i };
    });
    return encodeEvents(ring);
  });

export const health = fc
  .record({
    score: fc.nat(100),
    flags: fc.oneof(flag, u32),
    scanPosition: u64,
    lastFullScanNs: time,
    nextScanNs: time,
    readErrors: u64,
    repairedCopies: u64,
    reserved: reserved(420),
  })
  .map((record) => encodeHealth({ ...decode(HEALTH, new Uint8Array(HEALTH.size)), ...record }));

export function config(malformed: boolean): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .record({
      name: fc
        .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 89 })
        .map((name) => textField(name.replace(/\//g, '_'), 128)),
      params: text(512, malformed),
      description: text(128, malformed),
      unit1: fc.boolean(),
      scanIntervalS: u32,
      preChecks: u32,
      sparePolicy: fc.nat(3),
      minCopies: fc.integer({ min: 1, max: 5 }),
      autoRemap: flag,
      tunables: fc.array(fc.record({ name: text(32, malformed), value: u64 }), { maxLength: MAX_TUNABLES }),
      extraTunables: fc.nat(2),
      reserved0: reservedWord,
      reserved3: reserved(56),
      reserved4: reserved(1916),
    })
    .map((record) => record);
}

export const header = fc.record({
  formatMinor: fc.oneof(fc.constant(0), u16),
  compat: fc.oneof(fc.constant(0n), u64),
  roCompat: fc.oneof(fc.constant(0n), u64),
  sequence: fc.oneof(fc.bigInt(1n, 100_000n), fc.bigInt(1n, (1n << 63n) - 1n)),
  writtenNs: time,
  createdNs: time,
  parentCrc: u32,
  state: fc.oneof(fc.nat(7), u32),
  setupUuid: uuid,
  runId: fc.bigInt(1n, (1n << 64n) - 1n),
  writer: text(32, false),
  reserved: reserved(148),
});
