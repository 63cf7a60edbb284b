// SPDX-License-Identifier: GPL-2.0-or-later
// Everything at once on one setup: many requests that are checked, faults that come and heal on main and on the spares,
// suspending, reloading, and messages. The disks are fragile in known places only, so that what may fail, what may be
// lost and what may not is known to the sector. How long, and on which kernel, is for the tests to say.
import { prng } from '../prng';
import type { HammerOptions, HammerResult } from './guest';
import { formatRuns, joinRuns, parseRuns } from './pattern';
import type { Scenario } from './scenario';

/** Of each group of sectors on main the first ones may be unreadable or called lost; the others only refuse writes. */
const GROUP = 64;
const FRAGILE = 16;
const isFragile = (sector: number): boolean => sector % GROUP < FRAGILE;

/** Two regions, each with its own checker. */
const REGION = 2048;
/** Where the data of a spare begins, and as much of it as will be used. */
const SPARE_DATA = 10240;
const SPARE_USED = 12288;
/** Copies whose metadata may become unwritable; with three of each spare left, every commit must succeed. */
const WEAK_SLOTS = [4096, 8192];
const SLOT = 1024;

export interface TurmoilOptions {
  readonly seconds: number;
  readonly seed: number;
}

export interface TurmoilResult {
  readonly hammers: readonly HammerResult[];
  /** How often each command was answered how: "remap ok", "suspend EINVAL". */
  readonly answers: ReadonlyMap<string, number>;
  /** Requests that failed because of a fault. */
  readonly hits: number;
  /** Flushes of main that failed. */
  readonly flushFailures: number;
  /** Sectors of main that were lost in the end, all of them fragile, and entries. */
  readonly lost: number;
  readonly entries: number;
}

/** More, and two might hit the same sector one after another, which is one that can't be read for good. */
const FAULTS_AT_ONCE = 10;

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

/** What device mapper and the target may answer in such a time; everything else is a failure. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // Another loop was faster.
  suspend: ['ok', 'EINVAL'],
  resume: ['ok', 'EINVAL'],
  load: ['ok'],
  status: ['ok'],
  table: ['ok'],
  // ENODEV: it is suspended just then.
  message: ['ok', 'ENODEV'],
};

class Turmoil {
  readonly answers = new Map<string, number>();
  private readonly next: () => number;
  private over = false;
  private hits: (() => number)[] = [];

  constructor(
    private readonly scenario: Scenario,
    private readonly options: TurmoilOptions,
  ) {
    this.next = prng(options.seed);
  }

  private below(limit: number): number {
    return this.next() % limit;
  }

  private async call(verb: string, ...words: readonly string[]): Promise<void> {
    const { error, text } = await this.scenario.guest.tryDm(verb, this.scenario.name, ...words);
    const what = verb === 'message' ? (words[0] ?? '') : verb;
    if (ALLOWED[verb]?.includes(error) !== true)
      throw new Error(`${verb} ${words.join(' ')}: ${error} ${text}`);
    const key = `${what} ${error}`;
    this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
  }

  /** Does one thing after another until all is over. */
  private async loop(step: () => Promise<void>): Promise<void> {
    while (!this.over) await step();
  }

  // --- faults -------------------------------------------------------------------------------------------------

  /** A fault on one of the disks, which heals after a while. */
  private async fault(): Promise<void> {
    const { mainDisk, spares } = this.scenario;
    const spare = this.scenario.spare(this.below(spares.length));
    const anywhere = this.below(2 * REGION);
    const group = anywhere - (anywhere % GROUP);
    const count = 1 + this.below(4);
    const data = SPARE_DATA + this.below(SPARE_USED);
    const slot = (WEAK_SLOTS[this.below(WEAK_SLOTS.length)] ?? 0) + this.below(SLOT);
    const kinds = [
      () => mainDisk.failReads(group + this.below(FRAGILE - count + 1), count, { healsOnWrite: true }),
      () => mainDisk.failReads(anywhere, 1, { times: 1 }),
      () => mainDisk.failWrites(anywhere, count),
      () => mainDisk.failWrites(anywhere, count, { times: 2 }),
      () => spare.failWrites(data, 1),
      // Once only: what a spare can't read any more would be lost, wherever on main it belongs.
      () => spare.failReads(data, 1, { times: 1 }),
      () => spare.failWrites(slot, 8),
      () => spare.failReads(slot, 1),
    ];
    const fault = kinds[this.below(kinds.length)]?.();
    if (this.below(64) === 0) mainDisk.failFlushes(1);
    await pause(100 + this.below(400));
    fault?.clear();
    if (fault !== undefined) this.hits.push(() => fault.hits);
  }

  // --- commands -----------------------------------------------------------------------------------------------

  /** Does what stops the device for a while, and leaves it alone for longer than that: or nothing else would get a turn. */
  private async stopFor(act: () => Promise<void>, atMost: number): Promise<void> {
    const began = performance.now();
    await act();
    await pause(2 * (performance.now() - began) + this.below(atMost));
  }

  private async suspendAndResume(): Promise<void> {
    await this.stopFor(async () => {
      await this.call('suspend', ...(this.below(3) === 0 ? ['flags=nolockfs'] : []));
      await pause(this.below(30));
      await this.call('resume');
    }, 400);
  }

  private async reload(): Promise<void> {
    await this.stopFor(async () => {
      await this.call('load', this.scenario.table);
      await pause(this.below(30));
      await this.call('resume');
    }, 600);
  }

  private async message(): Promise<void> {
    const anywhere = this.below(2 * REGION);
    const group = anywhere - (anywhere % GROUP);
    const remap = ['remap', String(anywhere), String(this.below(2) === 0 ? 1 : 1 + this.below(24))];
    const markLost = ['mark_lost', String(group + 8 * this.below(2)), String(1 + this.below(8))];
    const lines: readonly (readonly string[])[] = [
      // These give way to a device that is to be suspended, as it is for much of the time.
      ...[remap, remap, remap, markLost, markLost, markLost],
      ['query', String(anywhere)],
      ['list'],
      ['list', String(this.below(500)), '20'],
      ['stats'],
      ['commit'],
      ['set', 'spare_policy', String(this.below(4))],
      ['get', 'spare_policy'],
    ];
    await this.call('message', ...(lines[this.below(lines.length)] ?? []));
    await pause(this.below(40));
  }

  private async look(): Promise<void> {
    await this.call('status');
    await this.call('table');
    await pause(this.below(40));
  }

  // --- the whole ----------------------------------------------------------------------------------------------

  private async hammer(index: number, more: HammerOptions): Promise<HammerResult> {
    return await this.scenario.guest.hammer(this.scenario.name, index * REGION, REGION, {
      ...{ seconds: this.options.seconds, seed: this.options.seed + index, depth: 32, flushes: 50 },
      ...{ unit: this.scenario.block, version: 1, holds: 1, unchecked: true },
      ...{ fua: 10, zeroes: 2, discards: 2, ...more },
    });
  }

  /** Takes over what the checkers know of each sector, and of the entries which sectors are lost. Throws if they may not be. */
  private async remember(hammers: readonly HammerResult[]): Promise<{ lost: number; entries: number }> {
    const { memory } = this.scenario;
    for (const { sector, count, state } of hammers.flatMap((hammer) => hammer.memory))
      if (state !== '?') memory.fill(state.replace(/\bv0\b/g, 'zero'), sector, sector + count);
    const list = await this.scenario.list();
    let lost = 0;
    for (const line of list) {
      const words = line.split(' ');
      if (words[4] !== 'lost') continue;
      for (let at = Number(words[0]); at < Number(words[0]) + Number(words[1]); at++) {
        if (!isFragile(at)) throw new Error(`sector ${at} is lost, and nothing ever happened to it`);
        memory[at] = 'lost';
        lost++;
      }
    }
    return { lost, entries: list.length };
  }

  async run(): Promise<TurmoilResult> {
    const loops = [
      ...Array.from({ length: FAULTS_AT_ONCE }, () => this.loop(() => this.fault())),
      this.loop(() => this.suspendAndResume()),
      this.loop(() => this.reload()),
      ...[1, 2, 3].map(() => this.loop(() => this.message())),
      this.loop(() => this.look()),
    ];
    // A loop that fails is to end everything, and no other promise may be left alone with its failure.
    const broken = Promise.all(loops);
    const work = Promise.all([this.hammer(0, {}), this.hammer(1, { largest: 128, reads: 30 })]);
    let hammers: HammerResult[];
    try {
      hammers = await Promise.race([work, broken.then(() => work)]);
    } finally {
      this.over = true;
      await Promise.allSettled([...loops, work]);
    }
    await broken;
    for (const disk of this.scenario.lab.rack.disks) disk.heal();
    // The next activation brings back the copies that could not be written.
    await this.scenario.guest.tryDm('suspend', this.scenario.name);
    await this.scenario.guest.dm('resume', this.scenario.name);
    const { lost, entries } = await this.remember(hammers);
    const hits = this.hits.reduce((sum, each) => sum + each(), 0);
    const { flushFailures } = this.scenario.mainDisk.counts;
    return { hammers, answers: this.answers, hits, flushFailures, lost, entries };
  }
}

/** Writes with FUA that failed. The disks know no FUA, so each is a write and a flush, which may fail. */
export const failedFua = (hammers: readonly HammerResult[]): number =>
  hammers.flatMap(({ failures }) => failures).filter(({ state }) => state === 'fua-EIO').length;

/**
 * What failed and had no reason to, in short: all but reads of sectors that may be lost, discards, which are hints, and
 * FUA, of which failedFua() tells.
 */
export function failedForNothing(hammers: readonly HammerResult[]): string {
  const bad = hammers.flatMap(({ failures }) =>
    failures.filter(({ sector, count, state }) => {
      const sectors = Array.from({ length: count }, (_unused, i) => sector + i);
      if (state === 'discard-EIO' || state === 'fua-EIO') return false;
      return state !== 'read-EIO' || !sectors.some(isFragile);
    }),
  );
  return formatRuns(bad);
}

/** Runs it on a setup that is up, and leaves it up, all disks healed, with the scenario's memory brought up to date. */
export async function turmoil(scenario: Scenario, options: TurmoilOptions): Promise<TurmoilResult> {
  return await new Turmoil(scenario, options).run();
}

/** Reads all of the device block by block, in one command: each as the scenario remembers it, EIO for what is lost. */
export async function checkEachBlock(scenario: Scenario): Promise<void> {
  const { guest, name, memory, block } = scenario;
  const found = parseRuns(await guest.read(name, 0, memory.length, { chunk: 16 * block, piece: block }));
  const wrong = found.flatMap(({ sector, count, state }) => {
    const word = state === 'EIO' ? 'lost' : state;
    const places = Array.from({ length: count }, (_, i) => ({ sector: sector + i, count: 1, state: word }));
    return places.filter((place) => !(memory[place.sector] ?? '').split('|').includes(word));
  });
  expect(formatRuns(joinRuns(wrong))).toBe('');
}
