// SPDX-License-Identifier: GPL-2.0-or-later
// npm run test:kernel:debug: the scenarios of the kernel suite that break most, on a kernel that checks itself while they
// run (KASAN, UBSAN, lockdep, kmemleak). Not a part of npm test, for the kernel takes long to build. How it is built is in
// kernel/debug-kernel.ts.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { SetupFailure } from './kernel/apt';
import { cacheFolder } from './kernel/cache';
import { debugKernel } from './kernel/debug-kernel';
import { setupKernel } from './kernel/setup';

const SCENARIOS = ['concurrency', 'faults', 'blocks', 'spares-data', 'spares-metadata'];

/** All scenarios name their kernel; those for 6.12 would run on 6.12 and show nothing new. */
const ON_6_1 = '(on|kernel) 6\\.1 ';

const USAGE = `usage: npm run test:kernel:debug [-- SCENARIO...]

Builds Debian's 6.1 kernel with test/kernel/debug.config, once, in .cache/kernel (ten minutes or more, 2 GB), and runs
scenarios on it: ${SCENARIOS.join(', ')}. Any complaint of the kernel fails them.
`;

function main(root: string, argv: readonly string[]): number {
  if (argv.some((each) => !SCENARIOS.includes(each))) {
    process.stderr.write(USAGE);
    return 16;
  }
  const cache = cacheFolder(root);
  const say = (line: string): void => {
    process.stdout.write(`test:kernel:debug: ${line}\n`);
  };
  try {
    setupKernel(cache, say, false);
    const kernel = debugKernel(root, cache, say);
    say(`kernel ${kernel.version} in ${kernel.moduleRoot}`);
    const files = (argv.length > 0 ? argv : SCENARIOS).map((name) => `test/kernel/${name}.test.ts`);
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const done = spawnSync(process.execPath, [jest, '--runInBand', '-t', ON_6_1, ...files], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, DMREMAP_CHECKED_KERNEL: JSON.stringify(kernel) },
    });
    return done.status ?? 1;
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error;
    process.stderr.write(`test:kernel:debug: FAILED: ${error.message}\n`);
    return 8;
  }
}

process.exitCode = main(dirname(dirname(process.argv[1] ?? '')), process.argv.slice(2));
