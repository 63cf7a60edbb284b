// SPDX-License-Identifier: GPL-2.0-or-later
// Sizes of blocks and units, and where on its disk main begins: disks with blocks of 4096 bytes beside others, units of
// eight sectors whose neighbours move along, main on a partition, and a mapped area that begins behind sector 0.
import { ALL_COPIES, commit, putCopy } from '../../fixtures/build';
import { SECTOR } from '../support/kernel/disk';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { patternRange } from '../support/kernel/pattern';
import { makeOnPart } from '../support/kernel/part';
import { hashOf, Scenario } from '../support/kernel/scenario';

const MAIN = 8192;
/** The partition begins where no block of 4096 bytes does. */
const PART = { first: 1003, sectors: 6001 };

/** A partition table with one partition, as sfdisk writes it. */
function partitionTable(): Uint8Array {
  const bytes = Buffer.alloc(SECTOR);
  bytes.writeUInt32LE(0x5eed5eed, 440);
  bytes[446 + 4] = 0x83;
  bytes.writeUInt32LE(PART.first, 446 + 8);
  bytes.writeUInt32LE(PART.sectors, 446 + 12);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('blocks and units', () => {
    let lab: Lab;
    let guest: Guest;
    let data: Scenario;

    beforeAll(async () => {
      lab = await Lab.open({
        kernel,
        disks: [
          { name: 'main', sectors: MAIN },
          { name: 'odd', sectors: 8187 },
          { name: 'big', sectors: MAIN, logicalBlockSize: 4096 },
          { name: 'modern', sectors: MAIN, physicalBlockSize: 4096, failedWrites: 'around' },
          { name: 'parted', sectors: MAIN },
          { name: 's0', sectors: 16384 },
          { name: 's1', sectors: 16384 },
          { name: 'b0', sectors: 16384, logicalBlockSize: 4096 },
        ],
      });
      lab.disk('parted').poke(0, partitionTable());
      guest = await lab.boot();
    });
    afterAll(async () => await lab.close());
    afterEach(async () => {
      await guest.tryDm('remove', 'data');
    });

    const limit = async (name: string): Promise<number> =>
      Number(await guest.sh(`cat /sys/block/$(basename $(readlink /dev/mapper/data))/queue/${name}`));

    test.each([
      ['main and a spare of 4096', 'big', ['b0', 's0']],
      ['main of 4096, spares of 512', 'big', ['s0', 's1']],
      ['main of 512, a spare of 4096', 'main', ['s0', 'b0']],
    ])('%s: errors are dealt with in whole blocks', async (_, main, spares) => {
      data = await Scenario.make(lab, { main, spares });
      await data.up();
      expect(await limit('logical_block_size')).toBe(4096);
      expect(await guest.write('data', 1, 1, 2)).toBe('1+1:EINVAL');
      await data.message('set', 'spare_policy', '1');
      data.mainDisk.failWrites(1000, 2);
      await data.write(960, 128, 2);
      data.mainDisk.failReads(2003);
      expect(await data.read(1984, 64, { chunk: 8 })).toBe('1984+16:v1 2000+8:EIO 2008+40:v1');
      data.note(2000, 8, 'lost');
      data.mainDisk.failWrites(0);
      data.mainDisk.failWrites(MAIN - 1);
      await data.write(0, 16, 3);
      await data.write(MAIN - 16, 16, 3);
      expect((await data.list()).map((line) => line.replace(/ \d+ \d+ (live|lost)/, ' $1'))).toEqual([
        '0 8 live 1',
        '1000 8 live 1',
        '2000 8 lost 2',
        `${MAIN - 8} 8 live 1`,
      ]);
      await data.restart();
      await data.write(1992, 16, 4);
      expect((await data.status()).lost).toBe(0);
      await data.finish();
    });

    test('units of eight sectors: neighbours move along and stay readable', async () => {
      data = await Scenario.make(lab, { main: 'modern' });
      await data.up();
      expect(await limit('logical_block_size')).toBe(512);
      expect(await limit('physical_block_size')).toBe(4096);
      data.mainDisk.failWrites(1003);
      await data.write(1003, 1, 2);
      expect(await data.list()).toEqual(['1000 8 0 10240 live 1']);
      expect(await data.read(1000, 8)).toBe('1000+3:v1 1003+1:v2 1004+4:v1');
      // In a request that covers parts of several units.
      data.mainDisk.failWrites(2002);
      data.mainDisk.failWrites(2015);
      await data.write(1997, 22, 3, { shift: 1024 });
      data.mainDisk.failReads(3005);
      expect(await data.read(3000, 8, { chunk: 1 })).toBe('3000+5:v1 3005+1:EIO 3006+2:v1');
      data.note(3005, 1, 'lost');
      expect((await data.list()).filter((line) => line.startsWith('300'))).toEqual([
        expect.stringMatching(/^3000 5 0 \d+ live 2$/),
        expect.stringMatching(/^3005 1 0 \d+ lost 2$/),
        expect.stringMatching(/^3006 2 0 \d+ live 2$/),
      ]);
      // A write to one bad sector, beside another that can't be read.
      data.mainDisk.failWrites(4001);
      data.mainDisk.failReads(4006);
      await data.write(4001, 1, 4);
      data.note(4006, 1, 'lost');
      expect((await data.status()).lost).toBe(2);
      await data.restart();
      await data.write(3004, 3, 5);
      await data.write(4000, 8, 5);
      expect((await data.status()).lost).toBe(0);
      await data.restart();
    });

    test('a unit that the end of main cuts', async () => {
      data = await Scenario.make(lab, { main: 'odd', remapUnit: 8 });
      await data.up();
      data.mainDisk.failWrites(8186);
      await data.write(8180, 7, 2);
      expect(await data.list()).toEqual(['8184 3 0 10240 live 1']);
      data.mainDisk.failReads(8181);
      expect(await data.read(8176, 8, { chunk: 1 })).toBe('8176+4:v1 8180+1:v2 8181+1:EIO 8182+2:v2');
      data.note(8181, 1, 'lost');
      await data.restart();
      expect(await data.message('remap', '0', '8187')).toBe('0 8187');
      await data.finish();
    }, 60_000);

    test('main on a partition: nothing goes to where the whole disk has that sector', async () => {
      data = await makeOnPart(lab, {
        ...{ main: 'parted', spares: ['s0', 's1'], part: PART },
        path: await guest.sh('echo /dev/$(basename $(readlink /dev/lab/parted))1'),
      });
      data.mainDisk.poke(0, partitionTable());
      await data.up();
      expect(data.memory).toHaveLength(PART.sectors);
      const outside = (): string =>
        hashOf(
          data.mainDisk.peek(0, PART.first),
          data.mainDisk.peek(PART.first + PART.sectors, MAIN - PART.first - PART.sectors),
        );
      const before = outside();
      // Once for the retries, which are sent anew.
      data.mainDisk.failWrites(PART.first + 20, 1, { times: 1 });
      data.mainDisk.failReads(PART.first + 40, 1, { times: 1 });
      await data.write(8, 24, 2);
      expect(await data.read(32, 16)).toBe('32+16:v1');
      data.mainDisk.failWrites(PART.first + 105);
      data.mainDisk.failReads(PART.first + 300);
      await data.write(96, 16, 3);
      expect(await data.read(296, 8, { chunk: 1 })).toBe('296+4:v1 300+1:EIO 301+3:v1');
      data.note(300, 1, 'lost');
      data.mainDisk.failWrites(PART.first + PART.sectors - 1);
      await data.write(PART.sectors - 4, 4, 4);
      expect(await data.list()).toHaveLength(3);
      data.mainDisk.failWrites(PART.first + 500);
      expect(await guest.zeroOut('data', 496, 16)).toBe('ok');
      data.note(496, 16, 'zero');
      expect(outside()).toBe(before);
      await data.restart();
      await data.write(300, 1, 5);
      expect(outside()).toBe(before);
      await data.finish();
    });

    test('a mapped area that begins behind sector 0, and at no boundary of a unit', async () => {
      data = await Scenario.make(lab, { remapUnit: 8 });
      const first = 1003;
      const sectors = 6000;
      const moved = commit(data.generation(), {
        state: 0,
        event: 11,
        devices: { 0: { dataStart: BigInt(first), dataSectors: BigInt(sectors) } },
        config: { targetSectors: BigInt(sectors) },
      });
      data.spares.forEach((name, spare) => {
        const image = lab.disk(name).peek(0, 16384);
        for (const copy of ALL_COPIES) putCopy(image, moved, spare, copy);
        lab.disk(name).load(image);
      });
      expect(
        await data.refused(
          data.table,
          /the table maps 8192 sectors from 0 of main, the setup 6000 from 1003/,
        ),
      ).toBe('EINVAL');
      data.mainDisk.poke(first, patternRange(0, sectors, 1));
      const table = data.table
        .replace('0 8192', `0 ${sectors}`)
        .replace('/dev/lab/main 0', `/dev/lab/main ${first}`);
      data = Scenario.over(lab, {
        name: 'data',
        main: 'main',
        spares: data.spares,
        table,
        setupUuid: data.setupUuid,
      });
      await data.up();
      const ends = (): string =>
        hashOf(data.mainDisk.peek(0, first), data.mainDisk.peek(first + sectors, MAIN - first - sectors));
      const before = ends();
      await data.write(0, 64, 2);
      data.mainDisk.failWrites(first);
      data.mainDisk.failWrites(first + sectors - 1);
      data.mainDisk.failWrites(first + 2050);
      await data.write(0, 3, 3);
      await data.write(sectors - 3, 3, 3);
      await data.write(2040, 20, 3);
      // Units lie on main's grid: the first and the last are cut.
      expect((await data.list()).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
        '0 5',
        '2045 8',
        `${sectors - 3} 3`,
      ]);
      data.mainDisk.failReads(first + 100);
      expect(await data.read(96, 8, { chunk: 1 })).toBe('96+4:v1 100+1:EIO 101+3:v1');
      data.note(100, 1, 'lost');
      expect(await data.message('query', '50')).toBe(`main ${first + 50}`);
      expect(ends()).toBe(before);
      await data.restart();
      await data.finish();
    });
  });
});
