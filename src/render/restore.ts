// SPDX-License-Identifier: GPL-2.0-or-later
// The result of dmremap-restore as text and as the value of its JSON document, dmremap.restore/1
// (docs/schemas/restore.json).
import type { RestoredPlace, RestoreResult } from '../commands/restore';
import { forTerminal } from '../core/escape';
import { findingSpec } from '../core/findings';
import { SECTOR_BYTES_BIG } from '../core/layout';
import { shellWord } from '../core/paths';
import type { Tool } from '../core/tool';
import { failedJson, faultJson } from './fault';
import { findingLines } from './fsck-text';
import { findingJson } from './fsck-json';
import type { Style, TextOptions } from './style';

export const RESTORE_SCHEMA = 'dmremap.restore/1';

/** The document of a run that got as far as reading the dump. */
export function restoreDocument(result: RestoreResult, tool: Tool): unknown {
  const { setup, fault } = result;
  return {
    schema: RESTORE_SCHEMA,
    tool,
    exitCode: result.exitCode,
    status: result.status,
    dump: result.dump,
    setupUuid: setup?.setupUuid ?? null,
    name: setup?.name ?? null,
    sequence: setup?.sequence ?? null,
    writtenSequence: setup?.writtenSequence ?? null,
    copies: result.places.map((place) => ({
      spare: place.spare,
      copy: place.copyIndex,
      path: place.path,
      sector: place.offset / SECTOR_BYTES_BIG,
      sequenceBefore: place.sequenceBefore,
      action: place.action,
    })),
    problems: result.problems,
    overridden: result.overridden,
    findings: result.findings.map(findingJson),
    failed: failedJson(result.failed),
    undo: result.undo,
    error: fault === null ? null : faultJson(fault),
  };
}

/** The same document for a run that ended before that; `error` as the command line gives it. */
export function restoreFailureDocument(exitCode: number, tool: Tool, error: unknown): unknown {
  return {
    schema: RESTORE_SCHEMA,
    tool,
    exitCode,
    status: 'refused',
    dump: null,
    setupUuid: null,
    name: null,
    sequence: null,
    writtenSequence: null,
    copies: [],
    problems: [],
    overridden: [],
    findings: [],
    failed: [],
    undo: null,
    error,
  };
}

const SAYS: Readonly<Record<RestoreResult['status'], string>> = {
  restored: 'restored',
  'would-restore': 'would be restored',
  'nothing-to-do': 'all copies are there already, byte for byte',
  refused: 'NOT restored, nothing was written',
  incomplete: 'restored in part only',
  interrupted: 'interrupted',
};

/** The text for stdout; why something was refused or failed is said on stderr. */
export function restoreText(result: RestoreResult, style: Style, options: TextOptions): string {
  const { setup, status } = result;
  const lines: string[] = [];
  if (setup !== null) {
    const name = setup.name === '' ? '' : `${forTerminal(setup.name)} `;
    lines.push(`${style.bold(`Setup ${name}`)}(${setup.setupUuid}):`);
    const paint = status === 'restored' || status === 'nothing-to-do' ? style.green : style.red;
    lines.push(
      `  ${(status === 'would-restore' ? style.bold : paint)(SAYS[status])}${generationText(setup, status)}`,
    );
  }
  for (const path of new Set(result.places.map((place) => place.path))) {
    lines.push(...spareLines(result.places.filter((place) => place.path === path)));
  }
  for (const { path, problem } of result.problems.slice(1)) {
    lines.push(`  ${forTerminal(path === '' ? problem : `${path}: ${problem}`)}`);
  }
  for (const one of result.overridden) lines.push(`  ${style.yellow('overridden')}  ${forTerminal(one)}`);
  for (const finding of result.findings) {
    if (findingSpec(finding.id).severity === 'note' && options.verbose === 0) continue;
    lines.push(...findingLines(finding, { style, columns: options.columns }));
  }
  if (result.undo !== null) lines.push(`  undo with: dmremap-undo ${forTerminal(shellWord(result.undo))}`);
  return lines.map((line) => `${line}\n`).join('');
}

function generationText(setup: NonNullable<RestoreResult['setup']>, status: RestoreResult['status']): string {
  if (status === 'refused' || status === 'nothing-to-do') return `, sequence ${setup.sequence}`;
  if (setup.writtenSequence === setup.sequence) return `, sequence ${setup.sequence}, byte for byte`;
  return `, the contents of sequence ${setup.sequence} as a new generation, sequence ${setup.writtenSequence}`;
}

const ACTION_SAYS: Readonly<Record<RestoredPlace['action'], string>> = {
  written: 'written, synced and read back',
  'would-write': 'would be written',
  identical: 'there already',
  left: 'left alone: this generation was never put on this spare, or it is retired',
  failed: 'FAILED',
  'not-started': 'not begun',
};

/** One line for all copies of a spare to which the same happened. */
function spareLines(places: readonly RestoredPlace[]): string[] {
  const [first] = places;
  if (first === undefined) return [];
  return [
    `  spare ${first.spare}  ${forTerminal(first.path)}`,
    ...[...new Set(places.map(({ action }) => action))].map((action) => {
      const copies = places.filter((place) => place.action === action).map(({ copyIndex }) => copyIndex);
      return `    ${copies.length === 1 ? 'copy' : 'copies'} ${copies.join(', ')}: ${ACTION_SAYS[action]}`;
    }),
  ];
}
