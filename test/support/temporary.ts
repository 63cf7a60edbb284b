// SPDX-License-Identifier: GPL-2.0-or-later
// Temporary directories for tests, trees of files in them, and catching of faults. No tests here.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Fault } from '../../src/core/faults';

/** A directory of its own, below the system's temporary one. Remove it with removeTree(). */
export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'dmremap-test-'));
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Files by path with their text; a text that begins with "-> " makes a symbolic link to the rest. */
export function plantTree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    const whole = join(root, path);
    mkdirSync(dirname(whole), { recursive: true });
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), whole);
    else writeFileSync(whole, content, 'latin1');
  }
}

/** The Fault's code of what `action` throws; fails the test if it throws none. */
export function faultCodeOf(action: () => unknown): string {
  return faultOf(action).code;
}

/** The Fault that `action` throws. */
export function faultOf(action: () => unknown): Fault {
  try {
    action();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('no fault was thrown');
}
