// SPDX-License-Identifier: GPL-2.0-or-later
// Real tools as oracles, where the machine has them: a test that needs one is reported as skipped elsewhere.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/bin', '/usr/local/sbin'];

/** Full path of a tool, or null where it is not installed. */
export function findTool(name: string): string | null {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** `test` where all the tools are there; elsewhere the test is skipped, and its name says what was missing. */
export function testWith(...tools: readonly string[]): (name: string, body: () => unknown) => void {
  const missing = tools.filter((tool) => findTool(tool) === null);
  return (name, body) => {
    const run = async (): Promise<void> => {
      await body();
    };
    if (missing.length === 0) test(name, run);
    else test.skip(`${name} [skipped: no ${missing.join(', ')} here]`, run);
  };
}

export interface ToolResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runTool(name: string, args: readonly string[], input?: string): ToolResult {
  const result = spawnSync(findTool(name) ?? name, args, {
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C' },
    ...(input === undefined ? {} : { input }),
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** Gives `use` the path of a fresh file of `size` bytes (sparse), and removes it afterwards. */
export function withFile<T>(size: number, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-tool-'));
  try {
    const path = join(folder, 'image');
    const file = openSync(path, 'w');
    ftruncateSync(file, size);
    closeSync(file);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const ZEROS = Buffer.alloc(4096);

/** Writes the 4 KiB blocks of `bytes` that are not zero, so that big images stay sparse. */
export function fillFile(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  for (let at = 0; at < bytes.length; at += 4096) {
    const block = bytes.subarray(at, at + 4096);
    if (!ZEROS.subarray(0, block.length).equals(block)) writeSync(file, block, 0, block.length, at);
  }
  closeSync(file);
}

export function readImage(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
