// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata of the spares goes bad: copies that can't be read or written, too few of them, or someone else's. What
// becomes of the data on them is in spares-data.test.ts.
import { ALL_COPIES, commit, putCopy, story } from '../../fixtures/build';
import { AT, flip, forgeHeader } from '../../fixtures/damage';
import type { Generation } from '../../src/core/generation';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { hashOf, hashOfDisks, Scenario, USUAL_DISKS } from '../support/kernel/scenario';

/** Sectors of the slots, and where in them a REMAPS section begins. */
const SLOT = [0, 1024, 2048, 4096, 8192] as const;
const SLOT_SECTORS = 1024;
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
    /** The highest sequence in any header, whether its copy is whole or not. */
    const shown = (): bigint =>
      data
        .decide()
        .seats.map(({ highestShown }) => highestShown)
        .reduce((most, each) => (each > most ? each : most), 0n);
    const writes = (): number[] => [0, 1].map((spare) => data.spare(spare).counts.write);
    /** Puts a generation in all places. */
    const plantAll = (generation: Generation): void => {
      for (const spare of [0, 1]) {
        const image = data.spare(spare).peek(0, data.spare(spare).sectors);
        for (const copy of ALL_COPIES) putCopy(image, generation, spare, copy);
        data.spare(spare).load(image);
      }
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

    extra(
      'too few copies can be written at activation: refused, and nothing is lost by the attempt',
      async () => {
        await start();
        await data.force(10, 2);
        await data.down();
        const { sequence } = data.generation().header;
        const { remaps } = data.contents();
        for (const spare of [0, 1])
          for (const copy of [0, 1, 2] as const) data.spare(spare).failWrites(SLOT[copy], 8);
        expect(await data.refused(data.table, /too few copies/)).toBe('EIO');
        // What can't be written is found by writing: by now the others may have the new generation.
        const tried = shown();
        expect(tried).toBeGreaterThan(sequence);
        expect(data.generation().header.sequence).toBeGreaterThanOrEqual(sequence);
        expect(data.contents().remaps).toEqual(remaps);
        data.checkOutside();
        await data.up('read_only');
        expect((await data.status()).mode).toBe('ro');
        await data.checkInside();
        await data.down();
        for (const spare of [0, 1]) data.spare(spare).heal();
        await data.up();
        expect(data.generation().header.sequence).toBeGreaterThan(tried);
        expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10' });
        await data.finish();
      },
    );

    extra('too few are left for min_copies, and that is known: the commit writes nothing', async () => {
      await start();
      for (const spare of [0, 1])
        for (const copy of [1, 2] as const) data.spare(spare).failWrites(SLOT[copy], 8);
      await data.force(10, 2);
      const { sequence } = await data.status();
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '6/10' });
      const before = hashOfDisks(lab);
      await data.next(async () => {
        expect(await data.tryMessage('set', 'min_copies', '4')).toBe('EIO');
        expect((await data.status()).mode).toBe('fail');
      });
      expect(await data.message('get', 'min_copies')).toBe('3');
      expect(await data.status()).toMatchObject({ sequence, copies: '6/10' });
      expect(hashOfDisks(lab)).toBe(before);
      // Three are enough as before, and no sequence was used up.
      await data.next(async () => {
        expect(await data.message('commit')).toBe(String(sequence + 1));
        expect((await data.status()).mode).toBe('rw');
      });
      // That event was the mode's: a commit has none of its own.
      const events = await guest.eventNumber('data');
      expect(await data.message('commit')).toBe(String(sequence + 2));
      expect(await guest.eventNumber('data')).toBe(events);
      for (const spare of [0, 1]) data.spare(spare).heal();
      await data.down();
      await data.up();
      expect((await data.status()).copies).toBe('10/10');
      await data.finish();
    });

    extra('too few after a commit that failed half-way: nothing more is written, not even data', async () => {
      await start();
      await data.message('set', 'min_copies', '4');
      for (const spare of [0, 1])
        for (const copy of [1, 2] as const) data.spare(spare).failWrites(SLOT[copy], 8);
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      expect(await data.status()).toMatchObject({ mode: 'fail', extents: 0 });
      const before = writes();
      data.mainDisk.failWrites(30);
      await data.writeFails(30, 1, 3);
      await data.writeFails(20, 1, 4);
      expect(await data.tryMessage('commit')).toBe('EIO');
      expect(await data.tryMessage('remap', '40')).toBe('EIO');
      expect(await data.tryMessage('set', 'slow_io_ms', '7')).toBe('EIO');
      expect(writes()).toEqual(before);
      for (const spare of [0, 1]) data.spare(spare).heal();
      await data.down();
      await data.up();
      await data.write(20, 1, 6);
      await data.finish();
    });

    describe('copies of another setup', () => {
      /** Newer than ours, which is nobody's concern. */
      const other = commit(story({ spares: 2, id: 9 }).newest, { sequence: 1000n });
      /** Puts them in some slots of spare 0; the hash of what then lies there. */
      const plant = (copies: readonly number[]): (() => string) => {
        const image = data.spare(0).peek(0, data.spare(0).sectors);
        for (const copy of copies) putCopy(image, other, 0, copy);
        data.spare(0).load(image);
        return () => hashOf(...copies.map((copy) => data.spare(0).peek(SLOT[copy] ?? 0, SLOT_SECTORS)));
      };

      extra('are never touched, and the setup does without these places', async () => {
        await start();
        await data.force(10, 2);
        await data.down();
        const foreign = plant([2]);
        const before = foreign();
        await data.up(`setup ${data.setupUuid}`);
        expect(await data.status()).toMatchObject({ mode: 'rw', copies: '9/10' });
        await data.force(20, 3);
        await data.checkInside();
        expect(foreign()).toBe(before);
        await data.down();
        expect(foreign()).toBe(before);
        data.checkOutside();
        // Nor without the feature: most copies are ours.
        await data.up();
        expect(await data.status()).toMatchObject({ mode: 'rw', copies: '9/10' });
        await data.force(30, 3);
        await data.down();
        expect(foreign()).toBe(before);
        expect(await data.fsck()).toMatch(/foreign/);
      });

      extra('are the most of a spare: it is theirs, unless the table says whose', async () => {
        await start();
        await data.force(10, 2);
        await data.down();
        const foreign = plant([0, 1, 2]);
        const before = hashOfDisks(lab);
        expect(await data.refused(data.table, /two setups/)).toBe('EINVAL');
        const uuid = story({ spares: 2, id: 9 }).newest.header.setupUuid;
        expect(await data.refused(data.tableWith(`setup ${uuid}`), /another setup/)).toBe('EINVAL');
        expect(hashOfDisks(lab)).toBe(before);
        const theirs = foreign();
        await data.up(`setup ${data.setupUuid}`);
        expect(await data.status()).toMatchObject({ mode: 'rw', copies: '7/10' });
        await data.force(20, 3);
        await data.checkInside();
        await data.down();
        data.checkOutside();
        expect(foreign()).toBe(theirs);
      });

      extra('leave too few places for min_copies: no activation, and nothing is written', async () => {
        data = await Scenario.make(lab, { spares: ['s0'] });
        const foreign = plant([1, 2, 3]);
        const before = hashOfDisks(lab);
        const theirs = foreign();
        const features = `setup ${data.setupUuid}`;
        expect(await data.refused(data.tableWith(features), /too few copies/)).toBe('EIO');
        expect(hashOfDisks(lab)).toBe(before);
        await data.up(`${features} read_only`);
        expect(await data.status()).toMatchObject({ mode: 'ro', copies: '2/5' });
        await data.checkInside();
        await data.down();
        expect(hashOfDisks(lab)).toBe(before);
        expect(foreign()).toBe(theirs);
      });
    });

    extra(
      'no sequence is left: the last one is used, then no commit succeeds, and no load writes',
      async () => {
        const last = 2n ** 63n - 1n;
        data = await Scenario.make(lab);
        plantAll(commit(data.generation(), { sequence: last - 3n, state: 0, event: 11 }));
        await data.up();
        expect(await guest.status('data')).toMatch(new RegExp(`^rw ${last - 2n} 10/10 `));
        await data.force(10, 2);
        expect(await data.message('commit')).toBe(String(last));
        expect(shown()).toBe(last);
        const metadata = (): string =>
          hashOf(...[0, 1].flatMap((spare) => SLOT.map((at) => data.spare(spare).peek(at, SLOT_SECTORS))));
        const before = metadata();
        await data.next(async () => {
          expect(await data.tryMessage('commit')).toBe('EOVERFLOW');
          expect(await guest.status('data')).toMatch(new RegExp(`^fail ${last} 10/10 `));
        });
        data.mainDisk.failWrites(20);
        await data.writeFails(20, 1, 3);
        expect(await data.tryMessage('remap', '40')).toBe('EOVERFLOW');
        data.mainDisk.failReads(50);
        expect(await data.read(50, 1)).toBe('50+1:EIO');
        data.mainDisk.heal();
        // What needs no entry goes on.
        await data.write(10, 1, 4);
        await data.write(100, 8, 4);
        await data.checkInside();
        await data.down();
        expect(metadata()).toBe(before);
        data.checkOutside();
        const all = hashOfDisks(lab);
        await data.up();
        expect(await guest.status('data')).toMatch(new RegExp(`^ro ${last} 10/10 `));
        expect(await guest.write('data', 100, 1, 5)).toBe('100+1:EIO');
        expect(await data.tryMessage('commit')).toBe('EROFS');
        await data.checkInside();
        await data.down();
        expect(hashOfDisks(lab)).toBe(all);
      },
    );

    extra('a feature that this version can only read: read-only, whatever the table says', async () => {
      data = await Scenario.make(lab);
      await data.up();
      await data.force(10, 2);
      await data.message('mark_lost', '20');
      data.note(20, 1, 'lost');
      await data.down();
      for (const spare of [0, 1]) {
        const image = data.spare(spare).peek(0, data.spare(spare).sectors);
        for (const copy of ALL_COPIES) forgeHeader(image, copy, { roCompat: 1n << 40n });
        // A bad copy, which a writable activation would mend.
        if (spare === 1) flip(image, 3, AT.config);
        data.spare(spare).load(image);
      }
      const before = hashOfDisks(lab);
      await data.up();
      expect(await data.status()).toMatchObject({ mode: 'ro', copies: '9/10' });
      expect(await guest.write('data', 0, 8, 3)).toBe('0+8:EIO');
      expect(await data.tryMessage('remap', '0')).toBe('EROFS');
      await data.checkInside();
      await data.down();
      expect(hashOfDisks(lab)).toBe(before);
    });

    describe('someone else writes to the spares: no more writes, and theirs is not touched', () => {
      /** A generation of another run, as another machine would have put it there. */
      const writeAsAnother = (): void => {
        const other = data.spare(0).peek(0, 8);
        other[0x078] = (other[0x078] ?? 0) ^ 0xff;
        data.spare(0).poke(0, other);
      };
      const expectTaken = async (before: readonly number[]): Promise<void> => {
        expect((await data.status()).mode).toBe('fail');
        expect(await guest.write('data', 30, 1, 3)).toBe('30+1:EIO');
        expect(await data.tryMessage('remap', '40', '1')).toBe('EROFS');
        expect(await data.read(10, 1)).toBe('10+1:v2');
        await data.down();
        expect(writes()).toEqual(before);
      };

      extra('found when an extent is needed', async () => {
        await start();
        await data.force(10, 2);
        writeAsAnother();
        const before = writes();
        data.mainDisk.failWrites(20);
        await data.next(async () => await data.writeFails(20, 1, 3));
        await expectTaken(before);
      });

      extra('found by a commit', async () => {
        await start();
        await data.force(10, 2);
        writeAsAnother();
        const before = writes();
        await data.next(async () => expect(await data.tryMessage('commit')).toBe('EBUSY'));
        await expectTaken(before);
      });
    });
  });
});
