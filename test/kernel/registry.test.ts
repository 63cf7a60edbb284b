// SPDX-License-Identifier: GPL-2.0-or-later
// Two mapped devices that want the same, of which the second is refused without a byte written; and tables that read back
// as what makes the device again. What else is refused is in tables.test.ts.
import { SECTOR } from '../support/kernel/disk';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { hashOfDisks, Scenario } from '../support/kernel/scenario';
import { formatDisks } from '../support/kernel/toolkit';

const MAIN = '/dev/lab/main';
const S0 = '/dev/lab/s0';
const S1 = '/dev/lab/s1';
const OTHER = '11111111-2222-4333-8444-555555555555';

describeKernel('tables that are taken', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({
      disks: [
        { name: 'main', sectors: 8192 },
        { name: 's0', sectors: 16384 },
        { name: 's1', sectors: 16384 },
        { name: 's2', sectors: 16384 },
        { name: 'blank', sectors: 16384 },
        { name: 'copied', sectors: 8192 },
        { name: 'big', sectors: 16384, logicalBlockSize: 4096 },
      ],
    });
    guest = await lab.boot();
    data = await Scenario.make(lab);
  });
  afterAll(async () => await lab.close());
  afterEach(async () => {
    await guest.tryDm('remove', 'data');
    await guest.tryDm('remove', 'other');
  });

  describe('two mapped devices', () => {
    test.each([
      ['the same table', (table: string) => table],
      ['the same main', (table: string) => table.replace(S0, '/dev/lab/s2').replace(S1, '/dev/lab/blank')],
      [
        'a common spare',
        (table: string) => table.replace(MAIN, '/dev/lab/copied').replace(S0, '/dev/lab/s2'),
      ],
      [
        'main as a spare',
        (table: string) =>
          table
            .replace(MAIN, '/dev/lab/copied')
            .replace(S0, '/dev/lab/big')
            .replace('lab/big', 'lab/s1')
            .replace(`${S1} ${S1}`, `${S1} /dev/lab/s2`),
      ],
    ])('%s', async (_, change) => {
      data = await Scenario.make(lab);
      await data.up();
      await data.write(0, 8, 2);
      const other = Scenario.over(lab, {
        name: 'other',
        main: 'main',
        spares: data.spares,
        table: change(data.table),
        setupUuid: data.setupUuid,
      });
      const before = hashOfDisks(lab);
      expect(await other.refused(other.table, /is in use by 254:0/)).toBe('EBUSY');
      expect(await other.refused(other.tableWith('read_only'), /is in use by 254:0/)).toBe('EBUSY');
      expect(hashOfDisks(lab)).toBe(before);
      await data.write(8, 8, 3);
      await data.finish();
      // Once it is free, the other may have it.
      await guest.create('other', data.table);
      await guest.dm('remove', 'other');
    });

    test('a copy of the whole setup on other disks', async () => {
      data = await Scenario.make(lab);
      lab.disk('copied').load(lab.disk('main').snapshot());
      lab.disk('s2').load(lab.disk('s0').snapshot());
      lab.disk('blank').load(lab.disk('s1').snapshot());
      const table = '0 8192 remap /dev/lab/copied 0 2 /dev/lab/s2 /dev/lab/blank';
      const other = Scenario.over(lab, {
        name: 'other',
        main: 'copied',
        spares: ['s2', 'blank'],
        table,
        setupUuid: data.setupUuid,
      });
      await data.up();
      const before = hashOfDisks(lab);
      expect(await other.refused(table, /setup [0-9a-f-]{36} is active as 254:0/)).toBe('EBUSY');
      expect(hashOfDisks(lab)).toBe(before);
      await data.down();
      await other.up();
      await other.finish();
    });

    test('different setups side by side', async () => {
      data = await Scenario.make(lab, { spares: ['s0'] });
      lab.disk('copied').load(lab.disk('main').snapshot());
      lab.disk('s2').load(new Uint8Array(16384 * SECTOR));
      const made = await formatDisks(lab.rack, 'copied', ['s2'], { uuid: OTHER });
      const other = Scenario.over(lab, {
        name: 'other',
        main: 'copied',
        spares: ['s2'],
        table: made.table,
        setupUuid: OTHER,
      });
      await data.up();
      await other.up(`setup ${OTHER}`);
      data.mainDisk.failWrites(100);
      other.mainDisk.failWrites(100);
      await data.write(96, 8, 2);
      await other.write(96, 8, 3);
      await data.checkInside();
      await other.checkInside();
      await data.finish();
      await other.finish();
    });
  });

  test.each([
    ['', []],
    ['degraded no_auto_remap', [1]],
    ['read_only', []],
    [`read_only degraded no_auto_remap setup SETUP`, []],
  ])('the table reads back as what makes the device again: "%s"', async (words, without) => {
    data = await Scenario.make(lab);
    const features = words.replace('SETUP', data.setupUuid);
    await data.up(features, without);
    const number = async (path: string): Promise<string> => {
      const [major, minor] = (await guest.sh(`stat -L -c '%t %T' ${path}`))
        .split(' ')
        .map((hex) => parseInt(hex, 16));
      return `${major ?? ''}:${minor ?? ''}`;
    };
    let expected = data.tableWith(features, without);
    for (const path of [MAIN, S0, S1]) expected = expected.replace(path, await number(path));
    const table = await guest.dm('table', 'data');
    expect(table).toBe(expected);
    expect((await guest.sh('dmsetup table data')).trim()).toBe(expected);
    await data.down();
    await guest.create('data', table);
    expect(await guest.dm('table', 'data')).toBe(table);
    const deps = (await guest.dm('deps', 'data')).split(' ').sort();
    expect(deps).toHaveLength(without.length > 0 ? 2 : 3);
    expect(await guest.sh('ls /sys/block/dm-0/slaves | wc -l')).toBe(String(deps.length));
  });
});
