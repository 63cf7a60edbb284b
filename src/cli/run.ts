// SPDX-License-Identifier: GPL-2.0-or-later
// Runs one command: arguments in, printing, signals, exit status. The only place that prints, reads the terminal and
// sets the exit status; what the commands do is in their bindings.
import { fstatSync } from 'node:fs';
import type * as Readline from 'node:readline';
import type * as Terminal from 'node:tty';
import { EXIT, Fault } from '../core/faults';
import type { Host } from '../host/host';
import { createNodeHost } from '../host/node';
import { jsonText } from '../render/json';
import { checkOperands, parseArgs } from './args';
import { helpText, versionText } from './help';
import { Output } from './output';
import { NO_PROGRESS, type ProgressDisplay, progressOn } from './progress';
import { aboutDocument, asFault, failureDocument, failureText } from './report';
import type { Binding, CliIo, ParsedArgs } from './spec';

const DEFAULT_COLUMNS = 80;
/** Below this, tables and bars make no sense. */
const NARROWEST = 40;
/** Milliseconds that a command goes on without letting signals in. */
const BREATHE_EVERY = 5;

/** Milliseconds. Not performance.now: asking for it loads a module. */
const clock = (): number => process.uptime() * 1000;

/**
 * Runs `binding` with `argv` (without interpreter and script) and sets the exit status. Settles when all output has left;
 * the process then ends by itself, so that nothing is cut off. `openHost` is called only when the command runs.
 */
export async function main(
  binding: Binding,
  argv: readonly string[],
  openHost: () => Host = createNodeHost,
): Promise<void> {
  const session = new Session(binding, openHost);
  process.on('uncaughtException', (error) => void session.finish(session.failed(error)));
  await session.finish(await session.attempt(argv));
}

class Session {
  readonly #binding: Binding;
  readonly #openHost: () => Host;
  readonly #stdout = new Output(1, () => process.stdout);
  readonly #stderr = new Output(2, () => process.stderr);
  #progress: ProgressDisplay = NO_PROGRESS;
  #json = false;
  #verbose = 0;
  /** Whether stdout has got something: then an error document would be a second one. */
  #printed = false;
  #interrupted = false;
  /** By the clock, when signals are to be let in next. */
  #breathesAt = 0;
  #cutQuestion: (() => void) | undefined;
  #lines: TerminalLines | undefined;

  constructor(binding: Binding, openHost: () => Host) {
    this.#binding = binding;
    this.#openHost = openHost;
  }

  /** The exit status. Never rejects. */
  async attempt(argv: readonly string[]): Promise<number> {
    try {
      const { spec } = this.#binding;
      const args = parseArgs(spec, argv);
      this.#json = args.flag('json');
      this.#verbose = args.count('verbose');
      if (args.flag('help')) return this.#about(helpText(spec));
      if (args.flag('version')) return this.#about(versionText(spec));
      checkOperands(spec, args);
      this.#listenToSignals();
      return await this.#binding.run(args, this.#io(args));
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Reports what ended the command, and gives its exit status. */
  failed(error: unknown): number {
    const { spec } = this.#binding;
    const fault = asFault(error, spec.name);
    const exitCode = fault.exit;
    this.#err(failureText(spec.name, fault, this.#verbose >= 2 ? error : undefined));
    if (this.#json && !this.#printed && (exitCode & (EXIT.usage | EXIT.interrupted)) === 0) {
      this.#out(jsonText(failureDocument(this.#binding, fault)));
    }
    return exitCode;
  }

  async finish(status: number): Promise<void> {
    this.#progress.end();
    this.#lines?.close();
    await this.#stdout.drained();
    const reason = this.#stdout.failure;
    // A result that did not arrive (disk full) must not look like one that did.
    if (reason !== undefined) status |= this.failed(new Fault('OUTPUT_FAILED', { reason }));
    await this.#stderr.drained();
    // Added, since an exception outside the command's own course may have been reported before.
    process.exitCode = Number(process.exitCode ?? 0) | status;
  }

  #about(text: string): number {
    this.#out(this.#json ? jsonText(aboutDocument(text)) : text);
    return EXIT.fine;
  }

  #out(text: string): void {
    if (text === '') return;
    this.#progress.hide();
    this.#printed = true;
    this.#stdout.write(text);
  }

  #err(text: string): void {
    this.#progress.hide();
    this.#stderr.write(text);
  }

  #io(args: ParsedArgs): CliIo {
    const isTTY = { stdin: isTerminal(0), stdout: isTerminal(1), stderr: isTerminal(2) };
    const quiet = args.flag('quiet');
    if (!quiet) {
      this.#progress = progressOn({
        write: (text) => this.#stderr.write(text),
        clock,
        isTTY: isTTY.stderr,
        columns: isTTY.stderr ? widthOf(process.stderr) : DEFAULT_COLUMNS,
      });
    }
    let host: Host | undefined;
    const openHost = this.#openHost;
    return {
      get host(): Host {
        return (host ??= openHost());
      },
      out: (text) => this.#out(text),
      err: (text) => this.#err(text),
      note: (text) => {
        if (!quiet) this.#err(text);
      },
      json: this.#json,
      quiet,
      verbose: this.#verbose,
      color: isTTY.stdout && !this.#json && !args.flag('no-color') && environmentAllowsColor(),
      columns: isTTY.stdout ? widthOf(process.stdout) : DEFAULT_COLUMNS,
      isTTY,
      ask: (question) => this.#ask(question, isTTY.stdin),
      interrupted: () => this.#interrupted,
      breathe: () => this.#breathe(),
      drained: async () => {
        await this.#stdout.drained();
        return this.#stdout.broken;
      },
      progress: this.#progress,
    };
  }

  /** Lets signals in, where that has not just been done: it takes as long as a tenth of the check of a small spare. */
  #breathe(): Promise<void> {
    const now = clock();
    if (now < this.#breathesAt) return Promise.resolve();
    this.#breathesAt = now + BREATHE_EVERY;
    return new Promise((settle) => setImmediate(settle));
  }

  #listenToSignals(): void {
    const onSignal = (): void => {
      // The first asks the command to come to an end in good order; who sends a second does not want to wait.
      if (this.#interrupted) process.exit(EXIT.interrupted);
      this.#interrupted = true;
      this.#cutQuestion?.();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  }

  async #ask(question: string, isTTY: boolean): Promise<string | null> {
    if (this.#json || !isTTY) return null;
    this.#err(question);
    this.#lines ??= new TerminalLines();
    const cut = new Promise<never>((_, reject) => {
      this.#cutQuestion = () => {
        // The cursor still stands behind the question.
        this.#err('\n');
        reject(new Fault('INTERRUPTED'));
      };
    });
    try {
      if (this.#interrupted) throw new Fault('INTERRUPTED');
      const answer = await Promise.race([this.#lines.next(), cut]);
      if (answer === null) this.#err('\n');
      return answer;
    } finally {
      this.#cutQuestion = undefined;
    }
  }
}

/** Lines typed on the terminal, each once, also those typed ahead. */
class TerminalLines {
  readonly #interface: Readline.Interface;
  readonly #typed: string[] = [];
  #waiting: ((line: string | null) => void) | undefined;
  #ended = false;

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- only those who are asked pay for it
    const readline = require('node:readline') as typeof Readline;
    // terminal: false leaves the line to the kernel, so that ^C stays a signal.
    this.#interface = readline.createInterface({ input: process.stdin, terminal: false });
    this.#interface.on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) waiting(line);
      else this.#typed.push(line);
    });
    this.#interface.on('close', () => {
      this.#ended = true;
      this.#waiting?.(null);
    });
  }

  next(): Promise<string | null> {
    const line = this.#typed.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((settle) => (this.#waiting = settle));
  }

  close(): void {
    this.#interface.close();
  }
}

/** Major number of /dev/null and its like. */
const MEMORY_DEVICES = 1;

/** As tty.isatty, which is asked only when it can say yes: loading it takes longer than the rest of a small check. */
function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === MEMORY_DEVICES) return false;
  } catch {
    return false;
  }
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
  return (require('node:tty') as typeof Terminal).isatty(fd);
}

/** Columns of a terminal. Some say 0 before they have been sized. */
function widthOf(terminal: Terminal.WriteStream): number {
  const columns = terminal.getWindowSize()[0];
  return columns > 0 ? Math.max(columns, NARROWEST) : DEFAULT_COLUMNS;
}

/** NO_COLOR counts when it is set and not empty (no-color.org). */
function environmentAllowsColor(): boolean {
  const { NO_COLOR, TERM } = process.env;
  return (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
