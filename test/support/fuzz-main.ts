// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzing as a program of its own: KIND FIRST-SEED COUNT, totals as JSON on stdout. Bundled and started by fuzz-suite.ts,
// because the same code takes more than twice as long inside the sandbox that a test file runs in.
import './engines';
import { fuzzCommands } from './fuzz-commands';
import { emptyTotals, fuzz } from './fuzz-harness';
import type { FuzzReport } from './fuzz-harness';
import { history, HISTORIES } from './histories';
import type { History } from './histories';

const KINDS: Readonly<Record<string, () => readonly History[]>> = {
  one: () => HISTORIES.filter(({ spares }) => spares === 1),
  several: () => HISTORIES.filter(({ spares }) => spares > 1),
  commands: () => HISTORIES,
  // Full slots: 122 blocks of entries, for which three of the fixtures' spares are needed.
  large: () => [history('full slots', { spares: 3, entries: 15494 })],
};

async function main([kind = '', first = '', count = '']: readonly string[]): Promise<void> {
  const histories = KINDS[kind]?.();
  if (histories === undefined) throw new Error(`no kind ${kind}`);
  const totals = emptyTotals();
  if (kind === 'commands') await fuzzCommands(histories, Number(first), Number(count), totals);
  else fuzz(histories, Number(first), Number(count), totals);
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
}

void main(process.argv.slice(2));
