// SPDX-License-Identifier: GPL-2.0-or-later
// The tests that the files in test/fuzz share: so many images from the environment, in portions, and what they came to.
// DMREMAP_FUZZ is the number of images of all files together, DMREMAP_SEED (a small number) other ones than usual.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { fromEnvironment } from './fixed-runs';
import type { FuzzReport } from './fuzz-harness';

/** Of both files together; each does half. */
const DEFAULT_IMAGES = 200_000;
const PORTIONS = 10;
/** Seeds of one file and of one DMREMAP_SEED are this far apart from those of the next. */
const SEEDS = 100_000_000;

/** Milliseconds; the slowest image takes a tenth of it, but test machines stall. */
const SLOWEST_MS = 2000;
const MOST_RSS_BYTES = 400 * 1024 * 1024;

export type FuzzKind = 'one' | 'several';

export function describeFuzzing(kind: FuzzKind): void {
  const images = Math.ceil(fromEnvironment('DMREMAP_FUZZ', DEFAULT_IMAGES) / 2);
  const portion = Math.ceil(images / PORTIONS);
  const firstSeed = (2 * fromEnvironment('DMREMAP_SEED', 0) + (kind === 'one' ? 0 : 1)) * SEEDS + 1;
  const reports: FuzzReport[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-fuzz-'));
  const program = join(folder, 'fuzz.cjs');

  beforeAll(() => {
    buildSync({
      entryPoints: [join(__dirname, 'fuzz-main.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      target: 'node18',
      format: 'cjs',
      sourcemap: 'inline',
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe(`${images} mutated images, setups of ${kind} spare${kind === 'one' ? '' : 's'}`, () => {
    test.each(Array.from({ length: PORTIONS }, (_unused, i) => firstSeed + i * portion))(
      'from seed %i on: no exception, nothing wrong accepted',
      (seed) => {
        const words = ['--enable-source-maps', program, kind, String(seed), String(portion)];
        const report = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' })) as FuzzReport;
        reports.push(report);
        expect(report.failures).toEqual([]);
        expect(report.images).toBe(portion);
      },
      120_000 + portion * 50,
    );

    test('each in bounded time, all in bounded memory', () => {
      const slowest = [...reports].sort((a, b) => b.slowestMs - a.slowestMs)[0]!;
      expect([slowest.slowestSeed, slowest.slowestMs < SLOWEST_MS]).toEqual([slowest.slowestSeed, true]);
      expect(Math.max(...reports.map(({ rssBytes }) => rssBytes))).toBeLessThan(MOST_RSS_BYTES);
    });

    test('they get past the checksums: verdicts, both kinds of plan and most rules were reached', () => {
      const verdicts = new Set(reports.flatMap((report) => Object.keys(report.verdicts)));
      const findings = new Set(reports.flatMap((report) => report.findings));
      const plans = (what: string): number =>
        reports.reduce((sum, report) => sum + (report.plans[what] ?? 0), 0);
      expect([...verdicts]).toEqual(
        expect.arrayContaining(['clean', 'inconsistent', 'lost', 'partial', 'repairable', 'split']),
      );
      expect(plans('restore')).toBeGreaterThan(images / 20);
      expect(plans('commit')).toBeGreaterThan(images / 50);
      expect([...findings].filter((id) => id.startsWith('rule-')).length).toBeGreaterThan(15);
    });
  });
}
