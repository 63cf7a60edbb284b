// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata of the spares goes bad: copies that can't be read or written, too few of them, or someone else's. What
// becomes of the data on them is in spares-data.test.ts.
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { Scenario, USUAL_DISKS } from '../support/kernel/scenario';

/** Sectors of the slots, and where in them a REMAPS section begins. */
const SLOT = [0, 1024, 2048, 4096, 8192] as const;
const REMAPS = 48;

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('the metadata fails', () => {
    let lab: Lab;
    let guest: Guest;
    let data: Scenario;

    beforeAll(async () => {
      lab = await Lab.open({
        kernel,
        disks: USUAL_DISKS,
      });
      guest = await lab.boot();
    });
    afterAll(async () => await lab.close());
    afterEach(async () => {
      await guest.tryDm('remove', 'data');
    });

    const start = async (): Promise<void> => {
      data = await Scenario.make(lab);
      await data.up();
    };
    /** What only one kernel is asked for. */
    const extra = (title: string, body: () => Promise<void>): void => {
      if (kernel === '6.1') test(title, body);
    };

    test.each([
      ['in the body', SLOT[1] + REMAPS],
      ['in the header', SLOT[3]],
    ])(
      'a copy that can not be written, %s, is left alone and mended at the next activation',
      async (_, at) => {
        await start();
        const before = await guest.eventNumber('data');
        const fault = data.spare(0).failWrites(at, 8);
        await data.force(77, 2);
        expect(fault.hits).toBe(1);
        expect(await data.status()).toMatchObject({ mode: 'rw', copies: '9/10', spares: 'AA' });
        expect(await guest.eventNumber('data')).toBeGreaterThan(before);
        // Once a minute, not at every commit.
        await data.force(79, 2);
        expect(fault.hits).toBe(1);
        await data.checkInside();
        await data.down();
        data.checkOutside();
        expect(await data.fsck()).toMatch(/^repairable .*copy-/);
        data.spare(0).heal();
        await data.up();
        expect(await data.status()).toMatchObject({ copies: '10/10' });
        expect(await data.message('stats')).toMatch(/^copies_repaired 1$/m);
        await data.restart();
        expect(data.events().some((event) => event.startsWith('8:1@'))).toBe(true);
      },
    );

    test.each([
      ['in the header', SLOT[2], 8],
      ['in the body', SLOT[4] + REMAPS, 8],
      ['all over', SLOT[0], 1024],
    ])('a copy that can not be read at load, %s, is written anew', async (_, at, count) => {
      await start();
      await data.force(77, 2);
      const { sequence } = await data.status();
      await data.down();
      data.spare(1).failReads(at, count, { healsOnWrite: true });
      await data.up();
      await data.checkInside();
      const now = await data.status();
      expect(now).toMatchObject({ mode: 'rw', copies: '10/10' });
      expect(now.sequence).toBeGreaterThan(sequence + 1);
      expect(await data.message('stats')).toMatch(/^copies_repaired 1$/m);
      await data.finish();
    });

    extra(
      'a copy that stays unreadable counts as bad, and leaves no header that could come back',
      async () => {
        await start();
        data.spare(1).failReads(SLOT[3], 8);
        await data.down();
        await data.up();
        expect(await data.status()).toMatchObject({ mode: 'rw', copies: '9/10' });
        await data.force(77, 2);
        await data.checkInside();
        await data.down();
        expect(data.spare(1).runs(SLOT[3], 8)).toEqual([{ sector: SLOT[3], count: 8, state: 'zero' }]);
        data.spare(1).heal();
        await data.up();
        expect(await data.status()).toMatchObject({ copies: '10/10' });
        await data.finish();
      },
    );

    test('too few copies can be written: EIO for what needs a commit, all else goes on, and it recovers', async () => {
      await start();
      await data.force(10, 2);
      for (const spare of [0, 1])
        for (const copy of [0, 1, 2] as const) data.spare(spare).failWrites(SLOT[copy], 8);
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      expect(await data.status()).toMatchObject({ mode: 'fail', spares: 'AA', copies: '0/10' });
      await data.write(100, 8, 3);
      await data.write(10, 1, 5);
      expect(await data.read(20, 1)).toBe('20+1:v1');
      expect(await data.tryMessage('commit')).toBe('EIO');
      expect(await data.tryMessage('set', 'slow_io_ms', '7')).toBe('EIO');
      expect(await data.message('get', 'slow_io_ms')).toBe('500');
      await data.checkInside();
      for (const spare of [0, 1]) data.spare(spare).heal();
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      await data.write(20, 1, 6);
      expect((await data.status()).mode).toBe('rw');
      await data.finish();
    });

    extra('a commit of very many moves fails half-way: the errors after it are still answered', async () => {
      await start();
      for (const spare of [0, 1])
        for (const copy of [0, 1, 2] as const) data.spare(spare).failWrites(SLOT[copy], 8);
      for (let at = 0; at < 60; at++) data.mainDisk.failWrites(at * 32);
      await data.writeFails(0, 1920, 3);
      data.mainDisk.failWrites(4000);
      await data.writeFails(4000, 1, 3);
      data.mainDisk.failReads(4100);
      expect(await data.read(4096, 8, { chunk: 1 })).toBe('4096+4:v1 4100+1:EIO 4101+3:v1');
      expect(await data.status()).toMatchObject({ mode: 'fail', lost: 0 });
      for (const spare of [0, 1]) data.spare(spare).heal();
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      await data.write(0, 1920, 4);
      await data.write(4000, 1, 4);
      data.mainDisk.heal();
      await data.finish();
    });

    test('no copy at all can be written: what lies on the spares is still read', async () => {
      await start();
      await data.force(10, 2);
      for (const spare of [0, 1]) for (const at of SLOT) data.spare(spare).failWrites(at, 8);
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      // The last whole copy was not touched.
      expect(await data.status()).toMatchObject({ mode: 'fail', copies: '1/10' });
      await data.checkInside();
      for (const spare of [0, 1]) data.spare(spare).heal();
      await data.down();
      await data.up();
      await data.write(20, 1, 6);
      await data.finish();
    });

    extra('fewer copies than min_copies: no activation, and nothing is written', async () => {
      await start();
      await data.down();
      for (const spare of [0, 1])
        for (const at of [SLOT[0], SLOT[1], SLOT[2]]) data.spare(spare).failWrites(at, 8);
      expect(await data.refused(data.table, /too few copies/)).toBe('EIO');
      await data.up('read_only');
      expect((await data.status()).mode).toBe('ro');
      await data.checkInside();
      await data.down();
      for (const spare of [0, 1]) data.spare(spare).heal();
      await data.up();
      await data.finish();
    });

    extra('someone else writes to the spares: no more writes, and theirs is not touched', async () => {
      await start();
      await data.force(10, 2);
      // A generation of another run, as another machine would have put it there.
      const other = data.spare(0).peek(0, 8);
      other[0x078] = (other[0x078] ?? 0) ^ 0xff;
      data.spare(0).poke(0, other);
      const before = [data.spare(0).counts.write, data.spare(1).counts.write];
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      expect((await data.status()).mode).toBe('fail');
      expect(await guest.write('data', 30, 1, 3)).toBe('30+1:EIO');
      expect(await data.tryMessage('remap', '40', '1')).toBe('EROFS');
      expect(await data.read(10, 1)).toBe('10+1:v2');
      await data.down();
      expect([data.spare(0).counts.write, data.spare(1).counts.write]).toEqual(before);
    });
  });
});
