// SPDX-License-Identifier: GPL-2.0-or-later
// Single states in which a repair could lose something, each with its smallest history. The search for more of them is
// in commit-model.test.ts.
import { DEVICE_RETIRED } from '../../src/core/layout';
import type { SpareRecord } from './generations';
import { Gen } from './generations';
import { breach, decide } from './reference';
import { carryOut, examine, planOf, PREEN, repair, YES } from './toolkit';
import type { World } from './world';
import { cloneWorld, COPIES, newWorld, slotAt } from './world';
import type { Rules } from './writer';
import { AMENDED, AS_WRITTEN, run } from './writer';

/** Copies of the spare that are broken: their sections, their remaps or their header. */
function damage(
  world: World,
  spare: number,
  part: 'devices' | 'remaps' | 'header',
  copies: readonly number[] = COPIES,
): void {
  for (const copy of copies) slotAt(world, spare, copy)[part] = null;
}

/** All of these spares' copies are of this generation. */
function put(world: World, gen: Gen, spare: number, copies: readonly number[]): void {
  for (const copy of copies)
    Object.assign(slotAt(world, spare, copy), { header: gen, devices: gen, remaps: gen });
}

/** The states that a power cut of the repair can leave, and what each subset of the spares says then. */
function cutEverywhere(
  world: World,
  given: readonly number[],
  permissions: typeof YES,
  look: (cut: World, step: number) => void,
): void {
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
    // The last place with DEVICES of the newest generation waits too.
    expect(held).toBe(2);
    expect(slotAt(world, 0, 4)).toMatchObject({ header: old, devices: old });
  });
});

describe('a repair that is refused in part', () => {
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
    expect(decision.findings.map((one) => one.id)).toEqual(
      expect.arrayContaining(['setup-partial', 'setup-split', 'spare-diverged']),
    );
    const { plan } = planOf(world, [0, 1], { ...YES, acceptPartial: true });
    expect(plan).toMatchObject({ kind: 'none', withheld: ['choose'] });
  });

  test('counts as missing spares those that the newest header counts and nobody gave', () => {
    const world = newWorld(2);
    damage(world, 0, 'remaps');
    const decision = examine(world, [0]);
    expect(decision).toMatchObject({ verdict: 'partial', uncertain: true });
  });

  test('is told of though the others have retired it, and the choice of a side ends it', () => {
    const world = newWorld(2);
    run(world, { given: [1], commits: 1, cutAfter: null });
    run(world, { given: [0], commits: 2, cutAfter: null });
    const retiring = commitOf(world, 0, (record) => ({ ...record, flags: DEVICE_RETIRED }));
    put(world, retiring, 0, COPIES);
    expect(examine(world, [0, 1]).verdict).toBe('split');
    const { plan } = repair(world, [0, 1], { ...YES, choose: { spare: 0, copy: 0 } });
    expect(plan.kind).toBe('commit');
    const after = examine(world, [0, 1]);
    expect([after.verdict, after.seats[1]?.standing]).toEqual(['clean', 'retired']);
  });

  test('or two that wrote to one spare: either can be chosen, and its last whole copy is not the first to go', () => {
    for (const copy of [0, 3]) {
      const world = newWorld(1);
      const [first, second] = [commitOf(world, 0, same), commitOf(world, 0, same)];
      put(world, first, 0, [0, 1, 2]);
      put(world, second, 0, [3, 4]);
      expect(examine(world, [0]).verdict).toBe('split');
      const chosen = { ...YES, choose: { spare: 0, copy } };
      cutEverywhere(world, [0], chosen, (cut) => {
        repair(cut, [0], chosen);
        const { verdict, winner } = decide(cut, [0]);
        expect([verdict, winner?.line.has(copy === 0 ? first : second)]).toEqual(['clean', true]);
      });
    }
  });
});

const same = (record: SpareRecord): SpareRecord => record;

/** The generation by which a tool changes the record of spare 1, on spare 0 alone. */
function commitOf(world: World, spare: number, change: (record: SpareRecord) => SpareRecord): Gen {
  const parent = slotAt(world, spare, 0).header!;
  const [run, sequence] = [++world.run, parent.sequence + 1n];
  const own = { last: sequence, base: parent.sequence, run };
  const records = parent.records.map((record, index) => (index === spare ? own : change(record)));
  const { minCopies } = parent;
  const gen = new Gen({ run, sequence, parent, records, value: ++world.value, minCopies, seen: [] });
  world.gens.push(gen);
  return gen;
}

describe('three rules of FORMAT.md section 6 as they stand, and amended', () => {
  /** Commits by which each spare gets ahead of the other, cut each time; spare 1 loses a header, and goes on by itself. */
  function overtaken(rules: Rules): string | null {
    const world = newWorld(2);
    run(world, { rules, given: [0, 1], commits: 1, turns: 'forward', cutAfter: 3 });
    run(world, { rules, given: [0, 1], commits: 1, turns: 'backward', cutAfter: 3 });
    // This one saw the newest header on spare 1, notes it as base_sequence, and gets no further than spare 0.
    run(world, { rules, given: [0, 1], commits: 1, turns: 'forward', cutAfter: 15 });
    damage(world, 1, 'header', [1]);
    expect(run(world, { rules, given: [1], commits: 1, cutAfter: null })).toMatchObject({ refused: null });
    return breach(world, [0, 1], decide(world, [0, 1]));
  }

  test('number: two above is not enough, an acknowledged generation passes for one that was known', () => {
    expect(overtaken(AS_WRITTEN)).toMatch(/wins silently over the acknowledged 3 /);
    expect(overtaken(AMENDED)).toBeNull();
  });

  /** A header of the generation that a run goes on from can't be read when it begins, nor be written over. */
  function missed(rules: Rules): string {
    const world = newWorld(2);
    run(world, { rules, given: [0, 1], commits: 1, turns: 'backward', cutAfter: 15 + 3 });
    const slot = slotAt(world, 1, 1);
    for (const copy of [0, 2, 3, 4]) put(world, world.gens[0]!, 1, [copy]);
    Object.assign(slot, { unread: true, dead: 'clean' });
    run(world, { rules, given: [0, 1], commits: 1, turns: 'forward', cutAfter: null });
    Object.assign(slot, { unread: false });
    return decide(world, [0, 1]).verdict;
  }

  test('base_sequence: without what the loaded generation records, its own header on a spare is taken for a split', () => {
    expect(missed(AS_WRITTEN)).toBe('split');
    expect(missed(AMENDED)).toBe('repairable');
  });

  /** Each cut of a commit that brings spare 1 back, which alone shows a commit that was cut before. */
  function alone(rules: Rules): Set<string> {
    const verdicts = new Set<string>();
    for (let cutAfter = 0; cutAfter <= 30; cutAfter++) {
      const world = newWorld(2);
      run(world, { rules, given: [0, 1], commits: 1, turns: 'forward', cutAfter: 18 });
      run(world, { rules, given: [0], commits: 1, cutAfter: null });
      run(world, { rules, given: [0, 1], commits: 1, turns: 'forward', cutAfter });
      verdicts.add(decide(world, [1]).verdict);
    }
    return verdicts;
  }

  test('order: a cut can take from a spare the only whole copy of what it shows as newest', () => {
    expect(alone(AS_WRITTEN)).toContain('partial');
    expect(alone(AMENDED)).toEqual(new Set(['repairable', 'clean']));
  });
});
