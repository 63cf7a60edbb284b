// SPDX-License-Identifier: GPL-2.0-or-later
// Whose place is it: to which setup an input belongs, and which spare of that setup it is (FORMAT.md section 5).
// Works on judged slots; does not choose a winner.
import { equalBytes, isZero } from './bytes';
import { decode } from './codec';
import type { HeaderJudgement } from './header';
import type { SlotJudgement } from './judge';
import { isEvidence } from './header';
import { badRecordsOf } from './judge';
import type { Header } from './layout';
import {
  DEVICE,
  HEADER,
  HEALTH,
  MAGIC,
  MAX_SPARES,
  REMAP_BLOCK_MAGIC,
  SECTION,
  SECTION_OFFSET,
  TRAILER,
  TRAILER_AT,
} from './layout';
import type { Region } from './extents';
import { gapWithin } from './extents';
import type { Identity, JudgedSpare, SpareRead } from './model';

/** True if the header is sound evidence of a generation of this setup. */
export function isEvidenceOf(
  judgement: HeaderJudgement,
  setupUuid: string,
): judgement is HeaderJudgement & { header: Header } {
  return isEvidence(judgement) && judgement.header.setupUuid === setupUuid;
}

/** The setup that an input belongs to: one, none (no header is intact), or a tie between several. */
export type Belonging =
  | { readonly kind: 'one'; readonly setupUuid: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'tie'; readonly setups: readonly string[] };

/**
 * A spare that carries copies of two setups belongs to the one asked for, else to the one with more valid copies; a
 * tie is no answer. Where no copy is valid, intact headers count instead.
 */
export function belongsTo(slots: readonly SlotJudgement[], asked: string | null): Belonging {
  const counts = new Map<string, { valid: number; good: number }>();
  for (const slot of slots) {
    if (!isEvidence(slot.header)) continue;
    const count = counts.get(slot.header.header.setupUuid) ?? { valid: 0, good: 0 };
    count.good++;
    if (slot.valid) count.valid++;
    counts.set(slot.header.header.setupUuid, count);
  }
  if (counts.size === 0) return { kind: 'none' };
  if (asked !== null && counts.has(asked)) return { kind: 'one', setupUuid: asked };
  const most = Math.max(...[...counts.values()].map((count) => count.valid));
  const leaders = [...counts].filter(([, count]) => (most > 0 ? count.valid === most : true));
  const mostGood = Math.max(...leaders.map(([, count]) => count.good));
  const best = most > 0 ? leaders : leaders.filter(([, count]) => count.good === mostGood);
  const [only] = best;
  if (best.length === 1 && only !== undefined) return { kind: 'one', setupUuid: only[0] };
  return { kind: 'tie', setups: best.map(([uuid]) => uuid).sort() };
}

interface Vote {
  readonly identity: Identity;
  valid: number;
  good: number;
}

/** What the copies of a setup on one input say about which spare it is; most votes first. */
function votes(slots: readonly SlotJudgement[], setupUuid: string): Vote[] {
  const found = new Map<string, Vote>();
  slots.forEach((slot, copyIndex) => {
    // A copy in the wrong slot is no witness of what the device is.
    if (!isEvidenceOf(slot.header, setupUuid) || slot.header.header.copyIndex !== copyIndex) return;
    const { spareUuid: uuid, spareIndex: index } = slot.header.header;
    // A right checksum over an index that no spare has.
    if (index >= MAX_SPARES) return;
    const key = `${uuid} ${index}`;
    const vote = found.get(key) ?? { identity: { uuid, index }, valid: 0, good: 0 };
    vote.good++;
    if (slot.valid) vote.valid++;
    found.set(key, vote);
  });
  return [...found.values()].sort((a, b) => b.valid - a.valid || b.good - a.good);
}

export interface Identified {
  readonly spare: JudgedSpare;
  /** The identities that are equally likely, when it could not be decided. */
  readonly doubt: readonly Identity[];
}

/**
 * Decides for all inputs of a setup which spare each is. A tie on one input is broken by the others: an identity
 * that another input holds without doubt is not available. What remains tied stays undecided: nothing is guessed.
 */
export function identify(
  reads: readonly SpareRead[],
  judged: readonly (readonly SlotJudgement[])[],
  setupUuid: string,
): Identified[] {
  const all = judged.map((slots) => votes(slots, setupUuid));
  const leaders = all.map((list) =>
    list.filter((v) => v.valid === list[0]?.valid && v.good === list[0].good),
  );
  const certain = new Set(
    leaders.flatMap((list) => (list.length === 1 && list[0] !== undefined ? [list[0].identity.uuid] : [])),
  );
  return reads.map((read, i) => {
    const slots = judged[i] ?? [];
    const list = leaders[i] ?? [];
    const open = list.length > 1 ? list.filter((vote) => !certain.has(vote.identity.uuid)) : list;
    const only = open[0];
    const decided = open.length === 1 && only !== undefined ? only.identity : null;
    return {
      spare: { read, slots, identity: decided },
      doubt: decided === null ? list.map((vote) => vote.identity) : [],
    };
  });
}

/**
 * The identity that damaged headers still show (magic there, checksum not), if all that show one agree. Good enough
 * to take a seat that nobody else has (a 128-bit uuid is not hit by chance), never to win or to count.
 */
export function damagedIdentity(slots: readonly SlotJudgement[]): (Identity & { setupUuid: string }) | null {
  let found: (Identity & { setupUuid: string }) | null = null;
  for (const slot of slots) {
    const { state, header, magicOk } = slot.header;
    if (state !== 'bad' || header === null || !magicOk || header.spareIndex >= MAX_SPARES) continue;
    const seen = { uuid: header.spareUuid, index: header.spareIndex, setupUuid: header.setupUuid };
    if (
      found !== null &&
      (found.uuid !== seen.uuid || found.index !== seen.index || found.setupUuid !== seen.setupUuid)
    )
      return null;
    found = seen;
  }
  return found;
}

/** True if a slot shows any trace of dm-remap v4 metadata: the magic, or a record of a section with its right crc. */
export function hasTrace(region: Region): boolean {
  const bytes = region.bytes;
  if (bytes.length < HEADER.size) return false;
  if (gapWithin(region, 0, 16) === undefined && equalBytes(bytes.subarray(0, MAGIC.length), MAGIC))
    return true;
  const intact = (type: number, offset: number, size: number): boolean =>
    offset + size <= bytes.length &&
    gapWithin(region, offset, offset + size) === undefined &&
    !isZero(bytes, offset, offset + size) &&
    badRecordsOf(type, bytes.subarray(offset, offset + size)).length === 0;
  if (intact(SECTION.devices, SECTION_OFFSET[SECTION.devices], DEVICE.size)) return true;
  if (intact(SECTION.config, SECTION_OFFSET[SECTION.config], 4096)) return true;
  if (intact(SECTION.health, SECTION_OFFSET[SECTION.health], HEALTH.size)) return true;
  for (let at = SECTION_OFFSET[SECTION.remaps]; at + 4096 <= bytes.length; at += 4096) {
    if (
      decode(TRAILER, bytes, at + TRAILER_AT).magic === REMAP_BLOCK_MAGIC &&
      intact(SECTION.remaps, at, 4096)
    )
      return true;
  }
  return false;
}
