// SPDX-License-Identifier: GPL-2.0-or-later
// npm run test:kernel:debug: the scenarios of the kernel suite that break most, on a kernel that checks itself while they
// run (KASAN, UBSAN, lockdep, kmemleak). Not a part of npm test, for the kernel takes long to build. How it is built is in
// kernel/debug-kernel.ts.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SetupFailure } from './kernel/apt';
import { cacheFolder } from './kernel/cache';
import { debugKernel } from './kernel/debug-kernel';
import { setupKernel } from './kernel/setup';

const USUAL = ['concurrency', 'faults', 'blocks', 'spares-data', 'spares-metadata'];
const OTHERS = ['doubts', 'life', 'order', 'policies', 'registry', 'hostile'];

/** What is for 6.12 by its title would run on 6.12 and show nothing new. */
const ON_6_1 = '^(?!.*(6\\.12|newer kernel))';

/** Mutated setups: each takes long on this kernel. */
const HOSTILE = '400';

const USAGE = `usage: npm run test:kernel:debug [-- SCENARIO...]

Builds Debian's 6.1 kernel with test/kernel/debug.config, once, in .cache/kernel (ten minutes or more, 2 GB), and runs
scenarios on it: as a rule ${USUAL.join(', ')}; on request ${OTHERS.join(', ')}.
Any complaint of the kernel fails them, and so does a scenario of which no test ran.
`;

/** What is read of Jest's report. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** Says what was run of each file; true if in each of them tests passed, and none failed. */
function account(report: Report, files: readonly string[], say: (line: string) => void): boolean {
  return files
    .map((file) => {
      const result = report.testResults.find(({ name }) => name.endsWith(`/${file}`));
      const count = (status: string): number =>
        result?.assertionResults.filter((one) => one.status === status).length ?? 0;
      const [passed, failed] = [count('passed'), count('failed')];
      const none = passed === 0 ? ': NOTHING WAS TESTED' : '';
      say(`${file}: ${passed} passed, ${failed} failed${none}`);
      return passed > 0 && failed === 0;
    })
    .every((good) => good);
}

/** Runs Jest on these files; its status, or 1 where it has nothing to say against tests that did not run. */
function test(root: string, files: readonly string[], kernel: unknown, say: (line: string) => void): number {
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-debug-'));
  const output = join(folder, 'report.json');
  try {
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const words = ['--runInBand', '--json', `--outputFile=${output}`, '-t', ON_6_1, ...files];
    const { status } = spawnSync(process.execPath, [jest, ...words], {
      cwd: root,
      // The report goes to the file; the rest of Jest's output to the standard error, as always with --json.
      stdio: 'inherit',
      env: {
        DMREMAP_HOSTILE: HOSTILE,
        ...process.env,
        DMREMAP_CHECKED_KERNEL: JSON.stringify(kernel),
      },
    });
    const good = account(JSON.parse(readFileSync(output, 'utf8')) as Report, files, say);
    return good ? (status ?? 1) : status === null || status === 0 ? 1 : status;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(root: string, argv: readonly string[]): number {
  if (argv.some((each) => ![...USUAL, ...OTHERS].includes(each))) {
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
    const files = (argv.length > 0 ? argv : USUAL).map((name) => `test/kernel/${name}.test.ts`);
    return test(root, files, kernel, say);
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error;
    process.stderr.write(`test:kernel:debug: FAILED: ${error.message}\n`);
    return 8;
  }
}

process.exitCode = main(dirname(dirname(process.argv[1] ?? '')), process.argv.slice(2));
