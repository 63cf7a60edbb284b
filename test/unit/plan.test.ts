// SPDX-License-Identifier: GPL-2.0-or-later
// The repair plan (FORMAT.md section 6): which places are written, in which order, by whose leave, and how one copy is put
// into its place.
import type { Generation } from '../../src/core/generation';
import { planRepair, writesOfCopy } from '../../src/core/plan';
import type { Permissions, RepairPlan } from '../../src/core/plan';
import { commit, entriesOf, RUN_B, RUN_C, setupUuid, story } from '../../fixtures/build';
import { decide, PREEN, wholeSpare, YES } from '../support/bench';
import type { BenchSpare } from '../support/bench';
import { copyOf } from '../support/histories';

const one = story();
const two = story({ spares: 2 });
const NONE: Permissions = { ...YES, grant: 'none' };

/** `spare:copy` in the order in which they are written. */
const order = ({ copies }: RepairPlan): string[] =>
  copies.map(({ seat, copy }) => `${seat.index}:${copy.copyIndex}`);

function spareOf(spare: number, generations: readonly (Generation | null)[]): BenchSpare {
  return {
    slots: generations.map((generation, copy) =>
      generation === null ? new Uint8Array(32768) : copyOf(generation, spare, copy).slice(),
    ),
  };
}

function plan(spares: readonly BenchSpare[], permissions: Permissions): RepairPlan {
  return planRepair(decide(setupUuid(), spares), permissions);
}

const { newest } = one;
const old = one.at(5);

describe('the order', () => {
  test('slots 1, 2, 3, 4 and last 0', () => {
    // All but one are stale; the whole one of the newest generation needs nothing.
    expect(order(plan([spareOf(0, [old, old, old, newest, old])], PREEN))).toEqual([
      '0:1',
      '0:2',
      '0:4',
      '0:0',
    ]);
  });

  test('places without a whole copy come before stale ones', () => {
    const spare = spareOf(0, [null, old, newest, null, old]);
    expect(order(plan([spare], PREEN))).toEqual(['0:3', '0:0', '0:1', '0:4']);
  });

  test('spares take turns, so that none has more than one copy in flux', () => {
    const spares = [
      spareOf(0, [null, null, two.newest, null, null]),
      spareOf(1, [null, null, null, null, null]),
    ];
    // Spare 1 still shows which it is.
    spares[1]!.slots[2] = copyOf(two.newest, 1, 2).slice().fill(1, 0x1f8, 0x1fc);
    expect(order(plan(spares, PREEN))).toEqual([
      ...['0:1', '1:1', '1:2', '0:3', '1:3', '0:4', '1:4'],
      ...['0:0', '1:0'],
    ]);
  });

  test('of a new generation: stale places first, then the whole ones, the last of them at the very end', () => {
    const alone = commit(two.newest, { run: RUN_B, spares: [0] });
    const made = plan([wholeSpare(alone, 0), wholeSpare(two.newest, 1)], PREEN);
    expect(made.kind).toBe('commit');
    expect(order(made)).toEqual(['1:1', '1:2', '1:3', '1:4', '1:0', '0:1', '0:2', '0:3', '0:4', '0:0']);
    expect(made.copies.filter(({ precious }) => precious).map(({ copy }) => copy.copyIndex)).toContain(0);
  });

  test('the only whole copy of the newest generation waits until another is written, in whatever slot it lies', () => {
    const alone = commit(two.newest, { run: RUN_B, spares: [0] });
    const made = plan([spareOf(0, [null, alone, null, null, null]), wholeSpare(two.newest, 1)], PREEN);
    expect(order(made).at(-1)).toBe('0:1');
    expect(made.copies.at(-1)!.precious).toBe(true);
  });

  test('a misplaced copy of that generation does not stand for it', () => {
    const alone = commit(two.newest, { run: RUN_B, spares: [0] });
    const spare = spareOf(0, [null, alone, null, null, null]);
    spare.slots[2] = copyOf(alone, 0, 1).slice();
    const made = plan([spare, wholeSpare(two.newest, 1)], PREEN);
    expect(made.copies.filter(({ precious }) => precious).map(({ copy }) => copy.copyIndex)).toContain(1);
    expect(order(made).at(-1)).toBe('0:1');
  });

  test('a copy of another setup is none: its place comes first, whatever its sequence', () => {
    const spare = spareOf(0, [newest, old, newest, null, newest]);
    const other = commit(story({ id: 2 }).newest, { sequence: 1000n });
    spare.slots[3] = copyOf(other, 0, 3).slice();
    expect(order(plan([spare], { ...YES, force: true }))).toEqual(['0:3', '0:1']);
  });

  test('places that a salvage cannot do without wait too, good or not', () => {
    const alone = commit(two.newest, { run: RUN_B, spares: [0] });
    const spare = spareOf(0, [alone, alone, alone, alone, alone]);
    // DEVICES is left in copy 1 alone, EVENTS in copy 2.
    for (const copy of [0, 2, 3, 4]) spare.slots[copy]![4100]! ^= 1;
    for (const copy of [0, 1, 3, 4]) spare.slots[copy]![20_500]! ^= 1;
    const made = plan([spare, wholeSpare(two.newest, 1)], YES);
    expect(made.kind).toBe('commit');
    // And with them the last whole copy of what was there before.
    expect(order(made).slice(-3)).toEqual(['0:1', '0:2', '1:0']);
    expect(order({ ...made, copies: made.copies.filter(({ precious }) => precious) })).toEqual(
      order(made).slice(-3),
    );
  });

  test('of a split, a whole copy of each side waits', () => {
    const a = commit(two.newest, { run: RUN_B, spares: [0] });
    const b = commit(two.newest, { run: RUN_C, spares: [1] });
    const choose = { ...YES, choose: { spare: 1, copy: 2 } };
    const made = plan([wholeSpare(a, 0), wholeSpare(b, 1)], choose);
    const waiting = made.copies.filter(({ precious }) => precious);
    expect(new Set(waiting.map(({ seat }) => seat.index))).toEqual(new Set([0, 1]));
    expect(made.copies.length - waiting.length).toBeGreaterThan(0);
    expect(made.copies.slice(-waiting.length)).toEqual(waiting);
  });
});

describe('by whose leave', () => {
  const damaged = (): BenchSpare => {
    const spare = spareOf(0, [newest, newest, newest, newest, newest]);
    spare.slots[1]![12_300]! ^= 1;
    return spare;
  };
  const unread = (): BenchSpare => ({
    ...spareOf(0, [newest, newest, newest, newest, newest]),
    gaps: [[], [], [{ start: 0, end: 4096, kind: 'unread', reason: 'EIO' }], [], []],
  });
  const foreign = (): BenchSpare => {
    const spare = spareOf(0, [newest, newest, newest, newest, newest]);
    spare.slots[3] = copyOf(story({ id: 2 }).newest, 0, 3).slice();
    return spare;
  };
  const salvageable = (): BenchSpare => {
    const spare = spareOf(0, [newest, newest, newest, newest, newest]);
    spare.slots.forEach((slot, copy) => (slot[copy % 2 === 0 ? 12_300 : 20_500]! ^= 1));
    return spare;
  };

  test.each<[string, () => BenchSpare, Permissions, RepairPlan['kind'], number, string[]]>([
    ['nothing is allowed', damaged, NONE, 'none', 0, ['preen']],
    ['a corrupt copy: -p', damaged, PREEN, 'restore', 1, []],
    ['an unread one: not -p', unread, PREEN, 'none', 0, ['yes']],
    ['an unread one: -y', unread, YES, 'restore', 1, []],
    ['a copy of another setup: not -y', foreign, YES, 'none', 0, ['force']],
    ['a copy of another setup: -y --force', foreign, { ...YES, force: true }, 'restore', 1, []],
    ['--force without -y', foreign, { ...PREEN, force: true }, 'none', 0, ['force']],
    ['a salvaged generation: not -p', salvageable, PREEN, 'none', 0, ['yes']],
    ['a salvaged generation: -y', salvageable, YES, 'restore', 5, []],
  ])('%s', (_name, build, permissions, kind, copies, withheld) => {
    const made = plan([build()], permissions);
    expect([made.kind, made.copies.length, made.withheld]).toEqual([kind, copies, withheld]);
  });

  test('a clean setup needs none', () => {
    expect(plan([wholeSpare(newest, 0)], YES)).toMatchObject({
      kind: 'none',
      copies: [],
      withheld: [],
      refusal: null,
    });
  });

  test('a place that does not answer to a permission is left, the others are written', () => {
    const spare = foreign();
    spare.slots[1]![12_300]! ^= 1;
    const made = plan([spare], YES);
    expect([order(made), made.withheld]).toEqual([['0:1'], ['force']]);
  });

  test('a split needs -y and a choice; a choice of what is not whole is refused', () => {
    const a = commit(newest, { run: RUN_B });
    const b = commit(newest, { run: RUN_C, entries: entriesOf(9, 1) });
    const spares = [spareOf(0, [a, a, b, b, null])];
    expect(plan(spares, YES)).toMatchObject({ kind: 'none', withheld: ['choose'] });
    const choose = { spare: 0, copy: 3 };
    expect(plan(spares, { ...PREEN, choose })).toMatchObject({ kind: 'none', withheld: ['yes'] });
    expect(plan(spares, { ...YES, choose })).toMatchObject({ kind: 'commit', withheld: [] });
    const refused = plan(spares, { ...YES, choose: { spare: 0, copy: 4 } });
    expect([refused.kind, refused.refusal]).toEqual([
      'none',
      'spare 0 copy 4 is zeroed, and only a whole copy can be chosen',
    ]);
  });

  test('a generation that would reach fewer places than min_copies is not begun', () => {
    const strict = story({ spares: 2, config: { minCopies: 5 } });
    const alone = commit(strict.newest, { run: RUN_B, spares: [0] });
    // One place on each spare holds another setup, and may not be written without --force.
    const spares = [wholeSpare(alone, 0), wholeSpare(strict.newest, 1)];
    const other = story({ spares: 2, id: 2 }).newest;
    spares.forEach((spare, index) => (spare.slots[4] = copyOf(other, index, 4).slice()));
    const made = plan(spares, YES);
    expect([made.kind, made.refusal]).toEqual([
      'none',
      'a new generation would reach 4 copies on a spare at most, and min_copies is 5',
    ]);
    expect(plan(spares, { ...YES, force: true }).kind).toBe('commit');
  });
});

describe('the writes of one copy', () => {
  const copy = copyOf(newest, 0, 1);
  const where = (now: Uint8Array | null): [number, number][] =>
    writesOfCopy(copy, now).map(({ start, bytes }) => [start, bytes.length]);

  test('into a place not known to be good: all of it, the header block last', () => {
    expect(where(null)).toEqual([
      [4096, copy.length - 4096],
      [0, 4096],
    ]);
  });

  test('into a good place: the blocks that change, and the header block in any case', () => {
    const now = copy.slice();
    expect(where(now)).toEqual([[0, 4096]]);
    now[12_288]! ^= 1;
    now[16_384]! ^= 1;
    now[24_576]! ^= 1;
    expect(where(now)).toEqual([
      [12_288, 8192],
      [24_576, 4096],
      [0, 4096],
    ]);
  });

  test('beyond what was there before, everything is new', () => {
    expect(where(copy.slice(0, 24_576))).toEqual([
      [24_576, copy.length - 24_576],
      [0, 4096],
    ]);
  });

  test('put together they are the copy', () => {
    const place = new Uint8Array(copy.length).fill(0xaa);
    for (const { start, bytes } of writesOfCopy(copy, null)) place.set(bytes, start);
    expect(Buffer.compare(place, copy)).toBe(0);
  });
});
