// SPDX-License-Identifier: GPL-2.0-or-later
// Runs commands as processes of their own and measures them from outside (wall time) and at their end (processor time,
// memory). What is run, and how often, is the benches' affair.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Child {
  readonly program: string;
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** The exit status it must end with; a bench of something that failed would measure the failure. */
  readonly status: number;
}

export interface Usage {
  readonly wallMs: number;
  /** User and system time of all threads. */
  readonly cpuMs: number;
  /** The most memory that was resident at once. */
  readonly peakBytes: number;
}

/** A built command of the checkout, by its launcher. */
export function command(
  root: string,
  name: string,
  argv: readonly string[],
  rest: Omit<Child, 'program' | 'argv'>,
): Child {
  return { program: process.execPath, argv: [join(root, 'bin', name), ...argv], ...rest };
}

/** Wall time in milliseconds. @throws Error if the child ends with another status than it should. */
export function timed(child: Child, environment: NodeJS.ProcessEnv = process.env): number {
  const begin = process.hrtime.bigint();
  const done = spawnSync(child.program, child.argv, {
    cwd: child.cwd,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const wallMs = Number(process.hrtime.bigint() - begin) / 1e6;
  if (done.error !== undefined) throw done.error;
  if (done.status !== child.status) {
    const how = `${child.program} ${child.argv.slice(0, 8).join(' ')}`;
    throw new Error(
      `${how}: status ${done.status ?? done.signal ?? '?'} instead of ${child.status}\n${done.stderr}`,
    );
  }
  return wallMs;
}

/** As timed, with what the child (a Node program) used. */
export function used(root: string, child: Child): Usage {
  const file = join(tmpdir(), `dmremap-usage-${process.pid}`);
  const hooked = { ...child, argv: ['--require', join(root, 'bench', 'usage-hook.js'), ...child.argv] };
  try {
    const wallMs = timed(hooked, { ...process.env, DMREMAP_BENCH_USAGE: file });
    return { wallMs, ...(JSON.parse(readFileSync(file, 'utf8')) as Omit<Usage, 'wallMs'>) };
  } finally {
    rmSync(file, { force: true });
  }
}

const FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

/** Full path of a program, or null where it is not installed. */
export function findProgram(name: string): string | null {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}
