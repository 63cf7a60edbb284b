// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the kernel suite can run here, and where its kernels and tools are. Fetching them is in scripts/kernel.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KernelFiles, Manifest, Series } from '../../../scripts/kernel/cache';
import { cacheFolder, readManifest, whyNoKernelsHere } from '../../../scripts/kernel/cache';

export type { KernelFiles, Series } from '../../../scripts/kernel/cache';

/** The repository: above this file, or, in a bundle that was made elsewhere, above the current folder. */
function findRoot(): string {
  for (const start of [__dirname, process.cwd()])
    for (let folder = start; folder !== dirname(folder); folder = dirname(folder))
      if (existsSync(join(folder, 'scripts', 'setup-kernel.ts'))) return folder;
  throw new Error(`${process.cwd()} is in no checkout of this repository`);
}

export const ROOT = findRoot();

/** Why the kernel suite is left out, in capitals, or null where it runs. */
export function whySkipped(): string | null {
  if (process.env['DMREMAP_KERNEL'] === '0') return 'SWITCHED OFF BY DMREMAP_KERNEL=0';
  return whyNoKernelsHere()?.toUpperCase() ?? null;
}

/** The kernel that checks itself, where it takes the place of 6.1: scripts/test-debug-kernel.ts names its files. */
function checkedKernel(): KernelFiles | null {
  const text = process.env['DMREMAP_CHECKED_KERNEL'] ?? '';
  return text === '' ? null : (JSON.parse(text) as KernelFiles);
}
export const CHECKED_KERNEL = checkedKernel();

/** How many times as long everything may take: with its checks a kernel is several times slower. */
export const SLOWER = CHECKED_KERNEL === null ? 1 : 8;

/** No guest may live longer than a minute, and a test may boot two; that a machine is busy is no failure. */
const TEST_LIMIT_MS = 180_000 * SLOWER;

/** describe() where guests can be booted; elsewhere a skipped block whose title says so, and why. */
export function describeKernel(title: string, body: () => void): void {
  const why = whySkipped();
  jest.setTimeout(TEST_LIMIT_MS);
  if (why === null) describe(title, body);
  else describe.skip(`KERNEL SUITE SKIPPED: ${why} (${title})`, body);
}

/** The file in which the set-up before the tests leaves word of its failure. */
export const failureFile = (cache: string): string => join(cache, 'setup-failure.txt');

/** What setup:kernel put into the cache; throws with the reason where there is nothing. */
export function installation(): { readonly cache: string; readonly manifest: Manifest } {
  const cache = cacheFolder(ROOT);
  const manifest = readManifest(cache);
  if (manifest !== null) return { cache, manifest };
  let why = 'it was not run';
  try {
    why = readFileSync(failureFile(cache), 'utf8').trim();
  } catch {
    // No word of a failure: the tests were started in a way that skips the set-up.
  }
  throw new Error(`no kernels in ${cache}. Run npm run setup:kernel (${why}).`);
}

export function kernelOf(series: Series): KernelFiles {
  if (series === CHECKED_KERNEL?.series) return CHECKED_KERNEL;
  const found = installation().manifest.kernels.find((kernel) => kernel.series === series);
  if (found === undefined) throw new Error(`the cache holds no kernel ${series}`);
  return found;
}
