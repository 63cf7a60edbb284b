// SPDX-License-Identifier: GPL-2.0-or-later
// What all commands share in their option tables: the common options, the exit status text, the list of commands.
// No parsing and no printing here.
import type { CommandSpec, OptionSpec } from './spec';

/** The commands of the toolkit, in the order in which documentation lists them. */
export const COMMANDS = [
  'dmremap-format',
  'dmremap-fsck',
  'dmremap-undo',
  'dmremap-inspect',
  'dmremap-dump',
  'dmremap-restore',
] as const;

/** Every command has these, after its own. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { name: 'json', kind: 'flag', help: 'Print one JSON document on standard output, and never ask.' },
  {
    name: 'quiet',
    aliases: ['q'],
    kind: 'flag',
    help: 'Print results and errors only: no remarks, no progress.',
  },
  {
    name: 'verbose',
    aliases: ['v'],
    kind: 'count',
    help: 'Say more. May be given twice.',
  },
  {
    name: 'no-color',
    kind: 'flag',
    help: 'No colours. They are used on a terminal only, and not when NO_COLOR is set.',
  },
  { name: 'help', aliases: ['h'], kind: 'flag', help: 'Show this help and end.' },
  { name: 'version', aliases: ['V'], kind: 'flag', help: 'Show the version and end.' },
];

/** The command's own options, then the common ones. */
export function allOptions(spec: CommandSpec): readonly OptionSpec[] {
  return [...spec.options, ...COMMON_OPTIONS];
}

/** All names of an option, the one it is asked by first. */
export function namesOf(option: OptionSpec): readonly string[] {
  return [option.name, ...(option.aliases ?? [])];
}

/** 'n' -> '-n', 'undo-dir' -> '--undo-dir'. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** Whether the option is followed by a value. */
export function takesValue(option: OptionSpec): boolean {
  return option.kind === 'value' || option.kind === 'list' || option.kind === 'pair';
}

interface ExitStatus {
  readonly status: number;
  /** A phrase for --help. */
  readonly short: string;
  /** Sentences for the man page. */
  readonly meaning: string;
}

/** The exit status, the same for every command: fsck(8) bits, which are added up. */
export const EXIT_STATUS: readonly ExitStatus[] = [
  { status: 0, short: 'fine', meaning: 'Everything is fine.' },
  { status: 1, short: 'errors corrected', meaning: 'Errors were found and corrected.' },
  { status: 4, short: 'errors left', meaning: 'Errors were left uncorrected.' },
  {
    status: 8,
    short: 'operational error',
    meaning:
      'Operational error: something cannot be opened, read or written, or no input has a trace of dm-remap.',
  },
  {
    status: 16,
    short: 'usage error',
    meaning: 'Usage error: the command line makes no sense. Nothing was done.',
  },
  { status: 32, short: 'interrupted', meaning: 'Interrupted by a signal.' },
];
