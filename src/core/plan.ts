// SPDX-License-Identifier: GPL-2.0-or-later
// The repair plan as data: which generation is to be put where, in which order, and which permission each place needs.
// Makes no decision about who wins (setup.ts) and writes nothing (src/commands).
import { nextSequence } from './commit';
import { sameGeneration } from './judge';
import { keeping, worthKeeping } from './order';
import type { Place, Planned, Treasure } from './order';
import { acceptedPartial } from './partial';
import type { FindingId, RepairNeeds } from './findings';
import { findingSpec } from './findings';
import type { Generation } from './generation';
import { contentsOf } from './generation';
import { BLOCK_BYTES, DEVICE_FAILED, SEQUENCE_LIMIT } from './layout';
import { rulesBroken } from './rules';
import type { Candidate, CopyVerdict, JudgedSpare, Seat, SetupDecision } from './model';
import type { Choice } from './sides';
import { chosenSide, sidesOf, unchoosable } from './sides';

/** What the user allows. */
export interface Permissions {
  /** none: only look; preen: what is beyond doubt; yes: all that loses nothing. */
  readonly grant: 'none' | 'preen' | 'yes';
  readonly choose: Choice | null;
  readonly acceptPartial: boolean;
  readonly force: boolean;
}

/** One place that is to hold the plan's generation. */
export interface PlannedCopy extends Planned {
  readonly seat: Seat;
  readonly copy: CopyVerdict;
  /** Why the place is written. */
  readonly finding: FindingId;
  readonly needs: RepairNeeds;
}

export interface RepairPlan {
  /**
   * restore: the generation is put back byte for byte. commit: a new generation with its contents is made first
   * (commit.ts). none: there is nothing to do, or nothing that may be done.
   */
  readonly kind: 'none' | 'restore' | 'commit';
  /** The generation to put back, or the one to make a new one from. */
  readonly base: Generation | null;
  /** In the order of FORMAT.md section 6. */
  readonly copies: readonly PlannedCopy[];
  /** What is not done for want of permission, or cannot be done; a permission each, without doubles. */
  readonly withheld: readonly RepairNeeds[];
  /** Why the plan is empty, or not the one that the damage asks for, or null. */
  readonly refusal: string | null;
  /** What --choose could put in force, where that is what is missing. */
  readonly choices: readonly Candidate[];
}

const NOTHING: RepairPlan = {
  kind: 'none',
  base: null,
  copies: [],
  withheld: [],
  refusal: null,
  choices: [],
};

/** Plans the repair of a setup as far as the permissions go. */
export function planRepair(decision: SetupDecision, permissions: Permissions): RepairPlan {
  if (decision.verdict === 'clean') return NOTHING;
  if (decision.refusal !== null)
    return { ...NOTHING, withheld: ['never'], refusal: `nothing is written, because ${decision.refusal}` };
  switch (decision.verdict) {
    case 'lost':
    case 'inconsistent':
      return { ...NOTHING, withheld: ['never'] };
    case 'split':
      return planChosen(decision, permissions);
    case 'partial':
      return permissions.choose === null
        ? planPartial(decision, permissions)
        : planChosen(decision, permissions);
    default:
      return planWinner(decision, permissions);
  }
}

/** The winner is whole or was recovered in full: put it back; bring back spares that were absent. */
function planWinner(decision: SetupDecision, permissions: Permissions): RepairPlan {
  const base = decision.winner?.generation ?? null;
  if (base === null) return NOTHING;
  const salvaged = decision.winner?.salvage !== null;
  const restore = planRestore(decision, base, permissions, salvaged);
  const behind = decision.seats.filter((seat) => seat.standing === 'behind');
  if (behind.length === 0) return restore;
  const failed = behind.some((seat) => flagsOf(base, seat.index) & DEVICE_FAILED);
  const needs: RepairNeeds = salvaged || failed ? 'yes' : 'preen';
  const commit = grants(permissions, needs)
    ? planCommit(decision, base, 'spare-behind', needs, permissions)
    : null;
  // A new generation has other DEVICES: where every place holds something that the salvage can't do without, none could
  // be the first. The salvaged generation itself can be put back anywhere; the absent spare is for the next run.
  if (commit?.kind === 'commit' && commit.copies.some((copy) => !copy.precious)) return commit;
  return {
    ...restore,
    withheld: distinct([...restore.withheld, needs]),
    refusal: commit?.refusal ?? null,
  };
}

function planRestore(
  decision: SetupDecision,
  base: Generation,
  permissions: Permissions,
  salvaged: boolean,
): RepairPlan {
  const seats = decision.seats.filter(({ standing }) => standing === 'current');
  const { wanted, withheld } = permitted(seats, permissions, (copy) => {
    const finding = causeOf(copy);
    if (finding === null) return null;
    const own = findingSpec(finding).repair;
    return { finding, needs: salvaged && own === 'preen' ? 'yes' : own };
  });
  const pieces = decision.winner?.salvage?.pieces ?? [];
  return {
    kind: wanted.length > 0 ? 'restore' : 'none',
    base,
    copies: keeping(wanted, { generations: [], pieces, expendable: true }),
    withheld: distinct(withheld),
    refusal: null,
    choices: [],
  };
}

/** Why a place is to be written, and the permission that it needs. */
type Reason = Pick<PlannedCopy, 'finding' | 'needs'>;

/** The copies of these seats that may be written, and the permissions that the others lack. `reasonFor`: null, leave it. */
function permitted(
  seats: readonly Seat[],
  permissions: Permissions,
  reasonFor: (copy: CopyVerdict) => Reason | null,
): { wanted: PlannedCopy[]; withheld: RepairNeeds[] } {
  const wanted: PlannedCopy[] = [];
  const withheld: RepairNeeds[] = [];
  for (const seat of seats) {
    if (seat.spare === null) continue;
    for (const copy of seat.copies) {
      const reason = reasonFor(copy);
      if (reason === null) continue;
      if (grants(permissions, reason.needs)) wanted.push(plannedCopy(seat, seat.spare, copy, reason));
      else withheld.push(reason.needs);
    }
  }
  return { wanted, withheld };
}

function plannedCopy(seat: Seat, spare: JudgedSpare, copy: CopyVerdict, reason: Reason): PlannedCopy {
  const { copyIndex, state } = copy;
  const slot = spare.slots[copyIndex];
  if (slot === undefined) throw new RangeError(`spare ${seat.index} has no slot ${copyIndex}`);
  const place: Place = {
    spareIndex: seat.index,
    copyIndex,
    region: slot.region,
    whole: state === 'foreign' ? null : slot.generation,
    inPlace: state === 'valid' || state === 'stale',
  };
  return { seat, copy, ...reason, place, precious: false };
}

/** A new generation on every spare that is present, belongs to it and is not retired. */
function planCommit(
  decision: SetupDecision,
  base: Generation,
  why: FindingId,
  needs: RepairNeeds,
  permissions: Permissions,
): RepairPlan {
  const seats = decision.seats.filter((seat) => seat.standing !== 'retired' && isMember(base, seat));
  const { wanted, withheld } = permitted(seats, permissions, (copy) => {
    const cause = causeOf(copy);
    const own = cause === null || cause === 'copy-diverged' ? needs : findingSpec(cause).repair;
    return { finding: cause ?? why, needs: own };
  });
  if (nextSequence(decision) >= SEQUENCE_LIMIT) {
    return { ...NOTHING, withheld: ['never'], refusal: 'no sequence is left for a new generation' };
  }
  const copies = keeping(wanted, treasureOf(decision, base));
  const minCopies = contentsOf(base).config.minCopies;
  const most = Math.max(0, ...decision.seats.map((seat) => copies.filter((one) => one.seat === seat).length));
  if (most < minCopies) {
    const refusal = `a new generation would reach ${most} copies on a spare at most, and min_copies is ${minCopies}`;
    return { ...NOTHING, withheld: distinct(withheld), refusal };
  }
  return { kind: 'commit', base, copies, withheld: distinct(withheld), refusal: null, choices: [] };
}

/** What must outlive the first half of a commit: both sides of a split, the best whole copy, what a salvage is made of. */
function treasureOf({ candidates, highestSeen, winner, partial }: SetupDecision, base: Generation): Treasure {
  const whole = candidates.flatMap(({ generation, salvage }) => (salvage === null ? [generation] : []));
  const recovered = candidates.filter(({ salvage }) => salvage !== null);
  const own = recovered.find(({ generation }) => sameGeneration(generation, base));
  // Who chooses a generation that has no whole copy needs its pieces, whatever becomes of those of the newest.
  const reports =
    own === undefined ? [winner?.salvage ?? partial, ...recovered.map((one) => one.salvage)] : [own.salvage];
  const pieces = reports.flatMap((report) => report?.pieces ?? []);
  return { generations: worthKeeping(whole, highestSeen, base), pieces, expendable: partial !== null };
}

function planChosen(decision: SetupDecision, permissions: Permissions): RepairPlan {
  if (permissions.choose === null) return { ...NOTHING, withheld: ['choose'], choices: sidesOf(decision) };
  const chosen = chosenSide(decision, permissions.choose);
  if (chosen === null) {
    const { why, instead } = unchoosable(decision, permissions.choose);
    return { ...NOTHING, withheld: ['choose'], refusal: why, choices: instead };
  }
  if (!grants(permissions, 'choose')) return { ...NOTHING, withheld: ['yes'] };
  const broken = rulesBroken(chosen.generation).find((one) => findingSpec(one.id).severity === 'error');
  if (broken !== undefined || chosen.generation.header.roCompat !== 0n) {
    const why =
      broken === undefined ? 'it has features that only allow reading' : `it breaks a rule (${broken.id})`;
    return {
      ...NOTHING,
      withheld: ['never'],
      refusal: `the chosen generation can not be put in force: ${why}`,
    };
  }
  return planCommit(decision, chosen.generation, 'setup-split', 'choose', permissions);
}

function planPartial(decision: SetupDecision, permissions: Permissions): RepairPlan {
  if (!permissions.acceptPartial)
    return { ...NOTHING, withheld: ['accept-partial'], choices: sidesOf(decision) };
  if (!grants(permissions, 'accept-partial')) return { ...NOTHING, withheld: ['yes'] };
  if (decision.partial === null) {
    return { ...NOTHING, withheld: ['never'], refusal: 'there is no one generation that could be accepted' };
  }
  const best = decision.candidates[0]?.generation ?? null;
  const partial = acceptedPartial(decision.partial, best);
  if (partial === null) {
    return {
      ...NOTHING,
      withheld: ['never'],
      refusal: 'what was recovered does not make a sound generation',
    };
  }
  return planCommit(decision, partial, 'setup-partial', 'accept-partial', permissions);
}

/** Does what the user allowed cover what a repair needs? */
function grants(permissions: Permissions, needs: RepairNeeds): boolean {
  switch (needs) {
    case 'preen':
      return permissions.grant !== 'none';
    case 'yes':
      return permissions.grant === 'yes';
    case 'choose':
      return permissions.grant === 'yes' && permissions.choose !== null;
    case 'accept-partial':
      return permissions.grant === 'yes' && permissions.acceptPartial;
    case 'force':
      return permissions.grant === 'yes' && permissions.force;
    case 'never':
      return false;
  }
}

/** The finding about the copy that a repair of it answers; null if the copy is as it should be. */
function causeOf(copy: CopyVerdict): FindingId | null {
  return copy.findings.find((one) => one.id.startsWith('copy-'))?.id ?? null;
}

function isMember(generation: Generation, seat: Seat): boolean {
  return contentsOf(generation).devices[1 + seat.index]?.deviceUuid === seat.uuid;
}

function flagsOf(generation: Generation, index: number): number {
  return contentsOf(generation).devices[1 + index]?.flags ?? 0;
}

function distinct(needs: readonly RepairNeeds[]): RepairNeeds[] {
  return [...new Set(needs)].sort();
}

/** A write of whole blocks. Offsets in bytes from the start of the slot. */
export interface SlotWrite {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * The writes that put a copy into its place: first the blocks, last the header block, so that a header is never there
 * before what it vouches for. For a place known to be good, `now` is what it holds and only blocks that change are
 * written; else `now` is null and the whole slot_bytes are.
 */
export function writesOfCopy(copy: Uint8Array, now: Uint8Array | null): SlotWrite[] {
  const writes: SlotWrite[] = [];
  let run = -1;
  for (let at = BLOCK_BYTES; at <= copy.length; at += BLOCK_BYTES) {
    const changes = at < copy.length && (now === null || !sameBlock(copy, now, at));
    if (changes && run === -1) run = at;
    if (!changes && run !== -1) {
      writes.push({ start: run, bytes: copy.subarray(run, at) });
      run = -1;
    }
  }
  writes.push({ start: 0, bytes: copy.subarray(0, BLOCK_BYTES) });
  return writes;
}

function sameBlock(a: Uint8Array, b: Uint8Array, at: number): boolean {
  if (at + BLOCK_BYTES > b.length) return false;
  for (let i = at; i < at + BLOCK_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}
