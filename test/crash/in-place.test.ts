// SPDX-License-Identifier: GPL-2.0-or-later
// The power fails while dmremap-fsck puts a generation back into bad places: afterwards fsck and undo both work, wherever
// it failed.
import { story } from '../../fixtures/build';
import { PATIENCE_MS } from '../support/fixed-runs';
import { COPY_INDEXES } from '../support/bench';
import { holdCrashes } from '../support/crash-world';
import type { CrashScene } from '../support/crash-world';
import { copyOf } from '../support/histories';
import { healthySpares, pathsOf, pokeSlot, putCopy, junk } from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

const one = story({ entries: 10 });
const two = story({ spares: 2, entries: 140, lostAndRetired: true });

function scene(
  build: typeof one,
  damage: (host: CrashScene['host']) => void,
  options: CrashScene['options'] = {},
): CrashScene {
  const host = healthySpares(build.newest);
  damage(host);
  return { host, inputs: pathsOf(build.newest.header.spareCount), options, wanted: build.newest };
}

test('one corrupt copy', async () => {
  const { ways, changed, undone } = await holdCrashes(
    scene(one, (host) => pokeSlot(host, 0, 2, 12_288, junk(700)), { mode: 'preen' }),
  );
  expect(ways).toBeGreaterThan(100);
  expect(changed).toBeGreaterThan(20);
  expect(undone).toBeGreaterThan(20);
});

test('the first copy, whose place is written last of all', async () => {
  const { changed } = await holdCrashes(
    scene(one, (host) => pokeSlot(host, 0, 0, 0, junk(512)), { mode: 'preen' }),
  );
  expect(changed).toBeGreaterThan(20);
});

test('four copies: corrupt, torn, stale and zeroed', async () => {
  const { changed, undone } = await holdCrashes(
    scene(
      one,
      (host) => {
        pokeSlot(host, 0, 0, 4096, junk(9000));
        pokeSlot(host, 0, 1, 4096, copyOf(one.at(4), 0, 1).subarray(4096));
        putCopy(host, one.at(3), 0, 3);
        pokeSlot(host, 0, 4, 0, new Uint8Array(65_536));
      },
      { mode: 'preen' },
    ),
  );
  expect(changed).toBeGreaterThan(300);
  expect(undone).toBeGreaterThan(100);
});

test('copies of two spares, several blocks each', async () => {
  const { changed } = await holdCrashes(
    scene(
      two,
      (host) => {
        pokeSlot(host, 0, 1, 24_576, junk(5000));
        putCopy(host, two.at(2), 1, 0);
        pokeSlot(host, 1, 4, 4096, junk(100));
      },
      { mode: 'preen' },
    ),
  );
  expect(changed).toBeGreaterThan(200);
});

test('salvage of all five: no copy is whole, each piece is left in one of them', async () => {
  const starts = [4096, 12_288, 16_384, 20_480, 24_576];
  const { changed, undone } = await holdCrashes(
    scene(one, (host) => {
      // In copy n everything but piece n is lost.
      for (const copy of COPY_INDEXES) {
        starts.forEach((start, piece) => {
          if (piece !== copy) pokeSlot(host, 0, copy, start, junk(512));
        });
      }
      // And all headers but one.
      for (const copy of [1, 2, 3, 4]) pokeSlot(host, 0, copy, 0x140, junk(8));
    }),
  );
  expect(changed).toBeGreaterThan(300);
  expect(undone).toBeGreaterThan(100);
});
