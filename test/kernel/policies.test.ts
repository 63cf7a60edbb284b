// SPDX-License-Identifier: GPL-2.0-or-later
// On which spare the next unit goes: the four policies, each with spares that are full or dead, and spares that may not be
// used at all. What the flags, scores and sizes of spares are is written into DEVICES before the load.
import { ALL_COPIES, commit, putCopy } from '../../fixtures/build';
import type { CommitOptions } from '../../fixtures/build';
import { DEVICE_FAILED, DEVICE_PRIMARY, DEVICE_RETIRED } from '../../src/core/layout';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { patternSector } from '../support/kernel/pattern';
import { hashOf, Scenario } from '../support/kernel/scenario';

const SPARES = ['s0', 's1', 's2', 's3'];
const UNIT = 8;
/** All that fit on the spares together: 8, 4, 8 and 16. */
const ALL_UNITS = 36;
const DATA = 10240;

/** Spare 2 is the primary one, spare 3 the healthiest, then spare 1. In DEVICES main comes first. */
const DEVICES = {
  1: { flags: 0, healthScore: 50, dataSectors: 64n },
  2: { flags: 0, healthScore: 70, dataSectors: 32n },
  3: { flags: DEVICE_PRIMARY, healthScore: 60, dataSectors: 64n },
  4: { flags: 0, healthScore: 90, dataSectors: 128n },
};

/** "2^3 0" is "2220". */
const spelled = (text: string): string =>
  text
    .split(' ')
    .map((word) => {
      const [spares = '', times = '1'] = word.split('^');
      return spares.repeat(Number(times));
    })
    .join('');

describeKernel('on which spare', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({
      disks: [{ name: 'main', sectors: 8192 }, ...SPARES.map((name) => ({ name, sectors: 16384 }))],
    });
    guest = await lab.boot();
  });
  afterAll(async () => await lab.close());
  afterEach(async () => {
    await guest.tryDm('remove', 'data');
  });

  /** One more commit, as a tool makes it, on these spares of a setup that is down. */
  const amend = (options: CommitOptions, on: readonly number[] = data.spares.map((_, i) => i)): void => {
    const next = commit(data.generation(), { state: 0, event: 11, run: 77n, spares: on, ...options });
    for (const spare of on) {
      const disk = data.spare(spare);
      const image = disk.peek(0, disk.sectors);
      for (const copy of ALL_COPIES) putCopy(image, next, spare, copy);
      disk.load(image);
    }
  };
  const start = async (sparePolicy: number): Promise<void> => {
    data = await Scenario.make(lab, { spares: SPARES, remapUnit: UNIT });
    amend({ devices: DEVICES, config: { sparePolicy } });
    await data.up();
    expect(await data.message('get', 'spare_policy')).toBe(String(sparePolicy));
  };
  /** Moves so many units, from unit `first` on; the spares that they went to, in turn. */
  const move = async (first: number, units: number): Promise<string> => {
    await data.message('remap', String(first * UNIT), String(units * UNIT));
    let found = '';
    for (let unit = first; unit < first + units; unit++)
      found += /^spare (\d) /.exec(await data.message('query', String(unit * UNIT)))?.[1] ?? '?';
    return found;
  };

  describe.each([
    {
      policy: 0,
      name: 'primary first, then by number',
      all: '2^8 0^8 1^4 3^16',
      dead: 2,
      without: '0000',
    },
    {
      policy: 1,
      name: 'round robin',
      all: '1230^4 230^4 3^8',
      dead: 1,
      without: '2302',
    },
    {
      // By what part of a spare is taken: of nine units the smallest gets one, and the largest four.
      policy: 2,
      name: 'least used',
      all: '012330233 102330233^3',
      dead: 0,
      without: '1233',
    },
    {
      policy: 3,
      name: 'healthiest',
      all: '3^16 1^4 2^8 0^8',
      dead: 3,
      without: '1111',
    },
  ])('policy $policy: $name', ({ policy, all, dead, without }) => {
    test('a spare that is full gives way to the next, until none is left', async () => {
      await start(policy);
      expect(await move(0, ALL_UNITS)).toBe(spelled(all));
      expect(await data.tryMessage('remap', String(ALL_UNITS * UNIT))).toBe('ENOSPC');
      expect(await data.status()).toMatchObject({ mode: 'rw', used: ALL_UNITS * UNIT, spares: 'AAAA' });
      await data.finish();
    });

    test('a spare that is dead gives way to the next', async () => {
      await start(policy);
      data.spare(dead).vanish();
      data.mainDisk.failWrites(800);
      await data.write(800, 1, 2);
      expect(await data.message('query', '800')).toMatch(new RegExp(`^spare ${without[0]} `));
      // That it is dead was known before the other one was chosen: the same generation says both.
      expect(data.events().slice(-2)).toEqual([`9:${1 + dead}@0+0`, '4:0@800+8']);
      expect((await data.status()).spares).toBe(SPARES.map((_, i) => (i === dead ? 'D' : 'A')).join(''));
      await data.message('remap', '0', String(3 * UNIT));
      await data.down();
      data.spare(dead).appear();
      await data.up();
      await data.finish();
    });
  });

  test('least used: full is who has no unit left, however few sectors of them are taken', async () => {
    const entries = [0, 1, 2, 3].map((unit) => ({
      mainSector: BigInt(4000 + UNIT * unit),
      spareSector: BigInt(DATA + UNIT * unit),
      length: 1,
      spareIndex: 1,
      reason: 1,
      flags: 0,
      createdNs: 1_760_000_000_000_000_000n,
    }));
    data = await Scenario.make(lab, { spares: SPARES, remapUnit: UNIT });
    amend({ devices: DEVICES, config: { sparePolicy: 2 }, entries });
    for (const { mainSector, spareSector } of entries)
      data.spare(1).poke(Number(spareSector), patternSector(Number(mainSector), 1));
    await data.up();
    // After four units spare 1 is the least used of all.
    expect(await move(0, 5)).toBe('02330');
    await data.finish();
  });

  describe.each([0, 1, 2, 3])('policy %d', (sparePolicy) => {
    /** A setup with an entry on each spare, which then is amended; down again. */
    const startWithData = async (): Promise<void> => {
      data = await Scenario.make(lab, { spares: SPARES, remapUnit: UNIT });
      await data.up();
      await data.message('set', 'spare_policy', '1');
      for (let spare = 0; spare < SPARES.length; spare++) await data.force(1000 + 100 * spare, 2);
      expect((await data.list()).map((line) => line.split(' ')[2])).toEqual(['1', '2', '3', '0']);
      await data.down();
    };

    /** Makes spare 2 the first choice of every policy, but for this flag. */
    const flag = (flags: number, on?: readonly number[]): void => {
      const worse = { flags: 0, healthScore: 50 };
      const devices = { 1: worse, 2: worse, 3: { flags: flags | DEVICE_PRIMARY }, 4: worse };
      amend({ devices, config: { sparePolicy } }, on);
    };
    const finish = async (findings: string): Promise<void> => {
      await data.checkInside();
      await data.down();
      data.checkOutside();
      expect(await data.fsck()).toBe(findings);
    };

    test('without a flag, spare 2 is among those that are used', async () => {
      await startWithData();
      flag(0);
      await data.up();
      expect(await move(0, 8)).toContain('2');
      await finish('clean');
    });

    test('nothing goes to a spare that is FAILED; what lies on it is read and written as before', async () => {
      await startWithData();
      flag(DEVICE_FAILED);
      await data.up();
      expect(await move(0, 8)).toMatch(/^[013]{8}$/);
      await data.write(1096, 16, 3);
      expect(await data.message('query', '1100')).toMatch(/^spare 2 /);
      expect(await data.status()).toMatchObject({ copies: '20/20', spares: 'AAAA' });
      await finish('clean spare-failed');
    });

    test('nothing at all is written to a spare that is RETIRED; what lies on it is read', async () => {
      await startWithData();
      flag(DEVICE_RETIRED, [0, 1, 3]);
      const retired = data.spare(2);
      const before = [retired.counts.write, hashOf(retired.peek(0, retired.sectors))];
      await data.up();
      await data.checkInside();
      expect(await move(0, 8)).toMatch(/^[013]{8}$/);
      // What is overwritten moves away.
      await data.write(1100, 1, 3);
      expect(await data.message('query', '1100')).toMatch(/^spare [013] /);
      expect(await data.read(1096, 8)).toBe('1096+4:v1 1100+1:v3 1101+3:v1');
      await finish('clean spare-retired');
      expect([retired.counts.write, hashOf(retired.peek(0, retired.sectors))]).toEqual(before);
    });
  });

  test('the policy may change at any time', async () => {
    data = await Scenario.make(lab, { spares: ['s0', 's1', 's2'] });
    await data.up();
    const moved = async (from: number, policy: number): Promise<string> => {
      await data.message('set', 'spare_policy', String(policy));
      let found = '';
      for (let i = 0; i < 4; i++) {
        await data.message('remap', String(from + 16 * i));
        found += (await data.message('query', String(from + 16 * i))).split(' ')[1] ?? '?';
      }
      return found;
    };
    expect(await moved(0, 0)).toBe('0000');
    expect(await moved(100, 1)).toBe('1201');
    // By now 5, 2 and 1: the emptiest, and of equals the first.
    expect(await moved(200, 2)).toBe('2121');
    expect(await moved(300, 3)).toBe('0000');
    await data.finish();
  });
});
