// SPDX-License-Identifier: GPL-2.0-or-later
// Moments that must lead to nothing: headers that can't be read for a while, flushes that fail where nobody asked for
// them, spares that are gone while the device is stopped and started, long messages and those who wait for them.
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { hashOf, Scenario, USUAL_DISKS } from '../support/kernel/scenario';

const SLOTS = [0, 1024, 2048, 4096, 8192] as const;
const DATA = 10240;
const MAIN = 8192;

describeKernel('what a moment must not do', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({ disks: USUAL_DISKS });
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

  const metadata = (spare: number): string => hashOf(data.spare(spare).peek(0, DATA));
  /** Puts on a spare what another machine would have: another run, all over it. */
  const writeElsewhere = (spare: number): void => {
    for (const slot of SLOTS) {
      const header = data.spare(spare).peek(slot, 8);
      header[0x078] = (header[0x078] ?? 0) ^ 0xff;
      data.spare(spare).poke(slot, header);
    }
  };

  describe('another writer', () => {
    test.each([
      ['first', 1024],
      ['last', 0],
    ])('is noticed by the header that it changes %s', async (_, slot) => {
      const header = data.spare(1).peek(slot, 8);
      header[0x078] = (header[0x078] ?? 0) ^ 0xff;
      data.spare(1).poke(slot, header);
      const before = [metadata(0), metadata(1)];
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      expect((await data.status()).mode).toBe('fail');
      await data.down();
      expect([metadata(0), metadata(1)]).toEqual(before);
    });

    test('is not written over because its spare can not be read just then', async () => {
      await data.force(10, 2);
      writeElsewhere(1);
      const theirs = hashOf(data.spare(1).peek(0, 16384));
      // Each header twice; the next who asks is answered.
      data.spare(1).failReads(0, DATA, { times: 2 * SLOTS.length });
      await data.force(12, 2);
      expect((await data.status()).spares).toBe('AD');
      await data.message('commit');
      expect(await data.message('query', '12')).toMatch(/^spare 0 /);
      await data.down();
      expect(hashOf(data.spare(1).peek(0, 16384))).toBe(theirs);
    });

    test('nor where there is one spare: what needs a commit fails', async () => {
      await data.down();
      data = await Scenario.make(lab, { spares: ['s0'] });
      await data.up();
      writeElsewhere(0);
      const theirs = metadata(0);
      data.spare(0).failReads(0, DATA, { times: 2 * SLOTS.length });
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      await data.writeFails(20, 1, 4);
      expect(await data.tryMessage('commit')).toBe('EIO');
      await data.down();
      expect(metadata(0)).toBe(theirs);
    });
  });

  test('a spare that can not be read for a moment is asked again, and not given up', async () => {
    await data.force(10, 2);
    data.spare(1).failReads(0, DATA, { times: SLOTS.length });
    await data.force(12, 2);
    expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA' });
    await data.finish();
  });

  test('one header that can not be read costs its copy, which is mended by the next commit', async () => {
    data.spare(0).failReads(SLOTS[1], 8, { times: 1 });
    await data.message('commit');
    expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA' });
    expect(await data.message('stats')).toMatch(/^copies_repaired 1$/m);
    await data.finish();
  });

  test('the last whole copy is not touched, though a spare that is gone had others', async () => {
    await data.force(10, 2);
    await data.message('commit');
    data.spare(0).vanish();
    expect(await data.read(10, 1)).toBe('10+1:EIO');
    expect((await data.status()).spares).toBe('DA');
    for (const slot of [1024, 2048, 4096, 8192]) {
      data.spare(1).failReads(slot, 8);
      data.spare(1).failWrites(slot, 1024);
    }
    const last = data.spare(1).peek(0, 64);
    await data.message('set', 'min_copies', '1').catch(() => '');
    data.mainDisk.failWrites(30);
    await data.writeFails(30, 1, 3);
    expect((await data.status()).mode).toBe('fail');
    expect(hashOf(data.spare(1).peek(0, 64))).toBe(hashOf(last));
    expect(await data.read(8, 4, { chunk: 1 })).toBe('8+2:v1 10+1:EIO 11+1:v1');
  });

  test('fewer copies than min_copies for good: the way out is to ask for fewer', async () => {
    await data.force(10, 2);
    for (const spare of [0, 1]) for (const slot of [0, 1024, 2048]) data.spare(spare).failWrites(slot, 8);
    data.mainDisk.failWrites(20);
    await data.writeFails(20, 1, 3);
    expect(await data.tryMessage('set', 'slow_io_ms', '7')).toBe('EIO');
    expect(await data.tryMessage('set', 'min_copies', '2')).toBe('ok');
    expect(await data.status()).toMatchObject({ mode: 'rw', copies: '4/10' });
    await data.write(20, 1, 4);
    await data.checkInside();
    await data.down();
    for (const spare of [0, 1]) data.spare(spare).heal();
    await data.up();
    expect(await data.message('get', 'min_copies')).toBe('2');
    expect(await data.message('get', 'slow_io_ms')).toBe('500');
    await data.finish();
  });

  test('of two writes that heal the same sector in a commit that fails, none is acknowledged', async () => {
    await data.message('mark_lost', '200');
    data.note(200, 1, 'lost');
    // The worker is kept busy by a commit, so that both come to it together.
    const hold = data.spare(1).hold('write', 0, 8);
    const commit = data.message('commit');
    await hold.arrived();
    const writes = Promise.all([guest.write('data', 200, 1, 3), guest.write('data', 200, 1, 4)]);
    await guest.sh('sleep 0.3');
    for (const spare of [0, 1]) for (const slot of [1024, 2048, 4096]) data.spare(spare).failWrites(slot, 8);
    hold.release();
    await commit;
    expect(await writes).toEqual(['200+1:EIO', '200+1:EIO']);
    expect(await data.read(200, 1)).toBe('200+1:EIO');
    for (const spare of [0, 1]) data.spare(spare).heal();
    await guest.dm('suspend', 'data');
    await guest.dm('resume', 'data');
    await data.write(200, 1, 5);
    await data.finish();
  });

  describe('flushes', () => {
    /** Something acknowledged and not flushed on a spare. */
    const writeToSpare = async (): Promise<void> => {
      await data.force(10, 2);
      await data.write(10, 1, 3);
      expect(data.spare(0).unflushedSectors).toBe(1);
    };

    test('one that fails while a copy is mended is told to the next who flushes, once', async () => {
      await writeToSpare();
      data.spare(0).failReads(SLOTS[1], 8, { times: 1 });
      data.spare(0).failFlushes(1);
      await data.message('commit');
      expect(await guest.flush('data')).toBe('EIO');
      expect(await guest.flush('data')).toBe('ok');
      // The copy has to wait for its next turn.
      await data.down();
      await data.up();
      await data.finish();
    });

    test('a header that can not be written is no flush that failed', async () => {
      await writeToSpare();
      data.spare(0).failWrites(SLOTS[2], 8);
      await data.message('commit');
      expect(await data.status()).toMatchObject({ copies: '9/10', spares: 'AA' });
      expect(await guest.flush('data')).toBe('ok');
    });

    test('one that overlaps a failing one of the worker is told of it', async () => {
      await writeToSpare();
      const hold = data.spare(0).hold('flush');
      const commit = data.tryMessage('commit');
      await hold.arrived();
      // The block layer sends it when the worker's is answered: by then the error has been told.
      const flushes = Promise.all([guest.flush('data'), guest.flush('data')]);
      await guest.sh('sleep 0.3');
      data.spare(0).failFlushes(1);
      hold.release();
      expect(await flushes).toEqual(['EIO', 'EIO']);
      await commit;
      expect(await guest.flush('data')).toBe('ok');
      await data.down();
      await data.up();
      await data.finish();
    });

    test('a spare that dies with something unflushed fails one flush, and no more', async () => {
      await writeToSpare();
      data.spare(0).vanish();
      await data.force(20, 2);
      expect((await data.status()).spares).toBe('DA');
      expect(await guest.flush('data')).toBe('EIO');
      expect(await guest.flush('data')).toBe('ok');
    });

    test('so does one that can not flush what was on it before', async () => {
      await writeToSpare();
      data.spare(0).failFlushes(Infinity);
      await data.force(20, 2);
      expect((await data.status()).spares).toBe('DA');
      expect(await guest.flush('data')).toBe('EIO');
      expect(await guest.flush('data')).toBe('ok');
    });

    test('and none at all if a commit had flushed it', async () => {
      await writeToSpare();
      await data.message('commit');
      expect(data.spare(0).unflushedSectors).toBe(0);
      data.spare(0).vanish();
      await data.force(20, 2);
      expect((await data.status()).spares).toBe('DA');
      expect(await guest.flush('data')).toBe('ok');
    });
  });

  describe('a spare that is gone', () => {
    test('does not keep the device from being resumed, and comes back at a later resume', async () => {
      await data.force(10, 2);
      data.spare(0).vanish();
      await data.force(20, 3);
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '5/10', spares: 'DA' });
      await data.force(30, 4);
      expect(await data.read(8, 4, { chunk: 1 })).toBe('8+2:v1 10+1:EIO 11+1:v1');
      data.spare(0).appear();
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA' });
      await data.finish();
    });

    test('is not gone without if it has what was acknowledged last', async () => {
      await data.force(10, 2);
      data.spare(1).vanish();
      await data.force(20, 3);
      await guest.flush('data');
      expect((await data.status()).spares).toBe('AD');
      data.spare(0).vanish();
      expect(await data.read(20, 1)).toBe('20+1:EIO');
      data.spare(1).appear();
      await guest.dm('suspend', 'data');
      const { mark } = guest.console;
      expect((await guest.tryDm('resume', 'data')).error).toBe('EINVAL');
      await guest.console.until(/generation \d+ is on no spare that can be read/, mark);
      data.spare(0).appear();
      await guest.dm('resume', 'data');
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10', spares: 'AA' });
      await data.finish();
    });

    test('is refused by a table that does not go without, and the reason says what to type', async () => {
      await data.force(10, 2);
      await data.down();
      data.spare(0).vanish();
      await data.refused(data.table, /spare 0 .* can't be read; the feature "degraded" goes without it/);
      await data.up('degraded');
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '5/10', spares: 'DA' });
      await data.force(20, 3);
      // What answers there now was not looked at.
      data.spare(0).appear();
      expect(await data.read(8, 4, { chunk: 1 })).toBe('8+2:v1 10+1:EIO 11+1:v1');
      await data.down();
      await data.up();
      await data.finish();
    });

    test('is asked for each header, and only once for more than that: a disk may take long to say no', async () => {
      await data.down();
      const { counts } = data.spare(0);
      const before = counts.read;
      data.spare(0).vanish();
      await data.refused(data.table, /spare 0 .* can't be read/);
      expect(counts.read - before).toBe(6);
      data.spare(0).appear();
      await data.up();
      await data.finish();
    });

    test('has no sectors that went bad, and its failure is told in the events', async () => {
      await data.force(10, 2);
      await data.message('set', 'spare_policy', '0');
      data.spare(0).vanish();
      await data.write(10, 1, 3);
      expect((await data.status()).spares).toBe('DA');
      expect(await guest.flush('data')).toBe('ok');
      await data.down();
      data.spare(0).appear();
      await data.up();
      expect(await data.list()).toEqual([expect.stringMatching(/^10 1 1 \d+ live 1$/)]);
      await data.finish();
      expect(data.events().filter((event) => event.startsWith('9:1@'))).toHaveLength(1);
    });

    test('that a flush of its new data told: the event is kept, though the first try came to nothing', async () => {
      data.spare(0).failFlushes(Infinity);
      await data.force(10, 2);
      expect(await data.message('query', '10')).toMatch(/^spare 1 /);
      data.spare(0).failFlushes(0);
      await data.down();
      await data.up();
      await data.finish();
      expect(data.events().filter((event) => event.startsWith('9:1@'))).toHaveLength(1);
    });
  });

  test('what no section covers may be unreadable', async () => {
    await data.force(10, 2);
    await data.down();
    for (const spare of [0, 1]) for (const slot of SLOTS) data.spare(spare).failReads(slot + 16, 8);
    await data.up();
    expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10' });
    for (const spare of [0, 1]) data.spare(spare).heal();
    await data.finish();
  });

  describe('a long message', () => {
    test('lets requests through between its parts', async () => {
      await data.down();
      data = await Scenario.make(lab, { spares: ['s0'] });
      await data.up();
      const moved = data.message('remap', '0', '4096');
      const steps: string[] = [];
      void moved.then(() => steps.push('moved'));
      // To what is held at first, and to a sector that fails.
      data.mainDisk.failWrites(8000);
      await data.write(8000, 1, 3);
      steps.push('written');
      expect(await moved).toBe('0 4096');
      expect(steps).toEqual(['written', 'moved']);
      expect(await data.message('query', '4095')).toMatch(/^spare 0 /);
      await data.finish();
    });

    test('ends with its sender', async () => {
      const message = 'dmsetup message data 0 remap 0 8192';
      expect(await guest.sh(`${message} & sleep 0.3; kill $!; wait $!; echo $?`)).toMatch(/^143$/m);
      expect(await data.message('query', String(MAIN - 1))).toBe(`main ${MAIN - 1}`);
      expect(await data.message('remap', '0', '64')).toBe('0 64');
      await data.finish();
    });

    test('ends when the device is to be suspended; what it moved stays moved', async () => {
      const moved = data.tryMessage('remap', '0', String(MAIN / 2));
      await guest.dm('suspend', 'data');
      expect(await moved).toBe('ENODEV');
      await guest.dm('resume', 'data');
      await data.checkInside();
      expect(await data.tryMessage('remap', '0', '64')).toBe('ok');
      await data.finish();
    });
  });
});
