// SPDX-License-Identifier: GPL-2.0-or-later
// A choice of the cases of fixtures/ through the built commands, as a user runs them: processes of their own, on files.
// All cases, on a machine in memory, are in test/cases.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, ftruncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ALL_CASES } from '../../fixtures';
import type { DefectCase, Outcome, World } from '../../fixtures/case';
import { complete, foundIn, holdSchema } from '../support/case-documents';
import type { FsckDocument } from '../support/case-documents';
import { givenPaths, inputPath } from '../support/case-machine';
import { removeTree, temporaryDirectory } from '../support/temporary';
import { fillFile } from '../support/tools';

const root = join(__dirname, '..', '..');

const CHOSEN: readonly string[] = [
  'three spares with lost and retired extents',
  'one flipped bit in a remap entry',
  'four of five copies damaged, each otherwise, copy 3 left',
  'a commit cut inside the blocks of the second copy',
  'ext4 made on a spare, over copy 0',
  'one of two spares zeroed to its data and made into ext4',
  'a newer generation that is whole only in a wrong place',
  'as many copies of one setup as of another, one of them named by --setup',
  'two damaged setups in one run, their inputs mixed',
  'a spare that was absent during the last activation',
  'two spares that each went on alone, to the same sequence',
  'all five copies damaged, each in another section',
  'EVENTS damaged in all copies of the newest generation, an older one whole',
  'all five headers with a flipped bit',
  'a name with an escape sequence',
  'slot_bytes of 4 GiB less a block',
  'an unknown incompat feature in a newer copy',
  'a clone beside its original',
  'an image that ends before the data of the entries',
  'a main device of another size',
  'a damaged spare in a GPT partition',
  'a damaged spare on a disk of which only the backup GPT is left',
  'a damaged spare at an offset that --offset names in sectors',
  'a qcow2 image',
  'no such file',
  'a directory',
  'an empty file',
  'an image that ends inside copy 4, with a corrupt copy',
];

let folder = '';
beforeAll(() => void (folder = temporaryDirectory()));
afterAll(() => removeTree(folder));

/** Where a path of a case lies here. */
const here = (path: string): string => (path.startsWith('/img/') ? join(folder, path.slice(5)) : path);

function run(command: string, argv: readonly string[]) {
  const done = spawnSync(process.execPath, [join(root, 'bin', command), ...argv], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

/** The files of a world; whatever an earlier case left is gone. */
function lay(world: World): void {
  removeTree(folder);
  mkdirSync(folder, { recursive: true });
  world.inputs.forEach((input, index) => {
    const path = here(inputPath(input, index));
    if (input.instead === 'directory') mkdirSync(path);
    if (input.instead !== undefined) return;
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'w');
    ftruncateSync(file, input.bytes.length);
    closeSync(file);
    fillFile(path, input.bytes);
  });
}

/** Fingerprints of all files of a world, and their modes and times of change. */
function files(world: World): unknown[] {
  return world.inputs.map((input, index) => {
    if (input.instead !== undefined) return null;
    const path = here(inputPath(input, index));
    const { mode, mtimeMs } = statSync(path);
    return { hash: createHash('sha256').update(readFileSync(path)).digest('hex'), mode, mtimeMs };
  });
}

const hashesOf = (all: readonly unknown[]): unknown[] =>
  all.map((one) => (one as { hash?: string } | null)?.hash);

function fsck(
  one: DefectCase,
  world: World,
  words: readonly string[],
): { status: number | null; document: FsckDocument } {
  const options = (one.options ?? []).map(here);
  const { status, out, err } = run('dmremap-fsck', [
    '--json',
    ...words,
    ...options,
    ...givenPaths(world).map(here),
  ]);
  expect(err).toBe('');
  const document = JSON.parse(out) as FsckDocument;
  holdSchema(document);
  expect(document.exitCode).toBe(status);
  return { status, document };
}

function holdRun(one: DefectCase, world: World, words: readonly string[], wanted: Outcome): void {
  lay(world);
  const before = files(world);
  const { status, document } = fsck(one, world, words);
  const after = files(world);
  expect({ status, verdicts: document.setups.map(({ verdict }) => verdict) }).toEqual({
    status: wanted.exit,
    verdicts: wanted.verdicts,
  });
  if (!wanted.writes) {
    expect(after).toEqual(before);
    return;
  }
  expect(hashesOf(after)).not.toEqual(hashesOf(before));
  if (wanted.healthy === true) {
    expect(hashesOf(after)).toEqual(
      (world.healthy ?? []).map((bytes) => createHash('sha256').update(bytes).digest('hex')),
    );
  }
  const second = fsck(one, world, ['-n']);
  expect(second.status).toBe(wanted.next ?? 0);
  for (const { undo } of [...document.setups].reverse()) {
    if (undo === null) continue;
    expect(dirname(undo)).toBe(folder);
    expect(statSync(undo).mode & 0o077).toBe(0);
    expect(run('dmremap-undo', [undo]).status).toBe(0);
  }
  expect(hashesOf(files(world))).toEqual(hashesOf(before));
}

const chosen = CHOSEN.map((name) => ({ name, one: ALL_CASES.find((each) => each.name === name) }));

test('the chosen cases are there, and of every kind', () => {
  expect(chosen.filter(({ one }) => one === undefined)).toEqual([]);
  const kinds = new Set(chosen.map(({ one }) => one?.kind));
  const all = new Set(ALL_CASES.map(({ kind }) => kind));
  // Errors of a device, and remarks, need no file of their own.
  expect([...all].filter((kind) => !kinds.has(kind))).toEqual(['generations', 'remarks']);
});

describe.each(chosen)('given $name', ({ one }) => {
  if (one === undefined) return;

  test('-n finds exactly that and changes nothing', () => {
    const world = one.build();
    lay(world);
    const before = files(world);
    const { document } = fsck(one, world, ['-n']);
    expect(foundIn(document, one.found)).toEqual(complete(one.found));
    expect(files(world)).toEqual(before);
    expect(readdirSync(folder)).toHaveLength(
      world.inputs.filter(({ instead }) => instead !== 'nothing').length,
    );
    const text = run('dmremap-fsck', [
      '-n',
      ...(one.options ?? []).map(here),
      ...givenPaths(world).map(here),
    ]);
    expect(text.status).toBe(one.found.exit);
    expect(text.out + text.err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  const outcomes: readonly (readonly [words: readonly string[], then: Outcome])[] = [
    [['-p'], one.preen],
    [['-y'], one.yes],
    ...(one.more ?? []).map((further) => [['-y', ...further.with], further.then] as const),
  ];
  // The first that writes, or else -y; the others differ in nothing that depends on files and processes.
  const [words, then] = outcomes.find(([, each]) => each.writes) ?? [['-y'], one.yes];
  test(words.join(' '), () => holdRun(one, one.build(), words, then));
});
