// SPDX-License-Identifier: GPL-2.0-or-later
// Random generations that are valid and sound (FORMAT.md sections 2, 3 and 7), with everything a reader may meet in one:
// unknown sections, reserved bytes that are not zero, retired extents, texts of any script. For property tests.
import fc from 'fast-check';
import { formatUuid, textField } from '../../src/core/bytes';
import { decode, encode } from '../../src/core/codec';
import { dumpDocument } from '../../src/core/dumpform';
import type { CopyPlace, Generation, SectionParts } from '../../src/core/generation';
import {
  contentsOf,
  encodeConfig,
  encodeDevices,
  encodeEvents,
  encodeHealth,
  encodeRemaps,
  makeGeneration,
  sealGeneration,
  sealHeader,
  sealRecords,
} from '../../src/core/generation';
import type { DeviceRecord, EventRecord, RemapEntry } from '../../src/core/layout';
import {
  BLOCK_BYTES,
  CONFIG,
  DEVICE,
  EVENT,
  EVENT_RING,
  FORMAT_MAJOR,
  HEADER,
  HEADER_BYTES,
  HEALTH,
  MAGIC,
  MAX_TUNABLES,
  RETIRED_MAIN_SECTOR,
  SECTION,
  SLOT_ROOM_BYTES,
  TRAILER_AT,
} from '../../src/core/layout';
import { jsonText } from '../../src/render/json';

export interface GenerationOptions {
  /** Most entries; 300 unless told otherwise. */
  readonly entries?: number;
  readonly spares?: number;
  /** Texts that are not UTF-8, have no NUL or bytes behind it: a warning, and no reason to reject a copy. */
  readonly malformedTexts?: boolean;
}

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatUuid);
const flag = fc.nat(1);
/** Times that are plausible, and now and then any. */
const time = fc.oneof({ weight: 4, arbitrary: fc.bigInt(1640995200_000000000n, 2000000000_000000000n) }, u64);

function text(size: number, malformed: boolean): fc.Arbitrary<Uint8Array> {
  const exact = fc
    .string({ unit: 'grapheme', maxLength: Math.min(size, 40) })
    .map((value) => textField(value.replace(/\0/g, ''), size));
  if (!malformed) return exact;
  return fc.oneof({ weight: 4, arbitrary: exact }, fc.uint8Array({ minLength: size, maxLength: size }));
}

/** Mostly zero, as reserved bytes are. */
function reserved(size: number): fc.Arbitrary<Uint8Array> {
  return fc.oneof(fc.constant(new Uint8Array(size)), fc.uint8Array({ minLength: size, maxLength: size }));
}

const reservedWord = fc.oneof(fc.constant(0), u32);

interface Extent {
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

const extent: fc.Arbitrary<Extent> = fc.record({
  gap: fc.nat(40),
  length: fc.integer({ min: 1, max: 16 }),
  spareGap: fc.nat(3),
  spare: fc.nat(7),
  reason: fc.integer({ min: 1, max: 4 }),
  lost: fc.oneof(flag, u16),
  retired: fc.nat(20).map((n) => n === 0),
  createdNs: time,
});

interface Places {
  readonly remaps: RemapEntry[];
  readonly mainEnd: bigint;
  readonly spareEnds: bigint[];
}

/** Gives every extent its sectors: in order and apart on main, one behind the other on its spare. */
function place(
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

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}

/** The parts of a device record that can be anything. */
function deviceParts(malformed: boolean): fc.Arbitrary<Partial<DeviceRecord>> {
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

interface SpareParts {
  readonly uuid: string;
  /** Added to the least data_start, in units of 8 sectors. */
  readonly start: number;
  /** How much it lags behind, and whether at all. */
  readonly lag: bigint;
  readonly present: boolean;
  readonly run: bigint;
  readonly device: Partial<DeviceRecord>;
}

function spareParts(malformed: boolean): fc.Arbitrary<SpareParts> {
  return fc.record({
    uuid: uuid.filter((value) => value !== '00000000-0000-0000-0000-000000000000'),
    start: fc.nat(300),
    lag: fc.bigInt(1n, 1000n),
    present: fc.boolean(),
    run: u64,
    device: deviceParts(malformed),
  });
}

const unknownSection: fc.Arbitrary<SectionParts> = fc.record({
  type: fc.integer({ min: 6, max: 0xffffffff }),
  recordCount: u32,
  reserved: reservedWord,
  bytes: fc.uint8Array({ maxLength: 5000 }),
});

/** Kinds, devices and values of events, oldest first; the ring begins with any serial. */
const events = fc
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

const health = fc
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

function config(malformed: boolean): fc.Arbitrary<Record<string, unknown>> {
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

const header = fc.record({
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

/** A valid and sound generation. Its copies: encodeCopy() with the places of copyPlaces(). */
export function arbitraryGeneration(options: GenerationOptions = {}): fc.Arbitrary<Generation> {
  const malformed = options.malformedTexts === true;
  const most = options.entries ?? 300;
  return fc
    .record({
      header,
      fourK: fc.boolean(),
      mainStart: fc.nat(1000),
      mainTail: fc.nat(500),
      main: deviceParts(malformed),
      mainUuid: uuid,
      spares: fc.uniqueArray(spareParts(malformed), {
        minLength: 1,
        maxLength: options.spares ?? 8,
        selector: (spare) => spare.uuid,
      }),
      extents: fc.oneof(
        fc.array(extent, { maxLength: Math.min(most, 20) }),
        fc.array(extent, { maxLength: most, size: 'max' }),
      ),
      blockAge: fc.array(fc.bigInt(0n, 50n), { minLength: 1, maxLength: 3 }),
      trailerReserved: reservedWord,
      config: config(malformed),
      health,
      events,
      unknown: fc.array(unknownSection, { maxLength: 3 }),
    })
    .map((parts) => {
      const block = parts.fourK ? 8n : 1n;
      const mainStart = BigInt(parts.mainStart) * 8n;
      const starts = parts.spares.map(({ start }) => 9216n + BigInt(start) * 8n);
      const { remaps, mainEnd, spareEnds } = place(parts.extents, block, mainStart, starts);
      const mainSectors = roundUp(mainEnd - mainStart + BigInt(1 + parts.mainTail), 8n);
      const main: DeviceRecord = {
        ...blankDevice(),
        ...parts.main,
        logicalBlockSize: 512,
        sizeSectors: mainStart + mainSectors,
        dataStart: mainStart,
        dataSectors: mainSectors,
        deviceUuid: parts.mainUuid,
      };
      const { sequence, runId } = parts.header;
      const spares = parts.spares.map((spare, index): DeviceRecord => {
        const dataStart = starts[index] ?? 0n;
        const end = roundUp(spareEnds[index] ?? 0n, 8n);
        const size = end > 16384n ? end : 16384n;
        const last = spare.present ? sequence : sequence > spare.lag ? sequence - spare.lag : 0n;
        return {
          ...blankDevice(),
          ...spare.device,
          role: 1,
          index,
          logicalBlockSize: parts.fourK && index === 0 ? 4096 : 512,
          sizeSectors: size,
          dataStart,
          dataSectors: size - dataStart,
          deviceUuid: spare.uuid,
          lastSequence: last,
          baseSequence: last > spare.lag ? last - spare.lag : 0n,
          lastRun: spare.present ? runId : spare.run,
        };
      });
      const age = (index: number): bigint => parts.blockAge[index % parts.blockAge.length] ?? 0n;
      const remapParts = encodeRemaps(remaps, (index) =>
        sequence > age(index) ? sequence - age(index) : sequence,
      );
      for (let at = 0; at < remapParts.bytes.length; at += BLOCK_BYTES) {
        new DataView(remapParts.bytes.buffer).setUint32(at + TRAILER_AT + 12, parts.trailerReserved, true);
      }
      sealRecords(SECTION.remaps, remapParts.bytes);
      const { unit1, extraTunables, tunables, ...settings } = parts.config;
      const named = tunables as { name: Uint8Array; value: bigint }[];
      const zero = { name: new Uint8Array(32), value: 0n };
      const template = encode(HEADER, {
        ...parts.header,
        magic: MAGIC,
        formatMajor: FORMAT_MAJOR,
        headerBytes: HEADER_BYTES,
        spareCount: spares.length,
      });
      const made = makeGeneration(
        decode(HEADER, template),
        [
          encodeDevices([main, ...spares]),
          encodeConfig({
            ...decode(CONFIG, new Uint8Array(CONFIG.size)),
            ...settings,
            targetSectors: mainSectors,
            remapUnit: unit1 === true && !parts.fourK ? 1 : 8,
            reassemblyVersion: 1,
            tunables: [...named, ...new Array<typeof zero>(MAX_TUNABLES).fill(zero)].slice(0, MAX_TUNABLES),
            tunableCount: Math.min(MAX_TUNABLES, named.length + (extraTunables as number)),
          }),
          parts.health,
          parts.events,
          remapParts,
          ...parts.unknown,
        ],
        template,
      );
      if (made === null) throw new Error('the parts of an arbitrary generation do not fit a slot');
      return legible(made);
    });
}

function blankDevice(): DeviceRecord {
  return decode(DEVICE, new Uint8Array(DEVICE.size));
}

/**
 * The same generation as a writer with other habits would lay it out: unknown sections moved apart, a slot_bytes beyond
 * the last section, noise in unused directory entries. Readers follow the directory (FORMAT.md section 1).
 */
export function arbitraryOddLayout(options: GenerationOptions = {}): fc.Arbitrary<Generation> {
  return fc
    .record({
      generation: arbitraryGeneration(options),
      gaps: fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }),
      tail: fc.nat(3),
      noise: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    })
    .map(({ generation, gaps, tail, noise }) => {
      let free = 0;
      const sections = generation.sections.map((section, i) => {
        const moved = section.type > 5 ? (gaps[i] ?? 0) * BLOCK_BYTES : 0;
        const offset = Math.max(section.offset, free) + moved;
        free = Math.ceil((offset + section.bytes.length) / BLOCK_BYTES) * BLOCK_BYTES;
        return { ...section, offset };
      });
      const slotBytes = Math.min(
        SLOT_ROOM_BYTES,
        Math.max(free, generation.header.slotBytes) + tail * BLOCK_BYTES,
      );
      const sealed = sealGeneration(generation.header, sections, slotBytes, generation.headerBytes);
      // The last directory entry is never used here; all of it but its type may hold anything.
      const headerBytes = sealed.headerBytes.slice();
      if (sections.length < 8) headerBytes.set(noise, 0x80 + 7 * 24 + 4);
      sealHeader(headerBytes);
      return legible({ header: decode(HEADER, headerBytes), headerBytes, sections });
    });
}

/** Shown as its dump when a property fails, and not as tens of thousands of bytes. */
function legible(generation: Generation): Generation {
  return Object.defineProperty(generation, fc.toStringMethod, {
    value: () => jsonText(dumpDocument(generation)),
  });
}

/** The places of all copies of a generation, spare by spare. */
export function copyPlaces(generation: Generation): CopyPlace[] {
  const spares = contentsOf(generation).devices.slice(1);
  return spares.flatMap(({ deviceUuid }, spareIndex) =>
    [0, 1, 2, 3, 4].map((copyIndex) => ({ spareIndex, spareUuid: deviceUuid, copyIndex })),
  );
}
