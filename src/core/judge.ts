// SPDX-License-Identifier: GPL-2.0-or-later
// Judges one slot by itself: the four levels of integrity of FORMAT.md section 4, the header apart (header.ts). What the
// slot means beside other slots (stale, misplaced, foreign, torn) is decided in setup.ts and explain.ts.
import { equalBytes, isZero } from './bytes';
import { crc32, crc32Combine, crc32Without } from './crc32';
import type { Gap, Region } from './extents';
import { gapWithin } from './extents';
import type { Generation } from './generation';
import { generationOf, recordCrcPlaces, usedDirectory } from './generation';
import type { HeaderJudgement } from './header';
import { judgeHeader, sameGenerationHeader } from './header';
import type { DirectoryEntry } from './layout';
import { HEADER_BYTES } from './layout';

/** How much is looked at: see dmremap-fsck --level. */
export type Level = 'basic' | 'integrity' | 'complete' | 'forensic';

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
  const { crc, badRecords } = sumSection(entry.type, bytes);
  return {
    entry,
    gap:
      gap ??
      (bytes.length < entry.length ? { start: 0, end, kind: 'beyond-end', reason: 'not read' } : undefined),
    crcComputed: crc,
    crcOk: crc === entry.crc,
    badRecords,
  };
}

/** Indexes of the records of a section that fail their own crc. */
export function badRecordsOf(type: number, bytes: Uint8Array): number[] {
  return sumSection(type, bytes).badRecords;
}

/** The crc of a section, and the records that fail their own. Every byte is summed once, for both. */
function sumSection(type: number, bytes: Uint8Array): { crc: number; badRecords: number[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const badRecords: number[] = [];
  let crc = 0;
  let summed = 0;
  recordCrcPlaces(type, bytes.length).forEach(({ start, end, crcAt }, record) => {
    const whole = crc32(bytes.subarray(start, end));
    const own = view.getUint32(crcAt, true);
    if (crc32Without(whole, own, end - crcAt) !== own) badRecords.push(record);
    crc = crc32Combine(crc, whole, end - start);
    summed = end;
  });
  return { crc: crc32(bytes.subarray(summed), crc), badRecords };
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
  const bytes = region.bytes.subarray(0, HEADER_BYTES);
  const siblings = known.filter((one) => sameGenerationHeader(one.header.bytes, bytes));
  const header = judgeHeader(region, siblings[0]?.header.header ?? null);
  const twin = header.usable ? siblings.find((one) => hasSameSections(one, region)) : undefined;
  if (twin !== undefined) {
    const { sections, overallComputed, overallOk, valid, generation } = twin;
    return { header, sections, overallComputed, overallOk, valid, generation, region };
  }
  const judgement = judgeSections(header, region, level);
  if (judgement.generation !== null) known.push(judgement);
  return judgement;
}

function hasSameSections({ generation }: SlotJudgement, region: Region): boolean {
  if (generation === null) return false;
  return generation.sections.every(({ offset, bytes }) => {
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
