// SPDX-License-Identifier: GPL-2.0-or-later
// From spares in any order to a table of the kernel target: what the toolkit decides about a setup, and each spare at the
// position of its index. Comparing the decisions is in kernel-agreement.ts.
import { belongsTo, damagedIdentity, identify } from '../../src/core/identity';
import type { SlotJudgement } from '../../src/core/judge';
import { judgeSlot } from '../../src/core/judge';
import { MAX_SPARES } from '../../src/core/layout';
import type { JudgedSpare, SetupDecision, SpareRead } from '../../src/core/model';
import { decideSetup } from '../../src/core/setup';
import type { BenchSpare } from './bench';
import { NOW_NS, readOf } from './bench';
import type { KernelQuestion, KernelSpare } from './kernel-judge';

export interface Placed {
  readonly decision: SetupDecision;
  /** What the toolkit made of the spares that it was given. */
  readonly spares: readonly JudgedSpare[];
  /** By position. */
  readonly table: readonly (BenchSpare | null)[];
  /** Every spare sits on its seat. */
  readonly seated: boolean;
  /** A spare's copies disagree about what it is, or it had to be put at the position of another. */
  readonly astray: boolean;
}

const judged = new WeakMap<BenchSpare, readonly SlotJudgement[]>();

/** The slots of a spare, each by itself. */
export function judgedSlots(spare: BenchSpare): readonly SlotJudgement[] {
  const known = judged.get(spare) ?? readOf(spare, 0).slots.map((region) => judgeSlot(region, 'complete'));
  judged.set(spare, known);
  return known;
}

/** The setups that spares belong to by themselves. */
export function setupsOn(spares: readonly BenchSpare[]): string[] {
  const uuids = spares.flatMap((spare) => {
    const belonging = belongsTo(judgedSlots(spare), null);
    return belonging.kind === 'one' ? [belonging.setupUuid] : [];
  });
  return [...new Set(uuids)];
}

/** Spares that belong to the setup when it is asked for, and those that show nothing intact but damaged headers of it. */
export function ofSetup(setupUuid: string, spares: readonly BenchSpare[]): BenchSpare[] {
  return spares.filter((spare) => {
    const slots = judgedSlots(spare);
    const belonging = belongsTo(slots, setupUuid);
    if (belonging.kind === 'none') return damagedIdentity(slots)?.setupUuid === setupUuid;
    return belonging.kind === 'one' && belonging.setupUuid === setupUuid;
  });
}

/**
 * Decides about a setup on these spares (all of them of that setup), and puts each at the position of its seat; those without a
 * seat at the first that are free. Null where a table has no room for all.
 */
export function placeSpares(setupUuid: string, given: readonly BenchSpare[]): Placed | null {
  const reads = given.map(readOf);
  const decision = decideSetup({ setupUuid, spares: reads, strays: [], level: 'complete', now: NOW_NS });
  const spares = identify(reads, given.map(judgedSlots), setupUuid).map(({ spare }) => spare);
  const doubtful = identify(reads, given.map(judgedSlots), setupUuid).some(({ doubt }) => doubt.length > 1);
  const spareOf = new Map<SpareRead, BenchSpare>(reads.map((read, i) => [read, given[i] as BenchSpare]));
  const table: (BenchSpare | null)[] = [];
  for (const seat of decision.seats) {
    while (table.length <= seat.index) table.push(null);
    const sitting = seat.spare === null ? undefined : spareOf.get(seat.spare.read);
    if (sitting !== undefined) table[seat.index] = sitting;
  }
  const standing = given.filter((spare) => !table.includes(spare));
  let astray = doubtful;
  for (const spare of standing) {
    const identity = spares[given.indexOf(spare)]?.identity ?? null;
    const own = identity !== null && (table[identity.index] ?? null) === null ? identity.index : null;
    let position = own ?? table.indexOf(null);
    if (position === -1) position = table.length;
    if (position >= MAX_SPARES) return null;
    while (table.length <= position) table.push(null);
    table[position] = spare;
    astray ||= identity !== null && identity.index !== position;
  }
  return { decision, spares, table, seated: standing.length === 0, astray };
}

/** A slot as far as a target reads it: up to the first gap, unless the gap is where nothing of a valid copy lies. */
function readable(spare: BenchSpare, copy: number): Uint8Array {
  const bytes = spare.slots[copy] ?? new Uint8Array(0);
  if (judgedSlots(spare)[copy]?.valid === true) return bytes;
  const starts = (spare.gaps?.[copy] ?? []).map(({ start }) => start);
  return bytes.subarray(0, Math.min(bytes.length, ...starts));
}

export function kernelSpare(spare: BenchSpare): KernelSpare {
  return spare.slots.map((_slot, copy) => readable(spare, copy));
}

export function questionOf({ decision, table }: Placed): KernelQuestion {
  return {
    setupUuid: decision.setupUuid,
    spares: table.map((spare) => (spare === null ? null : kernelSpare(spare))),
  };
}
