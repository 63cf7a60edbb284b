// SPDX-License-Identifier: GPL-2.0-or-later
// Fills the cache of the kernel suite: the newest 6.1 and 6.12 kernels of Debian 12 with their headers, unpacked but not
// installed, a static busybox, and checkpatch.pl. Does nothing where all of it is there.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Apt, missingPackages, must, SetupFailure, unpack } from './apt';
import { unpackKernel } from './bzimage';
import type { KernelFiles, Manifest, Series } from './cache';
import { manifestPath, readManifest, SERIES, whyNoKernelsHere } from './cache';

/** The packages that always depend on the newest kernel and headers of a series. */
const NEWEST: Readonly<Record<Series, { readonly image: string; readonly headers: string }>> = {
  '6.1': { image: 'linux-image-amd64', headers: 'linux-headers-amd64' },
  '6.12': { image: 'linux-image-6.12-amd64', headers: 'linux-headers-6.12-amd64' },
};

/** Modules that no guest here can use, as tar's patterns: three quarters of a kernel package. */
const USELESS = [
  ...['sound', 'net/[!c]*', 'drivers/net/*/*', 'drivers/media', 'drivers/iio', 'drivers/usb', 'drivers/gpu'],
  ...['drivers/platform', 'drivers/hid', 'drivers/hwmon', 'drivers/input', 'drivers/infiniband'],
  ...['drivers/comedi', 'drivers/staging'],
].map((pattern) => `*/kernel/${pattern}`);

/** Gives `use` a new folder below the cache, on the same file system as what will be kept; removes it afterwards. */
function withScratch<T>(cache: string, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(cache, 'scratch-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Puts a finished folder in its place. Another run may have been faster; its result is as good. */
function keep(folder: string, place: string): void {
  rmSync(place, { recursive: true, force: true });
  renameSync(folder, place);
}

function onlyDependency(apt: Apt, name: string, pattern: RegExp): string {
  const found = apt.dependsOn(name).find((each) => pattern.test(each));
  if (found === undefined) throw new SetupFailure(`${name} depends on no package like ${String(pattern)}`);
  return found;
}

function fetchKernel(apt: Apt, cache: string, series: Series): KernelFiles {
  const prefix = series.replace('.', '\\.');
  const newest = NEWEST[series];
  const imagePackage = onlyDependency(apt, newest.image, new RegExp(`^linux-image-${prefix}\\.`));
  const headerPackage = onlyDependency(apt, newest.headers, new RegExp(`^linux-headers-${prefix}\\.`));
  const release = imagePackage.replace('linux-image-', '');
  if (headerPackage !== `linux-headers-${release}`)
    throw new SetupFailure(
      `the newest image is ${imagePackage}, but the newest headers are ${headerPackage}`,
    );
  const common = onlyDependency(apt, headerPackage, /^linux-headers-.*-common$/);
  const kbuild = onlyDependency(apt, headerPackage, /^linux-kbuild-/);

  const place = join(cache, 'kernels', release);
  const headers = join(place, 'usr', 'src', headerPackage);
  withScratch(cache, (scratch) => {
    const debs = join(scratch, 'debs');
    const tree = join(scratch, 'tree');
    mkdirSync(debs);
    mkdirSync(tree);
    for (const deb of apt.fetch([imagePackage, headerPackage, common, kbuild], debs))
      unpack(deb, tree, USELESS);
    // The headers name each other by the absolute path where dpkg would have put them.
    const makefile = join(tree, 'usr', 'src', headerPackage, 'Makefile');
    writeFileSync(
      makefile,
      readFileSync(makefile, 'utf8').replaceAll('/usr/src/', `${join(place, 'usr', 'src')}/`),
    );
    must('/usr/sbin/depmod', ['-b', tree, release]);
    const elf = unpackKernel(join(tree, 'boot', `vmlinuz-${release}`));
    if (elf !== null) writeFileSync(join(tree, 'boot', `vmlinux-${release}`), elf);
    mkdirSync(join(cache, 'kernels'), { recursive: true });
    keep(tree, place);
  });
  const image = ['vmlinux', 'vmlinuz']
    .map((name) => join(place, 'boot', `${name}-${release}`))
    .find(existsSync);
  if (image === undefined) throw new SetupFailure(`${imagePackage} holds no kernel`);
  return {
    series,
    release,
    version: apt.candidate(imagePackage),
    image,
    moduleRoot: place,
    headers,
  };
}

function fetchBusybox(apt: Apt, cache: string): string {
  const place = join(cache, 'busybox');
  withScratch(cache, (scratch) => {
    const tree = join(scratch, 'tree');
    mkdirSync(tree);
    for (const deb of apt.fetch(['busybox-static'], scratch)) unpack(deb, tree);
    keep(tree, place);
  });
  const program = ['bin/busybox', 'usr/bin/busybox']
    .map((path) => join(place, path))
    .find((path) => existsSync(path));
  if (program === undefined) throw new SetupFailure('busybox-static holds no bin/busybox');
  return program;
}

/** checkpatch.pl is in no binary package: out of the kernel's source, with the two lists that it reads. */
function fetchCheckpatch(apt: Apt, cache: string): string {
  const name = 'linux-source-6.1';
  const place = join(cache, 'checkpatch');
  withScratch(cache, (scratch) => {
    for (const deb of apt.fetch([name], scratch)) unpack(deb, scratch);
    const files = ['checkpatch.pl', 'spelling.txt', 'const_structs.checkpatch'];
    must('tar', [
      ...[
        '-x',
        '-J',
        '--strip-components=1',
        '-C',
        scratch,
        '-f',
        join(scratch, 'usr', 'src', `${name}.tar.xz`),
      ],
      ...files.map((file) => `${name}/scripts/${file}`),
    ]);
    keep(join(scratch, 'scripts'), place);
  });
  return join(place, 'checkpatch.pl');
}

export interface SetupResult {
  readonly manifest: Manifest;
  /** Whether anything had to be installed or fetched. */
  readonly changed: boolean;
}

/** Makes the cache whole. `say` gets a plain line per step. Throws a SetupFailure. */
export function setupKernel(cache: string, say: (line: string) => void, refresh: boolean): SetupResult {
  const why = whyNoKernelsHere();
  if (why !== null) throw new SetupFailure(`this needs root on Debian 12 on x86-64, and this is ${why}`);
  const missing = missingPackages();
  const there = refresh ? null : readManifest(cache);
  if (missing.length === 0 && there !== null) return { manifest: there, changed: false };

  const apt = new Apt(say);
  if (missing.length > 0) apt.install(missing);
  if (there !== null) return { manifest: there, changed: true };
  mkdirSync(cache, { recursive: true });
  const manifest: Manifest = {
    schema: 1,
    busybox: fetchBusybox(apt, cache),
    kernels: SERIES.map((series) => fetchKernel(apt, cache, series)),
    checkpatch: fetchCheckpatch(apt, cache),
  };
  const next = `${manifestPath(cache)}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(manifest, null, 2)}\n`);
  renameSync(next, manifestPath(cache));
  return { manifest, changed: true };
}
