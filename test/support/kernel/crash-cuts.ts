// SPDX-License-Identifier: GPL-2.0-or-later
// Power cuts under a guest that lives on: in the middle of work, of an activation, of a stop, and with a spare that is away
// the next time. After each the disks are judged, and the kernel loads them again. How many, and of which, is for the test.
import { isDeepStrictEqual } from 'node:util';
import type { SeenHeader } from '../bench';
import { seenHeader } from '../bench';
import { below, chance } from '../mutate';
import type { PageStore } from '../page-store';
import { Ledger } from './crash-ledger';
import type { Remains, Verdict } from './crash-states';
import { breaches, contentsIn, Court, spareIn, unitsIn } from './crash-states';
import { UNIT, Workload } from './crash-workload';
import { MAIN_SECTORS, makeSetup, SPARES } from './crash-world';
import type { Guest } from './guest';
import type { Lab } from './lab';
import { formatRuns, joinRuns } from './pattern';
import type { Cut } from './rack';
import { checkDisks } from './toolkit';

export type CutKind = 'work' | 'activation' | 'stop' | 'away';

/** All of the device, in pieces of a unit where something can't be read. */
export async function readPieces(guest: Guest, device: string): Promise<string> {
  return await guest.read(device, 0, MAIN_SECTORS, { chunk: 16 * UNIT, piece: UNIT });
}

/** What that finds: nothing of a piece in which one sector can't be read. */
export function inPieces(contents: readonly string[]): string {
  return formatRuns(
    joinRuns(
      contents.map((content, sector) => {
        const piece = contents.slice(sector - (sector % UNIT), sector - (sector % UNIT) + UNIT);
        const gone = piece.includes('EIO') || piece.includes('away');
        return { sector, count: 1, state: gone ? 'EIO' : content };
      }),
    ),
  );
}

/** The generations whose headers a spare shows, as another reading of FORMAT.md than the toolkit's has it. */
function shownOn(store: PageStore | null | undefined): SeenHeader[] {
  if (store === null || store === undefined) return [];
  const shown = spareIn(store).slots.flatMap((slot) => seenHeader(slot) ?? []);
  return shown.filter((header, i) => shown.findIndex((one) => isDeepStrictEqual(one, header)) === i);
}

export class CutWorld {
  /** Of cuts by kind, of those that met data which was not flushed, with its sectors, and of splits that were a false alarm. */
  readonly counts = new Map<string, number>();
  private moment = 0;

  private constructor(
    private readonly lab: Lab,
    private readonly court: Court,
    private readonly table: string,
    private readonly ledger: Ledger,
    private readonly workload: Workload,
    private readonly random: () => number,
  ) {}

  static async open(lab: Lab, judge: string, random: () => number): Promise<CutWorld> {
    const { table, setupUuid } = await makeSetup(lab);
    let world: CutWorld | null = null;
    const now = (): number => (world === null ? 0 : ++world.moment);
    const ledger = new Ledger(MAIN_SECTORS, () => 'v1', now);
    const workload = new Workload({ device: 'data', main: lab.disk('main'), ledger, random });
    world = new CutWorld(lab, new Court(setupUuid, judge), table, ledger, workload, random);
    return world;
  }

  private count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** Waits until the disks have got so many requests; false if the work ended before. */
  private async reach(target: number, work: Promise<unknown>): Promise<boolean> {
    const over = work.then(
      () => false,
      () => false,
    );
    const reached = this.lab.rack.whenRequests(target).then(() => true);
    if (!(await Promise.race([reached, over]))) return false;
    // In half of the cases the guest is told of what was done before the power goes.
    if (chance(this.random, 50)) await new Promise((resolve) => setImmediate(resolve));
    return true;
  }

  /** Does one thing after another until the disks have got so many requests, and takes the power in the midst of it. */
  private async cutDuring(within: number, work: () => Promise<unknown>): Promise<void> {
    const target = this.lab.rack.requests + within;
    for (let running = work(); ; running = work()) {
      if (await this.reach(target, running)) {
        this.cutNow();
        await running;
        return;
      }
      await running;
      if (this.lab.rack.requests >= target || this.workload.cutting) break;
    }
    this.cutNow();
  }

  private cutNow(): void {
    if (this.workload.cutting) return;
    this.workload.cutting = true;
    const kind = below(this.random, 8);
    const atRisk = this.lab.rack.disks.reduce((sum, disk) => sum + disk.unflushedSectors, 0);
    if (atRisk > 0) this.count('met unflushed data');
    this.count('unflushed sectors', atRisk);
    const cut: Cut = kind === 0 ? 'kept' : kind === 1 ? 'lost' : { seed: below(this.random, 1 << 30) };
    this.lab.rack.cut(cut);
  }

  /** One cut and all that follows. The device is stopped before and afterwards. Throws where a promise was broken. */
  async cycle(guest: Guest, kind: CutKind): Promise<void> {
    this.count(kind);
    if (kind === 'activation') {
      await this.cutDuring(below(this.random, 110), async () => {
        const { error } = await guest.tryDm('create', 'data', this.table);
        if (error === 'ok') this.cutNow();
        else if (!this.workload.cutting) throw new Error(`create: ${error}`);
      });
    } else {
      await guest.create('data', this.table);
      await this.workload.look(guest);
      if (kind === 'stop') {
        for (let i = below(this.random, 3); i >= 0; i--) await this.workload.step(guest);
        await this.cutDuring(below(this.random, 90), async () => {
          await guest.dm('remove', 'data');
          this.cutNow();
        });
      } else await this.cutDuring(below(this.random, 220), async () => await this.workload.step(guest));
    }
    await this.stop(guest);
    this.powerOn();
    if (kind === 'away') {
      // Best the one that alone has seen a commit that was cut: what becomes of that is the hardest.
      const seen = SPARES.findIndex((_name, spare) => this.shownAloneBy(spare).length > 0);
      await this.goWithout(guest, seen === -1 ? below(this.random, SPARES.length) : seen);
    }
    await this.come(guest, this.table, kind);
  }

  /** Without power: what it can't write any more is lost. */
  private async stop(guest: Guest): Promise<void> {
    const { error } = await guest.tryDm('remove', 'data');
    if (error !== 'ok' && error !== 'ENXIO') throw new Error(`remove: ${error}`);
  }

  private powerOn(): void {
    this.lab.rack.powerOn();
    this.lab.rack.disks.forEach((disk) => disk.heal());
    this.workload.forgetFaults();
    this.workload.cutting = false;
  }

  private snapshot(without: number | null = null): Remains {
    return this.lab.rack.disks.map((disk, index) => (index - 1 === without ? null : disk.snapshot()));
  }

  /** Judges what is left, and takes it as the new beginning. */
  private settle(name: string, without: number | null): { verdict: Verdict; contents: string[] } {
    const states = this.snapshot(without);
    const verdict = this.court.verdict(this.court.enter(states));
    const cut = this.moment;
    const words = breaches({ name, states, cut, begun: cut + 1 }, verdict, this.ledger);
    if (words.length > 0) throw new Error(words.slice(0, 8).join('\n'));
    const entries = verdict.entries ?? [];
    const all = contentsIn(entries, this.snapshot(), MAIN_SECTORS);
    this.ledger.restart((sector) => all[sector] ?? '', unitsIn(entries));
    this.ledger.sawSequence(verdict.sequence);
    return { verdict, contents: contentsIn(entries, states, MAIN_SECTORS) };
  }

  /** Loads what is left, reads all of it and stops. */
  private async come(guest: Guest, table: string, name: string): Promise<void> {
    const { contents } = this.settle(name, null);
    await guest.create('data', table);
    this.compare(name, await readPieces(guest, 'data'), contents);
    await guest.dm('remove', 'data');
    const check = await checkDisks(this.lab.rack, SPARES, { level: 'complete' });
    const verdicts = check.setups.map(({ verdict }) => verdict).join();
    if (verdicts !== 'clean' || check.exit !== 0) throw new Error(`${name}: fsck says ${verdicts}`);
  }

  private compare(name: string, read: string, contents: readonly string[]): void {
    const wanted = inPieces(contents);
    if (read !== wanted) throw new Error(`${name}: it reads ${read}\ninstead of ${wanted}`);
  }

  /** A run without one spare, ended by a stop or by another cut; then the spare is back. */
  private async goWithout(guest: Guest, away: number): Promise<void> {
    const name = `without ${SPARES[away] ?? ''}`;
    const alone = this.shownAloneBy(away);
    const { contents } = this.settle(name, away);
    const table = `${this.table.replace(`/dev/lab/${SPARES[away] ?? ''}`, '-')} 1 degraded`;
    await guest.create('data', table);
    this.compare(name, await readPieces(guest, 'data'), contents);
    await this.workload.look(guest);
    for (let i = below(this.random, 4); i > 0; i--) await this.workload.writeUnit(guest, contents);
    await this.workload.flush(guest);
    if (chance(this.random, 50)) {
      await this.cutDuring(below(this.random, 60), async () => {
        await this.workload.writeUnit(guest, contents);
      });
      await this.stop(guest);
      this.powerOn();
    } else await guest.dm('remove', 'data');
    await this.bringBack(away, alone);
  }

  /** The generation that this spare shows a header of and the other nothing as new: that of a commit that was cut, if any. */
  private shownAloneBy(away: number): SeenHeader[] {
    const [own = [], others = []] = [away, 1 - away].map((spare) => shownOn(this.snapshot()[1 + spare]));
    const newest = others.reduce((most, { sequence }) => (sequence > most ? sequence : most), 0n);
    const alone = own.filter(({ sequence }) => sequence > newest);
    if (alone.length > 1) throw new Error(`spare ${away} alone shows ${alone.length} generations`);
    return alone;
  }

  /**
   * Both spares again. A commit that was cut when only the absent one had seen it looks as if that one had gone on by
   * itself (FORMAT.md section 5), and nothing else does: then a person has to say which side it is, and here that is the
   * one that did go on.
   */
  private async bringBack(away: number, alone: readonly SeenHeader[]): Promise<void> {
    const before = this.snapshot();
    const verdict = this.court.verdict(this.court.enter(before));
    const isSplit = verdict.kernelRefusal === 'split';
    const still = shownOn(before[1 + away]).filter((header) =>
      alone.some((one) => isDeepStrictEqual(one, header)),
    );
    if (isSplit !== still.length > 0 || still.length !== alone.length)
      throw new Error(
        `${isSplit ? 'a' : 'no'} split, and spare ${away} alone saw ${alone.length} cut commits`,
      );
    if (alone.length === 0) return;
    this.count('false split');
    const stayed = 1 - away;
    const check = await checkDisks(this.lab.rack, SPARES);
    const decision = check.setups[0]?.examined.decision;
    const standings = [stayed, away].map((spare) => decision?.seats[spare]?.standing);
    if (standings.join() !== 'current,diverged')
      throw new Error(`a split of ${standings.join(' and ')} spares`);
    const seat = decision?.seats[stayed];
    const newest = seat?.copies.find(
      ({ sequence, state }) => state !== 'torn' && sequence === seat.highestShown,
    );
    const choose = { spare: stayed, copy: newest?.copyIndex ?? 0 };
    const mended = await checkDisks(this.lab.rack, SPARES, { mode: 'repair', choose, force: true });
    if ((mended.exit & ~1) !== 0) throw new Error(`fsck --choose ended with ${mended.exit}`);
    mended.host.writeBack();
  }
}
