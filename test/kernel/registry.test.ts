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
const EIGHT = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'];
const OTHER = '11111111-2222-4333-8444-555555555555';

/** Features in the order in which the target names them. */
function sorted(features: string): string {
  const order = ['read_only', 'degraded', 'no_auto_remap', 'setup'];
  const words = features.replace(/setup /, 'setup=').split(' ');
  const place = (word: string): number => order.indexOf(word.split('=')[0] ?? '');
  return words
    .sort((a, b) => place(a) - place(b))
    .join(' ')
    .replace('=', ' ');
}

describeKernel('tables that are taken', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({
      disks: [
        { name: 'main', sectors: 8192 },
        ...EIGHT.map((name) => ({ name, sectors: 16384 })),
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

    test.each([
      ['the same disks', false],
      ['a copy of the whole setup', true],
    ])(
      'while one is suspended another takes %s: the first has to wait, and nothing is lost',
      async (_, copy) => {
        data = await Scenario.make(lab);
        await data.up();
        await data.force(100, 2);
        await guest.dm('suspend', 'data');
        let { table } = data;
        if (copy) {
          for (const [from, to] of [
            ['main', 'copied'] as const,
            ['s0', 's2'] as const,
            ['s1', 's3'] as const,
          ]) {
            lab.disk(to).load(lab.disk(from).snapshot());
            table = table.replace(`/dev/lab/${from}`, `/dev/lab/${to}`);
          }
        }
        await guest.create('other', table);
        lab.disk(copy ? 'copied' : 'main').failWrites(200);
        expect(await guest.write('other', 196, 8, 3)).toBe('196+8:ok');
        if (!copy) data.note(196, 8, 'v3');
        const before = hashOfDisks(lab);
        const { mark } = guest.console;
        for (let tries = 0; tries < 2; tries++) {
          expect((await guest.tryDm('resume', 'data')).error).toBe('EBUSY');
          expect(await guest.dm('info', 'data')).toMatch(/ suspended/);
        }
        await guest.console.until(copy ? /setup \S+ is active as 254:1/ : /is in use by 254:1/, mark);
        expect(hashOfDisks(lab)).toBe(before);
        // The other one goes on as if nothing had been.
        lab.disk(copy ? 'copied' : 'main').failWrites(300);
        expect(await guest.write('other', 296, 8, 4)).toBe('296+8:ok');
        if (!copy) data.note(296, 8, 'v4');
        await guest.dm('remove', 'other');
        await guest.dm('resume', 'data');
        expect(await data.list()).toHaveLength(copy ? 1 : 3);
        await data.force(400, 5);
        await data.finish();
      },
    );

    test('a table that is loaded and never resumed writes nothing', async () => {
      data = await Scenario.make(lab);
      const before = hashOfDisks(lab);
      await guest.sh('dmsetup create data --notable');
      await guest.dm('load', 'data', data.table);
      expect(await guest.dm('info', 'data')).toMatch(/ inactive/);
      await guest.dm('clear', 'data');
      expect(await guest.dm('info', 'data')).not.toMatch(/ inactive/);
      await guest.dm('load', 'data', data.table);
      await guest.dm('remove', 'data');
      expect(hashOfDisks(lab)).toBe(before);
      // Nor does one over a device that is live, and that one goes on.
      await data.up();
      await data.force(100, 2);
      const live = hashOfDisks(lab);
      await guest.dm('load', 'data', data.tableWith('no_auto_remap'));
      await guest.dm('clear', 'data');
      expect(hashOfDisks(lab)).toBe(live);
      await data.force(200, 3);
      await data.finish();
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

  /** A device's number, as the kernel prints it. */
  const number = async (path: string): Promise<string> => {
    const [major = '', minor = ''] = (await guest.sh(`stat -L -c '%t %T' ${path}`)).split(' ');
    return `${parseInt(major, 16)}:${parseInt(minor, 16)}`;
  };
  /** The devices of the setup: their names on the lab, but for spares that are left out. */
  const disksWithout = (without: readonly number[]): string[] => [
    data.main,
    ...data.spares.filter((_, i) => !without.includes(i)),
  ];

  test.each([
    { words: '', without: [], spares: ['s0', 's1'], how: '' },
    { words: 'degraded no_auto_remap', without: [1], spares: ['s0', 's1'], how: '' },
    { words: 'read_only', without: [], spares: ['s0', 's1'], how: '' },
    { words: 'read_only degraded no_auto_remap setup SETUP', without: [], spares: ['s0', 's1'], how: '' },
    { words: '', without: [], spares: EIGHT, how: '' },
    { words: 'no_auto_remap degraded setup SETUP', without: [0, 3, 7], spares: EIGHT, how: '' },
    { words: '', without: [], spares: ['s0', 's1'], how: 'flags=readonly' },
    { words: 'degraded', without: [0], spares: ['s0', 's1'], how: 'flags=readonly' },
  ])(
    'the table reads back as what makes the device again: "$words" $how, $spares.length spares without $without',
    async ({ words, without, spares, how }) => {
      data = await Scenario.make(lab, { spares });
      const features = words.replace('SETUP', data.setupUuid);
      const flags = how === '' ? [] : [how];
      await data.up(features, without, ...flags);
      const numbers = new Map<string, string>();
      for (const name of disksWithout(without)) numbers.set(name, await number(`/dev/lab/${name}`));
      const expected = data
        .tableWith(sorted(features), without)
        .replace(/\/dev\/lab\/(\w+)/g, (_, name: string) => numbers.get(name) ?? '?');
      const table = await guest.dm('table', 'data');
      expect(table).toBe(expected);
      expect((await guest.sh('dmsetup table data')).trim()).toBe(expected);
      const { mode, spares: letters } = await data.status();
      await data.down();
      await guest.create('data', table, ...flags);
      expect(await guest.dm('table', 'data')).toBe(table);
      expect(await data.status()).toMatchObject({ mode, spares: letters });
      expect(await guest.dm('info', 'data')).toMatch(how === '' ? /^(?!.*readonly)/ : / readonly/);
    },
  );

  test.each([
    { spares: ['s0', 's1'], without: [] },
    { spares: ['s0', 's1'], without: [0] },
    { spares: EIGHT, without: [] },
  ])('what lies below is known by its number: $spares without $without', async ({ spares, without }) => {
    data = await Scenario.make(lab, { spares });
    await data.up(without.length > 0 ? 'degraded' : '', without);
    const used = disksWithout(without);
    const numbers = await Promise.all(used.map(async (name) => await number(`/dev/lab/${name}`)));
    expect((await guest.dm('deps', 'data')).split(' ').sort()).toEqual(numbers.sort());
    const slaves = await guest.sh('cat /sys/block/dm-0/slaves/*/dev');
    expect(slaves.split('\n').sort()).toEqual(numbers);
    const holders = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const { name } of lab.rack.disks) {
        const block = `/sys/block/$(basename $(readlink -f /dev/lab/${name}))`;
        if ((await guest.sh(`ls ${block}/holders`)) === 'dm-0') found.push(name);
      }
      return found;
    };
    expect((await holders()).sort()).toEqual([...used].sort());
    await data.down();
    expect(await holders()).toEqual([]);
  });
});
