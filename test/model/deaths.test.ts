// SPDX-License-Identifier: GPL-2.0-or-later
// Two spares, of which a copy or all of one dies before any step of a run: the run goes on without it and may be cut, the
// dead come back, and the next run has any of the spares and is cut at any step. The same promises as in
// commit-model.test.ts, and exact counts, so that no part of the search is lost unseen.
import { useZlibCrc32 } from '../../src/host/crc';
import { expectSound, fault } from './agreement';
import type { Death } from './histories';
import { afterADeath, afterOneRun, TURNS } from './histories';
import type { World } from './world';
import { describe as picture, newWorld } from './world';

jest.setTimeout(600_000);

beforeAll(() => {
  useZlibCrc32();
});

const SPARES: readonly Death[] = [0, 1].map((of) => ({ of, how: 'clean' }));
/** One in so many is shown to the toolkit: what it sees are bytes, and those look like the ones that cuts leave. */
const LOOK = 150;

/** What follows on each of these; how many states there were, and how many after them. */
function follow(states: Iterable<World>, next: (state: World) => Iterable<World>): [number, number] {
  let [before, after] = [0, 0];
  for (const state of states) {
    before++;
    expectSound(state, before % 10 === 0);
    for (const last of next(state)) expectSound(last, ++after % LOOK === 0);
  }
  return [before, after];
}

test('a spare dies in a run of two commits and is back: any run may follow', () => {
  const counts = follow(afterADeath(newWorld(2), SPARES, 2), (state) => afterOneRun(state));
  expect(counts).toEqual([1587, 241_166]);
});

test('a copy dies in a run and leaves garbage, and is back: any run may follow, with the spares in one order', () => {
  const deaths = afterADeath(newWorld(2), [{ of: 'copy', how: 'spoils' }]);
  const counts = follow(deaths, (state) => afterOneRun(state, TURNS.slice(0, 1)));
  expect(counts).toEqual([1206, 99_514]);
});

test('a copy dies in a run of two commits, and stays as it was', () => {
  const counts = follow(afterADeath(newWorld(2), [{ of: 'copy', how: 'clean' }], 2), () => []);
  expect(counts).toEqual([6914, 0]);
});

test('any run, and then one in which a spare dies', () => {
  const counts = follow(afterOneRun(newWorld(2)), (state) => afterADeath(state, SPARES));
  expect(counts).toEqual([153, 73_138]);
});

test('a spare dies and leaves garbage in every copy: nothing acknowledged gives way silently', () => {
  let states = 0;
  for (const first of afterADeath(
    newWorld(2),
    SPARES.map(({ of }) => ({ of, how: 'spoils' })),
  )) {
    for (const last of [first, ...afterOneRun(first, TURNS.slice(0, 1))]) {
      const broken = fault(last, ++states % LOOK === 0);
      if (broken !== null) throw new Error(`${broken}\n${picture(last)}`);
    }
  }
  expect(states).toBe(69_888);
});
