// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-undo: what it accepts and what it refuses. Which file it means is in undo-targets.test.ts, cuts of the power
// are in undo-power.test.ts, the command line is in undo-cli.test.ts.
import type { UndoOptions } from '../../src/commands/undo';
import { Fault } from '../../src/core/faults';
import { parseJournal } from '../../src/core/journal-parse';
import { judgePlace } from '../../src/core/undo';
import { noise, sha256 } from '../support/journals';
import {
  A,
  B,
  cutWorld,
  faultOf,
  FIRST_JOURNAL,
  images,
  imagesAfter,
  journals,
  planFor,
  repairedWorld,
  SECOND_JOURNAL,
  steps,
  undo,
  write,
} from '../support/undo-world';

describe('an undo', () => {
  test('puts every byte back, reads it back, and can itself be undone, and so on', async () => {
    const { host, original, repaired } = await repairedWorld();
    const result = await undo(host);
    expect([result.status, result.exitCode, result.fault, result.redoJournal]).toEqual([
      'undone',
      0,
      null,
      SECOND_JOURNAL,
    ]);
    expect(images(host)).toBe(original);
    expect(
      result.places.map(({ path, offset, group, finished, state, action }) => [
        path,
        offset,
        group,
        finished,
        state,
        action,
      ]),
    ).toEqual(
      [
        [A, 1024n, 'spare0/copy1'],
        [A, 0n, 'spare0/copy1'],
        [A, 9216n, 'spare0/copy0'],
        [A, 8192n, 'spare0/copy0'],
        [B, 5120n, 'spare1/copy0'],
        [B, 4096n, 'spare1/copy0'],
      ].map((place) => [...place, true, 'new', 'put-back']),
    );
    const redo = await undo(host, SECOND_JOURNAL);
    expect([redo.status, images(host)]).toEqual(['undone', repaired]);
    expect((await undo(host, redo.redoJournal!)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('goes backwards: the last copy first, and of each copy the header first', async () => {
    const { host } = await repairedWorld();
    host.reboot();
    await undo(host);
    const written = host.log.filter(({ kind, path }) => kind === 'write' && (path === A || path === B));
    expect(written.map(({ path, offset }) => [path, offset])).toEqual([
      [B, 4096],
      [B, 5120],
      [A, 8192],
      [A, 9216],
      [A, 0],
      [A, 1024],
    ]);
  });

  test('run twice does nothing the second time, and makes no further journal', async () => {
    const { host, original } = await repairedWorld();
    await undo(host);
    host.reboot();
    const again = await undo(host);
    expect([again.status, again.exitCode, again.redoJournal]).toEqual(['nothing-to-do', 0, null]);
    expect(again.places.every(({ state, action }) => state === 'old' && action === 'none')).toBe(true);
    expect(host.log).toEqual([]);
    expect(images(host)).toBe(original);
  });

  test('as a dry run changes nothing, and tells what it would do', async () => {
    const { host, repaired } = await repairedWorld();
    host.reboot();
    const result = await undo(host, FIRST_JOURNAL, { dryRun: true });
    expect([result.status, result.exitCode, result.redoJournal]).toEqual(['would-undo', 0, null]);
    expect(result.places.every(({ action }) => action === 'put-back')).toBe(true);
    expect(host.log).toEqual([]);
    expect(images(host)).toBe(repaired);
    expect(journals(host)).toEqual([FIRST_JOURNAL]);
  });

  test('leaves alone what is old already', async () => {
    const { host, plan, original } = await repairedWorld();
    host.poke(A, 8192, plan[3]!.before);
    host.reboot();
    const result = await undo(host);
    expect(result.places.map(({ state }) => state)).toEqual(['new', 'new', 'new', 'old', 'new', 'new']);
    expect(host.log.some(({ path, offset, kind }) => path === A && kind === 'write' && offset === 8192)).toBe(
      false,
    );
    expect([result.status, images(host)]).toEqual(['undone', original]);
  });
});

describe('what has changed since is not overwritten', () => {
  const bodyBytes = [1024, 1535, 2048, 3071];
  test.each([0, 511, 512, 1023, ...bodyBytes, 8192, 11263])('byte %i', async (at) => {
    const { host, original } = await repairedWorld();
    const now = host.bytesOf(A)[at]!;
    // Neither the old byte nor the new one.
    const foreign = [1, 2, 3].map((by) => (now + by) & 0xff).find((byte) => byte !== noise(11, 16384)[at])!;
    host.poke(A, at, Uint8Array.of(foreign));
    host.reboot();
    const before = images(host);
    for (const dryRun of [true, false]) {
      const result = await undo(host, FIRST_JOURNAL, { dryRun });
      expect([result.status, result.exitCode, result.fault?.code]).toEqual(['refused', 8, 'CHANGED_SINCE']);
      expect(result.fault?.fields).toMatchObject({ path: A, offset: String(at) });
      expect(result.fault?.sentence).toMatch(/expected 0x.. \(as written\)/);
    }
    expect(images(host)).toBe(before);
    expect(host.log).toEqual([]);

    const forced = await undo(host, FIRST_JOURNAL, { force: true });
    expect([forced.status, images(host)]).toEqual(['undone', original]);
    // And what was overwritten by force is not lost either.
    expect((await undo(host, forced.redoJournal!)).status).toBe('undone');
    expect(images(host)).toBe(before);
  });

  test('a finished write that is old in part was changed by somebody', async () => {
    const { host, plan } = await repairedWorld();
    host.poke(A, 0, plan[1]!.before.subarray(0, 512));
    const result = await undo(host);
    expect([result.status, result.fault?.code]).toEqual(['refused', 'CHANGED_SINCE']);
    expect(result.fault?.sentence).toMatch(/byte 0 .* expected 0x.. \(as written\); nothing was written/);
  });

  test("bytes outside the writes are nobody's concern", async () => {
    const { host } = await repairedWorld();
    host.poke(A, 3072, noise(77, 1024));
    const result = await undo(host);
    expect(result.status).toBe('undone');
    expect(Buffer.compare(host.bytesOf(A).slice(3072, 4096), noise(77, 1024))).toBe(0);
  });

  test('a later repair has to be undone first', async () => {
    const { host, original } = await repairedWorld();
    const second = planFor(host).map((one) => ({ ...one, after: noise(900, one.after.length) }));
    const report = await write(host, second);
    expect((await undo(host)).status).toBe('refused');
    expect((await undo(host, report.journal!)).status).toBe('undone');
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a place that cannot be read now is not overwritten without --force', async () => {
    const { host, original } = await repairedWorld();
    host.failReads(A, 8704n, 9216n);
    expect((await undo(host)).fault?.code).toBe('READ_FAILED');
    const forced = await undo(host, FIRST_JOURNAL, { force: true });
    expect([forced.status, images(host)]).toEqual(['undone', original]);
    const redo = parseJournal(host.bytesOf(forced.redoJournal!), 'x', sha256);
    expect(redo.writes.map(({ unread }) => unread).filter((list) => list.length > 0)).toEqual([
      [{ start: 512, end: 1024 }],
    ]);
  });
});

describe('a repair that power cut short', () => {
  test('may have left old, new and torn bytes; all are taken back', async () => {
    const log = await steps();
    const first = log.findIndex(({ path }) => path === A);
    const [body, sync, header] = [first, first + 1, first + 2];
    for (const [at, sectors, states] of [
      [body, undefined, ['old', 'old']],
      [body, 1, ['mixed', 'old']],
      [body, 4, ['new', 'old']],
      [sync, undefined, ['new', 'old']],
      [header, 1, ['new', 'mixed']],
      [header, 2, ['new', 'new']],
    ] as const) {
      const { host, original } = await cutWorld(at, sectors);
      const result = await undo(host);
      expect([at - first, sectors, result.places.slice(0, 2).map(({ state }) => state)]).toEqual([
        at - first,
        sectors,
        states,
      ]);
      expect(result.places.every(({ finished }) => !finished)).toBe(true);
      expect([result.exitCode, images(host)]).toEqual([0, original]);
    }
  });

  test("a sector that is neither old nor new is somebody else's, there too", async () => {
    const log = await steps();
    const { host } = await cutWorld(
      log.findIndex(({ path }) => path === A),
      2,
    );
    host.poke(A, 1030, Uint8Array.of(host.bytesOf(A)[1030]! ^ 0xff));
    const result = await undo(host);
    expect([result.fault?.code, result.fault?.fields['offset']]).toEqual(['CHANGED_SINCE', '1030']);
  });

  test('and was repaired again can be taken back through both journals, or by the first alone', async () => {
    const log = await steps();
    const last = log.length - 3;
    const { host, plan, original } = await cutWorld(last);
    const again = plan.map((one) => {
      const image = host.bytesOf(one.target === 0 ? A : B);
      const start = Number(one.offset);
      return { ...one, before: image.slice(start, start + one.after.length) };
    });
    const second = await write(host, again);
    const state = host.snapshot();
    expect((await undo(host, second.journal!)).exitCode).toBe(0);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
    host.restore(state);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });
});

describe('when something fails during the undo', () => {
  test('no room for its journal: nothing is written', async () => {
    const { host, repaired } = await repairedWorld();
    host.failFiles('/img');
    expect(await faultOf(() => undo(host))).toBe('FILE_FAILED');
    host.heal();
    expect(images(host)).toBe(repaired);
    expect(journals(host)).toEqual([FIRST_JOURNAL]);
  });

  test('a copy that cannot be written is named, the others are put back, and it can be run again', async () => {
    const { host, original } = await repairedWorld();
    host.failWrites(A, 8704n, 9216n);
    const result = await undo(host);
    expect([result.status, result.exitCode, result.fault?.code]).toEqual(['incomplete', 8, 'WRITE_FAILED']);
    expect(result.failed.map(({ group }) => group)).toEqual(['spare0/copy0']);
    expect(result.places.map(({ action }) => action)).toEqual([
      'put-back',
      'put-back',
      'failed',
      'failed',
      'put-back',
      'put-back',
    ]);
    host.heal();
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a signal ends it after a whole copy, and it can be run again', async () => {
    const { host, original } = await repairedWorld();
    let asked = 0;
    const signals: NonNullable<UndoOptions['signals']> = {
      interrupted: () => asked > 2,
      breathe: async () => {
        asked++;
      },
    };
    const result = await undo(host, FIRST_JOURNAL, { signals });
    expect([result.status, result.exitCode]).toEqual(['interrupted', 32]);
    expect(result.places.map(({ action }) => action)).toEqual([
      ...Array<string>(4).fill('not-started'),
      'put-back',
      'put-back',
    ]);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a journal that cannot be marked does not stop it, but is told', async () => {
    const { host, original } = await repairedWorld();
    host.addImage('/ro/j', host.bytesOf(FIRST_JOURNAL));
    const append = host.appendDurably.bind(host);
    host.appendDurably = (path, bytes) => {
      if (path === '/ro/j')
        throw new Fault('READ_ONLY', { path, reason: 'it lies on a read-only file system' });
      append(path, bytes);
    };
    const result = await undo(host, '/ro/j');
    expect([result.status, result.marked, images(host)]).toEqual(['undone', false, original]);
  });
});

describe('judging one place', () => {
  const old = noise(1, 2048);
  const fresh = noise(2, 2048);
  const judge = (bytes: Uint8Array, whole = true, unread: { start: number; end: number }[] = []): unknown =>
    judgePlace({ old, new: fresh, whole, unread }, { bytes, gaps: [] }).state;
  const mix = (...newSectors: number[]): Uint8Array => {
    const bytes = old.slice();
    for (const sector of newSectors)
      bytes.set(fresh.subarray(sector * 512, sector * 512 + 512), sector * 512);
    return bytes;
  };

  test('sector by sector', () => {
    expect(judge(mix())).toBe('old');
    expect(judge(mix(0, 1, 2, 3))).toBe('new');
    expect([judge(mix(2)), judge(mix(2), false)]).toEqual(['changed', 'mixed']);
  });

  test("a sector torn within itself is nobody's write: the medium writes whole ones", () => {
    const bytes = mix(0, 1, 2, 3);
    bytes.set(old.subarray(0, 100), 0);
    expect(judge(bytes, false)).toBe('changed');
  });

  test('sectors that nobody knew are not judged', () => {
    const bytes = mix();
    bytes[700]! ^= 1;
    expect([judge(bytes), judge(bytes, true, [{ start: 512, end: 1024 }])]).toEqual(['changed', 'old']);
  });

  test('a write that changed nothing is old', () => {
    expect(judgePlace({ old, new: old, whole: true, unread: [] }, { bytes: old, gaps: [] }).state).toBe(
      'old',
    );
  });
});

test('the images of the test machine really differ before and after', async () => {
  const { host, plan, original, repaired } = await repairedWorld();
  expect(repaired).not.toBe(original);
  await undo(host);
  expect(repaired).toBe(imagesAfter(host, plan));
});
