// SPDX-License-Identifier: GPL-2.0-or-later
// Setups that others made: the vectors of an independent implementation, and what dmremap-format makes of unusual wishes.
// They load, hold what they are said to hold, and what the kernel makes of them is clean to the toolkit.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DEFAULT_POLICY } from '../../src/core/newsetup';
import { SECTOR } from '../support/kernel/disk';
import { describeKernel, ROOT } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { hashOfDisks, Scenario } from '../support/kernel/scenario';
import { diskPath } from '../support/kernel/toolkit';

interface Truth {
  readonly setup_uuid: string;
  readonly sequence: number;
  readonly remaps: number;
  readonly logical_sha256: string;
  readonly main_sectors: number;
  readonly spare_sectors: number;
}

const FOLDER = join(ROOT, 'fixtures', 'vectors');
const NAMES = ['empty', 'one', 'three'];

const truthOf = (name: string): Truth =>
  JSON.parse(readFileSync(join(FOLDER, name, 'truth.json'), 'utf8')) as Truth;

const image = (name: string, file: string): Uint8Array =>
  new Uint8Array(gunzipSync(readFileSync(join(FOLDER, name, `${file}.img.gz`))));

const sparesOf = (name: string): string[] =>
  readdirSync(join(FOLDER, name))
    .filter((file) => file.startsWith('spare'))
    .map((file) => file.slice(0, -'.img.gz'.length))
    .sort();

describe.each(['6.1', '6.12'] as const)('kernel %s', (kernel) => {
  describeKernel('setups of others', () => {
    let lab: Lab;
    let guest: Guest;

    beforeAll(async () => {
      lab = await Lab.open({
        kernel,
        disks: [
          ...NAMES.flatMap((name) => [
            { name: `${name}-main`, sectors: truthOf(name).main_sectors },
            ...sparesOf(name).map((file) => ({
              name: `${name}-${file}`,
              sectors: truthOf(name).spare_sectors,
            })),
          ]),
          { name: 'main', sectors: 8192 },
          { name: 's0', sectors: 16384 },
        ],
      });
      guest = await lab.boot();
    });
    afterAll(async () => await lab.close());
    afterEach(async () => {
      await guest.tryDm('remove', 'data');
    });

    test.each(NAMES)('the vector %s holds what its truth says, and goes on from there', async (name) => {
      const truth = truthOf(name);
      const spares = sparesOf(name).map((file) => `${name}-${file}`);
      lab.disk(`${name}-main`).load(image(name, 'main'));
      for (const file of sparesOf(name)) lab.disk(`${name}-${file}`).load(image(name, file));
      const paths = spares.map(diskPath).join(' ');
      const table = `0 ${truth.main_sectors} remap ${diskPath(`${name}-main`)} 0 ${spares.length} ${paths}`;
      const data = Scenario.over(lab, {
        ...{ name: 'data', main: `${name}-main`, spares, table },
        setupUuid: truth.setup_uuid,
      });
      const hash = async (): Promise<string> =>
        (await guest.sh('sha256sum /dev/mapper/data', 60_000)).slice(0, 64);
      const before = hashOfDisks(lab);
      await data.up(`read_only setup ${truth.setup_uuid}`);
      expect(await data.status()).toMatchObject({ mode: 'ro', sequence: truth.sequence });
      const { remaps } = data.contents();
      expect(remaps).toHaveLength(truth.remaps);
      expect(await data.list()).toHaveLength(truth.remaps);
      const lost = remaps.filter(({ flags }) => (flags & 1) !== 0);
      if (lost.length === 0) expect(await hash()).toBe(truth.logical_sha256);
      await data.down();
      expect(hashOfDisks(lab)).toBe(before);

      // From here on the model is what lies there now, taken from outside.
      data.contentOutside().forEach(({ sector, state }) => data.note(sector, 1, state));
      if (lost.length === 0) expect(hashOutside(data)).toBe(truth.logical_sha256);
      await data.up();
      expect(await data.status()).toMatchObject({ mode: 'rw', sequence: truth.sequence + 1 });
      const free = data.memory.findIndex((_, at) =>
        remaps.every(
          ({ mainSector, length }) => Number(mainSector) + length <= at || Number(mainSector) > at + 64,
        ),
      );
      data.mainDisk.failWrites(free + 10);
      await data.write(free, 32, 7);
      data.mainDisk.failReads(free + 50);
      expect(await data.read(free + 50, 1)).toBe(`${free + 50}+1:EIO`);
      for (const line of await data.list())
        if (/ lost 2$/.test(line)) {
          const [first, count] = line.split(' ').map(Number);
          data.note(first ?? 0, count ?? 0, 'lost');
        }
      await data.down();
      data.checkOutside();
      // Of another machine: what it calls its devices is not here.
      expect(await data.fsck()).toMatch(/^clean( device-unseen)*$/);
      await data.up();
      expect(await data.read(free, 32)).toBe(`${free}+32:v7`);
      expect(await data.read(free + 50, 1)).toBe(`${free + 50}+1:EIO`);
    });

    test('what dmremap-format was told is what the target does', async () => {
      const data = await Scenario.make(lab, {
        spares: ['s0'],
        name: 'data',
        description: 'an unusual one',
        remapUnit: 8,
        policy: { ...DEFAULT_POLICY, minCopies: 5, sparePolicy: 2, slowIoMs: 77 },
        tunables: [{ name: 'a_name_of_its_own', value: 5n }],
      });
      await data.up();
      expect(await data.message('get', 'min_copies')).toBe('5');
      expect(await data.message('get', 'slow_io_ms')).toBe('77');
      data.mainDisk.failWrites(100);
      await data.write(100, 1, 2);
      expect(await data.list()).toEqual(['96 8 0 10240 live 1']);
      // min_copies is 5: one bad copy is one too few.
      data.spare(0).failWrites(1024, 8);
      data.mainDisk.failWrites(200);
      await data.writeFails(200, 1, 3);
      expect((await data.status()).mode).toBe('fail');
      data.spare(0).heal();
      await data.down();
      await data.up();
      await data.finish();
      const { config } = data.contents();
      expect(config.tunableCount).toBe(1);
      expect(Buffer.from(config.description).toString('latin1')).toMatch(/^an unusual one\0/);
    });
  });
});

/** Hash of the mapped device as the disks have it. */
function hashOutside(data: Scenario): string {
  const hash = createHash('sha256');
  for (const bytes of data.bytesOutside()) hash.update(bytes ?? new Uint8Array(SECTOR));
  return hash.digest('hex');
}
