// SPDX-License-Identifier: GPL-2.0-or-later
// A device fails in the middle of a repair: a write, a sync, a write that is lost without a word. That copy is reported and
// stays bad; every other is repaired, nothing else is lost, and once the device works the next run finishes the work.
import { commit, entriesOf, RUN_B, slotAt, story } from '../../fixtures/build';
import { EXIT } from '../../src/core/faults';
import type { Generation } from '../../src/core/generation';
import { PATIENCE_MS } from '../support/fixed-runs';
import type { MemoryHost } from '../support/memory-host';
import {
  differingPlaces,
  emptySpares,
  healthySpares,
  journalsOf,
  onlySetup,
  pathsOf,
  pokeSlot,
  putCopy,
  runFsck,
  sparePath,
  undoJournal,
  junk,
} from '../support/repair-world';
import type { FsckRun } from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

const setup = story({ spares: 2, entries: 10 }).newest;

/** Two spares; of copies 0:1, 0:3, 1:0 and 1:2 not one byte is left. */
const BAD = ['0:1', '0:3', '1:0', '1:2'];

function damaged(): MemoryHost {
  const host = healthySpares(setup);
  for (const place of BAD) {
    const [spare = 0, copy = 0] = place.split(':').map(Number);
    pokeSlot(host, spare, copy, 0, junk(setup.header.slotBytes));
  }
  return host;
}

/** Calls `then` once the journal is there and before the first byte of an image changes. */
function onceJournalled(host: MemoryHost, then: () => void): Parameters<typeof runFsck>[2] {
  let called = false;
  const breathe = (): Promise<void> => {
    if (!called && journalsOf(host).length > 0) {
      called = true;
      then();
    }
    return Promise.resolve();
  };
  return { signals: { interrupted: () => false, breathe } };
}

interface Failing {
  readonly name: string;
  readonly give: (host: MemoryHost, path: string, byte: bigint) => void;
  readonly code: string;
}

const FAILING: readonly Failing[] = [
  {
    name: 'a write fails',
    give: (host, path, byte) => host.failWrites(path, byte, byte + 512n),
    code: 'WRITE_FAILED',
  },
  {
    name: 'a write is lost, and what is read back differs',
    give: (host, path, byte) => host.loseWrites(path, byte, byte + 512n),
    code: 'READ_BACK_DIFFERS',
  },
  {
    name: 'what was written cannot be read back',
    give: (host, path, byte) => host.failReads(path, byte, byte + 512n, 'EIO: i/o error', true),
    code: 'READ_FAILED',
  },
];

function failuresOf(run: FsckRun): string[] {
  return onlySetup(run).outcome!.report!.failed.map(({ group, fault }) => `${group}: ${fault.code}`);
}

describe.each(FAILING)('in one copy $name', ({ give, code }) => {
  // In the header block, in the last block, and in a block that the damage did not touch.
  test.each([0, 12_288, 16_384])('at byte %i of its slot', async (at) => {
    const host = damaged();
    const start = host.snapshot();
    const fail = (): void => give(host, sparePath(0), BigInt(slotAt(3) + at));
    const run = await runFsck(host, pathsOf(2), onceJournalled(host, fail));
    expect(failuresOf(run)).toEqual([`spare0/copy3: ${code}`]);
    expect(run.exit).toBe(EXIT.corrected | EXIT.errorsLeft | EXIT.operational);
    expect(onlySetup(run).outcome!.report!.done.length).toBe(BAD.length - 1);
    expect(differingPlaces(host, setup)).toEqual(['0:3']);

    // The journal gives back every byte, also of the copy that failed.
    host.heal();
    const repaired = host.snapshot();
    const [journal] = journalsOf(host);
    expect(await undoJournal(host, journal!)).toMatchObject({ status: 'undone', fault: null });
    const undone = pathsOf(2).map((path) => host.sha256(host.bytesOf(path)));
    host.restore(start);
    expect(pathsOf(2).map((path) => host.sha256(host.bytesOf(path)))).toEqual(undone);

    // Or the work is finished.
    host.restore(repaired);
    host.heal();
    // (Where only the reading back failed, it was finished already.)
    expect((await runFsck(host, pathsOf(2))).exit & ~EXIT.corrected).toBe(EXIT.fine);
    expect(differingPlaces(host, setup)).toEqual([]);
    expect((await runFsck(host, pathsOf(2), { mode: 'check' })).exit).toBe(EXIT.fine);
  });
});

test.each([0, 1, 2, 3])(
  'a spare that syncs %i times and then never again: the other spare is repaired',
  async (times) => {
    const host = damaged();
    host.failSyncs(sparePath(0), times);
    const run = await runFsck(host, pathsOf(2));
    expect(run.exit & EXIT.operational).toBe(EXIT.operational);
    expect(failuresOf(run).every((one) => /^spare0\/copy[13]: SYNC_FAILED$/.test(one))).toBe(true);
    expect(failuresOf(run).length).toBe(times >= 2 ? 1 : 2);
    expect(onlySetup(run).outcome!.report!.done).toEqual(
      expect.arrayContaining(['spare1/copy2', 'spare1/copy0']),
    );
    // No copy that was good has been touched.
    expect(differingPlaces(host, setup).every((place) => BAD.includes(place))).toBe(true);
    host.heal();
    expect((await runFsck(host, pathsOf(2))).exit & ~EXIT.corrected).toBe(EXIT.fine);
    expect(differingPlaces(host, setup)).toEqual([]);
  },
);

describe('a new generation that cannot reach every place', () => {
  /** Spare 1 was absent while spare 0 went on. */
  function absent(): { host: MemoryHost; newest: Generation } {
    const newest = commit(setup, { run: RUN_B, spares: [0], state: 3, entries: entriesOf(11, 1) });
    const host = emptySpares(2);
    for (let copy = 0; copy < 5; copy++) {
      putCopy(host, newest, 0, copy);
      putCopy(host, setup, 1, copy);
    }
    return { host, newest };
  }

  test.each([
    ['spare 1 takes no write at all', 1],
    ['spare 0 takes no write at all', 0],
  ])(
    '%s: the newest generation stays whole, and it comes to all places once the spare works',
    async (_name, spare) => {
      const { host, newest } = absent();
      host.failWrites(sparePath(spare), 0n, BigInt(slotAt(4) + 65_536));
      const run = await runFsck(host, pathsOf(2));
      expect(run.exit & EXIT.operational).toBe(EXIT.operational);
      const check = onlySetup(await runFsck(host, pathsOf(2), { mode: 'check' })).examined.decision;
      expect(check.winner!.salvage).toBeNull();
      expect(check.winner!.contents!.remaps).toEqual(
        onlySetup(run).examined.decision.winner!.contents!.remaps,
      );
      expect(check.winner!.header.sequence).toBeGreaterThanOrEqual(newest.header.sequence);
      host.heal();
      const second = await runFsck(host, pathsOf(2));
      expect([second.exit, onlySetup(second).verdict]).toEqual([EXIT.corrected, 'repaired']);
      expect((await runFsck(host, pathsOf(2), { mode: 'check' })).exit).toBe(EXIT.fine);
    },
  );

  test('no other place can be written: the only whole copy of the newest generation is not touched', async () => {
    const { host, newest } = absent();
    for (const copy of [0, 2, 3, 4]) pokeSlot(host, 0, copy, 0, junk(setup.header.slotBytes));
    const { slotBytes } = newest.header;
    for (const copy of [0, 2, 3, 4]) {
      host.failWrites(sparePath(0), BigInt(slotAt(copy)), BigInt(slotAt(copy) + slotBytes));
    }
    host.failWrites(sparePath(1), 0n, BigInt(slotAt(4) + slotBytes));
    const run = await runFsck(host, pathsOf(2));
    const { report } = onlySetup(run).outcome!;
    expect([report!.done, report!.notStarted]).toEqual([[], [{ group: 'spare0/copy1', why: 'held' }]]);
    expect(run.exit).toBe(EXIT.errorsLeft | EXIT.operational);
    host.heal();
    expect(onlySetup(await runFsck(host, pathsOf(2))).verdict).toBe('repaired');
    expect((await runFsck(host, pathsOf(2), { mode: 'check' })).exit).toBe(EXIT.fine);
  });

  test.each([1, 2, 3, 4, 0])(
    'copy %i of the absent spare is dead: all other places have the new generation',
    async (copy) => {
      const { host } = absent();
      host.failWrites(sparePath(1), BigInt(slotAt(copy)), BigInt(slotAt(copy) + 4096));
      const run = await runFsck(host, pathsOf(2), { mode: 'preen' });
      expect(failuresOf(run)).toEqual([`spare1/copy${copy}: WRITE_FAILED`]);
      expect(onlySetup(run).outcome!.report!.done.length).toBe(9);
      expect(run.exit).toBe(EXIT.corrected | EXIT.errorsLeft | EXIT.operational);
      const { decision } = onlySetup(await runFsck(host, pathsOf(2), { mode: 'check' })).examined;
      expect(decision.seats.map(({ standing }) => standing)).toEqual(['current', 'current']);
      const states = decision.seats.flatMap((seat) =>
        seat.copies.map((one) => `${seat.index}:${one.copyIndex} ${one.state}`),
      );
      expect(states.filter((one) => !one.endsWith('valid')).map((one) => one.slice(0, 3))).toEqual([
        `1:${copy}`,
      ]);
    },
  );
});

describe('nothing is changed where the old bytes or the backup cannot be kept', () => {
  test.each([
    ['the directory of the images is full', (host: MemoryHost) => host.failFiles('/img')],
    [
      'it becomes full in the middle of the journal',
      (host: MemoryHost) => host.failFiles('/img', 'ENOSPC: full', 3000),
    ],
  ])('%s', async (_name, fill) => {
    const host = damaged();
    fill(host);
    const before = pathsOf(2).map((path) => host.sha256(host.bytesOf(path)));
    const run = await runFsck(host, pathsOf(2));
    expect(run.exit).toBe(EXIT.errorsLeft | EXIT.operational);
    expect(pathsOf(2).map((path) => host.sha256(host.bytesOf(path)))).toEqual(before);
    expect(journalsOf(host)).toEqual([]);
  });

  test('there is no room for the backup: the journal is taken away again', async () => {
    const host = damaged();
    host.addDirectory('/backups');
    host.failFiles('/backups');
    const before = pathsOf(2).map((path) => host.sha256(host.bytesOf(path)));
    const run = await runFsck(host, pathsOf(2), { backupDir: '/backups' });
    expect(run.exit).toBe(EXIT.errorsLeft | EXIT.operational);
    expect(pathsOf(2).map((path) => host.sha256(host.bytesOf(path)))).toEqual(before);
    expect(journalsOf(host)).toEqual([]);
  });

  test('the journal can no longer be marked: the copy under way is finished, no further one is begun', async () => {
    const host = damaged();
    const fill = (): void => host.failFiles('/img', 'ENOSPC: no space left on device');
    const run = await runFsck(host, pathsOf(2), onceJournalled(host, fill));
    const { report } = onlySetup(run).outcome!;
    expect(report!.done.length).toBe(1);
    expect(report!.notStarted.map(({ why }) => why)).toEqual(['no-journal', 'no-journal', 'no-journal']);
    expect(run.exit).toBe(EXIT.corrected | EXIT.errorsLeft | EXIT.operational);
    host.heal();
    expect(await undoJournal(host, journalsOf(host)[0]!)).toMatchObject({ status: 'undone' });
  });
});
