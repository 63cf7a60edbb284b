// SPDX-License-Identifier: GPL-2.0-or-later
// The power fails while dmremap-fsck does what needs a person's leave: taking one side of a split, accepting what is left of
// a generation, going back to an older one, writing over other content.
import { commit, entriesOf, RUN_B, RUN_C, story } from '../../fixtures/build';
import type { Generation } from '../../src/core/generation';
import { PATIENCE_MS } from '../support/fixed-runs';
import { writeExt4 } from '../support/content-filesystems';
import { holdCrashes } from '../support/crash-world';
import { copyOf } from '../support/histories';
import type { MemoryHost } from '../support/memory-host';
import {
  emptySpares,
  healthySpares,
  onlySetup,
  pathsOf,
  pokeSlot,
  putCopy,
  runFsck,
  junk,
  putSpare,
} from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

const one = story({ entries: 10 });
const two = story({ spares: 2, entries: 10 });

describe('a split is resolved', () => {
  const here = commit(two.newest, { run: RUN_B, spares: [0], entries: entriesOf(11, 1) });
  const there = commit(two.newest, { run: RUN_C, spares: [1], entries: entriesOf(9, 2) });

  test.each([
    ['for the side that would win', { spare: 0, copy: 1 }, here],
    ['for the other side', { spare: 1, copy: 0 }, there],
  ] as const)('%s', async (_name, choose, wanted) => {
    const host = emptySpares(2);
    putSpare(host, here, 0);
    putSpare(host, there, 1);
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(2),
      options: { choose },
      wanted,
      undecided: 'split',
    });
    expect(changed).toBeGreaterThan(500);
    expect(undone).toBeGreaterThan(100);
  });

  test('on one spare, with one whole copy of each side', async () => {
    const a = commit(one.newest, { run: RUN_B, entries: entriesOf(11, 1) });
    const b = commit(one.newest, {
      run: RUN_C,
      entries: entriesOf(9, 1),
      writtenNs: a.header.writtenNs - 5n,
    });
    const host = emptySpares(1);
    putSpare(host, one.newest, 0);
    putCopy(host, a, 0, 1);
    putCopy(host, b, 0, 2);
    const { changed } = await holdCrashes({
      host,
      inputs: pathsOf(1),
      options: { choose: { spare: 0, copy: 2 } },
      wanted: b,
      undecided: 'split',
    });
    expect(changed).toBeGreaterThan(200);
  });
});

describe('of the newest generation only a part is left', () => {
  /** Copy 1 alone shows the newest generation, and its EVENTS are gone; the others are whole and older. */
  function partial(): MemoryHost {
    const host = healthySpares(one.newest);
    const newest = commit(one.newest, { run: RUN_B, state: 1, entries: entriesOf(12, 1) });
    putCopy(host, newest, 0, 1);
    pokeSlot(host, 0, 1, 20_480, junk(900));
    return host;
  }

  /** What the repair puts in force when nothing happens. */
  async function outcome(host: MemoryHost, options: Parameters<typeof runFsck>[2]): Promise<Generation> {
    const start = host.snapshot();
    await runFsck(host, pathsOf(1), options);
    const check = onlySetup(await runFsck(host, pathsOf(1), { mode: 'check' }));
    host.restore(start);
    return check.examined.decision.winner!.generation!;
  }

  test('and accepted: the only header of it is not lost before the new generation is whole', async () => {
    const host = partial();
    const options = { acceptPartial: true };
    const wanted = await outcome(host, options);
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(1),
      options,
      wanted,
      undecided: 'partial',
    });
    expect(changed).toBeGreaterThan(200);
    expect(undone).toBeGreaterThan(100);
  });

  test('and an older one is chosen instead: it comes back above the newest, never silently below it', async () => {
    const host = partial();
    const options = { choose: { spare: 0, copy: 3 } };
    const wanted = await outcome(host, options);
    expect(wanted.header.sequence).toBeGreaterThan(7n);
    const { changed } = await holdCrashes({
      host,
      inputs: pathsOf(1),
      options,
      wanted,
      undecided: 'partial',
    });
    expect(changed).toBeGreaterThan(200);
  });
});

describe('other content is written over', () => {
  test('an ext4 file system over copy 0, with --force', async () => {
    const host = healthySpares(one.newest);
    const content = new Uint8Array(24_576);
    writeExt4(content);
    pokeSlot(host, 0, 0, 0, content);
    pokeSlot(host, 0, 3, 12_288, junk(600));
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(1),
      options: { force: true },
      wanted: one.newest,
      left: ['copy-overwritten'],
    });
    expect(changed).toBeGreaterThan(50);
    expect(undone).toBeGreaterThan(50);
  });

  test('copies of another setup, with --force', async () => {
    const other = story({ id: 2 });
    const host = healthySpares(one.newest);
    for (const copy of [2, 4]) pokeSlot(host, 0, copy, 0, copyOf(other.newest, 0, copy));
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(1),
      options: { force: true },
      wanted: one.newest,
      left: ['copy-foreign'],
    });
    expect(changed).toBeGreaterThan(50);
    expect(undone).toBeGreaterThan(50);
  });
});
