// SPDX-License-Identifier: GPL-2.0-or-later
// The document of dmremap-fsck in the words of the cases of fixtures/: runs the command, checks the document against its
// schema, and tells findings and states as cases write them.
import Ajv2020 from 'ajv/dist/2020';
import schema from '../../docs/schemas/fsck.json';
import type { Found, World } from '../../fixtures/case';
import { binding as fsck } from '../../src/cli/fsck';
import { givenPaths } from './case-machine';
import type { MemoryHost } from './memory-host';
import { runBinding } from './run-binding';
import type { Printed } from './run-binding';

const validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);

/** Fails the test unless the document is as docs/schemas/fsck.json says. */
export function holdSchema(document: unknown): void {
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
}

/** The parts of a dmremap.fsck/1 document that cases speak of. */
export interface FsckDocument {
  readonly exitCode: number;
  readonly setups: readonly SetupDocument[];
  readonly findings: readonly FindingDocument[];
}

export interface SetupDocument {
  readonly verdict: string;
  readonly winner: {
    readonly sequence: string;
    readonly spareIndex: number;
    readonly copyIndex: number;
  } | null;
  readonly remapCount: number;
  readonly spares: readonly {
    readonly index: number;
    readonly copies: readonly { readonly index: number; readonly state: string }[];
  }[];
  readonly findings: readonly FindingDocument[];
  readonly plan: readonly PlanDocument[];
  readonly undo: string | null;
}

export interface PlanDocument {
  readonly path: string;
  readonly offset: string;
  readonly length: string;
  readonly finding: string;
  readonly sha256Before: string;
  readonly sha256After: string | null;
}

export interface FindingDocument {
  readonly id: string;
  readonly severity: string;
  readonly spare: number | null;
  readonly copy: number | null;
  readonly message: string;
}

/** Runs fsck with --json; the document is checked against its schema. */
export async function runFsck(
  host: MemoryHost,
  world: World,
  words: readonly string[],
): Promise<Printed & { readonly document: FsckDocument }> {
  const printed = await runBinding(fsck, host, ['--json', ...words, ...givenPaths(world)]);
  expect(printed.err).toBe('');
  const document = JSON.parse(printed.out) as FsckDocument;
  holdSchema(document);
  expect(document.exitCode).toBe(printed.status);
  return { ...printed, document };
}

function noteOf({ id, spare, copy }: FindingDocument): string {
  if (spare === null) return id;
  return copy === null ? `${id} ${spare}` : `${id} ${spare}:${copy}`;
}

/** Findings as cases write them, sorted. */
export function notesOf(findings: readonly FindingDocument[], ...severities: readonly string[]): string[] {
  return findings
    .filter(({ severity }) => severities.includes(severity))
    .map(noteOf)
    .sort();
}

/** Copies that are not valid, as cases write them: a spare with five equal ones is told once. */
export function statesOf(setup: SetupDocument): Record<string, string> {
  const out: Record<string, string> = {};
  for (const { index, copies } of setup.spares) {
    const first = copies[0]?.state ?? '';
    if (first !== 'valid' && copies.every(({ state }) => state === first)) out[`${index}`] = first;
    else for (const copy of copies) if (copy.state !== 'valid') out[`${index}:${copy.index}`] = copy.state;
  }
  return out;
}

/** A document in the words of a case, as far as `wanted` has any. */
export function foundIn(document: FsckDocument, wanted: Found): Found {
  return {
    exit: document.exitCode,
    setups: document.setups.map((setup, i) => {
      const { notes, sequence, winner } = wanted.setups[i] ?? {};
      return {
        verdict: setup.verdict,
        states: statesOf(setup),
        findings: notesOf(setup.findings, 'error', 'warning'),
        ...(notes === undefined ? {} : { notes: notesOf(setup.findings, 'note') }),
        ...(sequence === undefined ? {} : { sequence: setup.winner?.sequence ?? null }),
        ...(winner === undefined
          ? {}
          : { winner: `${setup.winner?.spareIndex ?? '?'}:${setup.winner?.copyIndex ?? '?'}` }),
      };
    }),
    inputs: document.findings.map(({ id }) => id).sort(),
  } as Found;
}

/** What a case expects, with everything that it may leave out. */
export function complete(wanted: Found): unknown {
  return {
    exit: wanted.exit,
    setups: wanted.setups.map(({ verdict, states = {}, findings = [], notes, sequence, winner }) => ({
      verdict,
      states,
      findings: [...findings].sort(),
      ...(notes === undefined ? {} : { notes: [...notes].sort() }),
      ...(sequence === undefined ? {} : { sequence: sequence === null ? null : String(sequence) }),
      ...(winner === undefined ? {} : { winner }),
    })),
    inputs: [...(wanted.inputs ?? [])].sort(),
  };
}

/** Of all setups and of the inputs. */
export function findingsOf(document: FsckDocument): FindingDocument[] {
  return [...document.setups.flatMap((setup) => setup.findings), ...document.findings];
}

/** Errors and warnings that a run tells beside those that the check told. */
export function withoutKnown(document: FsckDocument, check: FsckDocument): string[] {
  const all = notesOf(findingsOf(document), 'error', 'warning');
  for (const known of notesOf(findingsOf(check), 'error', 'warning')) {
    expect(all).toContain(known);
    all.splice(all.indexOf(known), 1);
  }
  return all;
}
