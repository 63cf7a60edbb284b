// SPDX-License-Identifier: GPL-2.0-or-later
// Holds the kernel's decision about a setup against the toolkit's: the same copies valid and in the same state, the same
// winner, the same spares at the same side of a split. Where the toolkit goes on to salvage, the kernel has to refuse.
import { judgedSlots } from './kernel-seats';
import type { Placed } from './kernel-seats';
import type { KernelCopy, KernelCopyState, KernelDecision, KernelRefusal } from './kernel-judge';
import { allRefs, evidenceOf, isInPlace, isSameGeneration } from '../../src/core/choose';
import { nextSequence } from '../../src/core/commit';
import type { SlotJudgement } from '../../src/core/judge';
import { isEvidence } from '../../src/core/header';
import { SEQUENCE_LIMIT } from '../../src/core/layout';
import type { CopyState, SetupDecision } from '../../src/core/model';

const STATES: Readonly<Record<KernelCopyState, readonly CopyState[]>> = {
  none: ['absent'],
  whole: ['valid'],
  rival: ['valid'],
  stale: ['stale'],
  bad: ['torn', 'corrupt', 'zeroed', 'overwritten'],
  unread: ['unread', 'truncated'],
  misplaced: ['misplaced'],
  foreign: ['foreign'],
  unknown: ['unsupported'],
};

function headerWord({ header }: SlotJudgement): KernelCopy['header'] {
  if (header.state === 'unread' || header.state === 'beyond-end') return 'unread';
  if (header.state === 'bad') return header.magicOk ? 'bad' : 'none';
  return header.unsupported !== null ? 'unknown' : header.usable ? 'good' : 'odd';
}

/** Each slot by itself: header, evidence, validity. Returns what differs, in words. */
function slotDifferences(placed: Placed, kernel: KernelDecision): string[] {
  return placed.table.flatMap((spare, position) => {
    if (spare === null) return [];
    return judgedSlots(spare).flatMap((slot, copy) => {
      const own = kernel.spares[position]?.copies[copy];
      const { header } = slot;
      const wanted = {
        header: headerWord(slot),
        valid: slot.valid,
        sequence: isEvidence(header) ? String(header.header.sequence) : '0',
      };
      const found = { header: own?.header, valid: own?.valid, sequence: own?.sequence };
      const same = JSON.stringify(wanted) === JSON.stringify(found);
      return same
        ? []
        : [
            `table ${position} copy ${copy}: ${JSON.stringify(wanted)}, but the kernel says ${JSON.stringify(found)} (${own?.why ?? ''})`,
          ];
    });
  });
}

const has = ({ findings }: SetupDecision, id: string): boolean => findings.some((one) => one.id === id);

/** What the kernel may answer, by what the toolkit found. */
function expectedRefusals(placed: Placed): readonly KernelRefusal[] {
  const { decision } = placed;
  const refs = allRefs(placed.spares);
  const evidence = evidenceOf(refs, decision.setupUuid);
  if (evidence.length === 0) return ['nothing'];
  if (placed.astray) return ['wrong-spare'];
  const newest = evidence.filter(({ header }) => header.sequence === decision.highestSeen);
  if (newest.some(({ judgement }) => judgement.unsupported !== null)) return ['unknown-version'];
  const { winner } = decision;
  if (winner === null || winner.salvage !== null) return ['newer-lost'];
  const rivals = refs.some(
    (ref) =>
      ref.judgement.valid &&
      ref.judgement.header.header?.setupUuid === decision.setupUuid &&
      isInPlace(ref) &&
      ref.judgement.header.header.sequence === winner.header.sequence &&
      !isSameGeneration(ref, winner.from),
  );
  if (rivals) return ['split'];
  if (placed.table.length !== winner.header.spareCount) return ['spare-count'];
  if (!placed.seated)
    return ['wrong-spare', 'blank-spare', ...(has(decision, 'setup-split') ? ['split' as const] : [])];
  return has(decision, 'setup-split') ? ['split'] : ['ok'];
}

/** Standings, copy states and what a commit would need; where there is a winner and every spare has its seat. */
function seatDifferences({ decision, table }: Placed, kernel: KernelDecision): string[] {
  return decision.seats.flatMap((seat) => {
    const own = kernel.spares[seat.index];
    const out: string[] = [];
    if (own === undefined) return [`no spare ${seat.index}`];
    if (own.standing !== seat.standing)
      out.push(`spare ${seat.index} is ${seat.standing}, but the kernel says ${own.standing}`);
    if (own.shown !== String(seat.highestShown))
      out.push(`spare ${seat.index} shows ${seat.highestShown}, but the kernel says ${own.shown}`);
    for (const copy of seat.copies) {
      const state = own.copies[copy.copyIndex]?.state ?? 'none';
      const slot = table[seat.index];
      const gaps = slot === null || slot === undefined ? [] : (slot.gaps?.[copy.copyIndex] ?? []);
      // Without an intact header nobody knows how far a copy reaches, and whether a gap behind it is one of its own.
      const either = gaps.length > 0 && (state === 'bad' || state === 'unread');
      const allowed = either ? [...STATES.bad, ...STATES.unread] : STATES[state];
      if (!allowed.includes(copy.state)) {
        out.push(`spare ${seat.index} copy ${copy.copyIndex} is ${copy.state}, but the kernel says ${state}`);
      }
    }
    return out;
  });
}

function winnerDifferences({ decision }: Placed, kernel: KernelDecision): string[] {
  const { winner } = decision;
  const out: string[] = [];
  const differs = (what: string, wanted: unknown, found: unknown): void => {
    if (String(wanted) !== String(found))
      out.push(`${what} is ${String(wanted)}, but the kernel says ${String(found)}`);
  };
  if (winner === null || winner.salvage !== null) return out;
  differs('the winner', [winner.from.spare.identity?.index, winner.from.copyIndex], kernel.winner);
  differs('its sequence', winner.header.sequence, kernel.sequence);
  differs('the number of entries', winner.contents?.remaps.length, kernel.entries);
  const rules = decision.findings.filter(({ id }) => id.startsWith('rule-')).map(({ id }) => id);
  differs('unsound', rules.length > 0, kernel.unsound);
  if (kernel.rule !== null && !rules.some((id) => id === kernel.rule))
    out.push(`the kernel says ${kernel.rule}, but the toolkit only ${rules.join()}`);
  differs('ro_compat', winner.header.roCompat !== 0n, kernel.roCompat);
  return out;
}

/** What differs between the toolkit's decision and the kernel's, in words; [] is good news. */
export function disagreements(placed: Placed, kernel: KernelDecision): string[] {
  const { decision } = placed;
  const out = slotDifferences(placed, kernel);
  const refusals = expectedRefusals(placed);
  if (!refusals.includes(kernel.refusal)) {
    out.push(
      `the verdict is ${decision.verdict}, so the kernel should say ${refusals.join(' or ')}, but it says ${kernel.refusal} (${kernel.why ?? ''})`,
    );
  }
  if (String(decision.highestSeen) !== kernel.highest)
    out.push(`the highest sequence is ${decision.highestSeen}, but the kernel says ${kernel.highest}`);
  if (has(decision, 'sequence-exhausted') !== kernel.exhausted) out.push('exhausted?');
  if (placed.astray) return out;
  out.push(...winnerDifferences(placed, kernel));
  if (!placed.seated || decision.winner === null || decision.winner.salvage !== null) return out;
  out.push(...seatDifferences(placed, kernel));
  const next = nextSequence(decision);
  const wanted = next < SEQUENCE_LIMIT ? String(next) : '0';
  if (kernel.next !== wanted) out.push(`the next sequence is ${wanted}, but the kernel says ${kernel.next}`);
  return out;
}
