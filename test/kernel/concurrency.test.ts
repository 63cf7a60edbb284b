// SPDX-License-Identifier: GPL-2.0-or-later
// Everything at once (test/support/kernel/turmoil.ts): nothing hangs, nothing splats, no read is ever wrong, no write
// fails while there is a place for it, and nothing is lost but what could not be read. DMREMAP_TURMOIL is how many times
// as long it goes on, DMREMAP_SEED another course of it. On a kernel that checks itself: npm run test:kernel:debug.
import { fromEnvironment } from '../support/fixed-runs';
import { CHECKED_KERNEL, describeKernel, SLOWER } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { BOOT_LIMIT_MS, Lab } from '../support/kernel/lab';
import { formatRuns } from '../support/kernel/pattern';
import { Scenario } from '../support/kernel/scenario';
import { checkEachBlock, failedForNothing, failedFua, turmoil } from '../support/kernel/turmoil';

const TIMES = fromEnvironment('DMREMAP_TURMOIL', 1);
const SEED = fromEnvironment('DMREMAP_SEED', 1);
/** What a boot takes besides the turmoil itself. */
const OTHERWISE_MS = 30_000 * SLOWER;

/** What else a kernel that checks itself has to say once the module is gone: memory that nobody holds, and its locks. */
async function checkTheChecks(guest: Guest): Promise<void> {
  // The second scan settles what the first saw on its way from hand to hand.
  const scan = 'echo scan > /sys/kernel/debug/kmemleak; sleep 6; ';
  expect(await guest.sh(`${scan}${scan}cat /sys/kernel/debug/kmemleak`, 60_000 * SLOWER)).toBe('');
  expect(await guest.sh('cat /proc/lockdep_stats')).toMatch(/debug_locks: +1$/m);
}

const RUNS = [
  { kernel: '6.1', block: 512, seconds: 22 },
  { kernel: '6.1', block: 4096, seconds: 10 },
  { kernel: '6.12', block: 512, seconds: 6 },
] as const;

describeKernel('everything at once', () => {
  let lab: Lab | null = null;
  afterEach(async () => {
    await lab?.close();
    lab = null;
  });

  test.each(RUNS)(
    'on $kernel with blocks of $block bytes',
    async ({ kernel, block, seconds }) => {
      const options = { logicalBlockSize: block, failedWrites: 'around' } as const;
      lab = await Lab.open({
        ...{ kernel, cpus: 2, limitMs: Math.max(BOOT_LIMIT_MS, TIMES * seconds * 1000 + OTHERWISE_MS) },
        disks: [
          { name: 'main', sectors: 8192, ...options },
          { name: 's0', sectors: 65536, ...options },
          { name: 's1', sectors: 65536, ...options },
        ],
      });
      const scenario = await Scenario.make(lab);
      const guest = await lab.boot();
      await scenario.up();

      const { hammers, answers, hits, flushFailures, lost, entries } = await turmoil(scenario, {
        seconds: seconds * TIMES,
        seed: SEED,
      });
      const told = hammers
        .map(({ counts, failures }) => `${JSON.stringify(counts)} ${formatRuns(failures)}`)
        .join(' ');
      process.stdout.write(
        `${kernel}/${block}: ${hits} faults, ${entries} entries, ${lost} lost sectors; ${told}; ` +
          `${[...answers].map(([what, count]) => `${what} ${count}`).join(', ')}\n`,
      );
      for (const { violations, counts } of hammers) {
        expect(violations).toBe('');
        expect(counts.violations).toBe(0);
        expect(Math.min(counts.reads, counts.writes)).toBeGreaterThan((10 * seconds) / SLOWER);
        if (seconds >= 10)
          expect(Math.min(counts.fua, counts.flushes, counts.zeroes, counts.discards)).toBeGreaterThan(0);
      }
      // A read fails for a sector that is lost, and for no other; and some did.
      expect(failedForNothing(hammers)).toBe('');
      const failed = hammers.flatMap(({ failures }) => failures.map(({ state }) => state.split('-')[0]));
      const unread = hammers.reduce((sum, { counts }) => sum + counts.read_errors, 0);
      const unwritten = hammers.reduce((sum, { counts }) => sum + counts.write_errors, 0);
      expect(failed.filter((what) => what === 'read').length).toBe(unread);
      expect(failed.filter((what) => what === 'discard').length + failedFua(hammers)).toBe(unwritten);
      // A failed flush is told once; where writes with FUA hear of it, none may do so without a failure of its own.
      expect(failedFua(hammers)).toBeLessThanOrEqual(flushFailures);
      if (seconds >= 20) expect(unread).toBeGreaterThan(0);
      const done = (what: string): number => answers.get(`${what} ok`) ?? 0;
      expect(Math.min(done('suspend'), done('load'))).toBeGreaterThan(seconds / 4 / SLOWER);
      const messages = ['remap', 'mark_lost', 'query', 'list', 'commit', 'set'].map(done);
      expect(messages.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(seconds / SLOWER);
      // In a short run one kind may meet a suspended device each time.
      if (seconds >= 20) expect(messages).not.toContain(0);
      expect(hits).toBeGreaterThan(seconds / SLOWER);
      expect(entries).toBeGreaterThan(0);
      expect(await scenario.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA' });
      await checkEachBlock(scenario);
      await scenario.down();
      scenario.checkOutside();
      expect(await scenario.fsck()).toBe('clean');
      await scenario.up();
      await checkEachBlock(scenario);
      await scenario.down();
      expect(await scenario.fsck()).toBe('clean');
      expect(await guest.sh('rmmod dm_remap && echo gone')).toBe('gone');
      if (kernel === CHECKED_KERNEL?.series) await checkTheChecks(guest);
      expect(guest.console.splats()).toEqual([]);
    },
    (BOOT_LIMIT_MS + OTHERWISE_MS) * Math.max(2, TIMES),
  );
});
