// SPDX-License-Identifier: GPL-2.0-or-later
// Main goes bad: reads, writes and flushes that fail, for good or once, alone or inside larger requests. After each
// scenario every block is compared with what it must hold, inside and outside the guest, and the toolkit finds the spares
// clean. What goes wrong with the spares is in spares-data.test.ts and spares-metadata.test.ts.
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { Scenario, USUAL_DISKS } from '../support/kernel/scenario';

const MAIN = 8192;

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('main fails', () => {
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

    test('one bad block in a large request: the rest is read, it alone is lost', async () => {
      data.mainDisk.failReads(1005);
      expect(await data.read(1000, 16)).toBe('1000+16:EIO');
      data.note(1005, 1, 'lost');
      expect(await data.read(1000, 16, { chunk: 1 })).toBe('1000+5:v1 1005+1:EIO 1006+10:v1');
      expect(await data.list()).toEqual([expect.stringMatching(/^1005 1 0 \d+ lost 2$/)]);
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', lost: 1, readErrors: 1 });
      await data.restart();
      // The disk reads again, but what it says now is not to be trusted.
      data.mainDisk.heal();
      expect(await data.read(1005, 1)).toBe('1005+1:EIO');
      await data.finish();
    });

    test('what is lost is healed by a write, and stays so', async () => {
      data.mainDisk.failReads(2040, 16);
      expect(await data.read(2040, 16)).toBe('2040+16:EIO');
      data.note(2040, 16, 'lost');
      expect((await data.status()).lost).toBe(16);
      await data.restart();
      await data.write(2044, 4, 7);
      expect(await data.read(2040, 16, { chunk: 4 })).toBe('2040+4:EIO 2044+4:v7 2048+8:EIO');
      expect((await data.status()).lost).toBe(12);
      await data.restart();
      await data.write(2036, 24, 8, { shift: 512 });
      expect((await data.status()).lost).toBe(0);
      expect(await data.read(2030, 40)).toBe('2030+6:v1 2036+24:v8 2060+10:v1');
      await data.finish();
    });

    test('a bad block in a large write: all of it is acknowledged, one block moves', async () => {
      data.mainDisk.failWrites(3003);
      await data.write(2990, 40, 2);
      expect(await data.list()).toEqual([expect.stringMatching(/^3003 1 0 \d+ live 1$/)]);
      expect(await data.read(2990, 40)).toBe('2990+40:v2');
      expect(await data.status()).toMatchObject({ mode: 'rw', extents: 1, lost: 0, writeErrors: 1 });
      await data.restart();
      await data.write(2999, 9, 3);
      await data.finish();
    });

    test('bad blocks at both ends of the device and side by side', async () => {
      data.mainDisk.failWrites(0, 2);
      data.mainDisk.failWrites(MAIN - 2, 2);
      data.mainDisk.failWrites(100);
      data.mainDisk.failWrites(102);
      await data.write(0, 8, 2);
      await data.write(MAIN - 8, 8, 2);
      for (const sector of [100, 101, 102]) await data.write(sector, 1, sector);
      data.mainDisk.failWrites(101);
      await data.write(98, 7, 4);
      await data.write(101, 1, 5);
      // Neighbours that were put side by side are one entry.
      expect((await data.list()).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(
        expect.arrayContaining([`0 2`, `${MAIN - 2} 2`]),
      );
      expect(await data.read(0, 8, { chunk: 1 })).toBe('0+8:v2');
      await data.restart();
      await data.write(0, 3, 6, { chunk: 1 });
      await data.write(MAIN - 3, 3, 6);
      await data.finish();
    });

    test('many scattered errors, in requests of all shapes', async () => {
      const bad = Array.from({ length: 24 }, (_, i) => (i * 977 + 13) % MAIN);
      for (const sector of bad) data.mainDisk.failWrites(sector);
      for (let at = 0, version = 10; at < MAIN; version++) {
        const count = Math.min(1 + ((version * 137) % 640), MAIN - at);
        await data.write(at, count, version, { shift: (version % 8) * 512 });
        at += count;
      }
      expect((await data.status()).extents).toBeGreaterThan(20);
      expect((await data.status()).writeErrors).toBe(24);
      await data.restart();
      for (const sector of bad.slice(0, 8)) await data.write(sector, 1, 900);
      await data.finish();
    });

    test('what fails once is no reason to move anything', async () => {
      const reads = data.mainDisk.failReads(500, 4, { times: 1 });
      expect(await data.read(496, 16)).toBe('496+16:v1');
      const writes = data.mainDisk.failWrites(600, 4, { times: 1 });
      await data.write(596, 16, 2);
      expect([reads.hits, writes.hits]).toEqual([1, 1]);
      // Fails as a whole, and then once more for the first block.
      data.mainDisk.failReads(700, 1, { times: 3 });
      expect(await data.read(700, 8)).toBe('700+8:v1');
      expect(await data.list()).toEqual([]);
      expect(await data.message('stats')).toMatch(/^retried_reads 1$[^]*^retried_writes 1$/m);
      await data.finish();
    });

    test('a disk that reassigns what is written needs no spare', async () => {
      data.mainDisk.failReads(800, 2, { healsOnWrite: true });
      await data.write(796, 16, 3);
      expect(await data.read(796, 16)).toBe('796+16:v3');
      expect(await data.list()).toEqual([]);
      await data.finish();
    });

    test('read-ahead and buffered reads: an error is no verdict, zeros are never made up', async () => {
      await guest.sh('blockdev --setra 256 /dev/mapper/data');
      const fault = data.mainDisk.failReads(4040);
      const { readErrors } = await data.status();
      expect(await data.read(4000, 8, { buffered: true, chunk: 8 })).toBe('4000+8:v1');
      expect(await data.read(4008, 16, { buffered: true, chunk: 8 })).toBe('4008+16:v1');
      // Nobody has asked for the bad sector, and the disk has been asked for it: once, and no second time.
      for (let tries = 0; fault.hits === 0 && tries < 50; tries++) await guest.sh('sleep 0.02');
      expect(await data.list()).toEqual([]);
      expect(await data.status()).toMatchObject({ lost: 0, readErrors });
      expect(await data.message('stats')).toMatch(/^read_errors 0$/m);
      expect(fault.hits).toBe(1);
      expect(await data.read(4040, 8, { buffered: true, chunk: 8 })).toBe('4040+8:EIO');
      data.note(4040, 1, 'lost');
      expect(await data.status()).toMatchObject({ lost: 1, readErrors: readErrors + 1 });
      await guest.sh('echo 3 > /proc/sys/vm/drop_caches');
      await data.finish();
    });

    test('a loss is told: by an event at once, and in the log', async () => {
      data.mainDisk.failReads(1234);
      await data.next(async () => {
        expect(await data.read(1234, 1)).toBe('1234+1:EIO');
      });
      data.note(1234, 1, 'lost');
      expect(data.events().slice(-2)).toEqual(['5:0@1234+1', '14:0@1234+1']);
      await data.finish();
    });

    test('errors are counted over the life of a setup, and so are copies that were repaired', async () => {
      data.mainDisk.failReads(100, 3);
      data.mainDisk.failWrites(200, 2);
      expect(await data.read(96, 8, { chunk: 1 })).toBe('96+4:v1 100+3:EIO 103+1:v1');
      data.note(100, 3, 'lost');
      await data.write(196, 8, 2);
      const counts = { readErrors: 3, writeErrors: 2 };
      expect(await data.status()).toMatchObject(counts);
      await data.finish();
      expect(data.contents().health).toMatchObject({ readErrors: 3n, writeErrors: 2n, repairedCopies: 0n });
      // While it is down, two copies go bad.
      data.spare(0).poke(2048 + 8, new Uint8Array(512).fill(1));
      data.spare(1).poke(0, new Uint8Array(512).fill(1));
      await data.up();
      expect(await data.status()).toMatchObject({ ...counts, copies: '10/10' });
      await data.restart();
      expect(await data.status()).toMatchObject(counts);
      expect(data.contents().health).toMatchObject({ readErrors: 3n, writeErrors: 2n, repairedCopies: 2n });
      data.mainDisk.failReads(300);
      expect(await data.read(300, 1)).toBe('300+1:EIO');
      data.note(300, 1, 'lost');
      await data.force(400, 3);
      expect(await data.status()).toMatchObject({ readErrors: 4, writeErrors: 3 });
      await data.restart();
      expect(await data.status()).toMatchObject({ readErrors: 4, writeErrors: 3 });
      await data.finish();
      expect(data.contents().health).toMatchObject({ readErrors: 4n, writeErrors: 3n, repairedCopies: 2n });
    });

    test('flush errors of main reach the one who flushes', async () => {
      await data.write(100, 8, 2);
      data.mainDisk.failFlushes(1);
      expect(await guest.flush('data')).toBe('EIO');
      expect(await guest.flush('data')).toBe('ok');
      expect(await data.message('stats')).toMatch(/^flush_errors 1$/m);
      // Where FUA is a flush, one that fails and then does not may have taken along what others had written: the write
      // itself is done again and is durable, and the flush that follows it is told.
      data.mainDisk.failFlushes(1);
      await data.writeFails(200, 8, 3, { fua: true });
      data.note(200, 8, 'v3');
      expect(data.mainDisk.unflushedSectors).toBe(0);
      expect(await guest.flush('data')).toBe('ok');
      expect(await data.list()).toEqual([]);
      // One that fails again is no bad sector: nothing moves, and whoever flushes next hears of it too.
      data.mainDisk.failFlushes(2);
      await data.writeFails(204, 2, 4, { fua: true });
      expect(await guest.flush('data')).toBe('EIO');
      expect(await guest.flush('data')).toBe('ok');
      expect(await data.list()).toEqual([]);
      // A bad sector is none the less one.
      data.mainDisk.failWrites(206);
      await data.write(204, 4, 5, { fua: true });
      expect(await data.list()).toEqual([expect.stringMatching(/^206 1 0 \d+ live 1$/)]);
      for (const disk of lab.rack.disks) expect(disk.unflushedSectors).toBe(0);
      expect(await guest.flush('data')).toBe('ok');
      await data.finish();
    });

    test('a main that vanishes eats no spares, and goes on when it is back', async () => {
      await data.write(0, 64, 2);
      data.mainDisk.failWrites(70);
      await data.write(64, 16, 2);
      data.mainDisk.vanish();
      await data.writeFails(200, 32, 3);
      expect(await data.read(300, 16)).toBe('300+16:EIO');
      // What lies on a spare is still there.
      expect(await data.read(70, 1)).toBe('70+1:v2');
      expect(await data.tryMessage('remap', '300', '8')).toBe('EIO');
      expect(await data.list()).toHaveLength(1);
      expect((await data.status()).lost).toBe(0);
      data.mainDisk.appear();
      expect(await data.read(300, 16)).toBe('300+16:v1');
      await data.write(200, 32, 4);
      await data.finish();
    });

    test('no_auto_remap: errors come as they are; a message still moves', async () => {
      await data.down();
      await data.up('no_auto_remap');
      data.mainDisk.failReads(900);
      data.mainDisk.failWrites(950);
      expect(await data.read(896, 8, { chunk: 1 })).toBe('896+4:v1 900+1:EIO 901+3:v1');
      await data.writeFails(950, 1, 2);
      expect(await data.list()).toEqual([]);
      expect(await data.message('remap', '950', '1')).toBe('950 1');
      await data.write(950, 1, 3);
      expect(await data.message('set', 'auto_remap', '1')).toBe('');
      expect(await data.read(900, 1)).toBe('900+1:EIO');
      expect(await data.list()).toHaveLength(1);
      await data.down();
      // As a tunable it is the setup's, and lasts.
      await data.up();
      await data.message('set', 'auto_remap', '0');
      await data.down();
      await data.up();
      expect(await data.message('get', 'auto_remap')).toBe('0');
      expect(await data.read(900, 1)).toBe('900+1:EIO');
      expect(await data.list()).toHaveLength(1);
      await data.message('set', 'auto_remap', '1');
      expect(await data.read(900, 1)).toBe('900+1:EIO');
      data.note(900, 1, 'lost');
      expect(await data.list()).toHaveLength(2);
      await data.finish();
    });

    test('zeros and discards, over main, entries and what is lost', async () => {
      data.mainDisk.failReads(1010, 2);
      data.mainDisk.failWrites(1020, 2);
      expect(await data.read(1008, 8)).toBe('1008+8:EIO');
      data.note(1010, 2, 'lost');
      await data.write(1016, 8, 2);
      // Discards are for main; what was moved or lost keeps what it has.
      expect(await guest.discard('data', 1004, 32)).toBe('ok');
      data.note(1004, 32, 'zero');
      data.note(1010, 2, 'lost');
      data.note(1020, 2, 'v2');
      await data.checkInside();
      expect(await guest.zeroOut('data', 1000, 40)).toBe('ok');
      data.note(1000, 40, 'zero');
      expect((await data.status()).lost).toBe(0);
      await data.restart();
      // Zeros that main can't take.
      data.mainDisk.failWrites(1100, 2);
      expect(await guest.zeroOut('data', 1096, 16)).toBe('ok');
      data.note(1096, 16, 'zero');
      expect(await data.read(1090, 30)).toBe('1090+6:v1 1096+16:zero 1112+8:v1');
      expect(await data.list()).toHaveLength(3);
      expect(await guest.secureDiscard('data', 0, 8)).toBe('EOPNOTSUPP');
      await data.finish();
    });
  });
});
