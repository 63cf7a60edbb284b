// SPDX-License-Identifier: GPL-2.0-or-later
// The power fails while dmremap-fsck goes back to a generation of which no whole copy is left: its pieces must outlive the
// first half, whatever becomes of those of the newest.
import { story } from '../../fixtures/build';
import { AT } from '../../fixtures/damage';
import { holdCrashes } from '../support/crash-world';
import { PATIENCE_MS } from '../support/fixed-runs';
import { emptySpares, junk, pathsOf, pokeSlot, putCopy, putSpare } from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

test('the newest only in part, the one before in full, one copy of an older one', async () => {
  const { newest, at } = story({ entries: 10 });
  const host = emptySpares(1);
  putSpare(host, at(4), 0);
  for (const copy of [2, 3]) pokeSlot(host, 0, copy, 0, new Uint8Array(65536));
  putCopy(host, newest, 0, 0);
  pokeSlot(host, 0, 0, AT.events + 16, junk(600));
  putCopy(host, at(5), 0, 1);
  pokeSlot(host, 0, 1, AT.config + 64, junk(100));
  const { changed, undone } = await holdCrashes({
    host,
    inputs: pathsOf(1),
    options: { choose: { spare: 0, copy: 1 } },
    wanted: at(5),
    undecided: 'partial',
  });
  expect(changed).toBeGreaterThan(100);
  expect(undone).toBeGreaterThan(30);
});
