// SPDX-License-Identifier: GPL-2.0-or-later
// Judges the header of a copy: its magic, checksum and ranges (FORMAT.md section 2), and whose it is. What the header
// speaks of, the sections, is judged in judge.ts.
import { equalBytes } from './bytes';
import { decode, decodeInto, onlyFields } from './codec';
import type { Region } from './extents';
import { gapWithin } from './extents';
import { headerCrcOf, usedDirectory } from './generation';
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
  HEADER_CRC_AT,
  HEALTH,
  KNOWN_SECTIONS,
  MAGIC,
  MAX_REMAP_BLOCKS,
  MAX_SPARES,
  MIN_SLOT_BYTES,
  PER_COPY,
  SECTION,
  SECTION_OFFSET,
  SEQUENCE_LIMIT,
  SLOT_ROOM_BYTES,
} from './layout';

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

/** True if the header is evidence that its generation existed: right checksum and a possible sequence. */
export function isEvidence(judgement: HeaderJudgement): judgement is HeaderJudgement & { header: Header } {
  return judgement.state === 'good' && judgement.header !== null && isPossible(judgement.header.sequence);
}

const isPossible = (sequence: bigint): boolean => sequence > 0n && sequence < SEQUENCE_LIMIT;

type HeaderCheck = Pick<HeaderJudgement, 'state' | 'bytes' | 'magicOk' | 'crcComputed'>;

/** The first 512 bytes of a region as far as their magic and checksum go. */
function checkHeader(region: Region): HeaderCheck {
  const bytes = region.bytes.subarray(0, HEADER_BYTES);
  const none = { bytes, magicOk: false, crcComputed: 0 };
  const gap = gapWithin(region, 0, HEADER_BYTES);
  if (gap !== undefined) return { state: gap.kind, ...none };
  if (bytes.length < HEADER_BYTES) return { state: 'beyond-end', ...none };
  const magicOk = equalBytes(bytes.subarray(0, MAGIC.length), MAGIC);
  const crcComputed = headerCrcOf(bytes);
  const crc = new DataView(bytes.buffer, bytes.byteOffset + HEADER_CRC_AT).getUint32(0, true);
  return { state: magicOk && crcComputed === crc ? 'good' : 'bad', bytes, magicOk, crcComputed };
}

/** What a first look at a header is for: whether there is one, and whose. */
export interface HeaderGlance {
  readonly state: HeaderJudgement['state'];
  /** Null if it is evidence of nothing. */
  readonly evidence: { readonly setupUuid: string; readonly copyIndex: number } | null;
}

const GLANCE = onlyFields(HEADER, ['sequence', 'setupUuid', 'copyIndex']);

/** As judgeHeader and isEvidence, for thousands of inputs: decodes next to nothing. */
export function glanceAtHeader(region: Region): HeaderGlance {
  const { state, bytes } = checkHeader(region);
  if (state !== 'good') return { state, evidence: null };
  const { sequence, ...evidence } = decode(GLANCE, bytes);
  return { state, evidence: isPossible(sequence) ? evidence : null };
}

/**
 * Judges the header in the first 512 bytes of a region. `sibling`: a header that is the same outside the per-copy fields
 * (sameGenerationHeader), which then are all that there is to decode.
 */
export function judgeHeader(region: Region, sibling: Header | null = null): HeaderJudgement {
  const check = checkHeader(region);
  const { state, bytes, magicOk, crcComputed } = check;
  const header = decodeHeader(check, sibling);
  // What a damaged header says is shown, but not held against anything.
  const sound = state === 'good' ? header : null;
  const unsupported = sound === null ? null : unsupportedBy(sound);
  const rangeProblems = sound === null || unsupported !== null ? [] : headerRangeProblems(sound);
  const usable = sound !== null && unsupported === null && rangeProblems.length === 0;
  return { state, header, bytes, magicOk, crcComputed, unsupported, rangeProblems, usable };
}

function decodeHeader({ state, bytes }: HeaderCheck, sibling: Header | null): Header | null {
  if (state === 'unread' || state === 'beyond-end') return null;
  if (sibling === null) return decode(HEADER, bytes);
  const header = { ...sibling };
  decodeInto(PER_COPY, bytes, header);
  return header;
}

function unsupportedBy({ formatMajor, formatMinor, incompat }: Header): string | null {
  if (formatMajor !== FORMAT_MAJOR) return `format ${formatMajor}.${formatMinor}`;
  return incompat === 0n ? null : `incompat features 0x${incompat.toString(16)}`;
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
  check(isPossible(header.sequence), 'sequence', `${header.sequence} is invalid`);
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

/** True if both headers are of one generation: equal outside the per-copy fields (FORMAT.md section 2). */
export function sameGenerationHeader(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < HEADER_BYTES; i++) {
    const perCopy = (i >= 0x060 && i < 0x071) || i === 0x072 || (i >= 0x1f8 && i < 0x1fc);
    if (!perCopy && a[i] !== b[i]) return false;
  }
  return true;
}
