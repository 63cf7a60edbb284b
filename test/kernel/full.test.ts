// SPDX-License-Identifier: GPL-2.0-or-later
// A table that is full: with as many entries as a slot has room for, what needs one more fails, and all else goes on. The
// entries are those of blocks that were bad when the setup was made.
import { runFormat } from '../../src/commands/format';
import { MAX_ENTRIES } from '../../src/core/layout';
import { formatOptions } from '../support/format-world';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab, LAB_TIME } from '../support/kernel/lab';
import { formatRuns, joinRuns, patternRange } from '../support/kernel/pattern';
import { fillSpare, Scenario } from '../support/kernel/scenario';
import { diskPath, LabHost } from '../support/kernel/toolkit';

const MAIN = 40960;
/** Every second sector from here on is LOST, each in an entry of its own. */
const FIRST = 1000;
/** Behind them two in one entry, the last. */
const PAIR = 33000;
const BAD = [...Array.from({ length: MAX_ENTRIES - 1 }, (_, i) => FIRST + 2 * i), PAIR, PAIR + 1];
const SPARES = ['s0', 's1'];
/** The beginning with the first entries, what is written to in the middle, the last entries and the end. */
const WINDOWS = [
  { first: FIRST - 8, count: 64 },
  { first: 1990, count: 64 },
  { first: 2500, count: 32 },
  { first: FIRST + 2 * MAX_ENTRIES - 16, count: 32 },
  { first: PAIR - 8, count: 32 },
  { first: MAIN - 8, count: 8 },
];

describeKernel('a full table', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({
      disks: [
        { name: 'main', sectors: MAIN },
        { name: 's0', sectors: 32768 },
        { name: 's1', sectors: 16384 },
      ],
    });
    lab.disk('main').load(patternRange(0, MAIN, 1));
    const host = new LabHost(lab.rack.disks, LAB_TIME);
    const path = '/bad-blocks';
    host.addImage(path, new TextEncoder().encode(BAD.map((sector) => `${sector}\n`).join('')));
    const made = await runFormat(
      host,
      formatOptions({
        ...{ main: diskPath('main'), spares: SPARES.map(diskPath) },
        badList: { kind: 'bad-blocks', path, blockSize: 512 },
      }),
    );
    host.writeBack();
    for (const name of SPARES) fillSpare(lab.disk(name));
    const setupUuid = made.setupUuid ?? '';
    data = Scenario.over(lab, { name: 'data', main: 'main', spares: SPARES, table: made.table, setupUuid });
    for (const sector of BAD) data.note(sector, 1, 'lost');
    guest = await lab.boot();
    await data.up();
  });
  afterAll(async () => await lab.close());

  const full = { mode: 'rw', extents: MAX_ENTRIES, room: MAX_ENTRIES, copies: '10/10' };

  /** Sector by sector where there is something to see: all of it would take longer than a guest may live. */
  const checkInside = async (): Promise<void> => {
    for (const { first, count } of WINDOWS) {
      const wanted = data.memory.slice(first, first + count).map((state, i) => ({
        ...{ sector: first + i, count: 1 },
        state: state === 'lost' ? 'EIO' : state,
      }));
      expect(await data.read(first, count, { chunk: 1 })).toBe(formatRuns(joinRuns(wanted)));
    }
  };

  test('all entries are there, and status and list say so', async () => {
    expect(await data.status()).toMatchObject({ ...full, lost: BAD.length, used: BAD.length });
    const list = await data.list();
    expect(list).toHaveLength(MAX_ENTRIES);
    expect(list.map((line) => Number(line.split(' ')[0]))).toEqual(BAD.slice(0, -1));
    expect(list.filter((line) => !/^\d+ 1 0 \d+ lost 2$/.test(line))).toEqual([
      expect.stringMatching(new RegExp(`^${PAIR} 2 0 \\d+ lost 2$`)),
    ]);
    expect((await data.message('list', String(MAX_ENTRIES - 1))).trim()).toBe(list.at(-1));
    await checkInside();
  });

  test('what needs one more entry fails, and changes nothing', async () => {
    const before = await data.list();
    data.mainDisk.failWrites(500);
    await data.next(async () => await data.writeFails(500, 1, 2));
    data.note(500, 1, 'v1');
    data.mainDisk.failReads(600);
    expect(await data.read(600, 1)).toBe('600+1:EIO');
    expect(await data.tryMessage('remap', '700')).toBe('ENOSPC');
    expect(await data.tryMessage('mark_lost', '700')).toBe('ENOSPC');
    // One of two sectors that share an entry.
    await data.writeFails(PAIR, 1, 2);
    expect(await data.list()).toEqual(before);
    expect(await data.status()).toMatchObject({ ...full, lost: BAD.length, spares: 'AA' });
    data.mainDisk.heal();
    // What could not be called lost is not: the disk may read it one day.
    expect(await data.read(596, 8)).toBe('596+8:v1');
    await checkInside();
  });

  test('what needs none goes on: other sectors, what is lost and what has moved', async () => {
    await data.write(0, 64, 3);
    await data.write(BAD[10] ?? 0, 1, 3);
    // Over main and entries in turn, and over both sectors of the one that could not be split.
    await data.write(2000, 512, 3);
    await data.write(PAIR - 4, 16, 3);
    expect(await guest.flush('data')).toBe('ok');
    const lost = BAD.length - 1 - 256 - 2;
    expect(await data.status()).toMatchObject({ ...full, lost });
    // A place on a spare that goes bad: its sector moves, in the same entry.
    const [, index, place] = (await data.message('query', '2000')).split(' ').map(Number);
    const fault = data.spare(index ?? 0).failWrites(place ?? 0);
    await data.write(2000, 1, 4);
    expect(fault.hits).toBeGreaterThan(0);
    expect(await data.message('query', '2000')).not.toBe(`spare ${index} ${place}`);
    expect(await data.message('remap', '2002')).toBe('2002 1');
    expect(await data.status()).toMatchObject({ ...full, lost });
    expect(await data.list()).toHaveLength(MAX_ENTRIES);
    await checkInside();
  });

  test('it is the same after a reboot, and clean', async () => {
    const list = await data.list();
    await data.down();
    data.checkOutside();
    expect(await data.fsck()).toBe('clean');
    await lab.kill();
    guest = await lab.boot();
    await data.up();
    expect(await data.status()).toMatchObject(full);
    expect(await data.list()).toEqual(list);
    await checkInside();
    await data.down();
    data.checkOutside();
    expect(await data.fsck()).toBe('clean');
  });
});
