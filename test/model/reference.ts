// SPDX-License-Identifier: GPL-2.0-or-later
// FORMAT.md section 5 once more, over the symbols of the model and without a look at src/core: who wins, which spare has
// diverged, what is split. The toolkit's decision must be the same in every state.
import type { Gen } from './generations';
import type { Slot, World } from './world';
import { COPIES, isInPlace, isWhole, shownBy, slotAt } from './world';

export type Standing = 'current' | 'behind' | 'diverged' | 'absent';

export interface Decision {
  readonly verdict: 'clean' | 'repairable' | 'salvageable' | 'partial' | 'split' | 'lost';
  readonly winner: Gen | null;
  readonly standings: readonly Standing[];
  /** The highest sequence in any header. */
  readonly highest: bigint;
  readonly uncertain: boolean;
}

export function decide(world: World, given: readonly number[]): Decision {
  const places = given.flatMap((spare) =>
    COPIES.map((copy) => ({ spare, copy, slot: slotAt(world, spare, copy) })),
  );
  const shown = places.flatMap(({ slot }) => shownBy(slot) ?? []);
  const highest = max(shown.map((gen) => gen.sequence));
  const whole = places.filter(({ slot, spare, copy }) => isWhole(slot) && isInPlace(slot, spare, copy));
  const contenders = whole.flatMap(({ slot }) => slot.header ?? []);
  const best = max(contenders.map((gen) => gen.sequence));
  const top = [...new Set(shown.filter((gen) => gen.sequence === highest))];
  const uncertain = given.length < world.slots.length || shown.length < places.length;
  const facts = { highest, uncertain };
  const nobody = world.slots.map((_spare, index): Standing => (given.includes(index) ? 'current' : 'absent'));
  if (shown.length === 0) return { verdict: 'lost', winner: null, standings: nobody, ...facts };

  const salvaged = highest > best;
  const only = top.length === 1 ? top[0] : undefined;
  if (salvaged && (only === undefined || !canSalvage(world, given, only))) {
    const nothing =
      best === 0n && !places.some(({ slot }) => !slot.unread && (slot.devices ?? slot.remaps) !== null);
    return { verdict: nothing ? 'lost' : 'partial', winner: null, standings: nobody, ...facts };
  }
  const rivals = [...new Set(contenders.filter((gen) => gen.sequence === best))];
  const winner = salvaged ? only : latest(rivals);
  if (winner === undefined) throw new Error('nobody wins');
  const standings = world.slots.map((_spare, index) => standingOf(world, given, index, winner));
  const split = (!salvaged && rivals.length > 1) || standings.includes('diverged');
  const healthy = whole.length === places.length && contenders.every((gen) => gen === winner);
  const verdict = split
    ? 'split'
    : salvaged
      ? 'salvageable'
      : healthy && !standings.includes('behind')
        ? 'clean'
        : 'repairable';
  return { verdict, winner, standings, ...facts };
}

function standingOf(world: World, given: readonly number[], spare: number, winner: Gen): Standing {
  if (!given.includes(spare)) return 'absent';
  const record = winner.records[spare];
  if (record === undefined) throw new Error(`no record of spare ${spare}`);
  for (const copy of COPIES) {
    const gen = shownBy(slotAt(world, spare, copy));
    if (gen === null || gen.sequence <= record.base) continue;
    if (gen.run === record.run && gen.sequence <= record.last) continue;
    return 'diverged';
  }
  return record.last < winner.sequence ? 'behind' : 'current';
}

function canSalvage(world: World, given: readonly number[], wanted: Gen): boolean {
  const slots = given
    .flatMap((spare) => COPIES.map((copy) => slotAt(world, spare, copy)))
    .filter((one) => !one.unread);
  return slots.some((one) => one.devices === wanted) && slots.some((one) => one.remaps === wanted.remapsOf);
}

function latest(gens: readonly Gen[]): Gen | undefined {
  return gens.reduce<Gen | undefined>(
    (most, gen) => (most === undefined || gen.writtenNs > most.writtenNs ? gen : most),
    undefined,
  );
}

function max(values: readonly bigint[]): bigint {
  return values.reduce((most, value) => (value > most ? value : most), 0n);
}

/**
 * What the format promises and this decision breaks, in words; null: all is well. No acknowledged generation of which a
 * trace is to be seen gives way silently, and nothing is called split unless there is a header that the winner's line
 * can't know of: made by others, or not to be read when the last of that line began.
 */
export function breach(world: World, given: readonly number[], { winner, verdict }: Decision): string | null {
  if (winner === null) return null;
  const slots = given.flatMap((spare) => COPIES.map((copy) => slotAt(world, spare, copy)));
  const known = (slot: Slot): boolean => {
    const gen = shownBy(slot);
    return gen === null || (winner.informed.has(gen) && !gen.abandoned && !slot.overlooked);
  };
  if (verdict === 'split') {
    return slots.every(known)
      ? `split, though sequence ${winner.sequence} knows every header there is`
      : null;
  }
  for (const gen of new Set(slots.map(shownBy))) {
    const lost = [...(gen?.line ?? [])].find((one) => one.acknowledged && !winner.line.has(one));
    if (lost === undefined) continue;
    return `sequence ${winner.sequence} run ${winner.run} wins silently over the acknowledged ${lost.sequence} run ${lost.run}`;
  }
  return null;
}
