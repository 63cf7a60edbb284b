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

const DEFAULT_IMAGES = 200_000;
/** Seeds of one kind and of one DMREMAP_SEED are this far apart from those of the next. */
const SEEDS = 100_000_000;
const KINDS = ['one', 'several', 'commands', 'large'] as const;
export type FuzzKind = (typeof KINDS)[number];

export interface FuzzPlan {
  readonly kind: FuzzKind;
  /** How many of DMREMAP_FUZZ images are done here. */
  readonly share: number;
  /** One process does so much of it; a test each. */
  readonly portions: number;
  /** The slowest image takes a tenth of it, but test machines stall. */
  readonly slowestMs: number;
  /** Of resident memory. Garbage that is not collected yet counts: a leak has more. */
  readonly mostBytes: number;
}

/** Runs a plan, portion by portion. The reports are complete when further tests, which stand behind this call, run. */
export function describeFuzzing(plan: FuzzPlan): { readonly images: number; readonly reports: FuzzReport[] } {
  const { kind, portions } = plan;
  const portion = Math.ceil((fromEnvironment('DMREMAP_FUZZ', DEFAULT_IMAGES) * plan.share) / portions);
  const images = portion * portions;
  const firstSeed = (KINDS.length * fromEnvironment('DMREMAP_SEED', 0) + KINDS.indexOf(kind)) * SEEDS + 1;
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
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(Array.from({ length: portions }, (_unused, i) => firstSeed + i * portion))(
    `${portion} mutated images from seed %i on: no exception, no promise broken`,
    (seed) => {
      // Garbage is collected when it is due, and where fuzz-commands.ts says so, however busy the machine is.
      const words = [
        ...['--single-threaded-gc', '--expose-gc'],
        '--enable-source-maps',
        ...[program, kind, String(seed), String(portion)],
      ];
      const report = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' })) as FuzzReport;
      reports.push(report);
      expect(report.failures).toEqual([]);
      expect(report.images).toBe(portion);
    },
    120_000 + portion * 500,
  );

  test('each in bounded time, all in bounded memory', () => {
    const slowest = [...reports].sort((a, b) => b.slowestMs - a.slowestMs)[0];
    expect([slowest?.slowestSeed, (slowest?.slowestMs ?? Infinity) < plan.slowestMs]).toEqual([
      slowest?.slowestSeed,
      true,
    ]);
    expect(Math.max(...reports.map(({ rssBytes }) => rssBytes))).toBeLessThan(plan.mostBytes);
  });

  return { images, reports };
}

/** The mutations get past the checksums: verdicts, both kinds of plan and most rules were reached. */
export function testReach({ images, reports }: ReturnType<typeof describeFuzzing>): void {
  test('every verdict, both kinds of plan and most rules were reached', () => {
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
}
