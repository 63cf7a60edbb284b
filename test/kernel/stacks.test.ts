// SPDX-License-Identifier: GPL-2.0-or-later
// What lies above the target and below it: memory that is swapped out to it, page cache that is written back, a mapping as
// its main device, and disks whose path fails and not their medium.
import { createHash } from 'node:crypto';
import { SECTOR } from '../support/kernel/disk';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { makeOnPart } from '../support/kernel/part';
import { hashOf, hashOfDisks, Scenario } from '../support/kernel/scenario';

const SPARES = ['s0', 's1'];
const MIB = 2048;

const SCSI_IOCTL_GET_IDLUN = 0x5382;
const SG_IO = 0x2285;

describeKernel('swap', () => {
  let lab: Lab | null = null;
  afterEach(async () => await lab?.close());

  test('memory is swapped out and in while sectors fail under it', async () => {
    lab = await Lab.open({
      memoryMiB: 96,
      disks: [
        { name: 'main', sectors: 80 * MIB },
        { name: 's0', sectors: 16384 },
        { name: 's1', sectors: 16384 },
      ],
    });
    const guest = await lab.boot();
    const data = await Scenario.make(lab, { remapUnit: 8 });
    await data.up();
    await guest.sh('mkswap /dev/mapper/data && swapon /dev/mapper/data');
    // One sector in each 512 KiB: each of them has to be moved, by a worker that can't wait for memory.
    for (let at = 1024; at < 80 * MIB; at += 1024) data.mainDisk.failWrites(at + 3);
    await guest.sh('mkdir /big && mount -t tmpfs -o size=100m tmpfs /big');
    const written = await guest.sh(
      'dd if=/dev/urandom bs=1M count=36 2>/dev/null | tee /big/x | md5sum',
      50_000,
    );
    const swapped = Number((await guest.sh('tail -n 1 /proc/swaps')).split(/\s+/)[3]);
    expect(swapped).toBeGreaterThan(8_000);
    expect(await guest.sh('md5sum < /big/x', 50_000)).toBe(written);
    const { mode, copies, extents, lost } = await data.status();
    expect({ mode, copies, lost }).toEqual({ mode: 'rw', copies: '10/10', lost: 0 });
    expect(extents).toBeGreaterThan(20);
    await guest.sh('rm /big/x && swapoff /dev/mapper/data');
    await data.down();
    expect(await data.fsck()).toBe('clean');
  });
});

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('below the target', () => {
    let lab: Lab;
    let guest: Guest;

    beforeAll(async () => {
      lab = await Lab.open({
        kernel,
        modules: [
          'sd_mod',
          'scsi_debug dev_size_mb=4 sector_size=512 medium_error_start=1000 medium_error_count=4 dif=1 dix=1',
          'nvme',
        ],
        disks: [
          { name: 'main', sectors: 4 * MIB },
          { name: 'whole', sectors: 4 * MIB },
          { name: 'flash', sectors: 4 * MIB, driver: 'nvme' },
          { name: 's0', sectors: 16384 },
          { name: 's1', sectors: 16384 },
        ],
      });
      guest = await lab.boot();
    });
    afterAll(async () => await lab.close());
    afterEach(async () => {
      await guest.tryDm('remove', 'data');
      await guest.tryDm('remove', 'below');
    });

    /** A setup whose main is the SCSI disk: the toolkit saw another one of its size. All of it in version 1. */
    const onScsi = async (): Promise<Scenario> => {
      const made = await Scenario.make(lab, { main: 'main', spares: SPARES });
      const { name, main, spares, setupUuid } = made;
      const table = made.table.replace('/dev/lab/main', '/dev/sda');
      const data = Scenario.over(lab, { name, main, spares, setupUuid, table });
      await data.up();
      await data.write(0, 4 * MIB, 1);
      return data;
    };

    test('a linear mapping as main: sectors are those of the mapping', async () => {
      const part = { first: 1003, sectors: 6001 };
      const data = await makeOnPart(lab, { main: 'whole', part, spares: SPARES, path: '/dev/mapper/below' });
      await guest.create('below', `0 ${part.sectors} linear /dev/lab/whole ${part.first}`);
      const outside = (): string =>
        hashOf(
          data.mainDisk.peek(0, part.first),
          data.mainDisk.peek(part.first + part.sectors, 4 * MIB - part.first - part.sectors),
        );
      const before = outside();
      await data.up();
      data.mainDisk.failWrites(part.first + 20, 1, { times: 1 });
      data.mainDisk.failWrites(part.first + 105);
      data.mainDisk.failReads(part.first + 300);
      await data.write(8, 24, 2);
      await data.write(96, 16, 3);
      expect(await data.read(296, 8, { chunk: 1 })).toBe('296+4:v1 300+1:EIO 301+3:v1');
      data.note(300, 1, 'lost');
      expect(await data.list()).toHaveLength(2);
      // What is below may be changed under it.
      await guest.dm('suspend', 'below');
      const waiting = guest.write('data', 100, 16, 4);
      await guest.dm('load', 'below', `0 ${part.sectors} linear /dev/lab/whole ${part.first}`);
      await guest.dm('resume', 'below');
      expect(await waiting).toBe('100+16:ok');
      data.note(100, 16, 'v4');
      await data.restart();
      await data.write(300, 1, 5);
      expect(outside()).toBe(before);
      await data.finish();
    });

    test('errors of a medium, as SCSI tells them, lose and move these sectors alone', async () => {
      const data = await onScsi();
      await guest.sh('echo 2 > /sys/bus/pseudo/drivers/scsi_debug/opts');
      expect(await data.read(992, 16, { chunk: 4 })).toBe('992+8:v1 1000+4:EIO 1004+4:v1');
      data.note(1000, 4, 'lost');
      expect(await data.read(996, 12, { chunk: 1 })).toBe('996+4:v1 1000+4:EIO 1004+4:v1');
      expect((await data.status()).lost).toBe(4);
      await data.write(998, 4, 2);
      expect(await data.read(996, 8, { chunk: 2 })).toBe('996+2:v1 998+4:v2 1002+2:EIO');
      await guest.sh('echo 0 > /sys/bus/pseudo/drivers/scsi_debug/opts');
      await data.checkInside();
      await data.down();
      expect(await data.fsck()).toBe('clean');
    });

    test('limits and commands are those of main and spares together, and nothing goes past the map', async () => {
      const limits = async (): Promise<string[]> => {
        const names = ['discard_max_bytes', 'write_zeroes_max_bytes', 'write_cache', 'fua', 'dax', 'zoned'];
        const folder = '/sys/block/$(basename $(readlink /dev/mapper/data))';
        const files = [...names.map((name) => `queue/${name}`), 'integrity/format'];
        return (await guest.sh(`cd ${folder}; cat ${files.join(' ')}`)).split('\n');
      };
      let data = await Scenario.make(lab, { spares: SPARES });
      await data.up();
      const [discard, zeroes, ...others] = await limits();
      expect([Number(discard), Number(zeroes)].every((bytes) => bytes > 0)).toBe(true);
      // Flushes and FUA always reach the devices: what these make of them is theirs to know.
      expect(others).toEqual(['write back', '1', '0', 'none', 'none']);
      await data.finish();

      data = await onScsi();
      // This disk has no discard, and protects its data by itself: the mapping has neither.
      expect(await guest.sh('cat /sys/block/sda/integrity/format')).toMatch(/^T10-DIF-TYPE1-/);
      expect(await limits()).toEqual(['0', expect.any(String), 'write back', '1', '0', 'none', 'none']);
      expect(await guest.discard('data', 0, 64)).toBe('EOPNOTSUPP');
      expect(await guest.ioctl('/dev/sda', SCSI_IOCTL_GET_IDLUN)).toBe('ok');
      for (const request of [SCSI_IOCTL_GET_IDLUN, SG_IO])
        expect(await guest.ioctl('data', request)).toBe('ENOTTY');
      await data.checkInside();
      await data.down();
    });

    test('NVMe: bad sectors are told as such, and cost what they must', async () => {
      const data = await Scenario.make(lab, { main: 'flash', spares: SPARES });
      await data.up();
      data.mainDisk.failWrites(1003);
      await data.write(990, 40, 2);
      expect(await data.list()).toEqual([expect.stringMatching(/^1003 1 0 \d+ live 1$/)]);
      data.mainDisk.failReads(2005);
      expect(await data.read(2000, 16, { chunk: 1 })).toBe('2000+5:v1 2005+1:EIO 2006+10:v1');
      data.note(2005, 1, 'lost');
      await data.write(100, 8, 3, { fua: true });
      await data.restart();
      await data.write(2000, 8, 4);
      await data.finish();
    });

    test('a disk that goes offline, and one that is taken away: EIO, and no spare sector is spent on it', async () => {
      const data = await onScsi();
      await data.message('remap', '40', '8');
      const { used, sequence } = await data.status();
      await guest.sh('echo offline > /sys/block/sda/device/state');
      expect(await data.read(0, 32)).toBe('0+32:EIO');
      await data.writeFails(64, 8, 2);
      expect(await data.read(40, 8)).toBe('40+8:v1');
      expect(await data.list()).toEqual([expect.stringMatching(/^40 8 0 \d+ live 3$/)]);
      await guest.sh('echo running > /sys/block/sda/device/state');
      await data.checkInside();
      await guest.sh('echo 1 > /sys/block/sda/device/delete');
      const before = hashOfDisks(lab);
      expect(await data.read(0, 32)).toBe('0+32:EIO');
      await data.writeFails(64, 8, 3);
      expect(hashOfDisks(lab)).toBe(before);
      expect(await data.status()).toMatchObject({ mode: 'rw', used, sequence, lost: 0 });
      expect(await data.read(40, 8)).toBe('40+8:v1');
      await data.down();
      expect(await data.fsck()).toBe('clean');
    });

    test('writeback through the page cache: fsync hears nothing of what was moved', async () => {
      const data = await Scenario.make(lab, { spares: SPARES });
      await data.up();
      for (let at = 100; at < 4 * MIB; at += 500) data.mainDisk.failWrites(at);
      await guest.sh('dd if=/dev/urandom of=/tmp/x bs=64k count=64 2>/dev/null');
      await guest.sh('dd if=/tmp/x of=/dev/mapper/data bs=64k conv=fsync,notrunc 2>/dev/null');
      await guest.sh('echo 3 > /proc/sys/vm/drop_caches');
      await guest.sh('cmp -n 4194304 /tmp/x /dev/mapper/data');
      expect(await data.status()).toMatchObject({ mode: 'rw', extents: 17, lost: 0 });
      const written = (await guest.sh('md5sum < /tmp/x')).split(' ')[0];
      await data.down();
      const md5 = createHash('md5');
      for (const bytes of data.bytesOutside()) md5.update(bytes ?? new Uint8Array(SECTOR));
      expect(md5.digest('hex')).toBe(written);
      expect(await data.fsck()).toBe('clean');
    });
  });
});
