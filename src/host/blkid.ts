// SPDX-License-Identifier: GPL-2.0-or-later
// What blkid(8), where it is installed, says of a device's contents. A hint for device records and nothing more: the
// judgement of what may be overwritten is the toolkit's own.
import { accessSync, constants } from 'node:fs';
import { posix } from 'node:path';
import type { ContentHints } from '../core/device-facts';
import { lazyChildProcess } from './lazy';

export const NO_HINTS: ContentHints = { fsUuid: null, fsType: null, fsBlockSize: null };

/** Root's PATH may lack these when the command was started by su or cron. */
const SYSTEM_DIRECTORIES = ['/usr/sbin', '/sbin'];

const TIMEOUT_MS = 10_000;
const MOST_OUTPUT_BYTES = 1024 * 1024;

/** Runs `blkid -p -o export` on `path`; no hints when it is not there, finds nothing, or fails in any way. */
export function contentHintsOf(path: string, searchPath: string | undefined): ContentHints {
  const program = findProgram('blkid', searchPath);
  if (program === null) return NO_HINTS;
  try {
    const output = lazyChildProcess().execFileSync(program, ['-p', '-o', 'export', posix.resolve(path)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', PATH: SYSTEM_DIRECTORIES.join(':') },
      maxBuffer: MOST_OUTPUT_BYTES,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    return parseBlkid(output);
  } catch {
    return NO_HINTS; // exit 2: nothing found; 8: several things found, so none of them can be told
  }
}

/** Parses KEY=VALUE lines, in which a backslash takes the next character as it is. */
export function parseBlkid(output: string): ContentHints {
  const values = new Map<string, string>();
  for (const line of output.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1).replace(/\\(.)/g, '$1'));
  }
  const blockSize = values.get('BLOCK_SIZE') ?? '';
  return {
    fsUuid: values.get('UUID') ?? null,
    fsType: values.get('TYPE') ?? null,
    fsBlockSize: /^[1-9]\d{0,8}$/.test(blockSize) ? Number(blockSize) : null,
  };
}

/** An executable by name, in absolute directories only: a relative one in PATH is an invitation. */
export function findProgram(name: string, searchPath: string | undefined): string | null {
  const directories = [...(searchPath ?? '').split(':'), ...SYSTEM_DIRECTORIES];
  for (const directory of directories) {
    if (!directory.startsWith('/')) continue;
    const candidate = posix.join(directory, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // not in this directory
    }
  }
  return null;
}
