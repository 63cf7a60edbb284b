// SPDX-License-Identifier: GPL-2.0-or-later
// What commands that write share on the command line: the options about the undo journal, who they are in it, and what is
// said of writes that failed. Nothing is printed here.
import type { RunOptions, UndoOption, WritingReport } from '../commands/writing';
import { forTerminal } from '../core/escape';
import type { Fault } from '../core/faults';
import { failureText } from './report';
import type { OptionSpec, ParsedArgs } from './spec';
import { TOOLKIT } from './toolkit';

/** At most one of them may be given: see UNDO_EXCLUSIVE. */
export const UNDO_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'undo-dir',
    kind: 'value',
    value: 'DIR',
    completes: 'directory',
    help: 'Where the undo journal goes. Default: beside the first image, or /var/lib/dmremap/undo for devices.',
  },
  { name: 'no-undo', kind: 'flag', help: 'Keep no undo journal.' },
];

export const UNDO_EXCLUSIVE: readonly string[] = UNDO_OPTIONS.map(({ name }) => name);

/** What UNDO_OPTIONS say. */
export function undoOption(args: ParsedArgs): UndoOption {
  return args.flag('no-undo') ? null : { dir: args.value('undo-dir') };
}

/** Who writes, as the undo journal records it. */
export function writerOf(command: string, args: ParsedArgs): Pick<RunOptions, 'tool' | 'command'> {
  return { tool: TOOLKIT, command: [command, ...args.words] };
}

/** For stderr: each group of writes that failed; where none did, what went wrong instead, if anything. */
export function troubleText(
  command: string,
  { failed, fault }: { readonly failed: WritingReport['failed']; readonly fault: Fault | null },
): string {
  if (failed.length === 0) return fault === null ? '' : failureText(command, fault, undefined);
  return failed.map((one) => `${command}: ${forTerminal(`${one.group}: ${one.fault.sentence}`)}\n`).join('');
}
