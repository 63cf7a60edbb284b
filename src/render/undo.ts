// SPDX-License-Identifier: GPL-2.0-or-later
// The result of dmremap-undo as text and as the value of its JSON document (docs/schemas/undo.json). Who reads the text
// has just taken a repair back and wants to know three things: is it as it was, can this be taken back too, what next.
import { forTerminal } from '../core/escape';
import { shellWord } from '../core/paths';
import type { Tool } from '../core/tool';
import type { UndoPlaceResult, UndoResult } from '../commands/undo';
import { failedJson, faultJson } from './fault';
import type { Style, TextOptions } from './style';
import { wrap } from './wrap';

export const UNDO_SCHEMA = 'dmremap.undo-result/1';

/** The document of a run that got as far as judging the journal. */
export function undoDocument(result: UndoResult, tool: Tool): unknown {
  const { fault } = result;
  return {
    schema: UNDO_SCHEMA,
    tool,
    exitCode: result.exitCode,
    status: result.status,
    journal: result.journal,
    setupUuid: result.setupUuid,
    madeBy: result.madeBy,
    targets: result.targets,
    places: result.places.map(({ length, unknownBytes, ...place }) => ({
      ...place,
      length: String(length),
      unknownBytes: String(unknownBytes),
    })),
    failed: failedJson(result.failed),
    redoJournal: result.redoJournal,
    marked: result.marked,
    error: fault === null ? null : faultJson(fault),
  };
}

/** The same document for a run that ended before that; `error` as the command line gives it. */
export function undoFailureDocument(exitCode: number, tool: Tool, error: unknown): unknown {
  return {
    schema: UNDO_SCHEMA,
    tool,
    exitCode,
    status: 'refused',
    journal: null,
    setupUuid: null,
    madeBy: null,
    targets: [],
    places: [],
    failed: [],
    redoJournal: null,
    marked: true,
    error,
  };
}

/** The text for stdout; what went wrong is said on stderr besides. */
export function undoText(result: UndoResult, style: Style, options: TextOptions): string {
  const { columns } = options;
  const { name, version, command } = result.madeBy;
  const lines = [
    `Journal ${forTerminal(result.journal)}`,
    `  setup ${result.setupUuid}`,
    ...labelled(`made by ${forTerminal(`${name} ${version}`)}:`, forTerminal(command.join(' ')), columns),
  ];
  for (const target of result.targets) {
    const path = forTerminal(target.path);
    if (target.besideJournal) {
      const recorded = forTerminal(target.recordedPath);
      const text = `${recorded} is not there; taken instead, from beside the journal: ${path}`;
      lines.push(...wrap(text, columns, 0));
    } else if (!target.sameIdentity) {
      const text = `${path} is another file or device than the one written to then; what it holds decides`;
      lines.push(...wrap(text, columns, 0));
    }
  }
  for (const group of groupsOf(result.places)) lines.push(...groupLines(group, result, style, options));
  lines.push('', ...summary(result, style));
  return lines.map((line) => `${line}\n`).join('');
}

/** A label and what it is about, on one line or, where that is too long, on two: what was typed is never broken. */
function labelled(label: string, text: string, columns: number): string[] {
  const beside = `  ${label} ${text}`;
  return beside.length <= columns ? [beside] : [`  ${label}`, `    ${text}`];
}

function groupsOf(places: readonly UndoPlaceResult[]): UndoPlaceResult[][] {
  const groups = new Map<string, UndoPlaceResult[]>();
  for (const place of places) {
    const members = groups.get(place.group);
    if (members === undefined) groups.set(place.group, [place]);
    else members.push(place);
  }
  return [...groups.values()];
}

/** One line per copy; one per write, with its state, where somebody asked for it or something is wrong. */
function groupLines(
  group: readonly UndoPlaceResult[],
  result: UndoResult,
  style: Style,
  { columns, verbose }: TextOptions,
): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const wrong = group.some(({ state }) => state === 'changed' || state === 'unread');
  const findings = [...new Set(group.map(({ finding }) => finding))].join(', ');
  const lines = [
    `  ${forTerminal(first.group)} (${forTerminal(findings)}): ${groupVerdict(group, result, style)}`,
  ];
  if (verbose > 0 || wrong || result.status === 'would-undo') {
    for (const { path, offset, length, state, finished } of group) {
      const mark = finished ? '' : ', was not shown as finished';
      const text = `${forTerminal(path)} byte ${offset}, ${length} bytes: ${STATES[state]}${mark}`;
      lines.push(...wrap(text, columns, 4));
    }
  }
  const unknown = group.reduce((sum, place) => sum + place.unknownBytes, 0);
  if (unknown > 0) {
    const text = `${unknown} bytes could not be read back then, so nobody knows what they were; they stay as they are`;
    lines.push(...wrap(text, columns, 4));
  }
  return lines;
}

const STATES = {
  new: 'as written by the repair',
  old: 'as before the repair',
  mixed: 'partly as before, partly as written',
  changed: 'changed since by something else',
  unread: 'cannot be read',
} as const;

function groupVerdict(group: readonly UndoPlaceResult[], result: UndoResult, style: Style): string {
  const actions = new Set(group.map(({ action }) => action));
  if (actions.has('failed')) return style.red('FAILED');
  if (actions.has('put-back'))
    return result.status === 'would-undo' ? 'would be put back' : style.green('put back');
  if (actions.has('not-started')) {
    const foreign = group.some(({ state }) => state === 'changed' || state === 'unread');
    return foreign ? style.red('not as the repair left it') : 'not touched';
  }
  return 'is as before already';
}

/** How it ended, and what to type next: each command on a line of its own, however long. */
function summary(result: UndoResult, style: Style): string[] {
  const journal = (path: string): string => `  dmremap-undo ${forTerminal(shellWord(path))}`;
  const paths = result.targets.map(({ path }) => forTerminal(shellWord(path))).join(' ');
  const look = ['To look at the setup:', `  dmremap-fsck -n ${paths}`];
  const redo = result.redoJournal === null ? [] : ['To take this undo back:', journal(result.redoJournal)];
  const again = ['To go on with this undo:', journal(result.journal)];
  switch (result.status) {
    case 'undone':
      return [
        style.bold('Undone: every byte is as it was before the repair, and was read back.'),
        ...redo,
        ...look,
      ];
    case 'nothing-to-do':
      return [
        style.bold('Nothing to do: every byte is as it was before the repair. Nothing was written.'),
        ...look,
      ];
    case 'would-undo':
      return [style.bold('Would be undone. Nothing was written.'), 'To do it:', journal(result.journal)];
    case 'refused':
      return [style.bold('Not undone. Nothing was written.'), ...look];
    case 'incomplete':
    case 'interrupted':
      return [
        style.bold(
          style.red(
            result.status === 'interrupted'
              ? 'Interrupted: only a part was put back.'
              : 'Not complete: not everything could be put back.',
          ),
        ),
        ...again,
        ...redo,
        ...look,
      ];
  }
}
