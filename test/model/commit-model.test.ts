// SPDX-License-Identifier: GPL-2.0-or-later
// The promises of FORMAT.md sections 5 and 6, over every short history and many long ones: what was acknowledged never
// gives way silently, nothing is called split that is not, a repair ends clean, and a cut repair is ended by the next.
// DMREMAP_MODEL=long looks at every state with the toolkit and walks a hundred times as far (some hours).
import { useZlibCrc32 } from '../../src/host/crc';
import { endsClean, expectSound, subsets, unrepaired } from './agreement';
import { afterOneRun, RULES, TURNS } from './histories';
import { decide } from './reference';
import { carryOut, decided, planOf, PREEN, repair, YES } from './toolkit';
import type { Mishap } from './walk';
import { walk } from './walk';
import { cloneWorld, newWorld } from './world';

const LONG = process.env['DMREMAP_MODEL'] === 'long';

jest.setTimeout(LONG ? 24 * 3600_000 : 600_000);

beforeAll(() => {
  useZlibCrc32();
});

/** One in so many, evenly spread; all of them in the long run. */
function sampler(every: number): () => boolean {
  let count = 0;
  return () => LONG || count++ % every === 0;
}

/** With three spares there are too many states: one in so many goes on. With one and two, all do. */
const TOO_MANY = 3;

describe.each([
  { spares: 1, twoRuns: 436, repairs: 296 },
  { spares: 2, twoRuns: 23_276, repairs: 8402 },
  { spares: 3, twoRuns: 2462, repairs: 2130 },
])('every short history of a setup with $spares spares', ({ spares, twoRuns, repairs: wanted }) => {
  const few = spares < TOO_MANY;

  test('two runs, each with any of the spares and cut at any step', () => {
    const mayLook = sampler(few ? 1 : 80);
    const mayEnter = sampler(few ? 1 : 60);
    let states = 0;
    for (const first of afterOneRun(newWorld(spares))) {
      expectSound(first, true);
      if (!mayEnter()) continue;
      for (const second of afterOneRun(first, few ? TURNS : TURNS.slice(0, 1))) {
        states++;
        expectSound(second, mayLook());
      }
    }
    console.info(
      `${spares} spares, two runs: ${states} states, ${decided()} decisions of the toolkit so far`,
    );
    if (!LONG) expect(states).toBe(twoRuns);
  });

  test('a run, a repair with any of the spares cut at any write, and a repair with all', () => {
    const mayEnter = sampler(few ? 1 : 60);
    const mayEnd = sampler(few ? 1 : 7);
    let repairs = 0;
    for (const state of afterOneRun(newWorld(spares))) {
      if (!mayEnter()) continue;
      for (const given of subsets(state)) {
        for (const permissions of [PREEN, YES]) {
          const planned = planOf(state, given, permissions);
          if (planned.prepared === null) continue;
          const { steps } = carryOut(cloneWorld(state), planned);
          for (let after = 0; after <= steps; after++) {
            const world = cloneWorld(state);
            const before = decide(world, given);
            const outcome = carryOut(world, planned, { after, tears: after % 2 === 0 });
            const end = mayEnd();
            expectSound(world, end);
            repairs++;
            if (!end) continue;
            const again = (): unknown => repair(world, given, permissions);
            expect(unrepaired(world, before, { ...planned, ...outcome }, again)).toBeNull();
            endsClean(world);
          }
        }
      }
    }
    console.info(
      `${spares} spares, repairs: ${repairs} states, ${decided()} decisions of the toolkit so far`,
    );
    if (!LONG) expect(repairs).toBe(wanted);
  });
});

interface Family {
  readonly name: string;
  readonly spares: number;
  readonly mishaps: readonly Mishap[];
  readonly walks: number;
}

const FAMILIES: readonly Family[] = [
  { name: 'only the power fails', spares: 2, mishaps: [], walks: 60 },
  { name: 'only the power fails', spares: 3, mishaps: [], walks: 25 },
  { name: 'copies are damaged', spares: 1, mishaps: ['header', 'sections', 'smash'], walks: 60 },
  { name: 'copies are damaged', spares: 2, mishaps: ['header', 'sections', 'smash'], walks: 80 },
  { name: 'reads and writes fail', spares: 2, mishaps: ['unread', 'dead', 'sections'], walks: 80 },
  {
    name: 'anything fails',
    spares: 3,
    mishaps: ['header', 'sections', 'unread', 'dead', 'smash'],
    walks: 40,
  },
];

describe.each(FAMILIES)('long histories of $spares spares in which $name', ({ spares, mishaps, walks }) => {
  test('keep every promise', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < walks * (LONG ? 100 : 1); seed++) {
      const { broken, story, counts: own } = walk({ seed, spares, steps: 8, mishaps, rules: RULES });
      if (broken !== null) throw new Error([`seed ${seed}: ${broken}`, ...story].join('\n'));
      for (const [what, count] of own) counts.set(what, (counts.get(what) ?? 0) + count);
    }
    // The walks got about: runs and repairs of both kinds, whole and cut.
    const done = [...counts.keys()];
    expect(done).toEqual(
      expect.arrayContaining(['run', 'fsck repairable: restore', 'fsck repairable: restore, cut']),
    );
    if (spares > 1)
      expect(done).toEqual(
        expect.arrayContaining(['fsck repairable: commit', 'fsck repairable: commit, cut']),
      );
  });
});
