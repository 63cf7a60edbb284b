// SPDX-License-Identifier: GPL-2.0-or-later
// A random history of a setup: runs of a writer, repairs, power cuts at any step, spares that come and go, copies that
// break. Everything follows from the seed. What must hold on the way is in agreement.ts.
import { sameGeneration } from '../../src/core/judge';
import { prng } from '../support/prng';
import { fault, needsSalvage, subsets, unrepaired } from './agreement';
import { decide } from './reference';
import type { Decision } from './reference';
import { examine, PREEN, repair, YES } from './toolkit';
import type { Cut } from './toolkit';
import type { Slot, World } from './world';
import { COPIES, describe, isWhole, newWorld, slotAt } from './world';
import type { Rules } from './writer';
import { run } from './writer';

/** What may break besides the power. */
export type Mishap = 'header' | 'sections' | 'unread' | 'dead' | 'smash';

export interface WalkOptions {
  readonly seed: number;
  readonly spares: number;
  readonly steps: number;
  readonly mishaps: readonly Mishap[];
  readonly rules: Rules;
}

/** What happened, and what was wrong at the end; null: nothing. */
export interface Walk {
  readonly broken: string | null;
  readonly story: readonly string[];
  /** How often each kind of thing was done. */
  readonly counts: ReadonlyMap<string, number>;
}

export function walk(options: WalkOptions): Walk {
  const walker = new Walker(options);
  let broken: string | null = null;
  for (let i = 0; i < options.steps && broken === null; i++) broken = walker.step();
  return { broken, story: walker.story, counts: walker.counts };
}

class Walker {
  readonly story: string[] = [];
  readonly counts = new Map<string, number>();
  readonly #options: WalkOptions;
  readonly #world: World;
  readonly #next: () => number;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#next = prng(options.seed);
    this.#world = newWorld(options.spares, 1 + this.#below(3));
  }

  step(): string | null {
    const kind = this.#below(10);
    if (kind < 3 && this.#options.mishaps.length > 0) {
      this.#mishap();
      return null;
    }
    const given = this.#pick(subsets(this.#world));
    const broken = kind < 6 ? this.#run(given) : this.#fsck(given);
    if (broken !== null) return broken;
    const harmless = this.#options.mishaps.length === 0;
    return fault(this.#world, true) ?? (harmless ? needsSalvage(this.#world) : null);
  }

  #below(limit: number): number {
    return this.#next() % limit;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #tell(what: string): void {
    this.story.push(`${what}\n${describe(this.#world)}`);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #cut(spares: number): Cut | null {
    const cut = { after: this.#below(spares * 15), tears: this.#below(2) === 0 };
    return this.#below(3) === 0 ? null : cut;
  }

  #run(given: readonly number[]): null {
    const commits = 1 + this.#below(3);
    const cut = this.#cut(given.length * commits);
    const turns = this.#pick(['together', 'forward', 'backward'] as const);
    const { rules } = this.#options;
    const tears = cut?.tears ?? false;
    const { refused } = run(this.#world, {
      given,
      commits,
      cutAfter: cut?.after ?? null,
      tears,
      turns,
      rules,
    });
    this.#count(refused === null ? 'run' : `run refused: ${refused}`);
    this.#tell(`run with ${given.join()}, ${commits} commits, cut ${cut?.after}: ${refused ?? 'done'}`);
    return null;
  }

  #fsck(given: readonly number[]): string | null {
    const before = decide(this.#world, given);
    const { verdict } = before;
    if ((verdict === 'split' || verdict === 'partial') && this.#below(2) === 0)
      return this.#choose(given, before);
    const permissions = this.#pick([PREEN, YES]);
    const done = repair(this.#world, given, permissions, this.#cut(given.length));
    this.#count(`fsck ${verdict}: ${done.plan.kind}${done.cut ? ', cut' : ''}`);
    this.#tell(`fsck -${permissions.grant} of ${given.join()}: ${done.plan.kind}, ${done.steps} steps`);
    // Whose place could not be read may turn out to have been newer when it was half written over.
    if (this.#unreadIsNewer(given, before)) return null;
    return unrepaired(this.#world, before, done, () => repair(this.#world, given, permissions));
  }

  #choose(given: readonly number[], before: Decision): string | null {
    const { candidates } = examine(this.#world, given);
    if (candidates.length === 0) return null;
    const { generation, places } = this.#pick(candidates);
    const place = this.#pick(places);
    const choose = { spare: place.spare.identity?.index ?? 0, copy: place.copyIndex };
    const permissions = { ...YES, choose };
    const done = repair(this.#world, given, permissions, this.#cut(given.length));
    this.#count(`fsck ${before.verdict}: chosen${done.cut ? ', cut' : ''}`);
    this.#tell(`fsck --choose ${choose.spare}:${choose.copy} of ${given.join()}, ${done.steps} steps`);
    const { runId, sequence } = generation.header;
    const line = this.#world.gens.find((gen) => gen.run === runId && gen.sequence === sequence)?.line;
    for (const gen of this.#world.gens) {
      if (done.gen === null || gen === done.gen || line?.has(gen) === true) continue;
      gen.abandoned = true;
      gen.acknowledged = false;
    }
    return unrepaired(this.#world, before, done, () => {
      // The copy that was named may be the one that the cut has hit; its side is still there.
      const left = examine(this.#world, given).candidates.find((one) =>
        sameGeneration(one.generation, generation),
      );
      const [whole] = left?.places ?? [];
      const again =
        whole === undefined ? choose : { spare: whole.spare.identity?.index ?? 0, copy: whole.copyIndex };
      repair(this.#world, given, { ...YES, choose: again });
    });
  }

  #unreadIsNewer(given: readonly number[], { highest }: Decision): boolean {
    return given.some((spare) =>
      COPIES.some((copy) => (slotAt(this.#world, spare, copy).header?.sequence ?? 0n) > highest),
    );
  }

  #mishap(): void {
    const mishap = this.#pick(this.#options.mishaps);
    this.#count(mishap);
    if (mishap === 'smash') this.#smash();
    else {
      const [spare, copy] = [this.#below(this.#options.spares), this.#below(5)];
      this.#break(slotAt(this.#world, spare, copy), mishap);
    }
    this.#tell(mishap);
  }

  #break(slot: Slot, mishap: Exclude<Mishap, 'smash'>): void {
    switch (mishap) {
      case 'header':
        slot.header = null;
        return;
      case 'sections':
        slot[this.#pick(['devices', 'remaps'] as const)] = null;
        return;
      case 'unread':
        slot.unread = !slot.unread;
        return;
      case 'dead':
        slot.dead = slot.dead === 'no' ? this.#pick(['clean', 'spoils'] as const) : 'no';
    }
  }

  /** Every whole copy of the newest generation is damaged; most often so that each part survives somewhere. */
  #smash(): void {
    const slots = this.#world.slots.flat();
    const newest = slots.reduce(
      (most, { header }) => (header !== null && header.sequence > most ? header.sequence : most),
      0n,
    );
    const whole = slots.filter((slot) => isWhole(slot) && slot.header.sequence === newest);
    const [devices, remaps] = [this.#below(whole.length + 1), this.#below(whole.length + 1)];
    whole.forEach((slot, i) => {
      const damage = this.#below(3);
      if (i !== devices && (i === remaps || damage !== 0)) slot.devices = null;
      if (i !== remaps && (i === devices || damage !== 1)) slot.remaps = null;
      if (i !== devices && i !== remaps && this.#below(3) === 0) slot.header = null;
    });
  }
}
