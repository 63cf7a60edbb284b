// SPDX-License-Identifier: GPL-2.0-or-later
// The power fails while dmremap-fsck brings back a spare that was absent: a new generation on all spares, and at every point
// enough is left to have the old one or the new one.
import { commit, entriesOf, RUN_B, story } from '../../fixtures/build';
import type { Generation } from '../../src/core/generation';
import { PATIENCE_MS } from '../support/fixed-runs';
import { holdCrashes } from '../support/crash-world';
import type { MemoryHost } from '../support/memory-host';
import { emptySpares, junk, pathsOf, pokeSlot, putSpare } from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

const two = story({ spares: 2, entries: 10 });

/** Spare 1 stayed behind at the clean stop; spare 0 went on by itself and got further entries. */
function withAbsentSpare(): { host: MemoryHost; newest: Generation } {
  const activated = commit(two.newest, { run: RUN_B, spares: [0], state: 3, event: 2 });
  const newest = commit(activated, { spares: [0], entries: entriesOf(12, 1) });
  const host = emptySpares(2);
  putSpare(host, newest, 0);
  putSpare(host, two.newest, 1);
  return { host, newest };
}

describe('an absent spare is brought back', () => {
  test('with nothing else wrong', async () => {
    const { host, newest } = withAbsentSpare();
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(2),
      options: { mode: 'preen' },
      wanted: newest,
    });
    expect(changed).toBeGreaterThan(500);
    expect(undone).toBeGreaterThan(100);
  });

  test('with a single whole copy left of the newest generation', async () => {
    const { host, newest } = withAbsentSpare();
    for (const copy of [0, 2, 3, 4]) pokeSlot(host, 0, copy, 12_288, junk(600));
    const { changed } = await holdCrashes({
      host,
      inputs: pathsOf(2),
      options: { mode: 'preen' },
      wanted: newest,
    });
    expect(changed).toBeGreaterThan(500);
  });

  test('with no whole copy left: what is needed for salvage outlives every cut', async () => {
    const { host, newest } = withAbsentSpare();
    // DEVICES and EVENTS of the newest generation are left in one copy each, and not in the same.
    for (const copy of [0, 2, 3, 4]) pokeSlot(host, 0, copy, 4096, junk(600));
    for (const copy of [0, 1, 3, 4]) pokeSlot(host, 0, copy, 20_480, junk(600));
    const { changed } = await holdCrashes({ host, inputs: pathsOf(2), options: {}, wanted: newest });
    expect(changed).toBeGreaterThan(500);
  });

  test('without an undo journal and a backup: fsck alone recovers it', async () => {
    const { host, newest } = withAbsentSpare();
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(2),
      options: { mode: 'preen', undo: false, backup: false },
      wanted: newest,
    });
    expect(changed).toBeGreaterThan(500);
    expect(undone).toBe(0);
  });
});
