// SPDX-License-Identifier: GPL-2.0-or-later
// The first file system of a guest: the agent as its first process, busybox, dmsetup with its libraries, and kernel
// modules in the order in which they are to be loaded.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { buildAgent, runOrThrow } from './builds';
import { Archive } from './cpio';
import type { KernelFiles } from './environment';
import { installation } from './environment';
import { findTool } from '../tools';

/** A module of the kernel's own tree by its name, or a file; with parameters behind a space ("null_blk nr_devices=0"). */
export type ModuleName = string;

/** Modules of the tree come compressed in newer packages; the kernel would have to unpack them at every boot. */
function moduleBytes(kernel: KernelFiles, path: string): Uint8Array {
  if (!path.endsWith('.xz')) return readFileSync(path);
  const folder = join(installation().cache, 'modules', kernel.release);
  const place = join(folder, basename(path, '.xz'));
  if (!existsSync(place)) {
    mkdirSync(folder, { recursive: true });
    const done = spawnSync('xz', ['-dc', path], { maxBuffer: 64 << 20 });
    if (done.status !== 0) throw new Error(`xz -dc ${path}: ${done.stderr.toString()}`);
    writeFileSync(`${place}.${process.pid}`, done.stdout);
    renameSync(`${place}.${process.pid}`, place);
  }
  return readFileSync(place);
}

/** Files of a module of the tree and of all that it needs, in the order of loading; none if it is built in. */
function filesFor(kernel: KernelFiles, name: string): string[] {
  const args = ['-d', kernel.moduleRoot, '-S', kernel.release, '--show-depends', name];
  return runOrThrow(findTool('modprobe') ?? 'modprobe', args)
    .split('\n')
    .flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []);
}

function addModules(archive: Archive, kernel: KernelFiles, modules: readonly ModuleName[]): void {
  const order: string[] = [];
  const added = new Set<string>();
  for (const module of modules) {
    const [name = '', ...params] = module.split(' ');
    const files = name.endsWith('.ko') ? [name] : filesFor(kernel, name);
    files.forEach((path, index) => {
      const file = `lab/${basename(path, '.xz')}`;
      if (added.has(file)) return;
      added.add(file);
      archive.file(file, moduleBytes(kernel, path));
      // Parameters are for the module that was named, which comes after what it needs.
      order.push([`/${file}`, ...(index === files.length - 1 ? params : [])].join(' '));
    });
  }
  archive.file('lab/modules', Buffer.from(order.map((line) => `${line}\n`).join('')));
}

/** A program of this machine with the libraries that it loads. */
function addProgram(archive: Archive, name: string): void {
  const path = findTool(name);
  if (path === null) throw new Error(`${name} is not installed; run npm run setup:kernel`);
  archive.file(`sbin/${name}`, readFileSync(path));
  for (const library of runOrThrow('ldd', [path]).matchAll(/(\/\S+) \(0x/g))
    if (library[1] !== undefined) archive.file(library[1].slice(1), readFileSync(library[1]));
}

export interface InitramfsParts {
  readonly kernel: KernelFiles;
  readonly modules: readonly ModuleName[];
  /** Lines for the agent: the disks to wait for by their serial numbers, and those to fetch. Each is named in /dev/lab. */
  readonly disks: readonly string[];
  /** Further files by their path in the guest. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export function makeInitramfs(parts: InitramfsParts): Buffer {
  const archive = new Archive();
  for (const folder of ['dev', 'proc', 'sys', 'run', 'tmp']) archive.folder(folder);
  archive.file('init', readFileSync(buildAgent()));
  const { busybox } = installation().manifest;
  archive.file('bin/busybox', readFileSync(busybox));
  for (const applet of runOrThrow(busybox, ['--list']).split('\n'))
    if (applet !== '' && applet !== 'busybox') archive.link(`bin/${applet}`, 'busybox');
  addProgram(archive, 'dmsetup');
  addModules(archive, parts.kernel, parts.modules);
  archive.file('lab/disks', Buffer.from(parts.disks.map((line) => `${line}\n`).join('')));
  for (const [path, bytes] of Object.entries(parts.files)) {
    archive.file(path.replace(/^\//, ''), bytes);
  }
  return archive.encode();
}
