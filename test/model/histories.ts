// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that one run of a writer can leave: with any of the spares, in any turns, cut at any step, and with a copy
// or a spare that dies before any step. What must hold in these states is in agreement.ts.
import { subsets } from './agreement';
import type { Slot, World } from './world';
import { cloneWorld, describe } from './world';
import type { Rules, RunOptions, Turns } from './writer';
import { run } from './writer';

export const TURNS: readonly Turns[] = ['together', 'forward', 'backward'];

/**
 * FORMAT.md as it is, but for the order of the copies: see hazards.test.ts for what the other order does, and for two rare
 * events that no order prevents. A history that fails for one of those would be the first.
 */
export const RULES: Rules = { order: 'by-sequence' };

/** What dies: the copy that is being written, or all of a spare; without effect or leaving garbage. */
export interface Death {
  readonly of: 'copy' | number;
  readonly how: 'clean' | 'spoils';
}

type Way = Pick<RunOptions, 'given' | 'turns' | 'commits'>;

function waysOf(world: World, turns: readonly Turns[], commits: number): Way[] {
  return subsets(world).flatMap((given) =>
    (given.length > 1 ? turns : turns.slice(0, 1)).map((turn) => ({ given, turns: turn, commits })),
  );
}

/** Hands out states that look the same once. Every run makes generations of its own: they are known by their sequence. */
class Sieve {
  readonly #seen = new Set<string>();

  isNew({ given }: Way, state: World): boolean {
    const key = `${given.join()} ${describe(state)}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}

/** With any spares, cut at any step or not at all; a header may be torn. */
export function* afterOneRun(world: World, turns = TURNS): Generator<World> {
  const sieve = new Sieve();
  for (const way of waysOf(world, turns, 1)) {
    for (let cutAfter = 0, cut = true; cut; cutAfter++) {
      for (const tears of [false, true]) {
        const state = cloneWorld(world);
        cut = run(state, { ...way, cutAfter, tears, rules: RULES }).cut;
        if (sieve.isNew(way, state)) yield state;
      }
    }
  }
}

/**
 * As above, and before any step something dies, for as long as this run goes on; it may be cut at any step after that.
 * What died is back in the states that are handed out.
 */
export function* afterADeath(world: World, deaths: readonly Death[], commits = 1): Generator<World> {
  const sieve = new Sieve();
  for (const way of waysOf(world, TURNS, commits)) {
    for (const death of deaths) {
      if (death.of !== 'copy' && !way.given.includes(death.of)) continue;
      for (let at = 0, reached = true; reached; at++) {
        reached = false;
        for (let cutAfter = at + 1, cut = true; cut; cutAfter++) {
          for (const tears of [false, true]) {
            const state = cloneWorld(world);
            const dead: Slot[] = [];
            const before: RunOptions['before'] = (step, slot) => {
              if (step === at) dead.push(...(death.of === 'copy' ? [slot] : (state.slots[death.of] ?? [])));
              for (const one of dead) one.dead = death.how;
            };
            cut = run(state, { ...way, cutAfter, tears, before, rules: RULES }).cut;
            for (const one of dead) one.dead = 'no';
            reached ||= dead.length > 0;
            if (dead.length > 0 && sieve.isNew(way, state)) yield state;
          }
        }
      }
    }
  }
}
