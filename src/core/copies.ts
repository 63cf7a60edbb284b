// SPDX-License-Identifier: GPL-2.0-or-later
// The state of one copy in its setup, and the findings that say why. The choice of the winner is in choose.ts; what
// damage looks like is in explain.ts.
import { isInPlace, isSameGeneration } from './choose';
import type { KnownImage } from './explain';
import { explainDamage, strayContent } from './explain';
import type { Finding, FindingId } from './findings';
import { finding } from './findings';
import type { Generation } from './generation';
import { encodeCopy } from './generation';
import type { Level } from './judge';
import { nonZeroGaps, sameGeneration } from './judge';
import { SECTOR_BYTES_BIG, SLOT_SECTORS } from './layout';
import type { Candidate, CopyRef, CopyState, CopyVerdict, Seat, Winner } from './model';
import { sectionName } from './salvage';

export interface CopyContext {
  readonly setupUuid: string;
  readonly winner: Winner | null;
  /** The winner, or the best whole generation where a newer one was recovered only in part. */
  readonly known: Winner | null;
  readonly level: Level;
  readonly candidates: readonly Candidate[];
}

/** Byte of the spare at which a slot begins. */
export function slotOffset(copyIndex: number): bigint {
  return (SLOT_SECTORS[copyIndex] ?? 0n) * SECTOR_BYTES_BIG;
}

/** Judges one copy beside the winner. */
export function copyVerdict(ref: CopyRef, seat: Omit<Seat, 'copies'>, context: CopyContext): CopyVerdict {
  const { header } = ref.judgement.header;
  const byte = ref.spare.read.base + slotOffset(ref.copyIndex);
  const found: Finding[] = [];
  const say = (id: FindingId, fields: Record<string, string> = {}, at = 0): void => {
    found.push(finding(id, fields, { spare: seat.index, copy: ref.copyIndex, byte: byte + BigInt(at) }));
  };
  const state = stateOf(ref, seat, context, say);
  const good = ref.judgement.header.state === 'good';
  // A retired spare is no longer written to: what lies on it is no error of the setup.
  const kept = seat.standing === 'retired' ? [] : found;
  return {
    copyIndex: ref.copyIndex,
    state,
    sequence: good && header !== null ? header.sequence : null,
    findings: kept,
  };
}

type Say = (id: FindingId, fields?: Record<string, string>, at?: number) => void;

function stateOf(ref: CopyRef, seat: Omit<Seat, 'copies'>, context: CopyContext, say: Say): CopyState {
  const { judgement } = ref;
  const { header, state, unsupported } = judgement.header;
  if (state === 'good' && header !== null) {
    if (unsupported !== null) {
      say('copy-unsupported', { why: unsupported });
      return 'unsupported';
    }
    if (header.setupUuid !== context.setupUuid) {
      say('copy-foreign', { setupUuid: header.setupUuid });
      return 'foreign';
    }
    if (!isInPlace(ref)) {
      const fields = {
        spareIndex: String(header.spareIndex),
        copyIndex: String(header.copyIndex),
        spareUuid: header.spareUuid,
      };
      say('copy-misplaced', fields);
      if (context.level === 'forensic') say('misplaced-from', { what: misplacedFrom(ref, context) });
      return 'misplaced';
    }
    if (judgement.valid) return validState(ref, seat, context, say);
  }
  return damagedState(ref, seat, context, say);
}

function misplacedFrom(ref: CopyRef, { winner }: CopyContext): string {
  const { judgement } = ref;
  const sequence = judgement.header.header?.sequence ?? 0n;
  if (!judgement.valid) return `not whole; its header is of sequence ${sequence}`;
  const same = winner !== null && isSameGeneration(ref, winner.from);
  return same ? `a whole copy of the winning generation` : `a whole copy of sequence ${sequence}`;
}

function validState(ref: CopyRef, seat: Omit<Seat, 'copies'>, context: CopyContext, say: Say): CopyState {
  const { judgement } = ref;
  const { winner } = context;
  const { header } = judgement.header;
  if (header === null) return 'corrupt';
  if (context.level === 'forensic' && judgement.generation !== null) {
    for (const gap of nonZeroGaps(judgement.generation, judgement.region)) {
      say('gap-nonzero', { start: String(gap.start), end: String(gap.end) }, gap.start);
    }
    const stray = strayContent(judgement, slotOffset(ref.copyIndex));
    if (stray !== null) say('stray-content', stray.fields);
  }
  if (winner !== null && isWinning(ref, winner)) return 'valid';
  const newest = winner?.header.sequence;
  if (seat.standing === 'diverged' || header.sequence === newest) {
    say('copy-diverged', { sequence: String(header.sequence), run: header.runId.toString(16) });
    return 'valid';
  }
  say('copy-stale', {
    sequence: String(header.sequence),
    winner: newest === undefined ? 'a newer one' : String(newest),
  });
  return 'stale';
}

function isWinning(ref: CopyRef, winner: Winner): boolean {
  if (ref.judgement.generation !== null && winner.generation !== null) {
    return sameGeneration(ref.judgement.generation, winner.generation);
  }
  return isSameGeneration(ref, winner.from);
}

const STATE_FINDING: Readonly<Partial<Record<CopyState, FindingId>>> = {
  corrupt: 'copy-corrupt',
  torn: 'copy-torn',
  zeroed: 'copy-zeroed',
  overwritten: 'copy-overwritten',
  unread: 'copy-unread',
  truncated: 'copy-truncated',
};

function damagedState(ref: CopyRef, seat: Omit<Seat, 'copies'>, context: CopyContext, say: Say): CopyState {
  const place = { copyIndex: ref.copyIndex, spareIndex: seat.index, spareUuid: seat.uuid };
  const imageOf = (generation: Generation): KnownImage => ({
    sequence: generation.header.sequence,
    bytes: encodeCopy(generation, place),
  });
  const expected = context.known?.generation ?? null;
  const others = context.candidates
    .map((candidate) => candidate.generation)
    .filter((one) => one !== expected);
  const damage = explainDamage({
    slot: ref.judgement,
    slotOffset: slotOffset(ref.copyIndex),
    expected: expected === null ? null : imageOf(expected),
    others: others.map(imageOf),
    forensic: context.level === 'forensic',
  });
  const id = STATE_FINDING[damage.state];
  if (id !== undefined) say(id, { why: damage.why, content: damage.why });
  sayChecksums(ref, damage.state, say);
  if (context.level === 'forensic') {
    for (const detail of damage.details) say(detail.id, detail.fields, Number(detail.fields['byte'] ?? 0));
    if (damage.state !== 'overwritten') {
      const stray = strayContent(ref.judgement, slotOffset(ref.copyIndex));
      if (stray !== null) say('stray-content', stray.fields);
    }
  }
  return damage.state;
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

/** Which checksums fail, as notes beside the finding about the copy. */
function sayChecksums(ref: CopyRef, state: CopyState, say: Say): void {
  if (state !== 'corrupt' && state !== 'torn') return;
  const { header, sections, overallOk, overallComputed } = ref.judgement;
  if (header.state === 'bad' && header.header !== null) {
    if (!header.magicOk) say('header-magic');
    else say('header-crc', { found: hex(header.header.headerCrc), computed: hex(header.crcComputed) }, 0x1f8);
    return;
  }
  for (const problem of header.rangeProblems) say('header-range', { field: problem.field, why: problem.why });
  for (const section of sections) {
    const name = sectionName(section.entry.type);
    if (!section.crcOk) {
      say(
        'section-crc',
        { section: name, found: hex(section.entry.crc), computed: hex(section.crcComputed) },
        section.entry.offset,
      );
    }
    for (const record of section.badRecords.slice(0, 8)) {
      say('record-crc', { section: name, record: String(record) }, section.entry.offset);
    }
  }
  if (sections.length > 0 && !overallOk && header.header !== null) {
    say('overall-crc', { found: hex(header.header.overallCrc), computed: hex(overallComputed) }, 0x1f4);
  }
}
