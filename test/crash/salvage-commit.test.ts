// SPDX-License-Identifier: GPL-2.0-or-later
// The power fails while dmremap-fsck makes a new generation out of one that it had to salvage, and another spare holds the
// last whole copy of something else: neither the pieces nor that copy may go before a copy of the new one is whole.
import { ALL_COPIES, commit, entriesOf, RUN_B, RUN_C, story } from '../../fixtures/build';
import { AT } from '../../fixtures/damage';
import type { Generation } from '../../src/core/generation';
import type { CrashScene } from '../support/crash-world';
import { holdCrashes } from '../support/crash-world';
import { PATIENCE_MS } from '../support/fixed-runs';
import type { MemoryHost } from '../support/memory-host';
import {
  emptySpares,
  healthySpares,
  junk,
  onlySetup,
  pathsOf,
  pokeSlot,
  putSpare,
  runFsck,
} from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

const base = story({ spares: 2, entries: 10 }).newest;
/** What spare 0 came to without spare 1, in two commits. */
const here = commit(commit(base, { run: RUN_B, spares: [0], entries: entriesOf(11, 1) }), {
  spares: [0],
  entries: entriesOf(12, 1),
});

/**
 * Spare 0 with no whole copy of `here`: of each section one is left, in five different copies. DEVICES, which is another in
 * each generation, is in copy 1, and so is the only header: were it not for them, that place would be the first.
 */
function inPieces(host: MemoryHost): void {
  putSpare(host, here, 0);
  const kept = [
    [0x140, 8, 1],
    [AT.devices, 512, 1],
    [AT.config, 512, 0],
    [AT.health, 512, 2],
    [AT.events, 512, 4],
    [AT.remaps, 512, 3],
  ] as const;
  for (const [start, length, keeper] of kept)
    for (const copy of ALL_COPIES) if (copy !== keeper) pokeSlot(host, 0, copy, start, junk(length));
}

/** Spare 1 with a single whole copy of a generation. (Headers stay: without them each look at it takes long.) */
function lastCopy(host: MemoryHost, generation: Generation, copy: number): void {
  putSpare(host, generation, 1);
  for (const other of ALL_COPIES)
    if (other !== copy) pokeSlot(host, 1, other, AT.devices, junk(generation.header.slotBytes - AT.devices));
}

/** What a first look finds, and what it would do. */
async function look(
  host: MemoryHost,
  options: CrashScene['options'],
): Promise<{ verdict: string; salvaged: bigint | null; kind: string }> {
  const start = host.snapshot();
  const { examined, kind } = onlySetup(await runFsck(host, pathsOf(2), { ...options, mode: 'check' }));
  host.restore(start);
  const { verdict, winner } = examined.decision;
  return { verdict, salvaged: winner?.salvage ? winner.header.sequence : null, kind };
}

/** Without an undo journal and a backup: what fsck needs has to be in the copies. */
const BARE = { undo: false, backup: false };

test('an absent spare with the last whole copy of the generation before is brought back', async () => {
  const host = healthySpares(base);
  inPieces(host);
  lastCopy(host, base, 2);
  const salvaged = here.header.sequence;
  expect(await look(host, {})).toEqual({ verdict: 'salvageable', salvaged, kind: 'commit' });
  const { changed } = await holdCrashes({ host, inputs: pathsOf(2), options: BARE, wanted: here });
  expect(changed).toBeGreaterThan(500);
});

describe('a split of which one side is in pieces and of the other one copy is left', () => {
  const there = commit(base, { run: RUN_C, spares: [1], entries: entriesOf(9, 2) });

  /** By the header of the pieces, and by the whole copy. */
  const SIDES = [
    { what: 'the side in pieces is taken', choose: { spare: 0, copy: 1 }, wanted: here, more: {} },
    { what: 'the side with the copy is taken', choose: { spare: 1, copy: 2 }, wanted: there, more: BARE },
  ];

  test.each(SIDES)('$what', async ({ choose, wanted, more }) => {
    const host = emptySpares(2);
    inPieces(host);
    lastCopy(host, there, 2);
    const options = { choose, ...more };
    const salvaged = here.header.sequence;
    expect(await look(host, options)).toEqual({ verdict: 'split', salvaged, kind: 'commit' });
    const { changed, undone } = await holdCrashes({
      host,
      inputs: pathsOf(2),
      options,
      wanted,
      undecided: 'split',
    });
    expect(changed).toBeGreaterThan(500);
    expect(undone > 100).toBe(more !== BARE);
  });
});
