// SPDX-License-Identifier: GPL-2.0-or-later
// Builds user-space programs from the freestanding files of kernel/, under the address and undefined-behaviour
// sanitizers. What the programs do is in kernel/test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from './tools';

export const KERNEL_FOLDER = join(__dirname, '..', '..', 'kernel');

/** The files that judge, choose, decode and encode. */
export const FORMAT_SOURCES = ['dmr-judge.c', 'dmr-rules.c', 'dmr-choose.c', 'dmr-encode.c'] as const;

const STRICT = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];
const SANITIZED = ['-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

/** Every compiler that is here; the tests' programs are built with the first. */
export const COMPILERS: readonly string[] = ['gcc', 'clang'].filter((name) => findTool(name) !== null);

function tryToCompile(): string | null {
  const [compiler] = COMPILERS;
  if (compiler === undefined) return 'NO C COMPILER HERE (GCC OR CLANG)';
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-cc-'));
  try {
    const source = join(folder, 'probe.c');
    writeFileSync(source, 'int main(void) { return 0; }\n');
    const { status } = spawnSync(compiler, [...SANITIZED, '-o', join(folder, 'probe'), source]);
    return status === 0 ? null : `${compiler.toUpperCase()} HERE HAS NO SANITIZERS`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let why: string | null | undefined;

/** Why no C is built here, in capitals; null where it is. */
export function whyNoC(): string | null {
  why ??= tryToCompile();
  return why;
}

/** describe() where C can be built; elsewhere a skipped block whose title says so, and why. */
export function describeC(title: string, body: () => void): void {
  const reason = whyNoC();
  if (reason === null) describe(title, body);
  else describe.skip(`C TESTS SKIPPED: ${reason} (${title})`, body);
}

/** Compiles without linking; what the compiler said, '' if nothing. Never throws. */
export function complaints(compiler: string, file: string, flags: readonly string[] = []): string {
  const words = [...STRICT, '-O2', ...flags, '-c', '-o', '/dev/null', join(KERNEL_FOLDER, file)];
  const { stderr, status } = spawnSync(compiler, words, { encoding: 'utf8' });
  return status === 0 ? stderr : `status ${String(status)}\n${stderr}`;
}

/**
 * Compiles and links a program from files of kernel/ (or with full paths) into `folder`; returns its path. Without
 * sanitizers only where many thousands of answers are wanted of code that is tested with them elsewhere.
 */
export function buildProgram(
  folder: string,
  name: string,
  sources: readonly string[],
  sanitizers: 'sanitized' | 'quick' = 'sanitized',
): string {
  const [compiler = 'gcc'] = COMPILERS;
  const program = join(folder, name);
  const files = sources.map((file) => (file.startsWith('/') ? file : join(KERNEL_FOLDER, file)));
  const checks = sanitizers === 'sanitized' ? SANITIZED : [];
  const words = [...STRICT, '-O2', ...checks, '-I', KERNEL_FOLDER, '-o', program, ...files];
  const { status, stderr } = spawnSync(compiler, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${compiler} ${words.join(' ')}: status ${String(status)}\n${stderr}`);
  return program;
}
