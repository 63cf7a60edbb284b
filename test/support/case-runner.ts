// SPDX-License-Identifier: GPL-2.0-or-later
// Holds the cases of fixtures/ to their word, on a machine in memory: what -n finds, what -p and -y do, that the second
// pass is clean, and that an undo gives back every byte. The cases themselves are in fixtures/defects/.
import { createHash } from 'node:crypto';
import Ajv2020 from 'ajv/dist/2020';
import schema from '../../docs/schemas/fsck.json';
import type { DefectCase, Found, Input, Outcome, World } from '../../fixtures/case';
import { binding as fsck } from '../../src/cli/fsck';
import { binding as undo } from '../../src/cli/undo';
import { Fault } from '../../src/core/faults';
import { MemoryHost } from './memory-host';
import { PageStore } from './page-store';
import { runBinding } from './run-binding';
import type { Printed } from './run-binding';

/** 2025-10-09; after every time in the fixtures. */
const NOW_NS = 1_760_000_000_000_000_000n;

const validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);

/** The parts of a dmremap.fsck/1 document that cases speak of. */
export interface FsckDocument {
  readonly exitCode: number;
  readonly setups: readonly SetupDocument[];
  readonly findings: readonly FindingDocument[];
}

interface SetupDocument {
  readonly verdict: string;
  readonly winner: { readonly sequence: string } | null;
  readonly remapCount: number;
  readonly spares: readonly {
    readonly index: number;
    readonly copies: readonly { readonly index: number; readonly state: string }[];
  }[];
  readonly findings: readonly FindingDocument[];
  readonly plan: readonly unknown[];
  readonly undo: string | null;
}

interface FindingDocument {
  readonly id: string;
  readonly severity: string;
  readonly spare: number | null;
  readonly copy: number | null;
  readonly message: string;
}

export function inputPath(input: Input, index: number): string {
  return input.path ?? `/img/spare${index}.img`;
}

const PAGE = 4096;

/** A machine with the inputs of a world on it. */
export function machineOf(world: World): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  world.inputs.forEach((input, index) => {
    const path = inputPath(input, index);
    if (input.instead === 'directory') host.addDirectory(path);
    if (input.instead !== undefined) return;
    const { bytes, kind = 'image', logicalBlockSize = 512, facts = {}, readOnly = false } = input;
    const options = { logicalBlockSize, facts, readOnly };
    if (kind === 'block') host.addBlock(path, bytes.length, options);
    else host.addImage(path, bytes.length, options);
    for (const { start, end } of usedRuns(bytes)) host.poke(path, start, bytes.subarray(start, end));
    for (const { start, end, dead = false } of input.unread ?? []) {
      host.failReads(path, BigInt(start), BigInt(end), 'EIO: i/o error', dead);
      if (dead) host.failWrites(path, BigInt(start), BigInt(end));
    }
    for (const { start, end } of input.failsWrites ?? []) host.failWrites(path, BigInt(start), BigInt(end));
    for (const { start, end } of input.losesWrites ?? []) host.loseWrites(path, BigInt(start), BigInt(end));
    if (input.uses !== undefined) host.setInUse(path, input.uses);
  });
  for (const directory of world.full ?? []) host.failFiles(directory);
  if (world.noAppending === true) {
    host.appendDurably = (path) => {
      throw new Fault('FILE_FAILED', {
        path,
        doing: 'append to it',
        reason: 'ENOSPC: no space left on device',
      });
    };
  }
  return host;
}

/** Runs of pages that are not all zero: a file in memory keeps only those. */
function usedRuns(bytes: Uint8Array): { start: number; end: number }[] {
  const zero = Buffer.alloc(PAGE);
  const runs: { start: number; end: number }[] = [];
  for (let start = 0; start < bytes.length; start += PAGE) {
    const page = bytes.subarray(start, start + PAGE);
    if (Buffer.compare(page, zero.subarray(0, page.length)) === 0) continue;
    const last = runs[runs.length - 1];
    if (last?.end === start) last.end = start + page.length;
    else runs.push({ start, end: start + page.length });
  }
  return runs;
}

function givenPaths(world: World): string[] {
  return world.inputs.flatMap((input, index) => (input.notGiven === true ? [] : [inputPath(input, index)]));
}

/** SHA-256 over the pages that are not all zero: most are. */
function hashOf(pages: Iterable<readonly [offset: number, page: Uint8Array]>): string {
  const hash = createHash('sha256');
  for (const [offset, page] of pages) hash.update(`${offset} `).update(page);
  return hash.digest('hex');
}

function hashes(host: MemoryHost, world: World): string[] {
  return world.inputs.map((input, index) =>
    input.instead === undefined ? hashOf(host.usedPages(inputPath(input, index))) : '',
  );
}

function hashOfBytes(bytes: Uint8Array): string {
  return hashOf(PageStore.of(bytes).usedPages());
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
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
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
function foundIn(document: FsckDocument, wanted: Found): Found {
  return {
    exit: document.exitCode,
    setups: document.setups.map((setup, i) => {
      const { notes, sequence } = wanted.setups[i] ?? {};
      return {
        verdict: setup.verdict,
        states: statesOf(setup),
        findings: notesOf(setup.findings, 'error', 'warning'),
        ...(notes === undefined ? {} : { notes: notesOf(setup.findings, 'note') }),
        ...(sequence === undefined ? {} : { sequence: setup.winner?.sequence ?? null }),
      };
    }),
    inputs: document.findings.map(({ id }) => id).sort(),
  } as Found;
}

/** What a case expects, with everything that it may leave out. */
function complete(wanted: Found): unknown {
  return {
    exit: wanted.exit,
    setups: wanted.setups.map(({ verdict, states = {}, findings = [], notes, sequence }) => ({
      verdict,
      states,
      findings: [...findings].sort(),
      ...(notes === undefined ? {} : { notes: [...notes].sort() }),
      ...(sequence === undefined ? {} : { sequence: sequence === null ? null : String(sequence) }),
    })),
    inputs: [...(wanted.inputs ?? [])].sort(),
  };
}

/** `-n`: exactly this is found, twice the same, and no byte changes. */
export async function holdCheck(one: DefectCase): Promise<void> {
  const world = one.build();
  const host = machineOf(world);
  const before = hashes(host, world);
  const words = ['-n', ...(one.options ?? [])];
  const first = await runFsck(host, world, words);
  expect(foundIn(first.document, one.found)).toEqual(complete(one.found));
  expect((await runFsck(host, world, words)).out).toBe(first.out);
  expect(host.log).toEqual([]);
  expect(hashes(host, world)).toEqual(before);
  const explained = await holdForensic(one, host, world, first.document);
  for (const [id, pattern] of Object.entries(one.says ?? {})) {
    const messages = [first.document, explained]
      .flatMap(findingsOf)
      .flatMap((finding) => (finding.id === id ? [finding.message] : []));
    expect(messages.find((message) => pattern.test(message)) ?? messages).toMatch(pattern);
  }
  await holdLevels(one, host, world);
  expect(host.log).toEqual([]);
}

/** The forensic level finds what the default level does, and explains it. */
async function holdForensic(
  one: DefectCase,
  host: MemoryHost,
  world: World,
  plain: FsckDocument,
): Promise<FsckDocument> {
  const { document } = await runFsck(host, world, ['-n', '--level', 'forensic', ...(one.options ?? [])]);
  expect(document.exitCode).toBe(plain.exitCode);
  expect(document.setups.map(statesOf)).toEqual(plain.setups.map(statesOf));
  if (one.forensic === undefined) return document;
  const notes = document.setups.flatMap((setup) => notesOf(setup.findings, 'note'));
  for (const known of plain.setups.flatMap((setup) => notesOf(setup.findings, 'note'))) {
    expect(notes).toContain(known);
    notes.splice(notes.indexOf(known), 1);
  }
  // Lineage is told of every setup; only cases about it mention it.
  const told = one.forensic.includes('lineage') ? notes : notes.filter((note) => note !== 'lineage');
  expect(told.sort()).toEqual([...one.forensic].sort());
  return document;
}

function findingsOf(document: FsckDocument): FindingDocument[] {
  return [...document.setups.flatMap((setup) => setup.findings), ...document.findings];
}

async function holdLevels(one: DefectCase, host: MemoryHost, world: World): Promise<void> {
  for (const [level, wanted] of Object.entries(one.levels ?? {})) {
    const { document } = await runFsck(host, world, ['-n', '--level', level, ...(one.options ?? [])]);
    const findings = document.setups.flatMap((setup) => notesOf(setup.findings, 'error', 'warning'));
    expect({ level, exit: document.exitCode, findings: findings.sort() }).toEqual({
      level,
      exit: wanted.exit,
      findings: [...wanted.findings].sort(),
    });
  }
}

/** A run that may write: its outcome, the second pass, and an undo that gives back every byte. */
export async function holdOutcome(one: DefectCase, words: readonly string[], wanted: Outcome): Promise<void> {
  const world = one.build();
  const host = machineOf(world);
  const options = one.options ?? [];
  const before = hashes(host, world);
  const check = await runFsck(host, world, ['-n', ...options]);
  const run = await runFsck(host, world, [...words, ...options]);
  const { setups } = run.document;
  const after = hashes(host, world);
  const changed = after.some((hash, i) => hash !== before[i]);
  expect({
    exit: run.status,
    verdicts: setups.map(({ verdict }) => verdict),
    writes: changed,
    journals: setups.some((setup) => setup.undo !== null),
  }).toEqual({
    exit: wanted.exit,
    verdicts: wanted.verdicts,
    writes: wanted.writes,
    journals: wanted.journal ?? wanted.writes,
  });
  expect(withoutKnown(run.document, check.document)).toEqual([...(wanted.troubles ?? [])].sort());
  if (wanted.healthy === true) holdHealthy(host, world);

  const second = await runFsck(host, world, ['-n', ...options]);
  expect(second.status).toBe(wanted.next ?? 0);
  for (const [i, setup] of setups.entries()) {
    // The second run of a repaired setup is clean, always.
    if (setup.verdict === 'repaired') expect(second.document.setups[i]?.verdict).toBe('clean');
  }
  if (wanted.sequence !== undefined) {
    expect(second.document.setups[0]?.winner?.sequence).toBe(String(wanted.sequence));
  }
  if (wanted.remaps !== undefined) expect(second.document.setups[0]?.remapCount).toBe(wanted.remaps);
  if (!wanted.writes) {
    expect(second.out).toBe(check.out);
    return;
  }
  // A third run has nothing to do.
  if (wanted.verdicts.every((verdict) => verdict === 'repaired' || verdict === 'clean')) {
    const third = await runFsck(host, world, [...words, ...options]);
    expect(third.document.setups.flatMap((setup) => setup.plan)).toEqual([]);
    expect(hashes(host, world)).toEqual(after);
  }
  await holdUndo(host, world, setups, before);
}

/** Errors and warnings that a run tells beside those that the check told. */
function withoutKnown(document: FsckDocument, check: FsckDocument): string[] {
  const all = notesOf(findingsOf(document), 'error', 'warning');
  for (const known of notesOf(findingsOf(check), 'error', 'warning')) {
    expect(all).toContain(known);
    all.splice(all.indexOf(known), 1);
  }
  return all;
}

function holdHealthy(host: MemoryHost, world: World): void {
  const { healthy } = world;
  if (healthy === undefined) throw new Error('the case does not say what is healthy');
  expect(hashes(host, world)).toEqual(healthy.map(hashOfBytes));
}

/** Undo of all setups; what could not be read before stays as it was written, since nobody knows what was there. */
async function holdUndo(
  host: MemoryHost,
  world: World,
  setups: readonly SetupDocument[],
  before: readonly string[],
): Promise<void> {
  for (const { undo: journal } of [...setups].reverse()) {
    if (journal === null) continue;
    const { status, err } = await runBinding(undo, host, ['--json', journal]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
  }
  world.inputs.forEach((input, i) => {
    const path = inputPath(input, i);
    if (input.instead !== undefined) return;
    if (input.unread === undefined) {
      expect(hashOf(host.usedPages(path))).toBe(before[i]);
      return;
    }
    const now = host.bytesOf(path);
    const original = input.bytes.slice();
    for (const { start, end } of input.unread) {
      now.fill(0, start, end);
      original.fill(0, start, end);
    }
    expect(hashOfBytes(now)).toBe(hashOfBytes(original));
  });
}

/** One test for what is found, one for each run that may write. */
export function describeCases(cases: readonly DefectCase[]): void {
  describe.each(cases.map((one) => ({ name: one.name, one })))('given $name', ({ one }) => {
    test('-n finds exactly that and changes nothing', () => holdCheck(one));
    test(`-p: ${inWords(one.preen)}`, () => holdOutcome(one, ['-p'], one.preen));
    test(`-y: ${inWords(one.yes)}`, () => holdOutcome(one, ['-y'], one.yes));
    for (const further of one.more ?? []) {
      const words = ['-y', ...further.with];
      test(`${words.join(' ')}: ${inWords(further.then)}`, () => holdOutcome(one, words, further.then));
    }
  });
}

function inWords({ verdicts, writes, healthy, exit }: Outcome): string {
  if (!writes) return `writes nothing, exit status ${exit}`;
  const bytes = healthy === true ? ', to the byte' : '';
  return `${verdicts.join(', ')}${bytes}, exit status ${exit}, undone`;
}
