// SPDX-License-Identifier: GPL-2.0-or-later
// Tables that must be refused, with the kernel's words for it and without a byte written anywhere. Those that another
// mapped device speaks against are in registry.test.ts.
import { crc32 } from 'node:zlib';
import { ALL_COPIES, commit, putCopy } from '../../fixtures/build';
import type { Generation } from '../../src/core/generation';
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

/** Sizes of logical blocks that can't be dealt with. Null devices have them, which are called as their folders. */
const ODD_BLOCKS = [1024, 2048];
const nullPath = (size: number): string => `/dev/odd${size}`;
const makeNull = (size: number): string => `
  mkdir /sys/kernel/config/nullb/odd${size} && cd /sys/kernel/config/nullb/odd${size} &&
  echo 0 > zoned && echo ${size} > blocksize && echo 16 > size && echo 1 > power &&
  [ $(blockdev --getss ${nullPath(size)}) = ${size} ]
`;

describeKernel('tables', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({
      modules: ['null_blk nr_devices=1 zoned=1 gb=1 zone_size=64 memory_backed=0'],
      disks: [
        { name: 'main', sectors: 8192 },
        { name: 's0', sectors: 16384 },
        { name: 's1', sectors: 16384 },
        { name: 's2', sectors: 16384 },
        { name: 'small', sectors: 16376 },
        { name: 'blank', sectors: 16384 },
        { name: 'fixed', sectors: 16384, readOnly: true },
        { name: 'copied', sectors: 8192 },
        { name: 'large', sectors: 20480 },
        { name: 'big', sectors: 16384, logicalBlockSize: 4096 },
      ],
    });
    guest = await lab.boot();
    await guest.sh('mount -t configfs none /sys/kernel/config');
    for (const size of ODD_BLOCKS) await guest.sh(makeNull(size));
    data = await Scenario.make(lab);
  });
  afterAll(async () => await lab.close());
  afterEach(async () => {
    await guest.tryDm('remove', 'data');
    await guest.tryDm('remove', 'other');
  });

  /** Puts a generation into all places of these spares. */
  const put = (generation: Generation, copies = ALL_COPIES): void =>
    data.spares.forEach((name, spare) => {
      const disk = lab.disk(name);
      const image = disk.peek(0, disk.sectors);
      for (const copy of copies) putCopy(image, generation, spare, copy);
      disk.load(image);
    });

  test.each([
    [`0 8192 remap ${MAIN} 0 2`, /Usage: <main> <main_start> <#spares>/],
    [`0 8192 remap ${MAIN} 0 0 ${S0}`, /Invalid number of spares/],
    [`0 8192 remap ${MAIN} 0 9 ${`${S0} `.repeat(9)}`, /Invalid number of spares/],
    [`0 8192 remap ${MAIN} 0 two ${S0} ${S1}`, /Invalid number of spares/],
    [`0 8192 remap ${MAIN} 0 2 ${S0}`, /Fewer spares than their number says/],
    [`0 8192 remap ${MAIN} 0 1 ${S0} ${S1}`, /Invalid number of features/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 2 degraded`, /Invalid number of features/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 1 sturdy`, /Unknown feature/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 1 setup`, /Unknown feature, or setup without a uuid/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 2 setup 1234`, /Invalid uuid after setup/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 1 degraded more`, /Arguments after the features/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 6 a b c d e f`, /Invalid number of features/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} -`, /A missing spare .* needs the feature degraded/],
    [`0 8192 remap ${MAIN} x 2 ${S0} ${S1}`, /Invalid start sector of the main device/],
    [`0 8192 remap ${MAIN} -1 2 ${S0} ${S1}`, /Invalid start sector of the main device/],
    [`0 8192 remap ${MAIN} 18446744073709551615 2 ${S0} ${S1}`, /Main device is too small/],
    [`0 8192 remap ${MAIN} 1 2 ${S0} ${S1}`, /Main device is too small/],
    [`0 8200 remap ${MAIN} 0 2 ${S0} ${S1}`, /Main device is too small/],
    [`0 8192 remap /dev/lab/nothing 0 2 ${S0} ${S1}`, /Main device can't be opened/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} /dev/lab/nothing`, /Spare device can't be opened/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} /dev/lab/fixed`, /A device is read-only; the feature read_only goes/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} /dev/lab/small`, /Spare device is smaller than 8 MiB/],
    [`0 8192 remap ${S0} 0 2 ${S0} ${S1}`, /Main and a spare are the same device, or overlap/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} ${S0}`, /Two spares are the same device, or overlap/],
    [`0 8192 remap /dev/nullb0 0 2 ${S0} ${S1}`, /Zoned devices can't be remapped/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} /dev/nullb0`, /Zoned devices can't be remapped/],
    ...ODD_BLOCKS.flatMap((size): [string, RegExp][] => [
      [`0 8192 remap ${nullPath(size)} 0 2 ${S0} ${S1}`, /Logical blocks must be of 512 or 4096 bytes/],
      [`0 8192 remap ${MAIN} 0 2 ${S0} ${nullPath(size)}`, /Logical blocks must be of 512 or 4096 bytes/],
    ]),
    [
      `0 8 linear ${MAIN} 0\n8 8184 remap ${MAIN} 8 2 ${S0} ${S1}`,
      /singleton target type must appear alone in table/,
    ],
    [
      `0 8184 remap ${MAIN} 0 2 ${S0} ${S1}`,
      /the table maps 8184 sectors from 0 of main, the setup 8192 from 0/,
    ],
    [
      `0 8184 remap ${MAIN} 8 2 ${S0} ${S1}`,
      /the table maps 8184 sectors from 8 of main, the setup 8192 from 0/,
    ],
    [`0 8192 remap ${MAIN} 0 1 ${S0}`, /the table has 1 spares, the setup 2/],
    [`0 8192 remap ${MAIN} 0 2 ${S1} ${S0}`, /a wrong spare: .*; run dmremap-fsck on all spares/],
    [`0 8192 remap ${MAIN} 0 2 ${S0} /dev/lab/blank`, /a blank spare: .*; run dmremap-fsck on all spares/],
    [
      `0 8192 remap ${MAIN} 0 2 /dev/lab/blank /dev/lab/s2`,
      /no metadata: .*; run dmremap-fsck on all spares/,
    ],
    [
      `0 8192 remap ${MAIN} 0 2 ${S0} ${S1} 2 setup ${OTHER}`,
      /another setup: .*; run dmremap-fsck on all spares/,
    ],
    [`0 8192 remap ${MAIN} 0 2 /dev/lab/big ${S1}`, /a blank spare: .*; run dmremap-fsck on all spares/],
    [`0 8192 remap ${MAIN} 0 2 - - 1 degraded`, /no metadata: /],
  ])('refused, and nothing written: %s', async (table, why) => {
    const before = hashOfDisks(lab);
    const error = await data.refused(table, why);
    expect(['EINVAL', 'ENODEV', 'ENOENT', 'EACCES', 'EROFS', 'ENXIO']).toContain(error);
    expect(hashOfDisks(lab)).toBe(before);
  });

  describe('metadata that speaks against it', () => {
    beforeEach(async () => {
      data = await Scenario.make(lab);
    });

    /** Refused without `features`, and nothing written. */
    const refuses = async (why: RegExp, features = ''): Promise<void> => {
      const before = hashOfDisks(lab);
      expect(await data.refused(data.tableWith(features), why)).toBe('EINVAL');
      expect(hashOfDisks(lab)).toBe(before);
    };

    test('a split names dmremap-fsck --choose', async () => {
      const first = data.generation();
      const one = commit(first, { run: 5n, spares: [0] });
      const two = commit(first, { run: 6n, spares: [1] });
      put(first);
      for (const [spare, generation] of [one, two].entries()) {
        const disk = lab.disk(data.spares[spare] ?? '');
        const image = disk.peek(0, disk.sectors);
        for (const copy of ALL_COPIES) putCopy(image, generation, spare, copy);
        disk.load(image);
      }
      await refuses(/a split: .*; run dmremap-fsck --choose SPARE:COPY on all spares/);
      await refuses(/a split: .*; run dmremap-fsck --choose SPARE:COPY on all spares/, 'read_only');
    });

    test('a newer header without a whole copy', async () => {
      const newer = commit(data.generation());
      put(newer, [3]);
      for (const name of data.spares) lab.disk(name).poke(4096 + 8, new Uint8Array(SECTOR).fill(7));
      await refuses(/a newer generation is lost: .*; run dmremap-fsck on all spares/);
    });

    test('an unsound generation is for reading only', async () => {
      const { start, memory } = data;
      const broken = commit(data.generation(), {
        state: 0,
        entries: [10240n, 10240n].map((spareSector, i) => ({
          mainSector: BigInt(start + 100 + 10 * i),
          spareSector,
          length: 1,
          spareIndex: 0,
          reason: 1,
          flags: 0,
          createdNs: 1_760_000_000_000_000_000n,
        })),
      });
      put(broken);
      await refuses(/unsound .*run dmremap-fsck, or use the feature "read_only"/);
      const before = hashOfDisks(lab);
      await data.up('read_only');
      expect((await data.status()).mode).toBe('ro');
      expect(await data.read(0, 100)).toBe('0+100:v1');
      // Nobody can say whose the shared sector is.
      expect(await data.read(110, 1)).toBe('110+1:EIO');
      expect(await data.read(200, memory.length - 200)).toBe(`200+${memory.length - 200}:v1`);
      await data.down();
      expect(hashOfDisks(lab)).toBe(before);
    });

    test('a header of an unknown version, and one with a feature that must be known', async () => {
      for (const [offset, value] of [
        [0x10, 5],
        [0x28, 1],
      ] as const) {
        const header = Buffer.from(lab.disk('s0').peek(2048));
        const sound = Buffer.from(header);
        header[offset] = value;
        header.writeUInt32LE(0, 0x1f8);
        header.writeUInt32LE(crc32(header), 0x1f8);
        lab.disk('s0').poke(2048, header);
        await refuses(/a newer version: .*; run dmremap-fsck on all spares/);
        lab.disk('s0').poke(2048, sound);
      }
      await data.up();
    });

    test('spares of two setups', async () => {
      lab.disk('s2').load(new Uint8Array(16384 * SECTOR));
      await formatDisks(lab.rack, 'copied', ['s2'], { uuid: OTHER });
      const before = hashOfDisks(lab);
      const table = data.table.replace(S1, '/dev/lab/s2');
      expect(await data.refused(table, /two setups: .*; run dmremap-fsck on all spares/)).toBe('EINVAL');
      expect(hashOfDisks(lab)).toBe(before);
    });

    test('a spare that is needed is missing, and one that does not fit', async () => {
      expect(await data.refused(data.tableWith('', [1]), /needs the feature degraded/)).toBe('EINVAL');
      data = await Scenario.make(lab, { spares: ['s0', 'large'] });
      await guest.create('other', '0 16392 linear /dev/lab/large 0');
      const table = data.table.replace('/dev/lab/large', '/dev/mapper/other');
      expect(await data.refused(table, /spare 1 .* has 16392 sectors, too few for its data/)).toBe('EINVAL');
    });

    test('a device that was made read-only, as a write blocker does', async () => {
      for (const path of [MAIN, S1]) {
        await guest.sh(`blockdev --setro ${path}`);
        const before = hashOfDisks(lab);
        expect(await data.refused(data.table, /A device is read-only/)).toBe('EROFS');
        await data.up('read_only');
        expect(await data.read(0, 64)).toBe('0+64:v1');
        await data.down();
        expect(hashOfDisks(lab)).toBe(before);
        await guest.sh(`blockdev --setrw ${path}`);
      }
      await data.up();
    });
  });
});
