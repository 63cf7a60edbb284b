// SPDX-License-Identifier: GPL-2.0-or-later
// Where the kernels and tools of the kernel suite are kept, and the manifest that says what is there. Filling the
// cache is in setup.ts; using it in test/support/kernel.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Kernel series that the target supports, as Debian names its packages. */
export const SERIES = ['6.1', '6.12'] as const;
export type Series = (typeof SERIES)[number];

/** One unpacked kernel. All paths are absolute. */
export interface KernelFiles {
  readonly series: Series;
  /** As `uname -r` prints it. */
  readonly release: string;
  /** Version of the Debian package. */
  readonly version: string;
  /** The bootable image. */
  readonly image: string;
  /** Where lib/modules/<release> lies below: the root for modprobe -d. */
  readonly moduleRoot: string;
  /** The folder to build modules against: make -C. */
  readonly headers: string;
}

export interface Manifest {
  readonly schema: 1;
  readonly kernels: readonly KernelFiles[];
  readonly busybox: string;
  readonly checkpatch: string;
}

/** DMREMAP_KERNEL_CACHE, or .cache/kernel in the repository. */
export function cacheFolder(root: string): string {
  const chosen = process.env['DMREMAP_KERNEL_CACHE'] ?? '';
  return chosen === '' ? join(root, '.cache', 'kernel') : chosen;
}

export const manifestPath = (cache: string): string => join(cache, 'manifest.json');

/** What the cache holds, or null where it was never filled or is not whole. */
export function readManifest(cache: string): Manifest | null {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(manifestPath(cache), 'utf8')) as Manifest;
  } catch {
    return null;
  }
  // Typed by cast: the file is written by setup.ts alone, and a damaged one only means that it is made again.
  const { schema, kernels } = manifest as Partial<Manifest>;
  if (schema !== 1 || !Array.isArray(kernels) || kernels.length !== SERIES.length) return null;
  const files = [
    manifest.busybox,
    manifest.checkpatch,
    ...manifest.kernels.flatMap(({ image, headers, moduleRoot, release }) => [
      image,
      join(headers, 'Module.symvers'),
      join(moduleRoot, 'lib', 'modules', release, 'modules.dep'),
    ]),
  ];
  return files.every((path) => existsSync(path)) ? manifest : null;
}

/** Why kernels cannot be fetched and booted on this machine whatever is installed, or null where they can. */
export function whyNoKernelsHere(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'not Linux on x86-64';
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const value = (name: string): string =>
    new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
  if (value('ID') !== 'debian' || value('VERSION_ID') !== '12') return 'not Debian 12';
  if (process.getuid?.() !== 0) return 'not root';
  return null;
}
