// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a command's binding on a host of the test's, from words to exit status, and keeps what it prints. No process is
// started and no terminal is there; for the built commands see the tests in test/cli.
import { checkOperands, parseArgs } from '../../src/cli/args';
import { failureDocument } from '../../src/cli/report';
import type { Binding, CliIo } from '../../src/cli/spec';
import { EXIT, Fault } from '../../src/core/faults';
import type { Host } from '../../src/host/host';
import { jsonText } from '../../src/render/json';

export interface Printed {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Answers to the questions of a run on a terminal, in order; null: end of input. Without it there is no terminal. */
export interface Terminal {
  readonly answers: readonly (string | null)[];
  readonly asked: string[];
}

/** As run.ts would, with `io` for the world. Exceptions other than faults go on up: a command must never throw them. */
export async function runBinding(
  binding: Binding,
  host: Host,
  argv: readonly string[],
  terminal?: Terminal,
): Promise<Printed> {
  const printed = { out: '', err: '' };
  let json = false;
  let next = 0;
  try {
    const args = parseArgs(binding.spec, argv);
    checkOperands(binding.spec, args);
    json = args.flag('json');
    const there = terminal !== undefined;
    const io: CliIo = {
      host,
      out: (text) => (printed.out += text),
      err: (text) => (printed.err += text),
      note: (text) => (printed.err += text),
      json,
      quiet: args.flag('quiet'),
      verbose: args.count('verbose'),
      color: false,
      columns: 80,
      isTTY: { stdin: there, stdout: there, stderr: there },
      ask: (question) => {
        terminal?.asked.push(question);
        return Promise.resolve(terminal?.answers[next++] ?? null);
      },
      interrupted: () => false,
      breathe: () => Promise.resolve(),
      drained: () => Promise.resolve(false),
      progress: { begin: () => undefined, update: () => undefined, end: () => undefined },
    };
    return { status: await binding.run(args, io), ...printed };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const telling = json && (error.exit & (EXIT.usage | EXIT.interrupted)) === 0;
    return {
      status: error.exit,
      out: telling ? printed.out + jsonText(failureDocument(binding, error)) : printed.out,
      err: printed.err + error.sentence,
    };
  }
}
