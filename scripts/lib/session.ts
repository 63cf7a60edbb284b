// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the built commands one after another as a person at a shell would, and shows each command line with what it
// printed and its exit status. For the demo and for the sessions in the README; what is run is theirs.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One command that was run. */
export interface Ran {
  /** As typed. */
  readonly line: string;
  /** What it printed, on both streams, in the order in which it came; without what went into a file. */
  readonly output: string;
  /** Null if a signal ended it. */
  readonly status: number | null;
  readonly expected: number;
}

export interface SessionOptions {
  /** The root of the checkout. */
  readonly root: string;
  /** The current directory of the commands. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const COLUMNS = 80;

/** A command line as it is shown: behind a prompt, and in several lines where it is long. */
function typed(line: string): string {
  const lines = [''];
  for (const word of `$ ${line}`.split(' ')) {
    const last = lines[lines.length - 1] ?? '';
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + word.length + 3 <= COLUMNS) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`      ${word}`);
  }
  return `${lines.join(' \\\n')}\n`;
}

export class Session {
  readonly ran: Ran[] = [];

  constructor(
    private readonly options: SessionOptions,
    private readonly print: (text: string) => void,
  ) {}

  /** Runs `command` (a name from bin/) and tells whether it ended with the status `expected`. */
  run(expected: number, command: string, ...argv: readonly string[]): Ran {
    return this.#run(expected, command, argv, null);
  }

  /** The same with standard output going into `file`. */
  runInto(file: string, expected: number, command: string, ...argv: readonly string[]): Ran {
    return this.#run(expected, command, argv, file);
  }

  #run(expected: number, command: string, argv: readonly string[], file: string | null): Ran {
    const { root, folder, environment } = this.options;
    const line = [command, ...argv, ...(file === null ? [] : ['>', file])].join(' ');
    this.print(typed(line));
    const scratch = mkdtempSync(join(tmpdir(), 'dmremap-out-'));
    const path = join(scratch, 'output');
    // One file for both streams: only so do their lines stay in the order in which they were printed.
    const output = openSync(path, 'a');
    const results = file === null ? output : openSync(join(folder, file), 'w');
    try {
      const { status, error } = spawnSync(process.execPath, [join(root, 'bin', command), ...argv], {
        cwd: folder,
        env: { ...process.env, ...environment },
        stdio: ['ignore', results, output],
      });
      if (error !== undefined) throw error;
      const ran: Ran = { line, output: readFileSync(path, 'utf8'), status, expected };
      this.ran.push(ran);
      this.print(`${ran.output}[exit status ${status ?? 'of a signal'}]\n`);
      return ran;
    } finally {
      closeSync(output);
      if (results !== output) closeSync(results);
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}
