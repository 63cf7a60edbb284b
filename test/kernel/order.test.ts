// SPDX-License-Identifier: GPL-2.0-or-later
// What comes before what. Disks hold single requests back, so that each step stands still and can be looked at: what is
// acknowledged is durable, data is moved after the writes that are on their way to it, and nothing is used twice. Errors
// without a question of order are in faults.test.ts and spares-metadata.test.ts.
import { describeKernel } from '../support/kernel/environment';
import type { Hold } from '../support/kernel/faults';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { formatRuns } from '../support/kernel/pattern';
import type { Cut } from '../support/kernel/rack';
import type { ScenarioOptions } from '../support/kernel/scenario';
import { Scenario, USUAL_DISKS } from '../support/kernel/scenario';

/** Sectors of the slots, and of the header in each; where the data of a spare begins. */
const SLOT = [0, 1024, 2048, 4096, 8192] as const;
const SLOT_SECTORS = 1024;
const HEADER = 8;
const DATA = 10240;

describeKernel('in order', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({ disks: USUAL_DISKS });
    guest = await lab.boot();
  });
  afterAll(async () => await lab.close());
  afterEach(async () => {
    // What is still held would keep the device from going.
    for (const disk of lab.rack.disks) disk.heal();
    await guest.tryDm('remove', 'data');
  });

  const start = async (options: ScenarioOptions = {}): Promise<void> => {
    data = await Scenario.make(lab, options);
    await data.up();
  };
  /** Waits until a request is held; throws if what was begun ends before. */
  const heldBy = async (hold: Hold, begun: Promise<unknown>): Promise<void> => {
    const early = begun.then((answer) => {
      if (hold.held === 0) throw new Error(`answered before anything was held: ${String(answer)}`);
    });
    await Promise.race([hold.arrived(), early]);
  };
  /** Nothing of this is answered, now or in a moment. */
  const expectPending = async (...begun: readonly Promise<unknown>[]): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const moment = new Promise((resolve) => {
      timer = setTimeout(() => resolve('pending'), 200);
    });
    expect(await Promise.race([moment, ...begun])).toBe('pending');
    clearTimeout(timer);
  };
  /** Waits for what comes by itself. */
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    for (let patience = 500; !(await condition()); patience--) {
      if (patience === 0) throw new Error('it does not come');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const query = async (sector: number): Promise<string> => await data.message('query', String(sector));
  const writes = (): number[] => data.spares.map((name) => lab.disk(name).counts.write);
  /** The last thing that a commit writes, as all copies are good. */
  const lastHeader = (): Hold => data.spare(1).hold('write', SLOT[0], HEADER);

  describe('acknowledged is durable', () => {
    /** What needs a commit: what it is given before, and what is right until it is done, and then. */
    interface Change {
      readonly title: string;
      readonly prepare?: (sector: number) => Promise<void>;
      readonly act: (sector: number) => Promise<string>;
      readonly answer: (sector: number) => string;
      readonly before: RegExp;
      readonly after: RegExp;
      /** In the words of the model. */
      readonly then: string;
      /** Look at all places, not only at those that matter most. */
      readonly everywhere?: boolean;
    }
    const ok = (sector: number): string => `${sector}+1:ok`;
    const changes: readonly Change[] = [
      {
        title: 'a failed write',
        prepare: async (sector) => {
          data.mainDisk.failWrites(sector);
          await Promise.resolve();
        },
        act: async (sector) => await guest.write('data', sector, 1, 2),
        answer: ok,
        before: /^main /,
        after: /^spare 0 /,
        then: 'v2',
        everywhere: true,
      },
      {
        title: 'the first write to a lost sector',
        prepare: async (sector) => {
          await data.message('mark_lost', String(sector));
          data.note(sector, 1, 'lost');
        },
        act: async (sector) => await guest.write('data', sector, 1, 2),
        answer: ok,
        before: /^lost 0 /,
        after: /^spare 0 /,
        then: 'v2',
      },
      {
        title: 'a failed read',
        prepare: async (sector) => {
          data.mainDisk.failReads(sector);
          await Promise.resolve();
        },
        act: async (sector) => await data.read(sector, 1),
        answer: (sector) => `${sector}+1:EIO`,
        before: /^main /,
        after: /^lost 0 /,
        then: 'lost',
      },
      {
        title: 'the message remap',
        act: async (sector) => await data.message('remap', String(sector)),
        answer: (sector) => `${sector} 1`,
        before: /^main /,
        after: /^spare 0 /,
        then: 'v1',
      },
    ];

    /** Where it is made to stand still; and where no copy is begun, what was written to each spare by then. */
    const places: readonly (readonly [string, () => Hold, (readonly number[])?])[] = [
      ['its data', () => data.spare(0).hold('write', DATA), [0, 0]],
      ['a copy between', () => data.spare(1).hold('write', SLOT[4], SLOT_SECTORS)],
      ['the flush of its data', () => data.spare(0).hold('flush'), [1, 0]],
      ['the last header', lastHeader],
    ];

    test.each(changes)('$title', async ({ prepare, act, answer, before, after, then, everywhere }) => {
      await start();
      let sector = 100;
      for (const [place, holdAt, written] of everywhere === true ? places : places.slice(-2)) {
        await prepare?.(sector);
        const hold = holdAt();
        const earlier = writes();
        const begun = act(sector);
        await heldBy(hold, begun);
        await expectPending(begun);
        if (written !== undefined) expect(writes().map((n, i) => n - (earlier[i] ?? 0))).toEqual(written);
        expect([place, await query(sector)]).toEqual([place, expect.stringMatching(before)]);
        // The flush behind the last header is a request of its own.
        const flush = place === 'the last header' ? data.spare(1).hold('flush') : null;
        hold.release();
        if (flush !== null) {
          await heldBy(flush, begun);
          await expectPending(begun);
          flush.release();
        }
        expect(await begun).toBe(answer(sector));
        data.note(sector, 1, then);
        expect([place, await query(sector)]).toEqual([place, expect.stringMatching(after)]);
        for (const name of data.spares) expect(lab.disk(name).unflushedSectors).toBe(0);
        const entry = data.contents().remaps.find(({ mainSector }) => mainSector === BigInt(sector));
        expect(entry).toMatchObject({ length: 1, flags: then === 'lost' ? 1 : 0 });
        // No neighbours: each has an entry of its own.
        sector += 10;
      }
      await data.finish();
    });

    test('what is read meanwhile is the old, at once', async () => {
      await start();
      data.mainDisk.failWrites(100);
      await data.message('mark_lost', '200');
      const hold = lastHeader();
      const begun = guest.write('data', 100, 1, 2);
      await heldBy(hold, begun);
      const healing = guest.write('data', 200, 1, 2);
      expect(await data.read(96, 8)).toBe('96+8:v1');
      expect(await data.read(200, 1)).toBe('200+1:EIO');
      await expectPending(begun, healing);
      hold.release();
      expect(await Promise.all([begun, healing])).toEqual(['100+1:ok', '200+1:ok']);
      data.note(100, 1, 'v2');
      data.note(200, 1, 'v2');
      await data.finish();
    });

    test('data on one spare is durable before another one has a header that names it', async () => {
      await start();
      // The first extent goes to spare 1, the first copy to spare 0.
      await data.message('set', 'spare_policy', '1');
      const before = writes()[0];
      const hold = data.spare(1).hold('flush');
      data.mainDisk.failWrites(100);
      const begun = guest.write('data', 100, 1, 2);
      await heldBy(hold, begun);
      await expectPending(begun);
      expect(data.spare(1).unflushedSectors).toBe(1);
      expect(writes()[0]).toBe(before);
      hold.release();
      expect(await begun).toBe('100+1:ok');
      expect(await query(100)).toMatch(/^spare 1 /);
      data.note(100, 1, 'v2');
      await data.finish();
    });
  });

  describe('a unit is moved after the writes that are on their way to it', () => {
    test.each<[string, 1 | 8, number]>([
      ['its only sector', 1, 500],
      ['another sector of it', 8, 503],
    ])('to %s', async (_, remapUnit, sector) => {
      await start({ remapUnit });
      const before = writes();
      const hold = data.mainDisk.hold('write', sector, 1);
      const write = guest.write('data', sector, 1, 2);
      await heldBy(hold, write);
      const move = data.message('remap', '500');
      await expectPending(write, move);
      expect(writes()).toEqual(before);
      expect(await query(sector)).toBe(`main ${sector}`);
      expect(await data.read(sector, 1)).toBe(`${sector}+1:v1`);
      hold.release();
      expect(await Promise.all([write, move])).toEqual([`${sector}+1:ok`, '500 1']);
      expect(await query(sector)).toBe(`spare 0 ${DATA + (sector % remapUnit)}`);
      data.note(sector, 1, 'v2');
      await data.finish();
    });

    test('and before those that come after: they go to the new place', async () => {
      await start({ remapUnit: 8 });
      const hold = data.mainDisk.hold('write', 500, 2);
      const first = guest.write('data', 500, 2, 2);
      await heldBy(hold, first);
      const move = data.message('remap', '500');
      // As soon as the move has begun no write goes to the unit; until then this one changes nothing.
      await until(async () => (await guest.write('data', 496, 1, 1, { nowait: true })) === '496+1:EAGAIN');
      const second = guest.write('data', 501, 2, 3);
      await expectPending(first, move, second);
      expect(hold.held).toBe(1);
      hold.release();
      expect(await Promise.all([first, move, second])).toEqual(['500+2:ok', '500 1', '501+2:ok']);
      expect(await data.list()).toEqual([`496 8 0 ${DATA} live 3`]);
      expect(await data.read(496, 8)).toBe('496+4:v1 500+1:v2 501+2:v3 503+1:v1');
      // Main has what it was given before, and no more.
      expect(formatRuns(data.mainDisk.runs(500, 3))).toBe('500+2:v2 502+1:v1');
      data.note(500, 1, 'v2');
      data.note(501, 2, 'v3');
      await data.finish();
    });

    test('also when it moves because another write to it failed', async () => {
      await start({ remapUnit: 8 });
      const hold = data.mainDisk.hold('write', 500, 1);
      const good = guest.write('data', 500, 1, 2);
      await heldBy(hold, good);
      const fault = data.mainDisk.failWrites(502);
      const before = writes();
      const bad = guest.write('data', 502, 1, 2);
      await until(() => fault.hits > 0);
      await expectPending(good, bad);
      expect(writes()).toEqual(before);
      hold.release();
      expect(await Promise.all([good, bad])).toEqual(['500+1:ok', '502+1:ok']);
      data.note(500, 1, 'v2');
      data.note(502, 1, 'v2');
      expect(await query(500)).toMatch(/^spare 0 /);
      await data.finish();
    });
  });

  test.each([
    ['with a flush', []],
    ['without', ['flags=noflush']],
  ])('a suspend waits for a commit, and for what waits behind it: %s', async (_, words) => {
    await start();
    const hold = lastHeader();
    const message = data.message('remap', '200');
    await heldBy(hold, message);
    const fault = data.mainDisk.failWrites(100);
    const write = guest.write('data', 100, 1, 2);
    await until(() => fault.hits > 0);
    const suspend = guest.tryDm('suspend', 'data', ...words);
    await expectPending(write, message, suspend);
    hold.release();
    expect(await message).toBe('200 1');
    expect(await write).toBe('100+1:ok');
    expect((await suspend).error).toBe('ok');
    data.note(100, 1, 'v2');
    // All of it is there, and the stop is clean.
    expect(data.generation().header.state).toBe(0);
    expect(data.contents().remaps.map(({ mainSector }) => mainSector)).toEqual([100n, 200n]);
    expect(await data.fsck()).toBe('clean');
    data.checkOutside();
    await guest.dm('resume', 'data');
    await data.finish();
  });

  describe('what must not wait does not, while a commit stands still', () => {
    const nowait = { nowait: true } as const;
    let hold: Hold;
    let held: Promise<string>;

    /** A write to 4001 fails, and its unit, 4000 to 4007, is about to move. */
    const standStill = async (): Promise<void> => {
      hold = lastHeader();
      data.mainDisk.failWrites(4001);
      held = guest.write('data', 4001, 1, 2);
      await heldBy(hold, held);
    };
    const goOn = async (): Promise<void> => {
      await expectPending(held);
      expect(hold.held).toBe(1);
      hold.release();
      expect(await held).toBe('4001+1:ok');
      data.note(4001, 1, 'v2');
      await data.finish();
    };

    test('into the unit that moves: EAGAIN; out of it, and anywhere else: done', async () => {
      await start({ remapUnit: 8 });
      await standStill();
      for (const sector of [4000, 4001, 4007])
        expect(await guest.write('data', sector, 1, 3, nowait)).toBe(`${sector}+1:EAGAIN`);
      expect(await data.read(4000, 8, nowait)).toBe('4000+8:v1');
      for (const sector of [3999, 4008, 100]) {
        await data.write(sector, 1, 3, nowait);
        expect(await data.read(sector, 1, nowait)).toBe(`${sector}+1:v3`);
      }
      await goOn();
    });

    test('to what is on a spare: done, and exactly that', async () => {
      await start({ remapUnit: 8 });
      await data.force(4010, 5);
      await standStill();
      expect(await data.read(4008, 8, nowait)).toBe('4008+2:v1 4010+1:v5 4011+5:v1');
      await data.write(4008, 8, 6, nowait);
      expect(await data.read(4008, 8, nowait)).toBe('4008+8:v6');
      await goOn();
    });

    test('to what is lost: EIO for a read, EAGAIN for a write, which takes a commit', async () => {
      await start();
      await data.message('mark_lost', '4010');
      data.note(4010, 1, 'lost');
      await standStill();
      expect(await data.read(4010, 1, nowait)).toBe('4010+1:EIO');
      expect(await guest.write('data', 4010, 1, 3, nowait)).toBe('4010+1:EAGAIN');
      await goOn();
    });

    test('to a spare that is given up: EAGAIN for a write, which has to move', async () => {
      await start();
      await data.force(4010, 5);
      data.spare(0).vanish();
      await data.force(4020, 5);
      expect((await data.status()).spares).toBe('DA');
      data.spare(0).appear();
      await standStill();
      expect(await guest.write('data', 4010, 1, 6, nowait)).toBe('4010+1:EAGAIN');
      expect(await data.read(4010, 1, nowait)).toBe('4010+1:v5');
      await expectPending(held);
      hold.release();
      expect(await held).toBe('4001+1:ok');
      data.note(4001, 1, 'v2');
      await data.write(4010, 1, 6);
      expect(await query(4010)).toMatch(/^spare 1 /);
      await data.checkInside();
      await data.down();
      await data.up();
      await data.finish();
    });
  });

  describe('a commit that fails half-way', () => {
    /** The highest sequence that any header on any spare shows. */
    const shown = (): bigint =>
      data
        .decide()
        .seats.map(({ highestShown }) => highestShown)
        .reduce((most, each) => (each > most ? each : most), 0n);
    /** Sectors in the data of spare 0 that were written since the log began. */
    const written = (): number[] =>
      lab.rack.log.entries.flatMap((entry) =>
        entry.kind === 'write' && entry.disk === data.spare(0).index && entry.sector >= DATA
          ? Array.from({ length: entry.count }, (_, i) => entry.sector + i)
          : [],
      );
    const placeOf = async (sector: number): Promise<number> =>
      Number(/^spare 0 (\d+)$/.exec(await query(sector))?.[1]);

    /** Two copies of each spare take it, and three would have to; what it tried, and left behind. */
    const fail = async (): Promise<{ readonly sequence: bigint; readonly tried: readonly number[] }> => {
      await start();
      await data.force(10, 2);
      await data.write(1000, 8, 3, { fua: true });
      const committed = shown();
      for (const spare of [0, 1])
        for (const copy of [0, 1, 2] as const) data.spare(spare).failWrites(SLOT[copy], HEADER);
      lab.rack.beginLog();
      data.mainDisk.failWrites(20);
      await data.writeFails(20, 1, 3);
      expect((await data.status()).mode).toBe('fail');
      const sequence = shown();
      const tried = written();
      // It did get somewhere: else there would be nothing to use again.
      expect(sequence).toBe(committed + 1n);
      expect(tried).toEqual([DATA + 1]);
      return { sequence, tried };
    };

    test('its sequence and its extents are not used again by the next run, which may find it to be the truth', async () => {
      const { sequence, tried } = await fail();
      for (const spare of [0, 1]) data.spare(spare).heal();
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      expect(await data.status()).toMatchObject({ mode: 'rw', copies: '10/10' });
      expect(data.generation().header.sequence).toBeGreaterThan(sequence);
      await data.force(30, 6);
      expect(await placeOf(30)).toBeGreaterThan(DATA);
      // If its entry is there, so is its data; either way nobody else may have the place.
      if ((await query(20)).startsWith('spare')) expect(tried).toContain(await placeOf(20));
      expect(tried).not.toContain(await placeOf(30));
      await data.write(20, 1, 6);
      await data.finish();
    });

    test.each<[string, Cut]>([
      ['is lost', 'lost'],
      ['is kept', 'kept'],
    ])('and then the power: what was acknowledged is there, and what was not flushed %s', async (_, cut) => {
      const { sequence } = await fail();
      // What lies where no commit is in doubt goes on, and so do flushes.
      await data.write(10, 1, 7);
      await data.write(1004, 8, 7);
      expect(await guest.flush('data')).toBe('ok');
      // What is in doubt does not, even if main would take it: the load may look for it on the spare.
      data.mainDisk.heal();
      await data.writeFails(20, 1, 8);
      expect(shown()).toBe(sequence);
      lab.rack.cut(cut);
      await data.down();
      for (const disk of lab.rack.disks) disk.heal();
      await data.up();
      await data.checkInside();
      expect(await data.read(20, 1)).toMatch(/^20\+1:v[13]$/);
      expect(data.generation().header.sequence).toBeGreaterThan(sequence);
      await data.restart();
      await data.write(20, 1, 9);
      await data.finish();
    });

    test('nor by the same run, once the copies can be written again', async () => {
      // A guest that counts instructions, whose minutes pass as soon as it has nothing to do.
      await lab.kill();
      guest = await lab.boot({ icount: true });
      await guest.sh('echo 0 > /proc/sys/kernel/hung_task_timeout_secs');
      const { sequence, tried } = await fail();
      for (const spare of [0, 1]) data.spare(spare).heal();
      await guest.sh('sleep 61');
      await until(async () => (await data.status()).mode === 'rw');
      expect(await data.status()).toMatchObject({ extents: 1, copies: '10/10' });
      expect(shown()).toBeGreaterThan(sequence);
      expect(await data.read(20, 1)).toBe('20+1:v1');
      await data.write(20, 1, 6);
      await data.force(30, 6);
      for (const sector of [20, 30]) {
        expect(await placeOf(sector)).toBeGreaterThan(DATA);
        expect(tried).not.toContain(await placeOf(sector));
      }
      await data.finish();
    });
  });
});
