// SPDX-License-Identifier: GPL-2.0-or-later
// Single states in which a repair could lose something, each with its smallest history. The search for more of them is
// in commit-model.test.ts.
import { DEVICE_RETIRED } from '../../src/core/layout';
import { Gen } from './generations';
import { breach, decide } from './reference';
import { carryOut, examine, planOf, PREEN, repair, YES } from './toolkit';
import type { World } from './world';
import { cloneWorld, COPIES, describe as picture, newWorld, slotAt } from './world';
import { run } from './writer';

/** Copies of the spare that are broken: their sections, their remaps or their header. */
function damage(world: World, spare: number, part: 'devices' | 'remaps' | 'header', copies: readonly number[] = COPIES): void {
  for (const copy of copies) slotAt(world, spare, copy)[part] = null;
}

/** All of these spares' copies are of this generation. */
function put(world: World, gen: Gen, spare: number, copies: readonly number[]): void {
  for (const copy of copies) Object.assign(slotAt(world, spare, copy), { header: gen, devices: gen, remaps: gen });
}

/** The states that a power cut of the repair can leave, and what each subset of the spares says then. */
function cutEverywhere(world: World, given: readonly number[], permissions: typeof YES, look: (cut: World, step: number) => void): void {
  const planned = planOf(world, given, permissions);
  expect(planned.prepared).not.toBeNull();
  const { steps } = carryOut(cloneWorld(world), planned);
  for (let after = 0; after <= steps; after++) {
    for (const tears of [false, true]) {
      const cut = cloneWorld(world);
      carryOut(cut, planned, { after, tears });
      look(cut, after);
    }
  }
}

describe('a power cut in the middle of a repair', () => {
  test('leaves a spare its only whole copy of the highest sequence that it shows, until a new one is there', () => {
    const world = newWorld(2);
    // A commit that reached one copy of spare 1, and then spare 0 went on alone with what it had of it.
    run(world, { given: [0, 1], commits: 1, cutAfter: 18, turns: 'forward' });
    run(world, { given: [0], commits: 2, cutAfter: null });
    expect(decide(world, [1])).toMatchObject({ verdict: 'repairable', highest: 2n });
    cutEverywhere(world, [0, 1], PREEN, (cut, step) => {
      expect({ step, verdict: decide(cut, [1]).verdict }).not.toMatchObject({ verdict: 'partial' });
      repair(cut, [0, 1], PREEN);
      expect(decide(cut, [0, 1]).verdict).toBe('clean');
    });
  });

  test('keeps the material of a salvage, when the salvaged generation is to be committed for an absent spare', () => {
    const world = newWorld(2);
    run(world, { given: [0], commits: 1, cutAfter: null });
    // DEVICES of the newest generation is left in one place, its remaps in another.
    damage(world, 0, 'devices', [0, 2, 3, 4]);
    damage(world, 0, 'remaps', [1]);
    expect(decide(world, [0, 1])).toMatchObject({ verdict: 'salvageable', winner: { value: 1 } });
    cutEverywhere(world, [0, 1], YES, (cut, step) => {
      repair(cut, [0, 1], YES);
      const { verdict, winner } = decide(cut, [0, 1]);
      expect({ step, verdict, value: winner?.value }).toEqual({ step, verdict: 'clean', value: 1 });
    });
  });

  test('keeps an older whole copy until what was accepted of a newer one is whole', () => {
    const world = newWorld(1);
    run(world, { given: [0], commits: 1, cutAfter: 4, tears: false });
    damage(world, 0, 'remaps', [1]);
    const old = world.gens[0]!;
    put(world, old, 0, [4]);
    damage(world, 0, 'devices', [0, 2, 3]);
    const before = decide(world, [0]);
    expect(before.verdict).toBe('partial');
    for (const copy of [0, 1, 2, 3]) slotAt(world, 0, copy).dead = 'spoils';
    slotAt(world, 0, 4).dead = 'spoils';
    const { held } = repair(world, [0], { ...YES, acceptPartial: true });
    expect(held).toBe(1);
    expect(slotAt(world, 0, 4)).toMatchObject({ header: old, devices: old });
  });
});

describe('a repair that is refused in part', () => {
  test('an absent spare that may not be written to is no reason for a new generation of the others', () => {
    const world = newWorld(2);
    run(world, { given: [0], commits: 1, cutAfter: null });
    for (const copy of [1, 2, 3, 4]) slotAt(world, 1, copy).unread = true;
    damage(world, 1, 'header', [0]);
    slotAt(world, 1, 0).unread = false;
    // Only copy 0 of spare 1 may be written under -p: a commit brings spare 1 back as far as that goes.
    const { plan } = planOf(world, [0, 1], PREEN);
    expect(plan.kind).toBe('commit');
    slotAt(world, 1, 0).unread = true;
    slotAt(world, 1, 1).unread = false;
    slotAt(world, 1, 1).header = null;
    expect(planOf(world, [0, 1], PREEN).plan.copies.some((copy) => copy.seat.index === 1)).toBe(true);
  });

  test('what a commit can not do for want of copies, a restore does as far as it goes', () => {
    const world = newWorld(2, 5);
    run(world, { given: [0], commits: 1, cutAfter: null });
    slotAt(world, 0, 2).unread = true;
    slotAt(world, 1, 2).unread = true;
    damage(world, 0, 'devices', [3]);
    const { plan } = repair(world, [0, 1], PREEN);
    expect(plan.kind).toBe('restore');
    expect(plan.refusal).toContain('min_copies');
    expect(plan.withheld).toContain('preen');
    expect(decide(world, [0]).winner?.value).toBe(1);
    expect(slotAt(world, 0, 3).devices?.value).toBe(1);
  });
});

describe('a spare that went on by itself', () => {
  test('is told of, and is not written over, when the newest generation is only partly recovered', () => {
    const world = newWorld(2);
    run(world, { given: [1], commits: 2, cutAfter: null });
    run(world, { given: [0], commits: 5, cutAfter: null });
    damage(world, 0, 'remaps');
    expect(decide(world, [0, 1]).winner).toBeNull();
    const decision = examine(world, [0, 1]);
    expect(decision.verdict).toBe('split');
    expect(decision.findings.map((one) => one.id)).toEqual(expect.arrayContaining(['setup-partial', 'setup-split', 'spare-diverged']));
    const { plan } = planOf(world, [0, 1], { ...YES, acceptPartial: true });
    expect(plan).toMatchObject({ kind: 'none', withheld: ['choose'] });
  });

  test('counts as missing spares those that the newest header counts and nobody gave', () => {
    const world = newWorld(2);
    damage(world, 0, 'remaps');
    const decision = examine(world, [0]);
    expect(decision).toMatchObject({ verdict: 'partial', uncertain: true });
  });

  test('is told of though it is retired in the winner', () => {
    const world = newWorld(2);
    run(world, { given: [1], commits: 1, cutAfter: null });
    run(world, { given: [0], commits: 3, cutAfter: null });
    expect(examine(world, [0, 1]).verdict).toBe('split');
    expect(DEVICE_RETIRED).toBe(4);
    expect(breach(world, [0, 1], decide(world, [0, 1]))).toBeNull();
    expect(picture(world)).toContain('*');
  });
});
