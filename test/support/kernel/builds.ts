// SPDX-License-Identifier: GPL-2.0-or-later
// Builds what runs in a guest: the module for one kernel, and the agent. Always from a copy of the sources in the cache,
// under a name that follows from their contents, so that the source tree stays clean and nothing is built twice.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { KernelFiles } from './environment';
import { installation, ROOT } from './environment';

const MODULE_SOURCES = join(ROOT, 'kernel');
const AGENT_SOURCES = join(ROOT, 'test', 'kernel', 'guest');
/** Builds that are kept of one kind. */
const KEPT = 6;

/** Runs a program; what it printed on both streams. Throws with all of it where the status is not 0. */
export function runOrThrow(program: string, args: readonly string[], cwd?: string): string {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, LC_ALL: 'C' },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (done.error !== undefined) throw done.error;
  const said = done.stdout + done.stderr;
  if (done.status !== 0)
    throw new Error(`${program} ${args.join(' ')}: status ${String(done.status)}\n${said}`);
  return said;
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /\.(c|h)$/.test(name) || name === 'Kbuild' || name === 'Makefile')
    .sort();
}

/** Removes all but the newest builds of a kind. */
function prune(builds: string, kind: string): void {
  const found = readdirSync(builds)
    .filter((name) => name.startsWith(`${kind}-`))
    .map((name) => ({ path: join(builds, name), time: statSync(join(builds, name)).mtimeMs }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of found.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}

/** The folder with the result of `make` in a copy of `folder`; from an earlier time where nothing has changed. */
function built(kind: string, folder: string, salt: string, make: (copy: string) => void): string {
  const names = sourcesIn(folder);
  const hash = createHash('sha256').update(salt);
  for (const name of names) hash.update(`\0${name}\0`).update(readFileSync(join(folder, name)));
  const builds = join(installation().cache, 'build');
  const place = join(builds, `${kind}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(place)) {
    utimesSync(place, new Date(), new Date());
    return place;
  }
  mkdirSync(builds, { recursive: true });
  const copy = mkdtempSync(join(builds, 'scratch-'));
  try {
    for (const name of names) copyFileSync(join(folder, name), join(copy, name));
    make(copy);
    try {
      renameSync(copy, place);
    } catch (error) {
      // Another test process may have built the same at the same time.
      if (!existsSync(place)) throw error;
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  prune(builds, kind);
  return place;
}

/** Without debug information, and BTF, which is made of that of the whole kernel. */
function makeModule(kernel: KernelFiles, folder: string): void {
  const words = [`-j${cpus().length}`, 'CONFIG_DEBUG_INFO_BTF_MODULES=', 'CONFIG_DEBUG_INFO='];
  runOrThrow('make', ['-C', kernel.headers, `M=${folder}`, ...words, 'modules']);
}

/** Path of dm-remap.ko for this kernel. Throws with the compiler's words. */
export function buildModule(kernel: KernelFiles): string {
  return buildModuleIn(MODULE_SOURCES, 'dm-remap', kernel);
}

/** Path of `name`.ko, made of the sources in a folder. */
export function buildModuleIn(folder: string, name: string, kernel: KernelFiles): string {
  const place = built(`${name}-${kernel.release}`, folder, kernel.version, (copy) => {
    makeModule(kernel, copy);
    runOrThrow('strip', ['--strip-debug', join(copy, `${name}.ko`)]);
  });
  return join(place, `${name}.ko`);
}

/** Words for make: every file is looked at by sparse. */
export const WITH_SPARSE = ['C=2', 'CHECK=sparse'] as const;

/** What the compiler or the checker has to say in what make printed; the lines of make itself are left out. */
export const complaintsIn = (printed: string): string[] =>
  printed
    .split('\n')
    .filter((line) => /\.[ch]:\d+:|warning:|error:/.test(line) && !/compiler differs/.test(line));

/** What checkpatch.pl has to say of the module's sources, with `ignore` types of message left out. */
export function checkpatchComplaints(ignore: readonly string[]): string[] {
  const { checkpatch } = installation().manifest;
  const files = sourcesIn(MODULE_SOURCES)
    .filter((name) => /\.[ch]$/.test(name))
    .map((name) => join('kernel', name));
  const args = [
    '--no-tree',
    '--terse',
    '--no-summary',
    '--show-types',
    ...ignore.flatMap((type) => ['--ignore', type]),
  ];
  const done = spawnSync('perl', [checkpatch, ...args, '-f', ...files], { cwd: ROOT, encoding: 'utf8' });
  if (done.error !== undefined) throw done.error;
  return `${done.stdout}${done.stderr}`.split('\n').filter((line) => line !== '');
}

/** Path of the agent that is a guest's first process. */
export function buildAgent(): string {
  const flags = ['-O2', '-static', '-pthread', '-Wall', '-Wextra', '-Werror'];
  const place = built('agent', AGENT_SOURCES, flags.join(' '), (copy) => {
    const sources = sourcesIn(copy).filter((name) => name.endsWith('.c'));
    runOrThrow('gcc', [...flags, '-o', 'agent', ...sources], copy);
    runOrThrow('strip', ['agent'], copy);
  });
  return join(place, 'agent');
}
