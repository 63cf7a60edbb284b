// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzing as a program of its own: KIND FIRST-SEED COUNT, totals as JSON on stdout. Bundled and started by fuzz-suite.ts,
// because the same code takes more than twice as long inside the sandbox that a test file runs in.
import './engines';
import { emptyTotals, fuzz } from './fuzz-harness';
import type { FuzzReport } from './fuzz-harness';
import { HISTORIES } from './histories';

const [kind = '', first = '', count = ''] = process.argv.slice(2);
const histories = HISTORIES.filter(({ spares }) => (kind === 'one' ? spares === 1 : spares > 1));
const totals = emptyTotals();
fuzz(histories, Number(first), Number(count), totals);
const report: FuzzReport = {
  images: totals.images,
  verdicts: Object.fromEntries(totals.verdicts),
  plans: Object.fromEntries(totals.plans),
  findings: [...totals.findings].sort(),
  slowestMs: totals.slowestMs,
  slowestSeed: totals.slowestSeed,
  failures: totals.failures,
  rssBytes: process.resourceUsage().maxRSS * 1024,
};
process.stdout.write(JSON.stringify(report));
