// SPDX-License-Identifier: GPL-2.0-or-later
// Holds the cases of fixtures/ to their word, on a machine in memory: what -n finds, what -p and -y do, that the second
// pass is clean, and that an undo gives back every byte. The cases themselves are in fixtures/defects/.
import type { DefectCase, Outcome, World } from '../../fixtures/case';
import { binding as fsck } from '../../src/cli/fsck';
import { binding as undo } from '../../src/cli/undo';
import { complete, findingsOf, foundIn, notesOf, runFsck, statesOf, withoutKnown } from './case-documents';
import type { FsckDocument, SetupDocument } from './case-documents';
import { givenPaths, hashes, hashOfBytes, inputPath, machineOf } from './case-machine';
import { holdPlan, holdWriteOrder } from './case-writes';
import type { MemoryHost } from './memory-host';
import { runBinding } from './run-binding';

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
    expect(messages.join('\n')).toMatch(pattern);
  }
  await holdLevels(one, host, world);
  await holdText(one, host, world, words);
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

/** For people: the same exit status, and nothing that a terminal would obey. */
async function holdText(
  one: DefectCase,
  host: MemoryHost,
  world: World,
  words: readonly string[],
): Promise<void> {
  const { status, out, err } = await runBinding(fsck, host, ['-v', ...words, ...givenPaths(world)]);
  expect(status).toBe(one.found.exit);
  expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  // Only what is to be typed, and a name, may be longer than a line of 80 columns; then it has one of its own.
  const long = out.split('\n').filter((line) => line.length > 80);
  expect(long.filter((line) => !/^( {4,}dmremap-[a-z]+ .*|Setup \S+)$/.test(line))).toEqual([]);
  const told = [...one.found.setups.flatMap(({ findings = [] }) => findings), ...(one.found.inputs ?? [])];
  for (const note of told) {
    const id = note.split(' ')[0] ?? '';
    // What cannot be opened is no result but a diagnosis.
    if (id === 'input-unopened') expect(err).toContain('dmremap-fsck: ');
    else expect(out).toContain(`[${id}]`);
  }
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
  host.log = [];
  const run = await runFsck(host, world, [...words, ...options]);
  holdWriteOrder(host.log, one, world);
  if (wanted.writes && wanted.troubles === undefined)
    holdPlan(host.log, run.document.setups, host, bytesOfInputs(world));
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

/** By path; places that cannot be read count as zeros, as in the plan. */
function bytesOfInputs(world: World): ReadonlyMap<string, Uint8Array> {
  return new Map(
    world.inputs.map((input, i) => {
      const bytes = input.bytes.slice();
      for (const { start, end } of input.unread ?? []) bytes.fill(0, start, end);
      return [inputPath(input, i), bytes];
    }),
  );
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
  // Whoever undoes has made room before.
  Reflect.deleteProperty(host, 'appendDurably');
  for (const { undo: journal } of [...setups].reverse()) {
    if (journal === null) continue;
    const { status, err } = await runBinding(undo, host, ['--json', journal]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
  }
  world.inputs.forEach((input, i) => {
    const path = inputPath(input, i);
    if (input.instead !== undefined) return;
    if (input.unread === undefined) {
      expect(hashes(host, world)[i]).toBe(before[i]);
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
