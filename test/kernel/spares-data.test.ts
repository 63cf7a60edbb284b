// SPDX-License-Identifier: GPL-2.0-or-later
// The spares go bad themselves, in their data or as a whole, for a while or for good; and they fill up. Main goes bad
// only to make use of them; see faults.test.ts.
import { MAX_ENTRIES } from '../../src/core/layout';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import type { ScenarioOptions } from '../support/kernel/scenario';
import { Scenario } from '../support/kernel/scenario';

const EIGHT = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'];
const DATA = 10240;
/** Sectors of data on a spare. */
const SPACE = 16384 - DATA;

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('spares fail', () => {
    let lab: Lab;
    let guest: Guest;
    let data: Scenario;

    beforeAll(async () => {
      lab = await Lab.open({
        kernel,
        disks: [{ name: 'main', sectors: 8192 }, ...EIGHT.map((name) => ({ name, sectors: 16384 }))],
      });
      guest = await lab.boot();
    });
    afterAll(async () => await lab.close());
    afterEach(async () => {
      await guest.tryDm('remove', 'data');
    });

    const start = async (options: ScenarioOptions = {}): Promise<void> => {
      data = await Scenario.make(lab, options);
      await data.up();
    };
    const again = async (features = '', without: readonly number[] = []): Promise<void> => {
      await data.down();
      await data.up(features, without);
    };
    /** Index of the spare on which a sector lies. */
    const spareOf = async (sector: number): Promise<string> =>
      (await data.message('query', String(sector))).split(' ').slice(0, 2).join(' ');
    /** What only one kernel is asked for. */
    const extra = (title: string, body: () => Promise<void>): void => {
      if (kernel === '6.1') test(title, body);
    };

    test('a bad place on a spare is retired, and the next one used', async () => {
      await start();
      const fault = data.spare(0).failWrites(DATA, 2);
      await data.force(500, 2);
      await data.force(501, 2);
      expect(fault.hits).toBe(2);
      expect(await data.list()).toEqual([`500 2 0 ${DATA + 2} live 1`, `- 2 0 ${DATA} retired 1`]);
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA', used: 4 });
      await data.restart();
      // Nor is it used after a load.
      await data.force(600, 3);
      expect(fault.hits).toBe(2);
      await data.finish();
    });

    test('a sector of a spare that goes bad later: lost when read, moved when written', async () => {
      await start();
      await data.force(500, 2);
      await data.force(700, 2);
      data.spare(0).failReads(DATA);
      data.spare(0).failWrites(DATA + 1);
      expect(await data.read(496, 8, { chunk: 1 })).toBe('496+4:v1 500+1:EIO 501+3:v1');
      data.note(500, 1, 'lost');
      await data.write(696, 8, 3);
      const list = await data.list();
      expect(list).toEqual([
        expect.stringMatching(/^500 1 0 \d+ lost 2$/),
        expect.stringMatching(/^700 1 0 \d+ live 1$/),
        ...list.slice(2),
      ]);
      expect(list.slice(2).every((line) => / 0 1024[01] retired /.test(line))).toBe(true);
      await data.restart();
      await data.write(500, 1, 4);
      expect((await data.status()).lost).toBe(0);
      await data.finish();
    });

    test('a spare that dies: its data waits for it, new data goes on, and all is well when it is back', async () => {
      await start();
      for (const sector of [10, 20, 30]) await data.force(sector, 2);
      data.spare(0).vanish();
      await data.force(40, 3);
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '5/10', spares: 'DA', lost: 0 });
      expect(await spareOf(40)).toBe('spare 1');
      expect(await data.read(10, 1)).toBe('10+1:EIO');
      expect(await data.read(11, 1)).toBe('11+1:v1');
      // What is overwritten moves.
      await data.write(20, 1, 4);
      expect(await spareOf(20)).toBe('spare 1');
      expect(await data.read(18, 4)).toBe('18+2:v1 20+1:v4 21+1:v1');
      expect((await data.status()).lost).toBe(0);
      expect(await guest.flush('data')).toBe('ok');
      await data.down();
      expect(data.generation(['s1']).header.state & 2).toBe(2);
      await data.up('degraded', [0]);
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '5/10', spares: '-A' });
      expect(await data.read(10, 1)).toBe('10+1:EIO');
      await data.write(50, 1, 5);
      expect(await data.list()).toHaveLength(4);
      await data.down();
      data.spare(0).appear();
      await data.up();
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA' });
      await data.restart();
    });

    extra(
      'a spare that comes back while the device is up stays out until it is activated again',
      async () => {
        await start();
        await data.force(10, 2);
        data.spare(0).vanish();
        await data.force(20, 2);
        data.spare(0).appear();
        const { write } = data.spare(0).counts;
        await data.force(30, 2);
        expect(await data.read(8, 4)).toBe('8+2:v1 10+1:v2 11+1:v1');
        expect(data.spare(0).counts.write).toBe(write);
        expect((await data.status()).spares).toBe('DA');
        await guest.dm('suspend', 'data');
        await guest.dm('resume', 'data');
        expect(await data.status()).toMatchObject({ copies: '10/10', spares: 'AA' });
        await data.finish();
      },
    );

    extra('a spare that can be read but not written is given up; its data is still read', async () => {
      await start();
      await data.force(10, 2);
      data.spare(0).failWrites(0, 16384);
      await data.force(20, 3);
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '5/10', spares: 'DA' });
      expect(await data.read(8, 16)).toBe('8+2:v1 10+1:v2 11+9:v1 20+1:v3 21+3:v1');
      await data.write(10, 1, 4);
      expect(await spareOf(10)).toBe('spare 1');
      data.spare(0).heal();
      data.mainDisk.heal();
      await data.checkInside();
      await again();
      await data.finish();
    });

    extra(
      'a spare whose flush fails when its data is to be made durable: the data goes to the other',
      async () => {
        await start();
        data.spare(0).failFlushes(Infinity);
        await data.force(10, 2);
        expect(await spareOf(10)).toBe('spare 1');
        expect((await data.status()).spares).toBe('DA');
        data.spare(0).failFlushes(0);
        await again();
        await data.finish();
      },
    );

    test('a flush reaches every device, and one that fails on a spare is told', async () => {
      await start();
      await data.force(10, 2);
      await data.force(20, 2);
      const counts = (): number[] => ['main', 's0', 's1'].map((name) => lab.disk(name).counts.flush);
      const before = counts();
      expect(await guest.flush('data')).toBe('ok');
      expect(counts().map((count, i) => count - (before[i] ?? 0))).toEqual([1, 1, 1]);
      await data.write(10, 1, 3);
      expect(data.spare(0).unflushedSectors).toBe(1);
      data.spare(0).failFlushes(1);
      expect(await guest.flush('data')).toBe('EIO');
      expect(await guest.flush('data')).toBe('ok');
      expect(data.spare(0).unflushedSectors).toBe(0);
      await data.write(10, 1, 4, { fua: true });
      expect(data.spare(0).unflushedSectors).toBe(0);
      await data.finish();
    });

    extra('a spare is full, the next one is used, none is left: EIO, and nothing else breaks', async () => {
      await start({ remapUnit: 8 });
      expect(await data.message('remap', '0', String(SPACE - 8))).toBe(`0 ${SPACE - 8}`);
      expect(await spareOf(SPACE - 9)).toBe('spare 0');
      expect(await data.message('remap', String(SPACE - 8), '16')).toBe(`${SPACE - 8} 16`);
      expect(await spareOf(SPACE - 1)).toBe('spare 0');
      expect(await spareOf(SPACE)).toBe('spare 1');
      expect(await data.list()).toHaveLength(2);
      await data.restart();
      data.spare(1).vanish();
      expect(await data.tryMessage('remap', '7600', '1')).toBe('ENOSPC');
      expect(await data.status()).toMatchObject({ mode: 'rw', spares: 'AD' });
      data.mainDisk.failWrites(7000);
      await data.writeFails(6992, 16, 2);
      data.mainDisk.failReads(7100);
      expect(await data.read(7096, 8, { chunk: 1 })).toBe('7096+4:v1 7100+1:EIO 7101+3:v1');
      await data.write(0, 64, 3);
      await data.write(8000, 64, 3);
      expect(await data.status()).toMatchObject({ mode: 'rw', lost: 0 });
      data.spare(1).appear();
      data.mainDisk.heal();
      await again();
      expect(await data.status()).toMatchObject({ mode: 'rw', spares: 'AA' });
      await data.finish();
    });

    test('a spare that is given up is told by an event, whoever finds out', async () => {
      await start();
      await data.force(10, 2);
      data.spare(0).vanish();
      // A read: nothing else has changed that an event could be about.
      await data.next(async () => {
        expect(await data.read(10, 1)).toBe('10+1:EIO');
      });
      expect((await data.status()).spares).toBe('DA');
      expect(await data.list()).toHaveLength(1);
      await data.message('commit');
      const failed = data.contents(['s1']).events.filter(({ kind }) => kind === 9);
      expect(failed.map(({ device }) => device)).toEqual([1]);
      // A commit.
      data.spare(0).appear();
      await again();
      expect((await data.status()).spares).toBe('AA');
      data.spare(1).vanish();
      await data.next(async () => await data.message('commit'));
      expect((await data.status()).spares).toBe('AD');
      data.spare(1).appear();
      await again();
      await data.finish();
    });

    test('no spare left: EIO and an event, for a write and for a read', async () => {
      await start({ spares: ['s0'], remapUnit: 8 });
      await data.message('remap', '0', String(SPACE));
      expect(await data.status()).toMatchObject({ used: SPACE, space: SPACE });
      const { extents } = await data.status();
      data.mainDisk.failWrites(7000);
      await data.next(async () => await data.writeFails(7000, 1, 2));
      data.mainDisk.failReads(7100);
      await data.next(async () => {
        expect(await data.read(7100, 1)).toBe('7100+1:EIO');
      });
      expect(await data.status()).toMatchObject({ mode: 'rw', lost: 0, extents, spares: 'A' });
      // What did not fit is not called lost: the disk may read it one day.
      data.mainDisk.heal();
      expect(await data.read(7096, 8)).toBe('7096+8:v1');
      await data.finish();
    });

    test('health: 100 without a flaw, less for what is lost, for a spare that is dead and for one that is missing', async () => {
      await start();
      expect(await data.status()).toMatchObject({ health: 100, extents: 0, room: MAX_ENTRIES });
      await data.message('mark_lost', '10');
      data.note(10, 1, 'lost');
      expect(await data.status()).toMatchObject({ health: 80, extents: 1, room: MAX_ENTRIES });
      await data.write(10, 1, 2);
      expect((await data.status()).health).toBe(100);
      // Half of the copies cost half of 30, and that it is a spare costs 20.
      data.spare(1).vanish();
      await data.message('commit');
      expect(await data.status()).toMatchObject({ copies: '5/10', spares: 'AD', health: 65 });
      await data.message('commit');
      expect(data.contents(['s0']).health.score).toBe(65);
      await again('degraded', [1]);
      expect(await data.status()).toMatchObject({ copies: '5/10', spares: 'A-', health: 65 });
      data.spare(1).appear();
      await again();
      expect(await data.status()).toMatchObject({ copies: '10/10', spares: 'AA', health: 100 });
      // Copies alone: one of ten costs a tenth of 30.
      data.spare(1).failWrites(1024, 8);
      await data.message('commit');
      expect(await data.status()).toMatchObject({ copies: '9/10', spares: 'AA', health: 97 });
      // Space: half of it costs half of 30.
      data.spare(1).heal();
      await again();
      await data.message('remap', '0', String(SPACE));
      expect(await data.status()).toMatchObject({ used: SPACE + 1, health: 85 });
      await data.finish();
    });

    extra('eight spares, three of which are lost', async () => {
      await start({ spares: EIGHT });
      await data.message('set', 'spare_policy', '1');
      for (let i = 0; i < 16; i++) await data.force(100 + 8 * i, 2);
      expect(await data.status()).toMatchObject({ copies: '40/40', spares: 'AAAAAAAA', extents: 16 });
      expect(new Set(await Promise.all(EIGHT.map(async (_, i) => await spareOf(100 + 8 * i)))).size).toBe(8);
      await data.restart();
      for (const index of [0, 3, 7]) data.spare(index).vanish();
      for (let i = 0; i < 16; i++) await data.force(1000 + 8 * i, 3);
      expect(await data.status()).toMatchObject({ mode: 'rw', spares: 'DAADAAAD', copies: '25/40', lost: 0 });
      await data.down();
      for (const index of [0, 3, 7]) data.spare(index).appear();
      await data.up('degraded', [3]);
      expect(await data.status()).toMatchObject({ spares: 'AAA-AAAA', copies: '35/40' });
      await again();
      expect(await data.status()).toMatchObject({ spares: 'AAAAAAAA', copies: '40/40' });
      await data.finish();
    });
  });
});
