// SPDX-License-Identifier: GPL-2.0-or-later
// What must hold in every state of the model, whatever was done to reach it: the toolkit decides as FORMAT.md section 5
// says, and nothing that was promised is broken. Null is good news; else it says what is wrong.
import { breach, decide } from './reference';
import type { Decision } from './reference';
import { repair, summarise, YES } from './toolkit';
import type { Outcome, PlannedRepair } from './toolkit';
import type { World } from './world';
import { COPIES, describe, keyOf, slotAt } from './world';

/** Every set of spares that can be given. */
export function subsets(world: World): number[][] {
  const all = world.slots.map((_slots, spare) => spare);
  return Array.from({ length: (1 << all.length) - 1 }, (_unused, i) =>
    all.filter((spare) => ((i + 1) >> spare) & 1),
  );
}

/** Does the toolkit see what the reference sees? */
export function disagreement(world: World, given: readonly number[], wanted: Decision): string | null {
  const found = summarise(world, given);
  const differs = (what: string, reference: unknown, toolkit: unknown): string =>
    `given ${given.join()}: ${what} is ${String(reference)}, but the toolkit says ${String(toolkit)}`;
  if (!isVerdict(wanted, found.verdict)) return differs('the verdict', wanted.verdict, found.verdict);
  if (wanted.highest !== found.highest) return differs('the highest sequence', wanted.highest, found.highest);
  if (wanted.verdict === 'split' || wanted.winner === null) return null;
  const { run, sequence } = wanted.winner;
  if (found.winner?.run !== run || found.winner.sequence !== sequence)
    return differs('the winner', `${sequence} of run ${run}`, found.winner?.sequence);
  if (wanted.uncertain !== found.uncertain) return differs('doubt', wanted.uncertain, found.uncertain);
  for (const [index, standing] of found.standings) {
    if (standing !== wanted.standings[index])
      return differs(`spare ${index}`, wanted.standings[index], standing);
  }
  return null;
}

/** The reference stops at a partial; the toolkit then looks for spares that diverged, and for what can be had at all. */
function isVerdict(wanted: Decision, found: string): boolean {
  return (
    wanted.verdict === found || (wanted.verdict === 'partial' && (found === 'split' || found === 'lost'))
  );
}

/** The promises, for every set of spares; with `toolkit` its agreement too. */
export function fault(world: World, toolkit: boolean): string | null {
  for (const given of subsets(world)) {
    const decision = decide(world, given);
    const broken = breach(world, given, decision) ?? (toolkit ? disagreement(world, given, decision) : null);
    if (broken !== null) return `given ${given.join()}: ${broken}`;
  }
  return null;
}

/** Where nothing but power cuts happened, no state needs more than a repair, or a choice of side. */
export function needsSalvage(world: World): string | null {
  for (const given of subsets(world)) {
    const { verdict } = decide(world, given);
    if (verdict === 'salvageable' || verdict === 'partial' || verdict === 'lost') {
      return `given ${given.join()}: ${verdict}, though nothing was damaged`;
    }
  }
  return null;
}

/** Did a repair do what it said? After a cut it is done once more. `before`: the decision it was made on. */
export function unrepaired(
  world: World,
  before: Decision,
  { given, plan, held, failed, cut }: PlannedRepair & Outcome,
  again: () => unknown,
): string | null {
  if (held > 0 && failed === 0 && !cut) return 'places were held back, though nothing had failed';
  const isDead = given.some((spare) => COPIES.some((copy) => slotAt(world, spare, copy).dead !== 'no'));
  if (plan.kind === 'none' || plan.withheld.length > 0 || plan.refusal !== null || isDead) return null;
  const base = plan.base?.header;
  const value = world.gens.find((gen) => gen.run === base?.runId && gen.sequence === base.sequence)?.value;
  if (cut) again();
  const after = decide(world, given);
  const done = `${before.verdict}, ${plan.kind}${cut ? ' cut, and again' : ''}`;
  if (after.verdict !== 'clean') return `${done}: ${after.verdict}`;
  return after.winner?.value === value ? null : `${done}: other contents`;
}

/** Throws with a picture of the state. `toolkit`: it is asked too. */
export function expectSound(world: World, toolkit: boolean): void {
  const broken = fault(world, toolkit) ?? needsSalvage(world);
  if (broken !== null) throw new Error(`${broken}\n${describe(world)}`);
}

/** With all spares at hand -y ends everything that is not a split. */
export function endsClean(world: World): void {
  const all = world.slots.map((_slots, spare) => spare);
  const { verdict } = decide(world, all);
  if (verdict === 'split') return;
  repair(world, all, YES);
  expect([decide(world, all).verdict, keyOf(world, all) === '']).toEqual(['clean', false]);
}
