// SPDX-License-Identifier: GPL-2.0-or-later
// What happened to a place that holds no valid copy: corrupt, torn, zeroed, overwritten, unread or truncated, and (for
// the forensic level) which bytes. Reads nothing and decides nothing about other places.
import { isZero, SECTOR_BYTES } from './bytes';
import { decodeMany } from './codec';
import { gapWithin } from './extents';
import type { Finding } from './findings';
import { finding } from './findings';
import type { SectionJudgement, SlotJudgement } from './judge';
import {
  EVENT,
  EVENT_KIND,
  EVENT_RING,
  ENTRY,
  HEADER_BYTES,
  MIN_SLOT_BYTES,
  REMAP_REASON,
  SECTION,
  TRAILER_AT,
} from './layout';
import type { CopyState } from './model';
import { sectionName } from './salvage';
import { recogniseInSlot } from './signatures';

/** Up to so many differing bits count as flipped bits rather than as other data. */
const MOST_FLIPS = 8;

/** The bytes that a place would hold in a known generation: slot_bytes long. */
export interface KnownImage {
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
}

export interface DamageQuestion {
  readonly slot: SlotJudgement;
  /** Byte of the spare at which the slot begins: signatures of other content have fixed places on a device. */
  readonly slotOffset: bigint;
  /** What belongs here, when the winner is known; else null. */
  readonly expected: KnownImage | null;
  /** Other generations that were seen whole, as they would look in this place. */
  readonly others: readonly KnownImage[];
  /** Whether details are wanted: comparing forty large copies byte by byte takes longer than repairing them. */
  readonly forensic: boolean;
}

export interface Damage {
  readonly state: CopyState;
  readonly why: string;
  /** Explanations for the forensic level; their places are filled in by the caller. */
  readonly details: readonly Finding[];
}

/** Explains a slot whose copy isn't valid and isn't of another place or setup. */
export function explainDamage(question: DamageQuestion): Damage {
  const { slot, expected } = question;
  const { header, region } = slot;
  const used =
    header.usable && header.header !== null
      ? header.header.slotBytes
      : (expected?.bytes.length ?? MIN_SLOT_BYTES);
  if (header.state === 'beyond-end') return { state: 'truncated', why: 'the input ends here', details: [] };
  const lacking = header.usable
    ? slot.sections.map((section) => section.gap).find((gap) => gap !== undefined)
    : region.gaps.find((gap) => gap.start < used);
  if (lacking !== undefined) {
    return { state: lacking.kind === 'unread' ? 'unread' : 'truncated', why: lacking.reason, details: [] };
  }
  const flips = expected === null ? null : bitFlips(region.bytes, expected.bytes);
  if (flips !== null) return { state: 'corrupt', why: whyInvalid(slot), details: [flips] };
  if (header.usable) return explainSections(question);
  return explainHeaderless(question, used);
}

/** No intact header: zeros, other content, or simply corrupt. */
function explainHeaderless(question: DamageQuestion, used: number): Damage {
  const { slot, slotOffset } = question;
  const bytes = slot.region.bytes;
  const content = recogniseInSlot(bytes, slotOffset);
  if (content !== undefined) return { state: 'overwritten', why: content.name, details: [] };
  if (isZero(bytes, 0, Math.min(used, bytes.length)))
    return { state: 'zeroed', why: 'it reads as zeros', details: [] };
  return {
    state: 'corrupt',
    why: whyInvalid(slot),
    details: damagedRanges(question),
  };
}

/** The header is intact, a section is not: other content, torn where every differing part is of a generation, or corrupt. */
function explainSections(question: DamageQuestion): Damage {
  const { slot, expected, others } = question;
  const failing = slot.sections.filter((section) => !section.crcOk || section.badRecords.length > 0);
  const content = contentIn(failing, slot, question.slotOffset);
  if (content !== null) return { state: 'overwritten', why: content, details: [] };
  const images = expected === null ? others : [expected, ...others];
  if (failing.length > 0 && failing.every((section) => isOfOtherGeneration(section, slot, images))) {
    const names = failing.map((section) => sectionName(section.entry.type)).join(', ');
    const why = `the header is of sequence ${slot.header.header?.sequence ?? 0n}, but ${names} ${failing.length > 1 ? 'hold' : 'holds'} bytes of another generation`;
    return { state: 'torn', why, details: question.forensic ? [tornAt(question, failing)] : [] };
  }
  return { state: 'corrupt', why: whyInvalid(slot), details: damagedRanges(question) };
}

/**
 * Other content that begins inside a section that fails: a RAID superblock at byte 4096 leaves the header as it is, and
 * would otherwise be written over as mere damage.
 */
function contentIn(
  failing: readonly SectionJudgement[],
  slot: SlotJudgement,
  slotOffset: bigint,
): string | null {
  if (failing.length === 0) return null;
  const content = recogniseInSlot(slot.region.bytes, slotOffset);
  if (content === undefined) return null;
  const at = Number(content.offset - slotOffset);
  return failing.some(({ entry }) => at >= entry.offset && at < entry.offset + entry.length)
    ? content.name
    : null;
}

/** In one line, the highest level that fails. */
export function whyInvalid(slot: SlotJudgement): string {
  const { header } = slot;
  if (header.state === 'bad') {
    if (!header.magicOk && isZero(header.bytes)) return 'its header is zero';
    return header.magicOk ? 'its header does not pass its checksum' : 'there is no magic';
  }
  const range = header.rangeProblems[0];
  if (range !== undefined) return `header field ${range.field}: ${range.why}`;
  const failing = slot.sections.filter((section) => !section.crcOk || section.badRecords.length > 0);
  if (failing.length > 0)
    return `${failing.map((section) => sectionName(section.entry.type)).join(', ')} fail${failing.length > 1 ? '' : 's'} the checksum`;
  return 'the sections together do not pass overall_crc';
}

/** Differing single bits between a place and what belongs there; null when it is more than a few, or none. */
function bitFlips(bytes: Uint8Array, expected: Uint8Array): Finding | null {
  const flips: { byte: number; bit: number }[] = [];
  const length = Math.min(bytes.length, expected.length);
  for (let at = 0; at < length; at++) {
    let difference = (bytes[at] ?? 0) ^ (expected[at] ?? 0);
    for (let bit = 0; difference !== 0; bit++, difference >>= 1) {
      if ((difference & 1) === 0) continue;
      if (flips.length === MOST_FLIPS) return null;
      flips.push({ byte: at, bit });
    }
  }
  if (flips.length === 0 || bytes.length < expected.length) return null;
  const bits = flips.map(({ byte, bit }) => `byte ${byte} bit ${bit}`).join(', ');
  return finding('bit-flip', {
    count: flips.length === 1 ? '1 bit' : `${flips.length} bits`,
    bits,
    byte: String(flips[0]?.byte ?? 0),
  });
}

/** True if a section that fails its crc consists of parts of known or at least self-consistent generations. */
function isOfOtherGeneration(
  section: SectionJudgement,
  slot: SlotJudgement,
  images: readonly KnownImage[],
): boolean {
  const { entry, badRecords } = section;
  const bytes = slot.region.bytes;
  const hasRecordCrcs = entry.type !== SECTION.events && entry.type <= SECTION.remaps;
  // Whole records with right checksums of their own, under a section checksum that fails: records of another generation.
  if (hasRecordCrcs && badRecords.length === 0 && entry.length > 0) return true;
  let unknown = 0;
  let zeros = 0;
  for (let at = entry.offset; at < entry.offset + entry.length; at += SECTOR_BYTES) {
    const end = Math.min(at + SECTOR_BYTES, entry.offset + entry.length);
    if (images.some((image) => sameBytes(bytes, image.bytes, at, end))) continue;
    if (!isPlausibleSector(entry.type, bytes, at, at - entry.offset)) return false;
    unknown++;
    if (isZero(bytes, at, end)) zeros++;
  }
  // Zeros alone are no sign of another generation: that is how a discarded or unread range looks.
  return unknown === 0 || zeros < unknown;
}

function sameBytes(a: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  if (end > a.length || end > b.length) return false;
  for (let i = start; i < end; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Nanoseconds: 2000-01-01 and 2200-01-01; what lies outside is no time that a writer would put down. */
const EARLY_NS = 946_684_800_000_000_000n;
const LATE_NS = 7_258_118_400_000_000_000n;

/** Could a writer have written this sector of EVENTS or REMAPS? Random damage hardly ever passes. */
function isPlausibleSector(type: number, bytes: Uint8Array, at: number, inSection: number): boolean {
  if (type === SECTION.events) {
    const first = inSection / EVENT.size;
    return decodeMany(EVENT, bytes, at, SECTOR_BYTES / EVENT.size).every((event, i) => {
      const start = at + i * EVENT.size;
      if (event.serial === 0) return isZero(bytes, start, start + EVENT.size);
      const inPlace = (event.serial - 1) % EVENT_RING === first + i;
      const timely = event.timeNs >= EARLY_NS && event.timeNs < LATE_NS;
      return inPlace && timely && event.kind >= 1 && event.kind < EVENT_KIND.length && event.device <= 8;
    });
  }
  if (type !== SECTION.remaps) return false;
  const inBlock = inSection % 4096;
  const entries = inBlock + SECTOR_BYTES > TRAILER_AT ? 15 : 16;
  return decodeMany(ENTRY, bytes, at, entries).every((entry, i) => {
    const start = at + i * ENTRY.size;
    if (entry.length === 0) return isZero(bytes, start, start + ENTRY.size);
    const timely = entry.createdNs >= EARLY_NS && entry.createdNs < LATE_NS;
    return (
      timely &&
      entry.spareIndex < 8 &&
      entry.reason >= 1 &&
      entry.reason < REMAP_REASON.length &&
      entry.flags <= 1
    );
  });
}

/** Where the parts of a torn copy meet, as far as the generations are known. */
function tornAt({ slot, expected, others }: DamageQuestion, failing: readonly SectionJudgement[]): Finding {
  const bytes = slot.region.bytes;
  const images = expected === null ? others : [expected, ...others];
  const own = images.find((image) => image.sequence === slot.header.header?.sequence);
  const first = failing[0];
  const start = first?.entry.offset ?? 0;
  const section = sectionName(first?.entry.type ?? 0);
  if (own === undefined) {
    return finding('torn-at', {
      what: `${section} (bytes ${start} on) is not of the header's generation`,
      byte: String(start),
    });
  }
  // The last sector that is not of the header's own generation ends the strange part.
  let from = -1;
  let to = -1;
  for (let at = HEADER_BYTES; at < own.bytes.length; at += SECTOR_BYTES) {
    if (sameBytes(bytes, own.bytes, at, at + SECTOR_BYTES)) continue;
    if (from === -1) from = at;
    to = at + SECTOR_BYTES;
  }
  const other = images.find(
    (image) => image !== own && from >= 0 && sameBytes(bytes, image.bytes, from, from + SECTOR_BYTES),
  );
  const origin = other === undefined ? 'another generation' : `sequence ${other.sequence}`;
  const newer = other !== undefined && other.sequence > own.sequence;
  const what = newer
    ? `the new part, of ${origin}, ends at byte ${to} of the place; it begins at byte ${from}`
    : `the new part, of sequence ${own.sequence}, ends at byte ${from} of the place; bytes ${from} to ${to} are of ${origin}`;
  return finding('torn-at', { what, byte: String(newer ? to : from) });
}

const MOST_RANGES = 16;

/** Runs of bytes that differ from what belongs in the place (runs closer than 64 bytes are one). */
function damagedRanges({ slot, expected, forensic }: DamageQuestion): Finding[] {
  if (expected === null || !forensic) return [];
  const { bytes } = slot.region;
  const runs: { start: number; end: number }[] = [];
  const length = Math.min(bytes.length, expected.bytes.length);
  for (let at = 0; at < length; at++) {
    if (bytes[at] === expected.bytes[at]) continue;
    const last = runs[runs.length - 1];
    if (last !== undefined && at - last.end < 64) last.end = at + 1;
    else runs.push({ start: at, end: at + 1 });
    if (runs.length > MOST_RANGES) break;
  }
  return runs.slice(0, MOST_RANGES).map(({ start, end }) =>
    finding('damaged-range', {
      start: String(start),
      end: String(end),
      where: placeName(start),
      what: isZero(bytes, start, end) ? 'zeroed' : 'other bytes',
      byte: String(start),
    }),
  );
}

/** The part of a v4.0 slot that a byte lies in. */
function placeName(at: number): string {
  if (at < HEADER_BYTES) return 'header';
  if (at < 4096) return 'behind the header';
  if (at < 12288) return 'DEVICES';
  if (at < 16384) return 'CONFIG';
  if (at < 20480) return 'HEALTH';
  return at < 24576 ? 'EVENTS' : 'REMAPS';
}

/** A named signature inside an otherwise valid or damaged place, for the forensic level. */
export function strayContent(slot: SlotJudgement, slotOffset: bigint): Finding | null {
  if (gapWithin(slot.region, 0, HEADER_BYTES) !== undefined) return null;
  const content = recogniseInSlot(slot.region.bytes, slotOffset);
  return content === undefined ? null : finding('stray-content', { content: content.name });
}
