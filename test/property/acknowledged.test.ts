// SPDX-License-Identifier: GPL-2.0-or-later
// A newer generation of which evidence is left on any input, in its place or not, of this setup's spares or not, never
// gives way silently to an older one, however many whole copies the older one has.
import fc from 'fast-check';
import { sameGeneration } from '../../src/core/judge';
import type { FsckRun } from '../support/repair-world';
import { emptySpares, pathsOf, pokeSlot, putCopy, runFsck, sparePath } from '../support/repair-world';
import type { MemoryHost } from '../support/memory-host';
import { copyOf, HISTORIES } from '../support/histories';
import type { History } from '../support/histories';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';

jest.setTimeout(PATIENCE_MS);

/** Our own spares with whole copies of older generations, and one more input that belongs to somebody else. */
const scene = fc.record({
  history: fc.constantFrom(...HISTORIES),
  /** How far behind each of our copies is; at least one generation. */
  ages: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 15, maxLength: 15 }),
  /** Slot by slot of the further input: ours and newest, the stranger's, or nothing. */
  further: fc.array(fc.constantFrom('newest', 'header of the newest', 'stranger', 'nothing'), {
    minLength: 5,
    maxLength: 5,
  }),
  /** The place that our copies on the further input say they are of. */
  from: fc.record({ spare: fc.nat(2), shift: fc.nat(4) }),
  /** A corrupt copy of ours, so that there is something to repair. */
  corrupt: fc.nat(4),
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

function built({ history, ages, further, from, corrupt }: Scene): MemoryHost {
  const { line, spares, newest, stranger } = history;
  const host = emptySpares(spares + 1);
  for (let spare = 0; spare < spares; spare++) {
    for (let copy = 0; copy < 5; copy++)
      putCopy(host, line[line.length - 1 - ages[spare * 5 + copy]!]!, spare, copy);
  }
  pokeSlot(host, 0, corrupt, 12_300, Uint8Array.of(0xff, 0xee, 0xdd));
  further.forEach((what, copy) => {
    if (what === 'nothing') return;
    const ours = copyOf(newest, from.spare % spares, (copy + from.shift) % 5);
    const bytes =
      what === 'stranger' ? copyOf(stranger[0]!, 0, copy) : what === 'newest' ? ours : ours.subarray(0, 4096);
    pokeSlot(host, spares, copy, 0, bytes);
  });
  return host;
}

/** What was decided about our setup, or null where the inputs hold none. */
function ours({ setups }: FsckRun, { setupUuid }: History): FsckRun['setups'][number] | null {
  return setups.find(({ examined }) => examined.decision.setupUuid === setupUuid) ?? null;
}

test('a header of it on any input is enough to stop every repair with an older one', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(scene, async (one) => {
      const { history, further } = one;
      const host = built(one);
      const shown = further.some((what) => what === 'newest' || what === 'header of the newest');
      const run = await runFsck(host, pathsOf(history.spares + 1));
      const setup = ours(run, history)!;
      const { verdict, winner } = setup.examined.decision;
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
      if (shown && ['clean', 'repairable', 'salvageable'].includes(verdict)) {
        expect(sameGeneration(winner!.generation!, history.newest)).toBe(true);
      }
      const ourSpares = pathsOf(history.spares);
      const written = host.log.filter(({ kind, path }) => kind === 'write' && ourSpares.includes(path));
      if (['partial', 'split', 'lost', 'inconsistent'].includes(verdict)) expect(written.length).toBe(0);
      else if (shown) expect(winner!.header.sequence).toBe(history.newest.header.sequence);
    }),
    fixedRuns(250),
  );
  expect([...seen.keys()]).toEqual(expect.arrayContaining(['salvageable', 'partial']));
});

test('on a spare with as many copies of another setup, and so of neither, it counts as well', async () => {
  for (const history of HISTORIES.filter(({ spares }) => spares > 1)) {
    const { line, newest, stranger, spares } = history;
    const last = spares - 1;
    const host = emptySpares(spares);
    for (let spare = 0; spare < last; spare++) {
      for (let copy = 0; copy < 5; copy++) putCopy(host, line.at(-2)!, spare, copy);
    }
    for (const copy of [2, 3]) putCopy(host, newest, last, copy);
    for (const copy of [0, 1]) pokeSlot(host, last, copy, 0, copyOf(stranger[0]!, last, copy));
    pokeSlot(host, 0, 1, 12_300, Uint8Array.of(0xff));
    const before = host.bytesOf(sparePath(last));
    const run = await runFsck(host, pathsOf(spares));
    expect(run.findings.map(({ id }) => id)).toEqual(['input-tie']);
    const { decision } = ours(run, history)!.examined;
    expect([decision.verdict, decision.winner!.header.sequence]).toEqual([
      'salvageable',
      newest.header.sequence,
    ]);
    expect(Buffer.compare(host.bytesOf(sparePath(last)), before)).toBe(0);
  }
});

test('more strays than any setup can have are not left out without a word', async () => {
  const { newest, stranger, setupUuid } = HISTORIES[0]!;
  const strangers = 11;
  const host = emptySpares(1 + strangers);
  for (let copy = 0; copy < 5; copy++) putCopy(host, newest, 0, copy);
  for (let input = 1; input <= strangers; input++) {
    // One whole copy of theirs, four headers of ours.
    pokeSlot(host, input, 0, 0, copyOf(stranger[0]!, 0, 0));
    for (const copy of [1, 2, 3, 4])
      pokeSlot(host, input, copy, 0, copyOf(newest, 0, copy).subarray(0, 4096));
  }
  const run = await runFsck(host, pathsOf(1 + strangers), { mode: 'check' });
  const told = run.findings.filter(
    ({ id, fields }) => id === 'input-too-many' && fields['setupUuid'] === setupUuid,
  );
  expect([told.length, run.exit & 8]).toEqual([4, 8]);
});
