// SPDX-License-Identifier: GPL-2.0-or-later
// A random but repeatable life of a mapped device: writes, reads, flushes and messages, with sectors that go bad under
// them, each held against a ledger of what the device has promised. What is left after a cut is judged in crash-states.ts.
import type { VirtualDisk } from './disk';
import type { Guest } from './guest';
import type { Ledger } from './crash-ledger';
import { parseRuns } from './pattern';
import type { Random } from '../mutate';
import { below, chance, pick } from '../mutate';

/** Sectors of a unit: the setups of these tests have a main device with physical blocks of 4096 bytes. */
export const UNIT = 8;
/** Requests that run at the same time keep to zones of their own, so that it is clear which came first. */
const ZONE = 64;

export interface WorkloadOptions {
  readonly device: string;
  readonly main: VirtualDisk;
  readonly ledger: Ledger;
  readonly random: Random;
}

type Step = (guest: Guest, zone: number) => Promise<void>;

/** One device and all that was done to it. Steps throw where the device says what it must not say. */
export class Workload {
  private readonly badReads = new Set<number>();
  private readonly badWrites = new Set<number>();
  private version = 1;
  /** Of steps of each kind, for reports. */
  readonly counts = new Map<string, number>();
  /** The power is being cut: requests may fail, and nothing that is answered counts any more. */
  cutting = false;

  constructor(private readonly options: WorkloadOptions) {}

  private get ledger(): Ledger {
    return this.options.ledger;
  }

  private readonly steps: readonly (readonly [share: number, name: string, step: Step])[] = [
    [22, 'write', (guest, zone) => this.write(guest, ...this.range(zone, 24), false)],
    [6, 'write with FUA', (guest, zone) => this.write(guest, ...this.range(zone, 16), true)],
    [10, 'read', (guest, zone) => this.read(guest, ...this.range(zone, 24))],
    [22, 'write over bad sectors', (guest, zone) => this.badWrite(guest, zone)],
    [14, 'read of bad sectors', (guest, zone) => this.badRead(guest, zone)],
    [12, 'write over lost sectors', (guest, zone) => this.heal(guest, zone)],
    [6, 'remap', (guest, zone) => this.move(guest, 'remap', ...this.range(zone, 20))],
    [5, 'mark_lost', (guest, zone) => this.move(guest, 'mark_lost', ...this.range(zone, 12))],
    [10, 'flush', (guest) => this.flush(guest)],
    [2, 'commit', (guest) => this.message(guest, 'commit')],
    [2, 'set', (guest) => this.message(guest, 'set', 'slow_io_ms', String(100 + below(this.random, 900)))],
  ];

  private get random(): Random {
    return this.options.random;
  }

  private range(zone: number, longest: number): [first: number, count: number] {
    const first = below(this.random, ZONE);
    return [zone * ZONE + first, 1 + below(this.random, Math.min(longest, ZONE - first))];
  }

  /** One to three requests at once, and then what the device says of itself. */
  async step(guest: Guest): Promise<void> {
    const zones = this.ledger.count / ZONE;
    const taken = new Set<number>();
    for (let i = chance(this.random, 30) ? 1 + below(this.random, 3) : 1; i > 0; i--)
      taken.add(below(this.random, zones));
    await Promise.all([...taken].map(async (zone) => await this.choose()(guest, zone)));
    if (!this.cutting) await this.look(guest);
  }

  private choose(): Step {
    let left = below(
      this.random,
      this.steps.reduce((sum, [share]) => sum + share, 0),
    );
    for (const [share, name, step] of this.steps) {
      left -= share;
      if (left >= 0) continue;
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      return step;
    }
    throw new Error('no step');
  }

  /** The sequence that the device shows is a promise too. */
  async look(guest: Guest): Promise<void> {
    const { error, text } = await guest.tryDm('status', this.options.device);
    const [, , , mode = '', sequence = ''] = text.split(' ');
    if (this.cutting) return;
    if (error !== 'ok' || mode !== 'rw') throw new Error(`status: ${error} ${text}`);
    this.ledger.sawSequence(BigInt(sequence));
  }

  private isBadUnmoved(sector: number, bad: ReadonlySet<number>): boolean {
    return bad.has(sector) && !this.ledger.hasMoved(Math.floor(sector / UNIT));
  }

  private units(first: number, count: number): number[] {
    const from = Math.floor(first / UNIT);
    const to = Math.ceil((first + count) / UNIT);
    return Array.from({ length: to - from }, (_unused, i) => from + i);
  }

  /** What becomes of the sectors of some units when they are moved: of those that can't be read, nothing is left. */
  private afterMove(units: ReadonlySet<number>, first: number, count: number): (string | null)[] {
    return Array.from({ length: count }, (_unused, i) => {
      const unit = Math.floor((first + i) / UNIT);
      const lost = units.has(unit) && this.isBadUnmoved(first + i, this.badReads);
      return lost && this.ledger.newest(first + i) !== 'EIO' ? 'EIO' : null;
    });
  }

  private acknowledgeMoves(units: Iterable<number>): void {
    for (const unit of units) this.ledger.moved(unit);
  }

  // --- requests ---------------------------------------------------------------------------------------------

  private async write(guest: Guest, first: number, count: number, fua: boolean): Promise<void> {
    const version = ++this.version;
    const end = first + count;
    const all = this.units(first, count);
    // A unit is moved whole, if one of its sectors is written and can't be.
    const moving = new Set(
      all.filter((unit) => {
        for (let s = Math.max(first, unit * UNIT); s < Math.min(end, (unit + 1) * UNIT); s++)
          if (this.isBadUnmoved(s, this.badWrites)) return true;
        return false;
      }),
    );
    const base = (all[0] ?? 0) * UNIT;
    const isWritten = (sector: number): boolean => sector >= first && sector < end;
    const wasLost = new Set<number>();
    const contents = this.afterMove(moving, base, all.length * UNIT).map((content, i) => {
      if (!isWritten(base + i)) return content;
      if (this.ledger.newest(base + i) === 'EIO') wasLost.add(base + i);
      return `v${version}`;
    });
    const pending = this.ledger.begin(base, contents);
    const result = await guest.write(this.options.device, first, count, version, { fua });
    if (this.cutting) return;
    if (result !== `${first}+${count}:ok`) throw new Error(`write of ${first}+${count}: ${result}`);
    this.ledger.done(
      pending,
      (sector) =>
        moving.has(Math.floor(sector / UNIT)) || (isWritten(sector) && (fua || wasLost.has(sector))),
    );
    this.acknowledgeMoves(moving);
  }

  private async read(guest: Guest, first: number, count: number): Promise<void> {
    // One that hits a sector which can't be read moves all of its unit.
    const touched = Array.from({ length: count }, (_unused, i) => first + i);
    const moving = new Set(
      touched
        .filter((sector) => this.isBadUnmoved(sector, this.badReads))
        .map((sector) => Math.floor(sector / UNIT)),
    );
    const all = this.units(first, count);
    const base = (all[0] ?? 0) * UNIT;
    const pending = this.ledger.begin(base, this.afterMove(moving, base, all.length * UNIT));
    const result = await guest.read(this.options.device, first, count, { chunk: 1 });
    if (this.cutting) return;
    this.ledger.done(pending, (sector) => moving.has(Math.floor(sector / UNIT)));
    this.acknowledgeMoves(moving);
    for (const run of parseRuns(result))
      for (let sector = run.sector; sector < run.sector + run.count; sector++)
        if (run.state !== this.ledger.newest(sector))
          throw new Error(`sector ${sector} reads ${run.state}, not ${this.ledger.newest(sector)}`);
  }

  private async badWrite(guest: Guest, zone: number): Promise<void> {
    const [first, count] = this.range(zone, 3);
    for (let sector = first; sector < first + count; sector++) this.badWrites.add(sector);
    this.options.main.failWrites(first, count);
    const from = Math.max(zone * ZONE, first - below(this.random, 6));
    const to = Math.min((zone + 1) * ZONE, first + count + below(this.random, 6));
    await this.write(guest, from, to - from, chance(this.random, 20));
  }

  private async badRead(guest: Guest, zone: number): Promise<void> {
    const [first, count] = this.range(zone, 2);
    for (let sector = first; sector < first + count; sector++) this.badReads.add(sector);
    this.options.main.failReads(first, count);
    const from = Math.max(zone * ZONE, first - below(this.random, 6));
    const to = Math.min((zone + 1) * ZONE, first + count + below(this.random, 6));
    await this.read(guest, from, to - from);
  }

  private async heal(guest: Guest, zone: number): Promise<void> {
    const lost: number[] = [];
    for (let sector = zone * ZONE; sector < (zone + 1) * ZONE; sector++)
      if (this.ledger.newest(sector) === 'EIO') lost.push(sector);
    const first = lost.length === 0 ? zone * ZONE + below(this.random, ZONE) : pick(this.random, lost);
    const count = 1 + below(this.random, Math.min(5, (zone + 1) * ZONE - first));
    await this.write(guest, first, count, false);
  }

  private async move(guest: Guest, verb: 'remap' | 'mark_lost', first: number, count: number): Promise<void> {
    const all = this.units(first, count);
    const base = (all[0] ?? 0) * UNIT;
    const contents = this.afterMove(new Set(all), base, all.length * UNIT).map((content, i) => {
      const marked = verb === 'mark_lost' && base + i >= first && base + i < first + count;
      return marked && this.ledger.newest(base + i) !== 'EIO' ? 'EIO' : content;
    });
    const pending = this.ledger.begin(base, contents);
    const { error } = await guest.tryDm(
      ...(['message', this.options.device, verb, String(first), String(count)] as const),
    );
    if (this.cutting) return;
    if (error !== 'ok') throw new Error(`${verb} ${first} ${count}: ${error}`);
    this.ledger.done(pending, () => true);
    this.acknowledgeMoves(all);
  }

  async flush(guest: Guest): Promise<void> {
    const seen = this.ledger.beginFlush();
    const result = await guest.flush(this.options.device);
    if (this.cutting) return;
    if (result !== 'ok') throw new Error(`flush: ${result}`);
    this.ledger.flushed(seen);
  }

  private async message(guest: Guest, ...words: readonly string[]): Promise<void> {
    const { error } = await guest.tryDm('message', this.options.device, ...words);
    if (!this.cutting && error !== 'ok') throw new Error(`${words.join(' ')}: ${error}`);
  }

  /**
   * Writes a whole unit while a spare is away; `contents` as the run began. One that lies on that spare has to move to the
   * other, and then it is durable.
   */
  async writeUnit(guest: Guest, contents: readonly string[]): Promise<void> {
    const unit = below(this.random, this.ledger.count / UNIT);
    const [first, version] = [unit * UNIT, ++this.version];
    const isAway = contents.slice(first, first + UNIT).includes('away');
    const lost = Array.from({ length: UNIT }, (_unused, i) => this.ledger.newest(first + i) === 'EIO');
    const pending = this.ledger.begin(
      first,
      lost.map(() => `v${version}`),
    );
    const result = await guest.write(this.options.device, first, UNIT, version);
    if (this.cutting) return;
    if (result !== `${first}+${UNIT}:ok`) throw new Error(`write of ${first}+${UNIT}: ${result}`);
    this.ledger.done(pending, (sector) => isAway || lost[sector - first] === true);
  }

  // --- after a cut ------------------------------------------------------------------------------------------

  /** Main is as good as new; the caller ends the faults of the disk. */
  forgetFaults(): void {
    this.badReads.clear();
    this.badWrites.clear();
  }
}
