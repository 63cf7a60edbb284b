// SPDX-License-Identifier: GPL-2.0-or-later
// The promises of FORMAT.md sections 5 and 6, over every short history and many long ones: what was acknowledged never
// gives way silently, nothing is called split that is not, a repair ends clean, and a cut repair is ended by the next.
// DMREMAP_MODEL=long looks at every state with the toolkit and walks a hundred times as far (some hours).
import { useZlibCrc32 } from '../../src/host/crc';
import { fault, needsSalvage, subsets, unrepaired } from './agreement';
import { decide } from './reference';
import { carryOut, planOf, PREEN, repair, YES } from './toolkit';
import type { Mishap } from './walk';
import { walk } from './walk';
import type { World } from './world';
import { cloneWorld, describe as picture, keyOf, newWorld } from './world';
import type { Rules, Turns } from './writer';
import { run } from './writer';

const LONG = process.env['DMREMAP_MODEL'] === 'long';

/**
 * FORMAT.md as it is, but for the order of the copies: see hazards.test.ts for what the other order does, and for two rare
 * events that no order prevents. A walk that fails for one of those would be the first.
 */
const RULES: Rules = { order: 'by-sequence' };

jest.setTimeout(LONG ? 24 * 3600_000 : 300_000);

beforeAll(() => {
  useZlibCrc32();
});

/** Everything that one run can leave, with any spares and cut at any step. Equal-looking states are told once. */
function* afterOneRun(world: World, turns: readonly Turns[]): Generator<World> {
  const seen = new Set<string>();
  for (const given of subsets(world)) {
    for (const turn of given.length > 1 ? turns : turns.slice(0, 1)) {
      for (let cutAfter = 0, cut = true; cut; cutAfter++) {
        for (const tears of [false, true]) {
          const state = cloneWorld(world);
          cut = run(state, { given, commits: 1, cutAfter, tears, turns: turn, rules: RULES }).cut;
          // Every run makes generations of its own: what they are is known by their sequence here.
          const key = `${given.join()} ${picture(state)}`;
          if (seen.has(key)) continue;
          seen.add(key);
          yield state;
        }
      }
    }
  }
}

const TURNS: readonly Turns[] = ['together', 'forward', 'backward'];

/** One in so many, evenly spread; all of them in the long run. */
function sampler(every: number): () => boolean {
  let count = 0;
  return () => LONG || count++ % every === 0;
}

function expectSound(world: World, toolkit: boolean): void {
  const broken = fault(world, toolkit) ?? needsSalvage(world);
  if (broken !== null) throw new Error(`${broken}\n${picture(world)}`);
}

describe.each([1, 2, 3])('every short history of a setup with %i spares', (spares) => {
  test('two runs, each with any of the spares and cut at any step', () => {
    const mayLook = sampler(80);
    const mayEnter = sampler(spares === 3 ? 60 : spares === 2 ? 2 : 1);
    let states = 0;
    for (const first of afterOneRun(newWorld(spares), TURNS)) {
      expectSound(first, true);
      if (!mayEnter()) continue;
      for (const second of afterOneRun(first, spares === 3 ? TURNS.slice(0, 1) : TURNS)) {
        states++;
        expectSound(second, mayLook());
      }
    }
    expect(states).toBeGreaterThan(spares === 1 ? 100 : 2000);
  });

  test('a run, a repair with any of the spares cut at any write, and a repair with all', () => {
    const mayEnter = sampler(spares === 1 ? 1 : spares === 2 ? 3 : 60);
    const mayEnd = sampler(7);
    let repairs = 0;
    for (const state of afterOneRun(newWorld(spares), TURNS)) {
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
    expect(repairs).toBeGreaterThan(100);
  });
});

/** With all spares at hand -y ends everything that is not a split. */
function endsClean(world: World): void {
  const all = world.slots.map((_slots, spare) => spare);
  const { verdict } = decide(world, all);
  if (verdict === 'split') return;
  repair(world, all, YES);
  expect([decide(world, all).verdict, keyOf(world, all) === '']).toEqual(['clean', false]);
}

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
