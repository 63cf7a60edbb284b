// SPDX-License-Identifier: GPL-2.0-or-later
// Judges one slot by itself: the four levels of integrity of FORMAT.md section 4. What the slot means beside other
// slots (stale, misplaced, foreign, torn) is decided in setup.ts and explain.ts.
import { equalBytes, isZero } from './bytes';
import { crc32, crc32Combine, crc32WithHole } from './crc32';
import { decode } from './codec';
import type { Gap, Region } from './extents';
import { gapWithin } from './extents';
import type { Generation } from './generation';
import { generationOf, headerCrcOf, recordCrcPlaces, usedDirectory } from './generation';
import type { DirectoryEntry, Header } from './layout';
import {
  BLOCK_BYTES,
  CONFIG,
  COPY_COUNT,
  DEVICE,
  ENTRIES_PER_BLOCK,
  EVENT,
  EVENT_RING,
  FORMAT_MAJOR,
  HEADER,
  HEADER_BYTES,
  HEALTH,
  KNOWN_SECTIONS,
  MAGIC,
  MAX_REMAP_BLOCKS,
  MAX_SPARES,
  MIN_SLOT_BYTES,
  SECTION,
  SECTION_OFFSET,
  SEQUENCE_LIMIT,
  SLOT_ROOM_BYTES,
} from './layout';

/** How much is looked at: see dmremap-fsck --level. */
export type Level = 'basic' | 'integrity' | 'complete' | 'forensic';

/** Something wrong with a header field. */
export interface RangeProblem {
  readonly field: string;
  readonly why: string;
}

/**
 * A header. `good` means a right magic and header_crc: only such a header is evidence of anything. `usable` means
 * good, in range, and of a format this version knows.
 */
export interface HeaderJudgement {
  readonly state: 'good' | 'bad' | 'unread' | 'beyond-end';
  readonly header: Header | null;
  readonly bytes: Uint8Array;
  readonly magicOk: boolean;
  readonly crcComputed: number;
  /** Why a good header needs a newer version, or null. */
  readonly unsupported: string | null;
  readonly rangeProblems: readonly RangeProblem[];
  readonly usable: boolean;
}

export interface SectionJudgement {
  readonly entry: DirectoryEntry;
  readonly gap: Gap | undefined;
  readonly crcComputed: number;
  readonly crcOk: boolean;
  /** Records that fail their own crc. */
  readonly badRecords: readonly number[];
}

export interface SlotJudgement {
  readonly header: HeaderJudgement;
  /** In directory order; empty if the header isn't usable or the level is basic. */
  readonly sections: readonly SectionJudgement[];
  readonly overallComputed: number;
  readonly overallOk: boolean;
  /** FORMAT.md section 4 (at level basic: as far as the header goes). */
  readonly valid: boolean;
  /** The generation, where the copy is valid and was looked at beyond its header. */
  readonly generation: Generation | null;
  readonly region: Region;
}

/** True if the header is evidence that its generation existed: right checksum and a possible sequence. */
export function isEvidence(judgement: HeaderJudgement): judgement is HeaderJudgement & { header: Header } {
  return (
    judgement.state === 'good' &&
    judgement.header !== null &&
    judgement.header.sequence > 0n &&
    judgement.header.sequence < SEQUENCE_LIMIT
  );
}

/** Judges the header in the first 512 bytes of a region. */
export function judgeHeader(region: Region): HeaderJudgement {
  const bytes = region.bytes.subarray(0, HEADER_BYTES);
  const nothing = {
    bytes,
    magicOk: false,
    crcComputed: 0,
    unsupported: null,
    rangeProblems: [],
    usable: false,
  };
  const gap = gapWithin(region, 0, HEADER_BYTES);
  if (gap !== undefined) return { state: gap.kind, header: null, ...nothing };
  if (bytes.length < HEADER_BYTES) return { state: 'beyond-end', header: null, ...nothing };
  const header = decode(HEADER, bytes);
  const magicOk = equalBytes(header.magic, MAGIC);
  const crcComputed = headerCrcOf(bytes);
  if (!magicOk || crcComputed !== header.headerCrc)
    return { ...nothing, state: 'bad', header, magicOk, crcComputed };
  const unsupported =
    header.formatMajor !== FORMAT_MAJOR
      ? `format ${header.formatMajor}.${header.formatMinor}`
      : header.incompat !== 0n
        ? `incompat features 0x${header.incompat.toString(16)}`
        : null;
  const rangeProblems = unsupported === null ? headerRangeProblems(header) : [];
  return {
    state: 'good',
    header,
    bytes,
    magicOk,
    crcComputed,
    unsupported,
    rangeProblems,
    usable: unsupported === null && rangeProblems.length === 0,
  };
}

/** Every field of a header that is out of the range FORMAT.md section 2 gives it. */
function headerRangeProblems(header: Header): RangeProblem[] {
  const problems: RangeProblem[] = [];
  const check = (ok: boolean, field: string, why: string): void => {
    if (!ok) problems.push({ field, why });
  };
  check(
    header.headerBytes === HEADER_BYTES,
    'header_bytes',
    `${header.headerBytes} instead of ${HEADER_BYTES}`,
  );
  check(
    header.sequence > 0n && header.sequence < SEQUENCE_LIMIT,
    'sequence',
    `${header.sequence} is invalid`,
  );
  check(header.copyIndex < COPY_COUNT, 'copy_index', `${header.copyIndex} is above 4`);
  check(header.copyCount === COPY_COUNT, 'copy_count', `${header.copyCount} instead of 5`);
  check(
    header.spareCount >= 1 && header.spareCount <= MAX_SPARES,
    'spare_count',
    `${header.spareCount} is not in 1 to 8`,
  );
  check(
    header.spareIndex < header.spareCount,
    'spare_index',
    `${header.spareIndex} of ${header.spareCount} spares`,
  );
  check(header.runId !== 0n, 'run_id', '0 is invalid');
  check(header.tail === 0, 'the last four bytes', 'not 0');
  check(
    header.slotBytes % BLOCK_BYTES === 0 &&
      header.slotBytes >= MIN_SLOT_BYTES &&
      header.slotBytes <= SLOT_ROOM_BYTES,
    'slot_bytes',
    `${header.slotBytes} is not a multiple of 4096 from 24576 to 524288`,
  );
  // The directory is only meaningful against a sane slot.
  if (problems.length === 0) problems.push(...directoryProblems(header));
  return problems;
}

function directoryProblems(header: Header): RangeProblem[] {
  const problems: RangeProblem[] = [];
  const used = usedDirectory(header);
  const complain = (index: number, why: string): void => {
    problems.push({ field: `directory[${index}]`, why });
  };
  header.directory.slice(used.length).forEach((entry, i) => {
    if (entry.type !== 0) complain(used.length + i, 'in use after an unused entry');
  });
  let end = BLOCK_BYTES;
  used.forEach((entry, i) => {
    if (entry.offset % BLOCK_BYTES !== 0) complain(i, `offset ${entry.offset} is not 4096-aligned`);
    // JavaScript numbers hold sums of two u32 exactly: no overflow can hide here.
    if (entry.offset < end) complain(i, `offset ${entry.offset} overlaps what comes before ${end}`);
    end = Math.max(end, entry.offset + entry.length);
    if (entry.offset + entry.length > header.slotBytes) {
      complain(
        i,
        `bytes ${entry.offset} to ${entry.offset + entry.length} reach past slot_bytes ${header.slotBytes}`,
      );
    }
    const shape = sectionShapeProblem(entry, header.spareCount);
    if (shape !== null) complain(i, shape);
  });
  for (const type of KNOWN_SECTIONS) {
    const count = used.filter((entry) => entry.type === type).length;
    if (count !== 1) problems.push({ field: 'directory', why: `section ${type} is listed ${count} times` });
  }
  return problems;
}

/** Why a known section has not the length or count that it must have, or null. */
function sectionShapeProblem(entry: DirectoryEntry, spareCount: number): string | null {
  const wrong = (what: string): string => `${what} (length ${entry.length}, ${entry.recordCount} records)`;
  const fixed = (length: number, count: number): string | null =>
    entry.length === length && entry.recordCount === count
      ? null
      : wrong(`not ${length} bytes in ${count} records`);
  switch (entry.type) {
    case SECTION.devices:
      return fixed((1 + spareCount) * DEVICE.size, 1 + spareCount);
    case SECTION.config:
      return fixed(CONFIG.size, 1);
    case SECTION.health:
      return fixed(HEALTH.size, 1);
    case SECTION.events:
      return entry.length === EVENT_RING * EVENT.size && entry.recordCount <= EVENT_RING
        ? null
        : wrong('not 4096 bytes with at most 128 records');
    case SECTION.remaps: {
      const blocks = Math.ceil(entry.recordCount / ENTRIES_PER_BLOCK);
      if (entry.offset !== SECTION_OFFSET[SECTION.remaps])
        return `REMAPS lies at ${entry.offset} instead of 24576`;
      return entry.length === blocks * BLOCK_BYTES && blocks <= MAX_REMAP_BLOCKS
        ? null
        : wrong('blocks of 127 records that fit the length');
    }
    default:
      return null;
  }
}

/** Judges a slot. The region begins at the slot's first byte and reaches at least to slot_bytes of its header. */
export function judgeSlot(region: Region, level: Level): SlotJudgement {
  return judgeSections(judgeHeader(region), region, level);
}

function judgeSections(header: HeaderJudgement, region: Region, level: Level): SlotJudgement {
  const none = { header, sections: [], overallComputed: 0, overallOk: false, generation: null, region };
  if (!header.usable || header.header === null) return { ...none, valid: false };
  if (level === 'basic') return { ...none, valid: true };
  const sections: SectionJudgement[] = [];
  let overall = 0;
  for (const entry of usedDirectory(header.header)) {
    const judgement = judgeSection(region, entry);
    sections.push(judgement);
    overall = crc32Combine(overall, judgement.crcComputed, entry.length);
  }
  const overallOk = overall === header.header.overallCrc;
  const valid =
    overallOk && sections.every((s) => s.gap === undefined && s.crcOk && s.badRecords.length === 0);
  return {
    header,
    sections,
    overallComputed: overall,
    overallOk,
    valid,
    generation: valid ? generationOf(region.bytes, header.header) : null,
    region,
  };
}

function judgeSection(region: Region, entry: DirectoryEntry): SectionJudgement {
  const end = entry.offset + entry.length;
  const gap = entry.length === 0 ? undefined : gapWithin(region, entry.offset, end);
  const bytes = region.bytes.subarray(entry.offset, end);
  const crcComputed = crc32(bytes);
  return {
    entry,
    gap:
      gap ??
      (bytes.length < entry.length ? { start: 0, end, kind: 'beyond-end', reason: 'not read' } : undefined),
    crcComputed,
    crcOk: crcComputed === entry.crc,
    badRecords: badRecordsOf(entry.type, bytes),
  };
}

/** Indexes of the records of a section that fail their own crc. */
export function badRecordsOf(type: number, bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad: number[] = [];
  recordCrcPlaces(type, bytes.length).forEach(({ start, end, crcAt }, record) => {
    if (crc32WithHole(bytes, start, end, crcAt) !== view.getUint32(crcAt, true)) bad.push(record);
  });
  return bad;
}

/** True if both headers are of one generation: equal outside the per-copy fields (FORMAT.md section 2). */
export function sameGenerationHeader(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < HEADER_BYTES; i++) {
    const perCopy = (i >= 0x060 && i < 0x071) || i === 0x072 || (i >= 0x1f8 && i < 0x1fc);
    if (!perCopy && a[i] !== b[i]) return false;
  }
  return true;
}

/**
 * True if two generations are the same to the byte. Equal checksums alone do not prove it: a CRC32 can be forged,
 * and then the two would be a split that went unseen.
 */
export function sameGeneration(a: Generation, b: Generation): boolean {
  if (a === b) return true;
  if (!sameGenerationHeader(a.headerBytes, b.headerBytes)) return false;
  return a.sections.every((section, i) => {
    const other = b.sections[i];
    return other !== undefined && equalBytes(section.bytes, other.bytes);
  });
}

/**
 * Judges a slot beside copies that were found valid before. One that holds the very bytes of such a copy is valid for the
 * same reasons and shares its Generation: comparing bytes is far cheaper than summing them, and forty copies of a large
 * setup would be summed again and again. A valid copy of another generation joins `known`.
 */
export function judgeBeside(region: Region, level: Level, known: SlotJudgement[]): SlotJudgement {
  const header = judgeHeader(region);
  const twin = header.usable ? known.find((one) => isSameCopy(one, header, region)) : undefined;
  if (twin !== undefined) return { ...twin, header, region };
  const judgement = judgeSections(header, region, level);
  if (judgement.generation !== null) known.push(judgement);
  return judgement;
}

function isSameCopy(valid: SlotJudgement, header: HeaderJudgement, region: Region): boolean {
  if (valid.generation === null || !sameGenerationHeader(valid.header.bytes, header.bytes)) return false;
  return valid.generation.sections.every(({ offset, bytes }) => {
    const end = offset + bytes.length;
    if (end > region.bytes.length || gapWithin(region, offset, end) !== undefined) return false;
    return equalBytes(bytes, region.bytes.subarray(offset, end));
  });
}

/** Byte ranges of a valid copy, between the sections, that should be zero and are not. Offsets from the slot's start. */
export function nonZeroGaps(generation: Generation, region: Region): { start: number; end: number }[] {
  const used = [{ start: 0, end: HEADER_BYTES }]
    .concat(generation.sections.map((s) => ({ start: s.offset, end: s.offset + s.bytes.length })))
    .filter((range) => range.end > range.start);
  const gaps: { start: number; end: number }[] = [];
  let at = 0;
  for (const range of [...used, { start: generation.header.slotBytes, end: generation.header.slotBytes }]) {
    if (range.start > at && !isZero(region.bytes, at, range.start))
      gaps.push({ start: at, end: range.start });
    at = Math.max(at, range.end);
  }
  return gaps;
}
