// SPDX-License-Identifier: GPL-2.0-or-later
// A writer that does what FORMAT.md section 6 says, step by step, so that the power can go before any step: what the
// kernel target does, without I/O. It refuses what a kernel target has to refuse.
import type { SpareRecord } from './generations';
import { Gen } from './generations';
import { decide } from './reference';
import type { Decision } from './reference';
import type { Slot, World } from './world';
import { COPIES, isInPlace, isWhole, overlook, shownBy, shownOn, slotAt, writePart } from './world';

/** The order in which the spares take turns within a commit; FORMAT.md leaves it open. */
export type Turns = 'together' | 'forward' | 'backward';

/**
 * Three rules of FORMAT.md section 6, as they stand there (the defaults) and as they would have to be for what
 * hazards.test.ts shows to be no longer possible.
 */
export interface Rules {
  /**
   * The first sequence after a load that left a doubt: two above the highest that was seen, or the time (as long as it is
   * higher), which no earlier load in doubt can have reached.
   */
  readonly numbering?: 'plus-two' | 'clock';
  /** base_sequence: what the spare showed at load; or that, and what the generation that was loaded has as last_sequence. */
  readonly base?: 'shown' | 'shown-or-recorded';
  /** The copies of a spare: those not known to be good first; or those that are not whole, then by sequence. */
  readonly order?: 'known-good' | 'by-sequence';
}

export const AS_WRITTEN: Rules = { numbering: 'plus-two', base: 'shown', order: 'known-good' };
export const AMENDED: Rules = { numbering: 'clock', base: 'shown-or-recorded', order: 'by-sequence' };

export interface RunOptions {
  readonly given: readonly number[];
  /** Commits, the one at activation included. */
  readonly commits: number;
  /** Steps that still happen before the power goes; null: it stays. */
  readonly cutAfter: number | null;
  /** A header block that is cut while it is written is neither the old nor the new one. */
  readonly tears?: boolean;
  readonly turns?: Turns;
  readonly rules?: Rules;
  /** Called before each step with the copy that it writes to, to break things in mid-run. */
  readonly before?: (step: number, slot: Slot) => void;
}

export interface RunResult {
  readonly loaded: Decision;
  /** What the run was refused for, or null. */
  readonly refused: string | null;
  readonly cut: boolean;
  readonly steps: number;
}

class PowerLost extends Error {}

interface Place {
  readonly spare: number;
  readonly copy: number;
  readonly slot: Slot;
}

/** Loads, activates, commits, and stops or loses power. */
export function run(world: World, options: RunOptions): RunResult {
  const loaded = decide(world, options.given);
  const { winner, verdict } = loaded;
  if (winner === null || (verdict !== 'clean' && verdict !== 'repairable')) {
    return { loaded, refused: verdict, cut: false, steps: 0 };
  }
  const writer = new Writer(world, options, loaded, winner);
  try {
    for (let i = 0; i < options.commits; i++) writer.commit();
  } catch (error) {
    if (!(error instanceof PowerLost)) throw error;
    return { loaded, refused: null, cut: true, steps: writer.steps };
  }
  return { loaded, refused: null, cut: false, steps: writer.steps };
}

class Writer {
  steps = 0;
  readonly #world: World;
  readonly #options: RunOptions;
  readonly #rules: Rules;
  readonly #run: bigint;
  readonly #places: readonly Place[];
  readonly #shownAtLoad: ReadonlyMap<number, bigint>;
  readonly #seen: Gen[];
  #next: bigint;
  /** The last generation that was done: what the next one goes on from. */
  #current: Gen;
  /** As last put into any generation, even one that failed: it may be on a spare. */
  #records: readonly SpareRecord[];
  /** Read back as whole and current, or written without error, since load. */
  readonly #good = new Set<Slot>();
  readonly #failed = new Set<Slot>();

  constructor(world: World, options: RunOptions, loaded: Decision, winner: Gen) {
    this.#world = world;
    this.#options = options;
    this.#run = ++world.run;
    this.#current = winner;
    this.#records = winner.records;
    this.#rules = { ...AS_WRITTEN, ...options.rules };
    this.#next = loaded.highest + (loaded.uncertain ? 2n : 1n);
    // The model's clock: a million commits from one run to the next.
    const now = world.run * 1_000_000n;
    if (this.#rules.numbering === 'clock' && loaded.uncertain && now > this.#next) this.#next = now;
    this.#seen = shownOn(world, options.given);
    overlook(world, options.given);
    this.#places = options.given.flatMap((spare) =>
      COPIES.map((copy) => ({ spare, copy, slot: slotAt(world, spare, copy) })),
    );
    this.#shownAtLoad = new Map(options.given.map((spare) => [spare, highestOn(world, spare)]));
    for (const { slot, spare, copy } of this.#places) {
      if (isWhole(slot) && slot.header === winner && isInPlace(slot, spare, copy)) this.#good.add(slot);
    }
  }

  /** True if it is done, and so acknowledged. */
  commit(): boolean {
    const writable = this.#places.filter(({ slot }) => !this.#failed.has(slot));
    const gen = this.#compose(writable);
    this.#world.gens.push(gen);
    this.#seen.push(gen);
    if (this.#most(writable) < this.#world.minCopies) return false;
    const written: Place[] = [];
    const queues = this.#options.given.map((spare) =>
      this.#inOrder(writable.filter((place) => place.spare === spare)),
    );
    for (;;) {
      const place = this.#take(queues, written.length > 0);
      if (place === null) break;
      if (this.#write(place, gen)) written.push(place);
      else this.#failed.add(place.slot);
    }
    const left = queues.some((queue) => queue.length > 0);
    if (left || this.#most(written) < this.#world.minCopies) return false;
    this.#current = gen;
    gen.acknowledged = true;
    return true;
  }

  #compose(writable: readonly Place[]): Gen {
    const sequence = this.#next++;
    this.#records = this.#records.map((record, spare) => {
      if (!writable.some((place) => place.spare === spare)) return record;
      const shown = this.#shownAtLoad.get(spare) ?? 0n;
      const atLoad = this.#rules.base === 'shown-or-recorded' && record.last > shown ? record.last : shown;
      const base = record.run === this.#run ? record.base : atLoad;
      return { last: sequence, base, run: this.#run };
    });
    return new Gen({
      run: this.#run,
      sequence,
      parent: this.#current,
      records: this.#records,
      value: ++this.#world.value,
      minCopies: this.#world.minCopies,
      seen: this.#seen,
    });
  }

  #most(places: readonly Place[]): number {
    return Math.max(
      0,
      ...this.#options.given.map((spare) => places.filter((place) => place.spare === spare).length),
    );
  }

  /** Copies not known to be good first, then the good ones, and among equals 1, 2, 3, 4 and last 0. */
  #inOrder(places: readonly Place[]): Place[] {
    const good = ({ slot }: Place): bigint => {
      if (this.#rules.order === 'known-good') return this.#good.has(slot) ? 1n : 0n;
      return isWhole(slot) ? slot.header.sequence : 0n;
    };
    const rank = ({ copy }: Place): number => (copy === 0 ? 5 : copy);
    return [...places].sort((a, b) => Number(good(a) - good(b)) || rank(a) - rank(b));
  }

  /** The next copy to be written, or null if there is none or only the last whole copy is left and must not be touched. */
  #take(queues: readonly Place[][], anyWritten: boolean): Place | null {
    const may = queues.filter(([first]) => first !== undefined && (anyWritten || !this.#isLast(first.slot)));
    const queue = this.#choose(may);
    return queue?.shift() ?? null;
  }

  #choose(queues: readonly Place[][]): Place[] | undefined {
    const turns = this.#options.turns ?? 'together';
    if (turns === 'forward') return queues[0];
    if (turns === 'backward') return queues[queues.length - 1];
    return queues.reduce<Place[] | undefined>(
      (most, queue) => (most === undefined || queue.length > most.length ? queue : most),
      undefined,
    );
  }

  /** The only whole copy of the highest sequence that is shown anywhere. */
  #isLast(slot: Slot): boolean {
    const { header } = slot;
    if (header === null || !isWhole(slot)) return false;
    const shown = this.#places.map((place) => shownBy(place.slot)).filter((gen) => gen !== null);
    if (shown.some((gen) => gen.sequence > header.sequence)) return false;
    return !this.#places.some(
      (place) => place.slot !== slot && isWhole(place.slot) && place.slot.header === header,
    );
  }

  /** Sections, flush, header. False on an error of the device. */
  #write({ slot, spare, copy }: Place, gen: Gen): boolean {
    this.#good.delete(slot);
    if (!this.#part(slot, () => (slot.devices = gen))) return false;
    if (!this.#part(slot, () => (slot.remaps = gen.remapsOf))) return false;
    if (this.#options.tears === true && this.#isLastStep()) slot.header = null;
    const named = this.#part(slot, () => {
      slot.header = gen;
      slot.place = { spare, copy };
    });
    if (named) this.#good.add(slot);
    return named;
  }

  #isLastStep(): boolean {
    return this.#options.cutAfter !== null && this.steps >= this.#options.cutAfter;
  }

  #part(slot: Slot, apply: () => void): boolean {
    if (this.#isLastStep()) throw new PowerLost();
    this.#options.before?.(this.steps, slot);
    this.steps++;
    return writePart(slot, apply);
  }
}

function highestOn(world: World, spare: number): bigint {
  return shownOn(world, [spare]).reduce((most, gen) => (gen.sequence > most ? gen.sequence : most), 0n);
}
