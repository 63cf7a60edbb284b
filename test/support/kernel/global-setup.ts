// SPDX-License-Identifier: GPL-2.0-or-later
// Runs setup:kernel before the kernel suite, where the suite can run at all. A failure is left for the tests to report:
// thrown here, it would end the other test projects too.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../../scripts/kernel/cache';
import { failureFile, ROOT, whySkipped } from './environment';

export default function setUpKernels(): void {
  const why = whySkipped();
  if (why !== null) {
    process.stderr.write(`\nKERNEL SUITE SKIPPED: ${why}\n`);
    return;
  }
  const cache = cacheFolder(ROOT);
  const script = [join('scripts', 'run-ts.mjs'), join('scripts', 'setup-kernel.ts')];
  const done = spawnSync(process.execPath, script, { cwd: ROOT, encoding: 'utf8' });
  const failed = failureFile(cache);
  if (done.status === 0) {
    rmSync(failed, { force: true });
    return;
  }
  mkdirSync(cache, { recursive: true });
  writeFileSync(failed, done.stderr);
  process.stderr.write(`\n${done.stdout}${done.stderr}`);
}
