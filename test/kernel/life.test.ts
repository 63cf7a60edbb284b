// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a mapped device: messages and events, suspend, resume and reload, read-only and degraded use, requests that
// must not wait, and what is written when.
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { hashOfDisks, Scenario, USUAL_DISKS } from '../support/kernel/scenario';

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('a mapped device', () => {
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
    beforeEach(async () => {
      data = await Scenario.make(lab);
      await data.up();
    });
    afterEach(async () => {
      await guest.tryDm('remove', 'data');
    });

    describe('messages', () => {
      test('move, mark, ask and list', async () => {
        expect(await data.message('remap', '100')).toBe('100 1');
        expect(await data.message('remap', '200', '16')).toBe('200 16');
        expect(await data.message('mark_lost', '300', '4')).toBe('300 4');
        data.note(300, 4, 'lost');
        data.mainDisk.failReads(402);
        expect(await data.message('remap', '400', '8')).toBe('400 8');
        data.note(402, 1, 'lost');
        expect(await data.message('query', '99')).toBe('main 99');
        expect(await data.message('query', '100')).toBe('spare 0 10240');
        expect(await data.message('query', '207')).toBe('spare 0 10248');
        expect(await data.message('query', '301')).toBe('lost 0 10258');
        const list = ['100 1 0 10240 live 3', '200 16 0 10241 live 3', '300 4 0 10257 lost 3'];
        expect((await data.list()).slice(0, 3)).toEqual(list);
        expect((await data.message('list', '1', '1')).trim()).toBe(list[1]);
        expect((await data.message('list', '99')).trim()).toBe('');
        expect(await data.status()).toMatchObject({
          extents: 6,
          lost: 5,
          used: 29,
          space: 12288,
          scan: 'off:0',
        });
        const stats = await data.message('stats');
        expect(stats).toMatch(/^remapped_sectors 24$/m);
        expect(stats).toMatch(/^lost_sectors 5$/m);
        // What lies on a spare can be moved again, and back to health.
        expect(await data.message('remap', '100')).toBe('100 1');
        expect(await data.message('query', '100')).not.toBe('spare 0 10240');
        await data.restart();
        await data.write(296, 16, 4);
        await data.finish();
      });

      test('tunables, and a commit', async () => {
        const { sequence } = await data.status();
        expect(await data.message('commit')).toBe(String(sequence + 1));
        for (const [name, value] of [
          ['alert_threshold', '50'],
          ['auto_remap', '0'],
          ['min_copies', '2'],
          ['remap_threshold', '3'],
          ['scan_chunk_max', '1024'],
          ['scan_chunk_min', '32'],
          ['scan_interval_s', '99'],
          ['slow_io_ms', '250'],
          ['spare_policy', '3'],
        ] as const) {
          expect(await data.message('set', name, value)).toBe('');
          expect(await data.message('get', name)).toBe(value);
        }
        expect((await data.status()).sequence).toBe(sequence + 10);
        await data.message('clear_stats');
        expect(await data.message('stats')).toMatch(/^commits 0$/m);
        await data.finish();
        const { config } = data.contents();
        expect(config).toMatchObject({ autoRemap: 0, minCopies: 2, sparePolicy: 3, slowIoMs: 250 });
        await data.up();
        expect(await data.message('get', 'scan_interval_s')).toBe('99');
        await data.finish();
      });

      test('clear_stats clears all counters, and nothing else', async () => {
        const counters = async (): Promise<[string, number][]> =>
          (await data.message('stats'))
            .trim()
            .split('\n')
            .map((line) => line.split(' '))
            .map(([name = '', count]) => [name, Number(count)]);
        await data.down();
        data.spare(1).poke(2048 + 8, new Uint8Array(512).fill(1));
        await data.up();
        data.mainDisk.failReads(10, 1, { times: 1 });
        data.mainDisk.failWrites(20, 1, { times: 1 });
        data.mainDisk.failReads(30);
        data.spare(0).failWrites(10240 + 1);
        data.mainDisk.failFlushes(1);
        expect(await data.read(10, 1)).toBe('10+1:v1');
        await data.write(20, 1, 2);
        expect(await guest.flush('data')).toBe('EIO');
        expect(await data.read(30, 1)).toBe('30+1:EIO');
        await data.write(30, 1, 3);
        await data.force(40, 2);
        await data.message('set', 'min_copies', '5');
        for (const index of [0, 1]) data.spare(index).failWrites(1024, 8);
        expect(await data.tryMessage('commit')).toBe('EIO');
        const before = await counters();
        expect(before).toHaveLength(12);
        expect(before.filter(([, count]) => count === 0)).toEqual([]);
        const status = await guest.status('data');
        expect(await data.message('clear_stats')).toBe('');
        expect(await counters()).toEqual(before.map(([name]) => [name, 0]));
        // What is kept over the life of the setup is not for it to clear.
        expect(await guest.status('data')).toBe(status);
        expect(await data.status()).toMatchObject({ readErrors: 1, writeErrors: 1 });
        for (const index of [0, 1]) data.spare(index).heal();
        await data.down();
        await data.up();
        await data.finish();
      });

      test.each([
        ['nonsense', 'EINVAL'],
        ['remap', 'EINVAL'],
        ['remap x', 'EINVAL'],
        ['remap 1 2 3', 'EINVAL'],
        ['remap 8192', 'ERANGE'],
        ['remap 8191 2', 'ERANGE'],
        ['remap 5 0', 'ERANGE'],
        ['remap 18446744073709551615', 'ERANGE'],
        ['remap 18446744073709551616', 'EINVAL'],
        ['remap 0 18446744073709551615', 'ERANGE'],
        ['mark_lost -1', 'EINVAL'],
        ['query', 'EINVAL'],
        ['query x', 'EINVAL'],
        ['query -1', 'EINVAL'],
        ['query 8192', 'ERANGE'],
        ['list x', 'EINVAL'],
        ['list 1 2 3', 'EINVAL'],
        ['commit now', 'EINVAL'],
        ['get', 'EINVAL'],
        ['get nothing', 'ENOENT'],
        ['set nothing 1', 'ENOENT'],
        ['set min_copies', 'EINVAL'],
        ['set min_copies x', 'EINVAL'],
        ['set min_copies 0', 'ERANGE'],
        ['set min_copies 6', 'ERANGE'],
        ['set spare_policy 4', 'ERANGE'],
        ['set auto_remap 2', 'ERANGE'],
        ['set alert_threshold 101', 'ERANGE'],
        ['set remap_threshold 4294967296', 'ERANGE'],
      ])('%s is refused, and changes nothing', async (words, error) => {
        const before = hashOfDisks(lab);
        expect(await data.tryMessage(...words.split(' '))).toBe(error);
        expect(hashOfDisks(lab)).toBe(before);
      });
    });

    test('events come with changes', async () => {
      await data.next(async () => await data.message('remap', '10'));
      await data.next(async () => await data.message('mark_lost', '20'));
      data.note(20, 1, 'lost');
      await data.next(async () => {
        data.mainDisk.failWrites(30);
        await data.write(30, 1, 2);
      });
      await data.next(async () => await data.write(20, 1, 3));
      await data.next(async () => {
        data.spare(1).failWrites(1024, 8);
        await data.message('commit');
      });
      data.spare(1).heal();
      await data.down();
      await data.up();
      await data.finish();
      const kinds = data.events().map((event) => event.split('@')[0]);
      for (const kind of ['1:0', '2:0', '3:0', '4:0', '6:0', '14:0', '15:0', '8:2'])
        expect(kinds).toContain(kind);
      expect(data.events()).toContain('4:0@10+1');
      expect(data.events()).toContain('14:0@20+1');
    });

    test('suspend ends the activity on disk, resume begins it, and nothing is lost between', async () => {
      data.mainDisk.failWrites(100);
      await data.write(96, 8, 2);
      expect(data.generation().header.state & 1).toBe(1);
      await guest.dm('suspend', 'data');
      expect(data.generation().header.state).toBe(0);
      expect(await data.fsck()).toBe('clean');
      expect(await guest.status('data')).toBe('- - -/- -/- - -/- - -:- - - -');
      expect(await data.tryMessage('commit')).toBe('ENODEV');
      expect(await data.tryMessage('query', '1')).toBe('ENODEV');
      const waiting = guest.write('data', 0, 8, 3);
      const before = hashOfDisks(lab);
      await guest.sh('sleep 0.3');
      expect(hashOfDisks(lab)).toBe(before);
      await guest.dm('resume', 'data');
      expect(await waiting).toBe('0+8:ok');
      data.note(0, 8, 'v3');
      expect(data.generation().header.state & 1).toBe(1);
      await data.finish();
    });

    test('the same table is loaded anew over itself, and writes only while it is the live one', async () => {
      data.mainDisk.failWrites(100);
      await data.write(96, 8, 2);
      const before = hashOfDisks(lab);
      await guest.dm('load', 'data', data.tableWith('no_auto_remap'));
      expect(hashOfDisks(lab)).toBe(before);
      data.mainDisk.failWrites(200);
      await data.write(192, 16, 3);
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      expect(await guest.dm('table', 'data')).toMatch(/ 1 no_auto_remap$/);
      expect(await data.list()).toHaveLength(2);
      await data.checkInside();
      // A reload that is refused leaves the old table to be resumed.
      await guest.dm('load', 'data', data.table.replace('0 8192', '0 8184'));
      await guest.dm('suspend', 'data');
      expect((await guest.tryDm('resume', 'data')).error).toBe('EINVAL');
      await guest.dm('load', 'data', data.table);
      await guest.dm('resume', 'data');
      data.mainDisk.failWrites(300);
      await data.write(296, 16, 4);
      await data.finish();
    });

    test('read_only writes nothing, whatever happens', async () => {
      data.mainDisk.failWrites(100);
      await data.write(96, 8, 2);
      await data.message('mark_lost', '110');
      data.note(110, 1, 'lost');
      await data.down();
      // A bad copy, which a writable activation would mend.
      data.spare(1).poke(2048 + 8, new Uint8Array(512).fill(1));
      const before = hashOfDisks(lab);
      for (const how of ['feature', 'table'] as const) {
        if (how === 'feature') await data.up('read_only');
        else await data.up('', [], 'flags=readonly');
        expect(await data.status()).toMatchObject({ mode: 'ro', copies: '9/10' });
        await data.checkInside();
        data.mainDisk.failReads(500);
        expect(await data.read(496, 8, { chunk: 1 })).toBe('496+4:v1 500+1:EIO 501+3:v1');
        if (how === 'feature') expect(await guest.write('data', 0, 8, 3)).toBe('0+8:EIO');
        for (const words of [['remap', '0'], ['mark_lost', '0'], ['commit'], ['set', 'slow_io_ms', '1']])
          expect(await data.tryMessage(...words)).toBe('EROFS');
        expect(await data.message('get', 'slow_io_ms')).toBe('500');
        await guest.dm('suspend', 'data');
        await guest.dm('resume', 'data');
        await data.down();
        data.mainDisk.heal();
        expect(hashOfDisks(lab)).toBe(before);
      }
      await data.up();
      await data.finish();
    });

    test('a request that must not wait is never made to', async () => {
      expect(await data.read(0, 8, { nowait: true })).toBe('0+8:v1');
      data.mainDisk.failWrites(100);
      await data.write(100, 1, 2);
      expect(await data.read(96, 8, { nowait: true })).toMatch(/^96\+8:(EAGAIN|v1|short)|^96\+4:v1 100/);
      await data.message('mark_lost', '200');
      data.note(200, 1, 'lost');
      // Healing takes a commit.
      expect(await guest.write('data', 200, 1, 3, { nowait: true })).toBe('200+1:EAGAIN');
      expect(await data.read(200, 1)).toBe('200+1:EIO');
      await data.write(200, 1, 3);
      await data.write(100, 1, 3, { nowait: true });
      await data.finish();
    });

    test('a flush and FUA leave nothing in any cache', async () => {
      data.mainDisk.failWrites(100);
      await data.write(96, 8, 2);
      await data.write(96, 8, 3);
      await data.write(1000, 64, 3);
      expect(await guest.flush('data')).toBe('ok');
      for (const disk of lab.rack.disks) expect(disk.unflushedSectors).toBe(0);
      await data.write(96, 8, 4, { fua: true });
      for (const disk of lab.rack.disks) expect(disk.unflushedSectors).toBe(0);
      await data.finish();
    });
  });
});
