// SPDX-License-Identifier: GPL-2.0-or-later
// Repairs whose power is cut at every mutation, torn at every sector and with every kind of cache; and what has to hold
// afterwards: fsck recovers the old or the new, and undo gives back every byte. The scenes are in test/crash.
import type { FsckOptions } from '../../src/commands/fsck';
import type { FindingId } from '../../src/core/findings';
import type { Generation } from '../../src/core/generation';
import { sidesOf } from '../../src/core/sides';
import { slotAt } from '../../fixtures/build';
import { COPY_INDEXES } from './bench';
import type { MemoryHost, PowerCutPlan } from './memory-host';
import { journalsOf, meaningOf, onlySetup, runFsck, strayWrites, undoJournal } from './repair-world';
import { everyCut } from './undo-world';

export interface CrashScene {
  /** The machine before the repair. Made once; the cuts start from snapshots of it. */
  readonly host: MemoryHost;
  readonly inputs: readonly string[];
  /** What the repair is run with, beyond -y. */
  readonly options: Partial<FsckOptions>;
  /** What counts in the end: the contents that must be in force. */
  readonly wanted: Generation;
  /** Without the permissions of `options` the setup stays as it is: verdict split or partial. */
  readonly undecided?: 'split' | 'partial';
  /** Errors that -y alone leaves where they are. */
  readonly left?: readonly FindingId[];
}

export interface Counted {
  /** Ways in which the power failed. */
  readonly ways: number;
  /** Of these, how often an image had been changed. */
  readonly changed: number;
  /** How often an undo put something back. */
  readonly undone: number;
}

/** Of each slot as much as any copy of the scenes uses, and something behind it. */
const COMPARED = 65536;

function imagesOf(host: MemoryHost, inputs: readonly string[]): Buffer {
  return Buffer.concat(
    inputs.flatMap((path) =>
      COPY_INDEXES.map((copy) => bytesAt(host, path, slotAt(copy), slotAt(copy) + COMPARED)),
    ),
  );
}

function bytesAt(host: MemoryHost, path: string, start: number, end: number): Buffer {
  const parts = host.openRead(path).readAt(BigInt(start), end - start);
  return Buffer.concat(
    parts.map((part) => (part.kind === 'data' ? part.bytes : new Uint8Array(Number(part.end - part.start)))),
  );
}

/** Cuts the repair of a scene everywhere. Throws (through expect) where a promise is broken. */
export async function holdCrashes(scene: CrashScene): Promise<Counted> {
  const { host, inputs, options, wanted } = scene;
  const original = imagesOf(host, inputs);
  const meaning = meaningOf(wanted);
  const highest = await holdWhole(scene);

  let turns = 0;
  let changed = 0;
  let undone = 0;
  const ways = await everyCut(
    host,
    () => runFsck(host, inputs, options),
    async (cut) => {
      const state = host.snapshot();
      const touched = !imagesOf(host, inputs).equals(original);
      if (touched) changed++;
      // Between two writes everything is tried. Tears take turns, and so do cuts before the first write to an image:
      // there are hundreds of them, and each trial has the machine repaired anew.
      const turn = touched && cut.tear === undefined ? null : turns++ % 3;
      if (turn === null || turn === 0 || !touched) {
        if (await holdUndo(scene, original, touched, cut)) undone++;
        host.restore(state);
      }
      if (turn === null || turn === 1) {
        await holdPlain(scene, meaning, highest, cut);
        host.restore(state);
      }
      if (turn === null || turn === 2) await holdAgain(scene, meaning, cut);
    },
  );
  return { ways, changed, undone };
}

/**
 * The repair as it goes when nothing happens: only metadata is written, the second pass is clean. Returns the highest
 * sequence that was seen before it.
 */
async function holdWhole({ host, inputs, options, wanted }: CrashScene): Promise<bigint> {
  const start = host.snapshot();
  const run = await runFsck(host, inputs, options);
  expect([run.exit, onlySetup(run).verdict]).toEqual([1, 'repaired']);
  expect(strayWrites(host, wanted)).toEqual([]);
  const check = onlySetup(await runFsck(host, inputs, { mode: 'check' }));
  expect(check.verdict).toBe('clean');
  expect(meaningOf(check.examined.decision.winner!.generation!) === meaningOf(wanted)).toBe(true);
  host.restore(start);
  return onlySetup(run).examined.decision.highestSeen;
}

/** With -y alone: the wanted contents, or (where a person has to decide) nothing is touched. */
async function holdPlain(
  scene: CrashScene,
  meaning: string,
  highest: bigint,
  cut: PowerCutPlan,
): Promise<void> {
  const { host, inputs, undecided, left = [] } = scene;
  const run = onlySetup(await runFsck(host, inputs));
  const { decision } = run.examined;
  if (undecided !== undefined && decision.verdict === undecided) {
    expect([cut, run.plan.length, host.log.length]).toEqual([cut, 0, 0]);
    // What makes it undecided is still seen.
    expect([cut, decision.highestSeen >= highest]).toEqual([cut, true]);
    return;
  }
  const others = run.errorsLeft.filter(({ id }) => !left.includes(id));
  if (run.errorsLeft.length > 0 && others.length === 0) return;
  expect([cut, run.verdict === 'repaired' || run.verdict === 'clean', decision.verdict]).toEqual([
    cut,
    true,
    decision.verdict,
  ]);
  await holdClean(scene, meaning, cut);
}

/** The same command again: the wanted contents are in force everywhere. */
async function holdAgain(scene: CrashScene, meaning: string, cut: PowerCutPlan): Promise<void> {
  const { host, inputs, options } = scene;
  const choose = (options.choose ?? null) === null ? null : await placeOfChoice(scene, meaning);
  const run = await runFsck(host, inputs, { ...options, choose });
  expect([cut, run.exit & ~1, onlySetup(run).errorsLeft]).toEqual([cut, 0, []]);
  await holdClean(scene, meaning, cut);
}

/**
 * Where what was chosen lies now, a whole copy of it or the header of its pieces: the one that was named may be the one that
 * was being written.
 */
async function placeOfChoice({ host, inputs }: CrashScene, meaning: string): Promise<FsckOptions['choose']> {
  const { decision } = onlySetup(await runFsck(host, inputs, { mode: 'check' })).examined;
  if (decision.verdict !== 'split' && decision.verdict !== 'partial') return null;
  const all = [...sidesOf(decision), ...decision.candidates];
  const place = all.find(({ generation }) => meaningOf(generation) === meaning)?.places[0];
  const spare = place?.spare.identity?.index;
  if (place === undefined || spare === undefined) throw new Error('nothing is left of what was chosen');
  return { spare, copy: place.copyIndex };
}

async function holdClean({ host, inputs }: CrashScene, meaning: string, cut: PowerCutPlan): Promise<void> {
  const check = await runFsck(host, inputs, { mode: 'check' });
  expect([cut, check.exit, onlySetup(check).verdict]).toEqual([cut, 0, 'clean']);
  const { generation } = onlySetup(check).examined.decision.winner!;
  expect([cut, meaningOf(generation!) === meaning]).toEqual([cut, true]);
}

/** True if the undo put something back. It may refuse only where there is nothing to put back. */
async function holdUndo(
  { host, inputs, options }: CrashScene,
  original: Buffer,
  touched: boolean,
  cut: PowerCutPlan,
): Promise<boolean> {
  const [journal, ...more] = journalsOf(host);
  expect([cut, more]).toEqual([cut, []]);
  if (options.undo === false) {
    expect([cut, journal]).toEqual([cut, undefined]);
    return false;
  }
  if (journal === undefined) {
    expect([cut, touched]).toEqual([cut, false]);
    return false;
  }
  const result = await undoJournal(host, journal);
  if (typeof result === 'string') {
    // A journal that never became whole: nothing was written then.
    expect([cut, touched, /^JOURNAL_(INCOMPLETE|INVALID)$/.test(result)]).toEqual([cut, false, true]);
    return false;
  }
  expect([cut, result.fault, result.status]).toEqual([cut, null, touched ? 'undone' : 'nothing-to-do']);
  expect([cut, imagesOf(host, inputs).equals(original)]).toEqual([cut, true]);
  return result.status === 'undone';
}
