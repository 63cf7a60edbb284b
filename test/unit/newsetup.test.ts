// SPDX-License-Identifier: GPL-2.0-or-later
// The first generation of a setup, and the entries it is made with: FORMAT.md sections 1, 3 and 7, as numbers.
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { formatUuid, textOf, ZERO_UUID } from '../../src/core/bytes';
import type { DeviceFacts } from '../../src/core/device-facts';
import { contentsOf, encodeCopy } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { CONFIG, MAX_ENTRIES } from '../../src/core/layout';
import type { RemapEntry } from '../../src/core/layout';
import type { Mapfile } from '../../src/core/mapfile';
import { lostEntries, wholeUnits } from '../../src/core/newentries';
import type { LostArea } from '../../src/core/newentries';
import { geometryOf } from '../../src/core/newgeometry';
import type { Geometry, NewDevice } from '../../src/core/newgeometry';
import { derivedIdentities, runIdOf, uuidOf } from '../../src/core/newidentity';
import { areasOfBadBlocks, areasOfMapfile } from '../../src/core/newlost';
import {
  DEFAULT_POLICY,
  derivedRunId,
  firstGeneration,
  newNameDefect,
  tableLine,
} from '../../src/core/newsetup';
import type { NewSetup } from '../../src/core/newsetup';
import { rulesBroken } from '../../src/core/rules';
import { POLICY_OPTIONS } from '../../src/cli/format-policy';
import { faultOf } from '../support/temporary';

const MIB = 1024n * 1024n;
const NOW = 1_760_000_000_000_000_000n;
const UUID = '0b5c7a52-6f0e-4a40-9a43-1d9a43f0c9e1';

function sha256(...chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

function device(path: string, sizeBytes: bigint, more: Partial<DeviceFacts> = {}): NewDevice {
  return {
    path,
    facts: {
      kind: 'block',
      sizeBytes,
      logicalBlockSize: 512,
      physicalBlockSize: 512,
      wwn: null,
      serial: null,
      model: null,
      stablePath: path,
      partUuid: null,
      zoned: false,
      readOnly: false,
      ...more,
    },
  };
}

const LARGE_BLOCKS = { logicalBlockSize: 4096, physicalBlockSize: 4096 };

/** Main of `sectors`, spares with so many data sectors each. */
function geometry(sectors: bigint, spares: readonly bigint[], unit: 1 | 8 = 8): Geometry {
  return {
    blockSectors: 1n,
    remapUnit: unit,
    mainSizeSectors: sectors,
    mainDataSectors: sectors,
    droppedBytes: 0n,
    spares: spares.map((dataSectors) => ({
      sizeSectors: 10240n + dataSectors,
      dataStart: 10240n,
      dataSectors,
    })),
  };
}

function setup(more: Partial<NewSetup> = {}): NewSetup {
  const main = device('/dev/disk/by-id/main', 4n * MIB, {
    wwn: '0x5000c500a1b2c3d4',
    serial: 'MAIN-1',
    model: 'DISK',
    partUuid: '11111111-2222-4333-8444-555555555555',
  });
  const spares = [device('/dev/disk/by-id/s0', 8n * MIB), device('/dev/disk/by-id/s1', 9n * MIB)];
  return {
    name: 'data',
    description: 'for tests',
    identities: derivedIdentities(UUID, spares.length, sha256),
    createdNs: NOW,
    geometry: geometryOf(main, spares, null),
    main: {
      ...main,
      hints: { fsUuid: '79cb9e86-830c-71c2-cdcc-69292f45e678', fsType: 'ext4', fsBlockSize: 4096 },
      contentSha256: new Uint8Array(32).fill(7),
    },
    spares,
    policy: DEFAULT_POLICY,
    tunables: [{ name: 'demo', value: 7n }],
    entries: [],
    writer: 'dmremap-format 1.0.0',
    ...more,
  };
}

describe('geometry', () => {
  const main = device('/m', 4n * MIB);

  test.each([
    [512, 512, 512, 1, 1n],
    [512, 4096, 512, 8, 1n],
    [512, 512, 4096, 8, 1n],
    [4096, 4096, 512, 8, 8n],
  ])(
    'main %i/%i and a spare with physical blocks of %i: unit %i',
    (logical, physical, other, unit, block) => {
      const m = device('/m', 4n * MIB, { logicalBlockSize: logical, physicalBlockSize: physical });
      const found = geometryOf(m, [device('/s', 8n * MIB, { physicalBlockSize: other })], null);
      expect([found.remapUnit, found.blockSectors]).toEqual([unit, block]);
    },
  );

  test('a unit that was asked for is taken, except below B', () => {
    const spare = device('/s', 8n * MIB);
    expect(geometryOf(main, [spare], 8).remapUnit).toBe(8);
    expect(geometryOf(device('/m', 4n * MIB, { physicalBlockSize: 4096 }), [spare], 1).remapUnit).toBe(1);
    const fault = faultOf(() => geometryOf(main, [device('/s', 8n * MIB, LARGE_BLOCKS)], 1));
    expect([fault.code, fault.fields['path']]).toEqual(['UNIT_TOO_SMALL', '/s']);
  });

  test('main is mapped in whole blocks of B, and what is left over is told', () => {
    const odd = device('/m', 4n * MIB + 512n * 7n + 100n);
    expect(geometryOf(odd, [device('/s', 8n * MIB)], null)).toMatchObject({
      mainSizeSectors: 8199n,
      mainDataSectors: 8199n,
      droppedBytes: 100n,
    });
    expect(geometryOf(odd, [device('/s', 8n * MIB, LARGE_BLOCKS)], null)).toMatchObject({
      mainSizeSectors: 8199n,
      mainDataSectors: 8192n,
      droppedBytes: 3684n,
    });
  });

  test('a spare has 8 MiB at least, and its data is a multiple of 8 sectors', () => {
    const spare = device('/s', 8n * MIB + 512n * 13n);
    expect(geometryOf(main, [spare], null).spares).toEqual([
      { sizeSectors: 16397n, dataStart: 10240n, dataSectors: 6152n },
    ]);
    const fault = faultOf(() => geometryOf(main, [device('/s', 8n * MIB - 1n)], null));
    expect([fault.code, fault.fields]).toEqual([
      'TOO_SMALL',
      { path: '/s', sectors: '16383', needed: '16384' },
    ]);
  });

  test('no main without one whole block', () => {
    expect(faultOf(() => geometryOf(device('/m', 511n), [device('/s', 8n * MIB)], null)).code).toBe(
      'TOO_SMALL',
    );
    const large = device('/s', 8n * MIB, LARGE_BLOCKS);
    expect(faultOf(() => geometryOf(device('/m', 4095n), [large], null)).code).toBe('TOO_SMALL');
  });

  test('other block sizes and zoned devices are refused, main or spare', () => {
    const spare = device('/s', 8n * MIB);
    for (const logicalBlockSize of [1024, 2048, 8192, 520]) {
      const odd = device('/odd', 8n * MIB, { logicalBlockSize });
      expect(faultOf(() => geometryOf(odd, [spare], null)).code).toBe('BLOCK_SIZE');
      expect(faultOf(() => geometryOf(main, [spare, odd], null)).fields['path']).toBe('/odd');
    }
    expect(faultOf(() => geometryOf(main, [device('/z', 8n * MIB, { zoned: true })], null)).code).toBe(
      'ZONED',
    );
  });
});

describe('entries of lost areas', () => {
  const summary = (entries: readonly RemapEntry[]): (number | bigint)[][] =>
    entries.map((e) => [e.mainSector, e.length, e.spareIndex, e.spareSector]);

  test('cover whole aligned units, cut at the end of main, and are joined where they touch', () => {
    const areas = [
      { start: 95n, end: 99n },
      { start: 17n, end: 18n },
      { start: 20n, end: 33n },
      { start: 7n, end: 9n },
      { start: 200n, end: 300n },
      { start: 50n, end: 50n },
    ];
    expect(wholeUnits(areas, 8n, 99n)).toEqual([
      { start: 0n, end: 40n },
      { start: 88n, end: 99n },
    ]);
    expect(wholeUnits(areas, 1n, 99n)).toEqual([
      { start: 7n, end: 9n },
      { start: 17n, end: 18n },
      { start: 20n, end: 33n },
      { start: 95n, end: 99n },
    ]);
  });

  test('are DATA_LOST by read errors, with space on the primary spare first', () => {
    const entries = lostEntries([{ start: 100n, end: 101n }], geometry(1000n, [80n, 80n]), NOW);
    expect(entries).toEqual([
      {
        mainSector: 96n,
        spareSector: 10240n,
        length: 8,
        spareIndex: 0,
        reason: 2,
        flags: 1,
        createdNs: NOW,
      },
    ]);
  });

  test('are split where a spare ends, and go on on the next', () => {
    const areas = [
      { start: 0n, end: 16n },
      { start: 100n, end: 140n },
    ];
    expect(summary(lostEntries(areas, geometry(1000n, [24n, 16n, 80n]), NOW))).toEqual([
      [0n, 16, 0, 10240n],
      [96n, 8, 0, 10256n],
      [104n, 16, 1, 10240n],
      [120n, 24, 2, 10240n],
    ]);
  });

  test('a spare without room is passed over', () => {
    expect(summary(lostEntries([{ start: 0n, end: 8n }], geometry(1000n, [0n, 8n]), NOW))).toEqual([
      [0n, 8, 1, 10240n],
    ]);
  });

  test('fill the spares to the last unit; one more is refused with both numbers', () => {
    expect(lostEntries([{ start: 0n, end: 40n }], geometry(1000n, [24n, 16n]), NOW)).toHaveLength(2);
    const fault = faultOf(() => lostEntries([{ start: 0n, end: 41n }], geometry(1000n, [24n, 16n]), NOW));
    expect([fault.code, fault.fields]).toEqual(['NO_ROOM', { needed: '48', room: '40' }]);
  });

  test('a last unit cut by the end of main takes a whole unit of the spare', () => {
    const fault = faultOf(() => lostEntries([{ start: 96n, end: 99n }], geometry(99n, [0n]), NOW));
    expect(fault.fields).toEqual({ needed: '8', room: '0' });
    expect(summary(lostEntries([{ start: 96n, end: 99n }], geometry(99n, [8n]), NOW))).toEqual([
      [96n, 3, 0, 10240n],
    ]);
  });

  test('15,494 fit; one more is refused with both numbers', () => {
    const areas = (count: number): LostArea[] =>
      Array.from({ length: count }, (_, i) => ({ start: BigInt(2 * i), end: BigInt(2 * i + 1) }));
    const room = geometry(1n << 20n, [1n << 20n], 1);
    expect(lostEntries(areas(MAX_ENTRIES), room, NOW)).toHaveLength(15494);
    const fault = faultOf(() => lostEntries(areas(MAX_ENTRIES + 1), room, NOW));
    expect([fault.code, fault.fields]).toEqual(['TOO_MANY_ENTRIES', { needed: '15495', room: '15494' }]);
  });

  test('no entry is longer than 32 bits hold', () => {
    const size = (1n << 33n) + 16n;
    for (const unit of [1, 8] as const) {
      const entries = lostEntries([{ start: 0n, end: size }], geometry(size, [size], unit), NOW);
      expect(entries).toHaveLength(3);
      for (const entry of entries) {
        expect(entry.length).toBeLessThanOrEqual(0xffffffff);
        expect(entry.mainSector % BigInt(unit)).toBe(0n);
      }
      expect(entries.reduce((sum, entry) => sum + BigInt(entry.length), 0n)).toBe(size);
    }
  });

  test('whatever the areas: every lost sector is covered, and no rule of the format is broken', () => {
    const area = fc
      .tuple(fc.bigInt({ min: 0n, max: 8191n }), fc.bigInt({ min: 1n, max: 60n }))
      .map(([start, length]) => ({ start, end: start + length }));
    fc.assert(
      fc.property(
        fc.array(area, { maxLength: 60 }),
        fc.constantFrom(1 as const, 8 as const),
        (areas, unit) => {
          const base = setup();
          const plan = { ...base.geometry, remapUnit: unit };
          const made = setup({ geometry: plan, entries: lostEntries(areas, plan, NOW) });
          expect(rulesBroken(firstGeneration(made, 1n))).toEqual([]);
          for (const { start, end } of areas) {
            for (let sector = start; sector < end && sector < plan.mainDataSectors; sector++) {
              const covered = made.entries.some(
                (e) => e.mainSector <= sector && sector < e.mainSector + BigInt(e.length),
              );
              expect(covered).toBe(true);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('lists of bad areas', () => {
  const names = { list: 'bad.txt', main: '/m' };

  test('bad blocks become sectors; the last may reach past the end, none may lie behind it', () => {
    expect(areasOfBadBlocks([{ start: 4096n, end: 8192n }], 4096, 6000n, names)).toEqual([
      { start: 8n, end: 16n },
    ]);
    const fault = faultOf(() => areasOfBadBlocks([{ start: 8192n, end: 12288n }], 4096, 8192n, names));
    expect([fault.code, fault.fields['start'], fault.hint]).toEqual([
      'BAD_AREA_OUTSIDE',
      '8192',
      'Is --block-size the one that was given to badblocks -b?',
    ]);
  });

  const map = (...blocks: [bigint, bigint, '?' | '*' | '/' | '-' | '+'][]): Mapfile => ({
    currentStatus: '+',
    blocks: blocks.map(([start, end, status]) => ({ start, end, status })),
    notes: [],
  });

  test('-, * and / of a mapfile are lost, + is not', () => {
    const blocks = map(
      [0n, 1000n, '+'],
      [1000n, 1100n, '-'],
      [1100n, 2048n, '*'],
      [2048n, 3000n, '/'],
      [3000n, 4096n, '+'],
    );
    expect(areasOfMapfile(blocks, 4096n, false, names)).toEqual([
      { start: 1n, end: 3n },
      { start: 2n, end: 4n },
      { start: 4n, end: 6n },
    ]);
  });

  test('not tried is refused, where the list says so and where it is silent; or lost when told', () => {
    const holes = map([512n, 1024n, '+'], [1024n, 1536n, '?'], [1536n, 2048n, '+']);
    const fault = faultOf(() => areasOfMapfile(holes, 4096n, false, names));
    expect([fault.code, fault.fields]).toEqual([
      'UNTRIED_AREAS',
      { list: 'bad.txt', areas: '3', bytes: '3072', first: '0' },
    ]);
    expect(areasOfMapfile(holes, 4096n, true, names)).toEqual([
      { start: 0n, end: 1n },
      { start: 2n, end: 3n },
      { start: 4n, end: 8n },
    ]);
    expect(areasOfMapfile(map(), 1024n, true, names)).toEqual([{ start: 0n, end: 2n }]);
  });

  test('a bad area behind the end of main means that it is not the map of main; an untried one does not', () => {
    expect(faultOf(() => areasOfMapfile(map([0n, 5000n, '-']), 4096n, true, names)).code).toBe(
      'BAD_AREA_OUTSIDE',
    );
    expect(areasOfMapfile(map([0n, 4096n, '+'], [4096n, 1n << 62n, '?']), 4096n, false, names)).toEqual([]);
  });
});

describe('the first generation', () => {
  const made = setup({ entries: lostEntries([{ start: 5n, end: 6n }], setup().geometry, NOW) });
  const generation = firstGeneration(made, 99n);
  const { devices, config, health, events, remaps } = contentsOf(generation);

  test('is valid in every place, breaks no rule, and has the header of a first one', () => {
    const bytes = encodeCopy(generation, {
      spareIndex: 1,
      spareUuid: made.identities.spareUuids[1]!,
      copyIndex: 4,
    });
    expect(judgeSlot({ bytes, gaps: [] }, 'forensic').valid).toBe(true);
    expect(rulesBroken(generation)).toEqual([]);
    expect(generation.header).toMatchObject({
      sequence: 1n,
      parentCrc: 0,
      writtenNs: NOW,
      createdNs: NOW,
      state: 0,
      setupUuid: UUID,
      spareCount: 2,
      runId: 99n,
      slotBytes: 28672,
    });
    expect(textOf(generation.header.writer)).toBe('dmremap-format 1.0.0');
  });

  test('has all that is known of main', () => {
    expect(devices[0]).toMatchObject({
      role: 0,
      flags: 0,
      sizeSectors: 8192n,
      dataStart: 0n,
      dataSectors: 8192n,
      deviceUuid: made.identities.mainUuid,
      fsUuid: '79cb9e86-830c-71c2-cdcc-69292f45e678',
      partUuid: '11111111-2222-4333-8444-555555555555',
      healthScore: 100,
      usedSectors: 0n,
      lastSequence: 0n,
      lastRun: 0n,
    });
    const texts = (['fsType', 'wwn', 'serial', 'model', 'path'] as const).map((name) =>
      textOf(devices[0]![name]),
    );
    expect(texts).toEqual(['ext4', '0x5000c500a1b2c3d4', 'MAIN-1', 'DISK', '/dev/disk/by-id/main']);
    expect(devices[0]!.contentSha256).toEqual(new Uint8Array(32).fill(7));
  });

  test('has spares that this run put it on, the first of them primary', () => {
    expect(devices.slice(1)).toMatchObject([
      {
        role: 1,
        index: 0,
        flags: 1,
        sizeSectors: 16384n,
        dataStart: 10240n,
        dataSectors: 6144n,
        usedSectors: 1n,
      },
      {
        role: 1,
        index: 1,
        flags: 0,
        sizeSectors: 18432n,
        dataStart: 10240n,
        dataSectors: 8192n,
        usedSectors: 0n,
      },
    ]);
    for (const [i, spare] of devices.slice(1).entries()) {
      expect(spare).toMatchObject({ lastSequence: 1n, baseSequence: 0n, lastRun: 99n, fsUuid: ZERO_UUID });
      expect(spare.deviceUuid).toBe(made.identities.spareUuids[i]);
    }
  });

  test('has the defaults of the format, one event, full health, and the entries', () => {
    expect(config).toMatchObject({
      targetSectors: 8192n,
      remapUnit: 1,
      scanIntervalS: 86400,
      scanChunkMin: 64,
      scanChunkMax: 2048,
      slowIoMs: 500,
      remapThreshold: 1,
      alertThreshold: 60,
      autoRemap: 1,
      maintenanceMode: 0,
      sparePolicy: 0,
      minCopies: 3,
      tunableCount: 1,
    });
    const { reassemblyVersion, requireConfirmation, readOnly, allowDegraded } = config;
    const { allowSizeMismatch, checkMainSize, checkSpareSize, checkFsUuid } = config;
    expect([reassemblyVersion, requireConfirmation, readOnly, allowDegraded]).toEqual([1, 0, 0, 1]);
    expect([allowSizeMismatch, checkMainSize, checkSpareSize, checkFsUuid]).toEqual([0, 1, 1, 0]);
    expect([textOf(config.name), textOf(config.description)]).toEqual(['data', 'for tests']);
    expect([textOf(config.tunables[0]!.name), config.tunables[0]!.value]).toEqual(['demo', 7n]);
    expect(health).toMatchObject({ score: 100, flags: 0, scansCompleted: 0n });
    expect(events[0]).toEqual({
      timeNs: NOW,
      sector: 0n,
      kind: 1,
      device: 0,
      length: 0,
      value: 0,
      serial: 1,
    });
    expect(events.slice(1).every((event) => event.serial === 0)).toBe(true);
    expect(remaps).toEqual(made.entries);
  });

  test('records the arguments of the target, with blanks escaped, or nothing where they do not fit', () => {
    const paramsOf = (of: NewSetup): string => textOf(contentsOf(firstGeneration(of, 1n)).config.params);
    expect(paramsOf(made)).toBe('/dev/disk/by-id/main 0 2 /dev/disk/by-id/s0 /dev/disk/by-id/s1');
    expect(tableLine(made)).toBe(
      '0 8192 remap /dev/disk/by-id/main 0 2 /dev/disk/by-id/s0 /dev/disk/by-id/s1',
    );
    const odd = setup({ spares: [device('/a b\\c', 8n * MIB), device('/s1', 9n * MIB)] });
    expect(paramsOf(odd)).toBe('/dev/disk/by-id/main 0 2 /a\\ b\\\\c /s1');
    const withPath = (length: number): NewSetup =>
      setup({ spares: [device(`/${'x'.repeat(length - 1)}`, 8n * MIB), device('/s1', 9n * MIB)] });
    // 25 bytes before the path and 4 behind it; 511 fit.
    expect(paramsOf(withPath(482))).toHaveLength(511);
    expect(paramsOf(withPath(483))).toBe('');
    const pathOf = (of: NewSetup): string => textOf(contentsOf(firstGeneration(of, 1n)).devices[1]!.path);
    expect(pathOf(withPath(127))).toHaveLength(127);
    expect(pathOf(withPath(128))).toBe('');
  });

  test('maintenance mode shows in the header too', () => {
    const policy = { ...DEFAULT_POLICY, maintenanceMode: 1 };
    expect(firstGeneration(setup({ policy }), 1n).header.state).toBe(4);
  });

  test('the largest one fits', () => {
    const main = device('/m', 1n << 30n);
    const spares = Array.from({ length: 8 }, (_, i) => device(`/s${i}`, 8n * MIB));
    const plan = geometryOf(main, spares, 1);
    const areas = Array.from({ length: MAX_ENTRIES }, (_, i) => ({
      start: BigInt(4 * i),
      end: BigInt(4 * i + 1),
    }));
    const largest = setup({
      geometry: plan,
      spares,
      identities: derivedIdentities(UUID, 8, sha256),
      entries: lostEntries(areas, plan, NOW),
    });
    const big = firstGeneration(largest, 1n);
    expect(big.header.slotBytes).toBe(524288);
    expect(rulesBroken(big)).toEqual([]);
  });
});

describe('identifiers', () => {
  test('derived ones are all different, stable, and of the version for derived ones', () => {
    const ids = derivedIdentities(UUID, 8, sha256);
    const all = [ids.setupUuid, ids.mainUuid, ...ids.spareUuids];
    expect(new Set(all).size).toBe(10);
    expect(derivedIdentities(UUID, 8, sha256)).toEqual(ids);
    for (const uuid of all.slice(1)) expect(uuid).toMatch(/^.{8}-.{4}-8.{3}-[89ab].{3}-.{12}$/);
    expect(derivedIdentities('1'.repeat(8) + UUID.slice(8), 8, sha256).mainUuid).not.toBe(ids.mainUuid);
  });

  test('random ones have version 4', () => {
    expect(uuidOf(new Uint8Array(16).fill(255), 4)).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
    expect(uuidOf(new Uint8Array(16), 4)).toBe('00000000-0000-4000-8000-000000000000');
  });

  test('a run_id is never 0', () => {
    expect(runIdOf(new Uint8Array(8))).toBe(1n);
    expect(runIdOf(Uint8Array.of(1, 2, 0, 0, 0, 0, 0, 128))).toBe(0x8000000000000201n);
  });

  test('a derived run_id is another one as soon as anything differs', () => {
    const run = derivedRunId(setup(), sha256);
    expect(derivedRunId(setup(), sha256)).toBe(run);
    expect(derivedRunId(setup({ name: 'date' }), sha256)).not.toBe(run);
    expect(derivedRunId(setup({ createdNs: NOW + 1n }), sha256)).not.toBe(run);
    const identities = { ...setup().identities, setupUuid: formatUuid(new Uint8Array(16).fill(1)) };
    expect(derivedRunId(setup({ identities }), sha256)).not.toBe(run);
  });
});

describe('names', () => {
  test.each(['a', 'data-1', 'x'.repeat(89), 'ä'.repeat(44), 'with blank', '日本語'])('%j is one', (name) => {
    expect(newNameDefect(name)).toBeNull();
  });

  test.each([
    ['', 'is empty'],
    ['x'.repeat(90), 'has 90 bytes, more than 89'],
    ['ä'.repeat(45), 'has 90 bytes, more than 89'],
    ['x'.repeat(300), 'has 300 bytes, more than 89'],
    ['a/b', 'contains a slash'],
    ['a\nb', 'contains a control character'],
    ['a\u0085b', 'contains a control character'],
    ['.', 'is not possible for a device-mapper device'],
    ['control', 'is not possible for a device-mapper device'],
  ])('%j is none', (name, why) => {
    expect(newNameDefect(name)).toBe(why);
  });
});

test('every field of CONFIG is either decided by the devices or settable by one option', () => {
  const decided = [
    'name',
    'params',
    'targetSectors',
    'remapUnit',
    'reassemblyVersion',
    'tunableCount',
    'tunables',
    'description',
    'crc',
  ];
  const fields = CONFIG.fields.map(({ name }) => name).filter((name) => !name.startsWith('reserved'));
  const settable = POLICY_OPTIONS.map(({ field }) => field);
  expect([...decided, ...settable].sort()).toEqual([...fields].sort());
  expect(settable).toEqual(Object.keys(DEFAULT_POLICY));
});
