// SPDX-License-Identifier: GPL-2.0-or-later
// Power cuts on disks with volatile caches, under a kernel that lives on and goes on with what is left: in the middle of
// random work with errors, of an activation, of a stop, and with one spare away for a run. DMREMAP_CUTS is their number,
// DMREMAP_SEED other ones than usual.
import { fromEnvironment } from '../support/fixed-runs';
import { buildJudge } from '../support/kernel-judge';
import { below } from '../support/mutate';
import { PageStore } from '../support/page-store';
import { prng } from '../support/prng';
import { removeTree, temporaryDirectory } from '../support/temporary';
import type { CutKind } from '../support/kernel/crash-cuts';
import { CutWorld } from '../support/kernel/crash-cuts';
import { openCrashLab } from '../support/kernel/crash-world';
import { describeKernel } from '../support/kernel/environment';
import type { Lab } from '../support/kernel/lab';

const CUTS = fromEnvironment('DMREMAP_CUTS', 200);
const ON_NEWER = Math.ceil(CUTS / 20);
const SEED = 1000 * fromEnvironment('DMREMAP_SEED', 0) + 11;
/** A boot may take a minute; this long it is given new cuts. */
const BOOT_MS = 40_000;
/** After so many the setup is made anew, before its entries and spares are used up. */
const LIFE = 25;
const KINDS: readonly CutKind[] = [
  ...Array.from({ length: 10 }, (): CutKind => 'work'),
  ...(['activation', 'activation', 'stop', 'stop', 'away', 'away', 'away', 'away'] as const),
];

describeKernel('power cuts under a living kernel', () => {
  // Many boots.
  jest.setTimeout(900_000);
  let lab: Lab;
  let folder = '';
  let judge = '';

  beforeAll(async () => {
    folder = temporaryDirectory();
    judge = buildJudge(folder, 'quick');
    lab = await openCrashLab();
  });
  afterAll(async () => {
    removeTree(folder);
    await lab.close();
  });

  async function run(kernel: '6.1' | '6.12', cuts: number, seed: number): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    let world: CutWorld | null = null;
    const began = performance.now();
    for (let done = 0; done < cuts;) {
      const guest = await lab.boot({ kernel, append: 'rcupdate.rcu_expedited=1' });
      for (const end = performance.now() + BOOT_MS; done < cuts && performance.now() < end; done++) {
        const random = prng(seed + done);
        if (done % LIFE === 0 || world === null) {
          world?.counts.forEach((n, what) => counts.set(what, (counts.get(what) ?? 0) + n));
          lab.rack.disks.forEach((disk) => disk.load(PageStore.of(disk.sectors * 512)));
          world = await CutWorld.open(lab, judge, prng(seed ^ (done + 1)));
        }
        const kind = KINDS[below(random, KINDS.length)] ?? 'work';
        try {
          await world.cycle(guest, kind);
        } catch (error) {
          const what = error instanceof Error ? error.message : String(error);
          throw new Error(`cut ${done} (seed ${seed}, ${kind}): ${what}`, { cause: error });
        }
      }
      await lab.kill();
    }
    world?.counts.forEach((n, what) => counts.set(what, (counts.get(what) ?? 0) + n));
    const seconds = Math.round((performance.now() - began) / 1000);
    console.info(`${cuts} cuts on ${kernel}: ${seconds} s, ${JSON.stringify([...counts].sort())}`);
    return counts;
  }

  test(`${CUTS} of them lose nothing that was acknowledged`, async () => {
    const counts = await run('6.1', CUTS, SEED);
    const done = (what: string): number => counts.get(what) ?? 0;
    // With few of them, by hand, not every kind has its turn.
    if (CUTS < 100) return;
    for (const kind of new Set(KINDS)) expect([kind, done(kind) > 0]).toEqual([kind, true]);
    // Most cuts put something at risk. Few absences end in a false alarm.
    expect(done('met unflushed data')).toBeGreaterThan(CUTS / 2);
    expect(done('unflushed sectors')).toBeGreaterThan(10 * CUTS);
    expect(done('false split')).toBeLessThan(done('away') / 4);
  });

  test(`${ON_NEWER} of them on a newer kernel`, async () => {
    await run('6.12', ON_NEWER, SEED + 100_000);
  });
});
