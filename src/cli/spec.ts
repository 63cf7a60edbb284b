// SPDX-License-Identifier: GPL-2.0-or-later
// The shapes every command codes against: the option table it declares, the arguments and the world it gets. Types
// only; parsing is in args.ts, the one implementation of CliIo in run.ts, man pages and completions in man.ts and
// completion.ts. Whatever is said of an option is said once, in its OptionSpec.
import type { Fault } from '../core/faults';
import type { Host } from '../host/host';

/** What a shell should offer for a value or an operand. */
export type Completes = 'file' | 'directory' | 'device' | 'none';

/**
 * - flag: given or not, takes no value; giving it twice is harmless
 * - count: as flag, and the number of times counts (-vv)
 * - value: one value; giving it twice is a usage error
 * - list: one value each time, may be given several times
 * - pair: exactly two values (--diff A B); giving it twice is a usage error
 */
export type OptionKind = 'flag' | 'count' | 'value' | 'list' | 'pair';

export interface OptionSpec {
  /**
   * Without dashes: 'undo-dir', or one letter ('n' is -n). 'no-undo' is an option of its own name; nothing is negated
   * by a prefix. This is the name by which ParsedArgs is asked.
   */
  readonly name: string;
  /** Further names: single letters ('p', 'a') or long ones. All mean exactly the same. */
  readonly aliases?: readonly string[];
  readonly kind: OptionKind;
  /** Upper-case placeholder(s) for help and man page; required for value, list and pair: 'DIR', 'SPARE:COPY'. */
  readonly value?: string;
  /** The only values accepted (value and list); anything else is a usage error. */
  readonly choices?: readonly string[];
  /** For shells; default 'none'. `choices` are offered by themselves. */
  readonly completes?: Completes;
  /** One or two plain sentences, for --help, the man page and (its first sentence) completion. */
  readonly help: string;
  /** Further paragraphs for the man page only. */
  readonly more?: readonly string[];
}

/** The operands (arguments that are no options). */
export interface OperandSpec {
  /** As in the synopsis: 'INPUT'. */
  readonly name: string;
  readonly min: number;
  /** null: any number. */
  readonly max: number | null;
  readonly help: string;
  readonly completes: Completes;
  /** With one of these options given, no operand is needed (fsck --explain ID). */
  readonly notNeededWith?: readonly string[];
}

export interface Example {
  /** A whole command line that a reader can type, without a prompt. */
  readonly command: string;
  /** What it does, one sentence. */
  readonly explains: string;
}

export interface FileNote {
  readonly path: string;
  readonly explains: string;
}

export interface CommandSpec {
  /** 'dmremap-fsck'. */
  readonly name: string;
  /** For NAME in the man page: a lower-case phrase without a full stop. */
  readonly summary: string;
  /** What follows the name, one string per form: '[OPTION]... INPUT...'. */
  readonly usage: readonly string[];
  /** Paragraphs. The first is shown by --help too. */
  readonly description: readonly string[];
  /** In order; all but the last must have min === max. */
  readonly operands: readonly OperandSpec[];
  /** The command's own options; the common ones (common.ts) are added to them. */
  readonly options: readonly OptionSpec[];
  /** Sets of options of which at most one may be given: [['n', 'preen', 'yes']]. */
  readonly exclusive?: readonly (readonly string[])[];
  /** 'dmremap.fsck/1': the schema of the document that --json prints. */
  readonly schema: string;
  readonly examples: readonly Example[];
  readonly files?: readonly FileNote[];
  /** Extra entries for SEE ALSO, 'e2fsck(8)'; the toolkit's own commands are added. */
  readonly seeAlso?: readonly string[];
}

/**
 * The command line after parsing. Asking for a name or kind that is not in the table throws: it is a mistake in the
 * program, never in the input. All values are the strings that were typed; nothing is turned into a number.
 */
export interface ParsedArgs {
  /** The whole command line as it was typed, without the command: for the undo journal. */
  readonly words: readonly string[];
  readonly operands: readonly string[];
  flag(name: string): boolean;
  count(name: string): number;
  value(name: string): string | undefined;
  list(name: string): readonly string[];
  pair(name: string): readonly [string, string] | undefined;
  /** Whether the option was given at all. */
  given(name: string): boolean;
}

/**
 * Progress of anything that can take over a second, on stderr: a bar on a terminal, a line every 5 s elsewhere,
 * nothing in the first second, nothing with --quiet. Cheap enough to be called for every unit of work.
 */
export interface Progress {
  /** `total` in the units that `update` counts; null when it cannot be known. */
  begin(label: string, total: number | null): void;
  update(done: number): void;
  end(): void;
}

/** The world as a command sees it. A command neither prints nor ends the process by any other way. */
export interface CliIo {
  readonly host: Host;
  /** Results, to stdout. With --json only the one document, in as many pieces as convenient (see jsonText). */
  out(text: string): void;
  /** Diagnostics, to stderr. Text from disks and paths must have gone through forTerminal() before. */
  err(text: string): void;
  /** Remarks for a person, to stderr; nothing with --quiet. */
  note(text: string): void;
  readonly json: boolean;
  readonly quiet: boolean;
  /** How often -v was given. */
  readonly verbose: number;
  /** Whether stdout may carry colours. Give it to styleFor() in src/render/style.ts. */
  readonly color: boolean;
  /** Width of the terminal, or 80. */
  readonly columns: number;
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /**
   * Prompts on stderr and reads one line. Null: end of input, no terminal, or --json.
   * Rejects with Fault INTERRUPTED when a signal comes instead of an answer.
   */
  ask(question: string): Promise<string | null>;
  /**
   * Whether SIGINT, SIGTERM or SIGHUP came. Long loops ask between steps (after `await breathe()`), put things in order and throw
   * `new Fault('INTERRUPTED')`. A second signal ends the process at once.
   */
  interrupted(): boolean;
  /** Lets signals and pending output in; await it every now and then in a long loop (each input, each MiB). */
  breathe(): Promise<void>;
  /**
   * Waits until what was given to out() has left the process. Await it between the pieces of a large document, or all
   * of it is held in memory when the reader is slow. `true`: nobody reads any more (broken pipe), so rendering can stop.
   */
  drained(): Promise<boolean>;
  readonly progress: Progress;
}

/** What a command that ended with a Fault has to tell under --json. */
export interface Failure {
  readonly fault: Fault;
  readonly exitCode: number;
  /** Of the toolkit. */
  readonly tool: { readonly name: string; readonly version: string };
  /** `{code, fields, message, hint}` of the fault, ready to put into a document. */
  readonly error: Readonly<Record<string, unknown>>;
}

/** One command: its table and its body. src/cli/<command>.ts exports one as `binding`. */
export interface Binding {
  readonly spec: CommandSpec;
  /**
   * Does the work and prints the result; the exit status bits (EXIT in src/core/faults.ts), added up. May throw Fault.
   * With --json: everything that can throw comes before the first out(), so that stdout is one document in every case.
   */
  run(args: ParsedArgs, io: CliIo): Promise<number>;
  /**
   * The document for a Fault under --json, so that it too follows the command's schema; not asked for at usage errors and
   * interrupts. Default: {schema, tool, exitCode, error}.
   */
  failureDocument?(failure: Failure): unknown;
}
