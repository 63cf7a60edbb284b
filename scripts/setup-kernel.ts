// SPDX-License-Identifier: GPL-2.0-or-later
// npm run setup:kernel: installs and fetches what the kernel suite needs (root on Debian 12). What that is, is in
// kernel/setup.ts; here are the command line and what is printed.
import { dirname } from 'node:path';
import { SetupFailure } from './kernel/apt';
import { cacheFolder } from './kernel/cache';
import { setupKernel } from './kernel/setup';

const USAGE = `usage: npm run setup:kernel [-- --refresh]

Installs qemu, compilers and sparse, and unpacks the newest 6.1 and 6.12 kernels of Debian 12 into .cache/kernel, or
into the folder that DMREMAP_KERNEL_CACHE names. Does nothing when all is there.

  --refresh  fetch everything again, for newer kernels
`;

function main(argv: readonly string[]): number {
  if (argv.some((each) => each !== '--refresh')) {
    process.stderr.write(USAGE);
    return 16;
  }
  const cache = cacheFolder(dirname(dirname(process.argv[1] ?? '')));
  const say = (line: string): void => {
    process.stdout.write(`setup:kernel: ${line}\n`);
  };
  try {
    const { manifest, changed } = setupKernel(cache, say, argv.length > 0);
    const kernels = manifest.kernels.map(({ release, version }) => `${release} (${version})`).join(' and ');
    say(`${changed ? 'done' : 'all is there'}: kernels ${kernels} in ${cache}`);
    return 0;
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error;
    process.stderr.write(`setup:kernel: FAILED: ${error.message}\n`);
    return 8;
  }
}

process.exitCode = main(process.argv.slice(2));
