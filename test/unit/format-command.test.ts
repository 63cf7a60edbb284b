// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format as a command: what it makes, refuses, overwrites and leaves behind when it is cut off; on the machine
// in memory. Real images and loop devices are in format-real.test.ts, options and output in format-cli.test.ts.
import { equalBytes, textOf } from '../../src/core/bytes';
import { contentsOf } from '../../src/core/generation';
import { recogniseContent } from '../../src/core/signatures';
import { runUndo } from '../../src/commands/undo';
import type { BadList } from '../../src/commands/format-plan';
import { CONTENT_BYTES, FOREIGN_CONTENT, writeExt, writeGpt, writeMbr, writeXfs } from '../support/content';
import {
  decide,
  format,
  formatWorld,
  hashOf,
  MAIN,
  MIB,
  NOW,
  SETUP_UUID,
  setupsOn,
  slotsOf,
  SPARES,
} from '../support/format-world';
import { noise, TOOL } from '../support/journals';
import { MemoryHost, PowerCut } from '../support/memory-host';
import { faultOf, journals } from '../support/undo-world';

const OTHER_UUID = 'c0ffee00-0000-4000-8000-000000000001';
const [S0, S1] = SPARES;
const DATA = 10240 * 512;

async function undo(host: MemoryHost, journal: string): Promise<string> {
  const result = await runUndo(host, {
    journal,
    dryRun: false,
    force: false,
    tool: TOOL,
    command: ['dmremap-undo'],
  });
  return result.status;
}

function generationOn(host: MemoryHost, path: string): ReturnType<typeof contentsOf> {
  const handle = host.openRead(path);
  const generation = slotsOf(handle)[0]!.generation;
  if (generation === null) throw new Error('no whole copy');
  return contentsOf(generation);
}

describe('making a setup', () => {
  test('puts five copies on every spare, and fsck finds it clean at every level', async () => {
    const host = formatWorld();
    const result = await format(host);
    expect([result.status, result.undo, result.exitCode]).toEqual(['made', null, 0]);
    const decision = decide(host, SETUP_UUID);
    expect(decision.verdict).toBe('clean');
    expect(decision.findings).toEqual([]);
    for (const seat of decision.seats)
      expect(seat.copies.map((copy) => copy.state)).toEqual(Array(5).fill('valid'));
    expect(journals(host)).toEqual([]);
  });

  test('leaves zeros outside the copies, and the data of the spares as it was', async () => {
    const host = formatWorld();
    host.poke(S0, DATA, noise(3, 4096));
    host.poke(S0, 100 * 1024, noise(4, 4 * MIB));
    await format(host);
    const bytes = host.bytesOf(S0);
    expect(equalBytes(bytes.subarray(DATA, DATA + 4096), noise(3, 4096))).toBe(true);
    for (const [start, end] of [
      [24576, 524288],
      [1572864, 2097152],
      [2621440, 4194304],
      [4718592, DATA],
    ] as const) {
      expect(bytes.subarray(start, end).every((byte) => byte === 0)).toBe(true);
    }
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('never writes to main', async () => {
    const host = formatWorld();
    await format(host);
    expect(host.log.filter(({ path }) => path === MAIN)).toEqual([]);
  });

  test('writes the headers last, in commit order, the spares taking turns, each synced before the next', async () => {
    const host = formatWorld();
    await format(host);
    const headers = [0, 524288, 1048576, 2097152, 4194304];
    const steps = host.log
      .filter(({ kind }) => kind === 'write' || kind === 'sync')
      .map(({ kind, path, offset }) => ({ kind, spare: path, copy: headers.indexOf(offset) }));
    const written = steps.filter(({ kind }) => kind === 'write');
    const first = written.findIndex(({ copy }) => copy !== -1);
    expect(written.slice(first).map(({ spare, copy }) => [spare, copy])).toEqual(
      [1, 2, 3, 4, 0].flatMap((copy) => SPARES.map((spare) => [spare, copy])),
    );
    for (let i = 0; i < steps.length; i += 2) {
      expect([steps[i]!.kind, steps[i + 1]!.kind]).toEqual(['write', 'sync']);
      expect(steps[i + 1]!.spare).toBe(steps[i]!.spare);
    }
  });

  test('records sizes, identifiers and the hash of eight sectors of main', async () => {
    const host = formatWorld();
    await format(host, { description: 'for tests', tunables: [{ name: 'demo', value: 9n }] });
    const { devices, config } = generationOn(host, S1);
    const sectors = [0, 1, 2, 8, 16, 32, 64, 128].map((sector) =>
      host.bytesOf(MAIN).slice(sector * 512, sector * 512 + 512),
    );
    expect(Buffer.from(devices[0]!.contentSha256).toString('hex')).toBe(host.sha256(...sectors));
    expect(devices.map(({ sizeSectors }) => sizeSectors)).toEqual([8192n, 16384n, 16384n]);
    expect(textOf(devices[2]!.path)).toBe(S1);
    expect(textOf(config.params)).toBe(`${MAIN} 0 2 ${S0} ${S1}`);
    expect(textOf(config.description)).toBe('for tests');
  });

  test('the same input gives the same bytes, and journals the same', async () => {
    const [one, two] = [formatWorld(), formatWorld()];
    for (const host of [one, two]) {
      host.poke(S0, 4096, noise(1, 8192));
      await format(host, { force: true });
    }
    expect(hashOf(one)).toBe(hashOf(two));
    expect(hashOf(one, journals(one))).toBe(hashOf(two, journals(two)));
  });

  test('without --uuid all identifiers are random and of version 4', async () => {
    const host = formatWorld();
    const result = await format(host, { uuid: null });
    const uuids = [result.setupUuid, result.mainUuid, ...result.spares.map(({ uuid }) => uuid)];
    expect(new Set(uuids).size).toBe(4);
    for (const uuid of uuids) expect(uuid).toMatch(/^.{8}-.{4}-4.{3}-[89ab].{3}-.{12}$/);
    expect(decide(host, result.setupUuid!).verdict).toBe('clean');
  });

  test('eight spares, and the time of SOURCE_DATE_EPOCH', async () => {
    const host = new MemoryHost({ sourceDateEpochNs: 1_700_000_000_000_000_000n });
    const spares = Array.from({ length: 8 }, (_, i) => `/img/s${i}`);
    host.addImage(MAIN, 4 * MIB);
    for (const path of spares) host.addImage(path, 8 * MIB);
    await format(host, { spares });
    const decision = decide(host, SETUP_UUID, spares);
    expect([decision.verdict, decision.winner?.header.createdNs]).toEqual([
      'clean',
      1_700_000_000_000_000_000n,
    ]);
  });

  test('running it again with all derived from the uuid writes nothing', async () => {
    const host = formatWorld();
    await format(host);
    const before = hashOf(host);
    host.log = [];
    const again = await format(host, { force: true });
    expect([again.writes, host.log, hashOf(host)]).toEqual([[], [], before]);
  });
});

describe('a dry run', () => {
  test('tells everything and changes nothing', async () => {
    const host = formatWorld();
    host.poke(S0, 4096, noise(1, 8192));
    const before = hashOf(host);
    const plan = await format(host, { dryRun: true });
    expect([plan.status, plan.undo, host.log, hashOf(host)]).toEqual(['would-make', null, [], before]);
    const made = await format(host);
    expect(plan.writes).toEqual(made.writes);
    expect(plan.spares.map((spare) => spare.overwrittenBytes)).toEqual([20480n, 0n]);
  });

  test('opens nothing for writing', async () => {
    const host = formatWorld();
    const openWrite = jest.spyOn(host, 'openWrite');
    await format(host, { dryRun: true });
    expect(openWrite).not.toHaveBeenCalled();
  });

  test('has no identifiers that would be others the next time', async () => {
    const plan = await format(formatWorld(), { dryRun: true, uuid: null });
    expect([plan.setupUuid, plan.mainUuid, plan.spares[0]!.uuid]).toEqual([null, null, null]);
  });

  test('is refused as the real one is', async () => {
    const host = formatWorld();
    host.setInUse(S1, ['mounted at /mnt']);
    expect(await faultOf(() => format(host, { dryRun: true }))).toBe('IN_USE');
  });
});

describe('bad areas known before', () => {
  const badBlocks = (path: string): BadList => ({ kind: 'bad-blocks', path, blockSize: 1024 });
  const mapfile = (untriedLost = false): BadList => ({ kind: 'mapfile', path: '/lists/map', untriedLost });
  const listed = (text: string, path = '/lists/bad'): MemoryHost => {
    const host = formatWorld();
    host.addImage(path, new TextEncoder().encode(text));
    return host;
  };

  test('badblocks: entries of whole units that fsck accepts', async () => {
    const host = listed('3\n4\n100\n');
    const result = await format(host, { badList: badBlocks('/lists/bad'), remapUnit: 8 });
    const { remaps } = generationOn(host, S0);
    expect(
      remaps.map((e) => [e.mainSector, e.length, e.spareIndex, e.spareSector, e.flags, e.reason]),
    ).toEqual([
      [0n, 16, 0, 10240n, 1, 2],
      [200n, 8, 0, 10256n, 1, 2],
    ]);
    expect(remaps[0]!.createdNs).toBe(NOW);
    expect(result.spares.map((spare) => spare.usedSectors)).toEqual([24n, 0n]);
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('badblocks: a line that is no number, and a block behind the end', async () => {
    expect(await faultOf(() => format(listed('3\nx\n'), { badList: badBlocks('/lists/bad') }))).toBe(
      'LIST_INVALID',
    );
    expect(await faultOf(() => format(listed('4096\n'), { badList: badBlocks('/lists/bad') }))).toBe(
      'BAD_AREA_OUTSIDE',
    );
    expect(await faultOf(() => format(formatWorld(), { badList: badBlocks('/lists/none') }))).toBe(
      'NOT_FOUND',
    );
  });

  const MAP =
    '0x0 + 1\n0x0 0x1000 +\n0x1000 0x200 -\n0x1200 0x200 *\n0x1400 0xC00 +\n0x2000 0x200 /\n0x2200 0x3FDE00 +\n';

  test('mapfile: -, * and / are lost', async () => {
    const host = listed(MAP, '/lists/map');
    const result = await format(host, { badList: mapfile() });
    expect(result.entries.map((e) => [e.mainSector, e.length])).toEqual([
      [8n, 2],
      [16n, 1],
    ]);
    expect(result.warnings).toEqual([]);
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('mapfile: what was not tried is refused, or lost', async () => {
    const untried = listed(MAP.replace('0x3FDE00 +', '0x3FDE00 ?').replace('0x0 +', '0x0 ?'), '/lists/map');
    expect(await faultOf(() => format(untried, { badList: mapfile() }))).toBe('UNTRIED_AREAS');
    expect(untried.log).toEqual([]);
    expect(await faultOf(() => format(untried, { badList: mapfile(true) }))).toBe('none');
    expect(generationOn(untried, S0).remaps.at(-1)).toMatchObject({ mainSector: 6161n, spareIndex: 1 });
  });

  test('mapfile: its remarks are passed on', async () => {
    const host = listed(`# Command line: ddrescue -i 512 /dev/sdb x\n${MAP}`, '/lists/map');
    const { warnings } = await format(host, { badList: mapfile() });
    expect(warnings.join()).toMatch(/^\/lists\/map: .*-i or -o/);
  });

  test('more than the spares hold is refused with both numbers', async () => {
    const host = listed('0x0 + 1\n0x0 0x400000 -\n0x400000 0x400000 -\n', '/lists/map');
    host.resize(MAIN, 8 * MIB);
    expect(await faultOf(() => format(host, { badList: mapfile() }))).toBe('NO_ROOM');
    expect(host.log).toEqual([]);
  });
});

describe('what is refused, with or without --force, and nothing written', () => {
  const refused = async (host: MemoryHost, more: Parameters<typeof format>[1] = {}): Promise<string> => {
    const before = hashOf(host);
    const code = await faultOf(() => format(host, more));
    expect(await faultOf(() => format(host, { ...more, force: true }))).toBe(code);
    expect([host.log, hashOf(host)]).toEqual([[], before]);
    return code;
  };

  test('main among the spares, and a spare given twice, by other names too', async () => {
    const host = formatWorld();
    host.addAlias('/dev/alias', S0);
    expect(await refused(host, { main: S0 })).toBe('SAME_DEVICE');
    expect(await refused(host, { main: '/dev/alias' })).toBe('SAME_DEVICE');
    expect(await refused(host, { spares: [S0, S1, '/dev/alias'] })).toBe('SAME_DEVICE');
  });

  test('a partition of another device that is given', async () => {
    const host = formatWorld();
    host.addBlock('/dev/sda', 16 * MIB);
    const wholeDisk = host.openRead('/dev/sda').identity;
    host.addBlock('/dev/sda1', 8 * MIB, { facts: { wholeDisk } });
    expect(await refused(host, { main: '/dev/sda', spares: ['/dev/sda1'] })).toBe('OVERLAPPING');
    expect(await refused(host, { main: '/dev/sda1', spares: ['/dev/sda'] })).toBe('OVERLAPPING');
    expect(await refused(host, { spares: ['/dev/sda1', '/dev/sda'] })).toBe('OVERLAPPING');
  });

  test('devices in use, main too', async () => {
    for (const path of [MAIN, S0, S1]) {
      const host = formatWorld();
      host.setInUse(path, ['mounted at /mnt']);
      expect(await refused(host)).toBe('IN_USE');
    }
  });

  test('a spare that is read-only; main may be', async () => {
    const host = formatWorld();
    host.addImage(S1, 8 * MIB, { readOnly: true });
    expect(await refused(host)).toBe('READ_ONLY');
    const other = formatWorld();
    other.addImage(MAIN, 4 * MIB, { readOnly: true });
    expect(await faultOf(() => format(other))).toBe('none');
  });

  test.each([
    ['TOO_SMALL', 8 * MIB - 512, {}],
    ['BLOCK_SIZE', 8 * MIB, { logicalBlockSize: 2048 }],
    ['ZONED', 8 * MIB, { facts: { zoned: true } }],
  ])('%s', async (code, size, options) => {
    const host = formatWorld();
    host.addBlock('/dev/odd', size, options);
    expect(await refused(host, { spares: [S0, '/dev/odd'] })).toBe(code);
  });

  test('missing files and directories', async () => {
    expect(await refused(formatWorld(), { spares: [S0, '/img/none'] })).toBe('NOT_FOUND');
    expect(await refused(formatWorld(), { main: '/img' })).toBe('IS_DIRECTORY');
  });
});

describe('spares that hold something', () => {
  const holding = (write: (bytes: Uint8Array) => void): MemoryHost => {
    const bytes = new Uint8Array(CONTENT_BYTES + 4 * MIB);
    write(bytes);
    const host = formatWorld();
    host.addImage(S0, bytes);
    return host;
  };
  const recognised = (host: MemoryHost): string[] => {
    const handle = host.openRead(S0);
    return recogniseContent(handle, { base: 0n, length: handle.sizeBytes }).map(({ name }) => name);
  };

  test.each(FOREIGN_CONTENT.map((content) => [content.name, content] as const))(
    '%s: refused and named; forced, it is wiped, and can be taken back',
    async (_, content) => {
      const host = holding(content.write);
      const before = hashOf(host);
      expect(recognised(host).length).toBeGreaterThan(0);
      const fault = await format(host).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code: 'HOLDS_CONTENT', fields: { path: S0 } });
      expect((fault as { fields: { found: string } }).fields.found).toContain(content.name);
      expect([host.log, hashOf(host)]).toEqual([[], before]);

      const result = await format(host, { force: true });
      expect(recognised(host)).toEqual([]);
      expect(result.warnings).toEqual([]);
      expect(result.spares[0]!.content.recognised.join()).toContain(content.name);
      expect(decide(host, SETUP_UUID).verdict).toBe('clean');
      expect(journals(host)).toEqual([result.undo]);
      expect(await undo(host, result.undo!)).toBe('undone');
      expect(hashOf(host)).toBe(before);
    },
  );

  test('only the signatures behind the first 5 MiB are touched', async () => {
    const host = holding((bytes) => {
      bytes.set(noise(9, bytes.length - DATA), DATA);
      writeGpt(bytes);
    });
    const before = host.bytesOf(S0);
    await format(host, { force: true });
    const after = host.bytesOf(S0);
    const changed = Array.from(after.keys()).filter((at) => at >= DATA && after[at] !== before[at]);
    // The magic of the backup header, in the last sector.
    expect(changed.every((at) => at >= after.length - 512 && at < after.length - 504)).toBe(true);
    expect(changed.length).toBeGreaterThan(0);
  });

  test('dm-remap metadata is refused: whole, damaged, and bodies without headers', async () => {
    const host = formatWorld();
    await format(host, { uuid: OTHER_UUID, name: 'old' });
    const fault = await format(host).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'HOLDS_METADATA', fields: { path: S0, unfinished: 'no' } });
    expect((fault as Error).message).toContain(
      `the setup ${OTHER_UUID} ("old", sequence 1, 5 of 5 copies whole)`,
    );
    for (const slot of [0, 524288, 1048576, 2097152]) host.poke(S0, slot, new Uint8Array(512));
    host.poke(S0, 4194304 + 200, noise(1, 16));
    expect(await faultOf(() => format(host))).toBe('HOLDS_METADATA');
    host.poke(S0, 4194304, new Uint8Array(4096));
    expect(await faultOf(() => format(host))).toBe('HOLDS_METADATA');
  });

  test('an older setup goes without a trace when forced, whatever its slots held, and can be taken back', async () => {
    const host = formatWorld();
    host.addImage('/lists/bad', new TextEncoder().encode('100\n2000\n'));
    await format(host, {
      uuid: OTHER_UUID,
      badList: { kind: 'bad-blocks', path: '/lists/bad', blockSize: 512 },
    });
    host.poke(S1, 3 * MIB, noise(5, 1000));
    const before = hashOf(host);
    const result = await format(host, { force: true });
    for (const path of SPARES) expect(setupsOn(host, path)).toEqual(new Map([[SETUP_UUID, 5]]));
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
    expect(await undo(host, result.undo!)).toBe('undone');
    expect(hashOf(host)).toBe(before);
    expect(decide(host, OTHER_UUID).verdict).toBe('clean');
  });

  test('a higher sequence under the same uuid does not survive', async () => {
    const host = formatWorld();
    await format(host);
    const again = await format(host, { force: true, name: 'other' });
    expect(again.undo).not.toBeNull();
    expect(textOf(generationOn(host, S1).config.name)).toBe('other');
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('bytes that are not recognised go into a journal, and are told; --no-undo keeps none', async () => {
    const host = formatWorld();
    host.poke(S1, 3 * MIB, noise(5, 1000));
    const before = hashOf(host);
    const result = await format(host);
    expect(result.spares.map((spare) => spare.overwrittenBytes)).toEqual([0n, 4096n]);
    expect(await undo(host, result.undo!)).toBe('undone');
    expect(hashOf(host)).toBe(before);
    for (const journal of journals(host)) host.removeFile(journal);
    expect((await format(host, { undo: null })).undo).toBeNull();
    expect(journals(host)).toEqual([]);
  });

  test('a journal that cannot be written stops it before anything changes', async () => {
    const host = formatWorld();
    host.poke(S1, 3 * MIB, noise(5, 1000));
    const before = hashOf(host);
    host.failFiles('/img');
    expect(await faultOf(() => format(host))).toBe('FILE_FAILED');
    expect(hashOf(host)).toBe(before);
    expect(await faultOf(() => format(host, { undo: { dir: '/elsewhere' } }))).toBe('none');
  });

  test('what cannot be read is refused, and with --force written over', async () => {
    const host = formatWorld();
    host.failReads(S0, BigInt(3 * MIB), BigInt(3 * MIB) + 1024n);
    const fault = await format(host).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'SPARE_UNREADABLE', fields: { path: S0, offset: String(3 * MIB) } });
    const result = await format(host, { force: true });
    expect(result.spares[0]!.overwrittenBytes).toBe(4096n);
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });
});

describe('spares with blocks of 4096 bytes and a main of 512', () => {
  const world = (write: (bytes: Uint8Array) => void, hints = {}): MemoryHost => {
    const host = formatWorld();
    const bytes = new Uint8Array(8 * MIB);
    write(bytes);
    host.addImage(MAIN, bytes, { hints });
    host.addBlock('/dev/large', 8 * MIB, { logicalBlockSize: 4096 });
    return host;
  };
  const spares = [S0, '/dev/large'];

  test.each<[string, (bytes: Uint8Array) => void, object, string]>([
    ['a GPT', (bytes) => writeGpt(bytes), {}, 'a partition table (gpt)'],
    [
      'an MBR',
      (bytes) => writeMbr(bytes, [{ type: 0x83, start: 2048, length: 4096 }]),
      {},
      'a partition table (mbr)',
    ],
    [
      'a file system of small blocks, by its superblock',
      (bytes) => {
        writeExt(bytes);
        bytes[1024 + 24] = 0;
      },
      {},
      'with blocks of 1024 bytes',
    ],
    [
      'a file system of small blocks, by blkid',
      () => undefined,
      { fsType: 'vfat', fsBlockSize: 512 },
      'vfat',
    ],
    ['XFS with small sectors', writeXfs, {}, 'XFS'],
  ])('%s on main is refused, and allowed with --force', async (_, write, hints, found) => {
    const host = world(write, hints);
    const fault = await format(host, { spares }).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'BLOCKS_TOO_LARGE', fields: { path: MAIN, spare: '/dev/large' } });
    expect((fault as Error).message).toContain(found);
    const { warnings, geometry } = await format(host, { spares, force: true });
    expect(warnings.join()).toContain(found);
    expect(geometry.remapUnit).toBe(8);
    expect(decide(host, SETUP_UUID, spares).verdict).toBe('clean');
  });

  test('a file system with blocks of 4096 bytes is no obstacle, nor is any where no spare is so', async () => {
    const large = world((bytes) => {
      writeExt(bytes);
      bytes[1024 + 24] = 2;
    });
    expect(await faultOf(() => format(large, { spares }))).toBe('none');
    expect(await faultOf(() => format(world(writeXfs)))).toBe('none');
  });

  test('main is mapped in whole blocks, and what is left over is told', async () => {
    const host = world(() => undefined);
    host.resize(MAIN, 8 * MIB + 512 * 3);
    const result = await format(host, { spares });
    expect(result.geometry).toMatchObject({ mainDataSectors: 16384n, droppedBytes: 1536n });
    expect(result.warnings.join()).toContain('its last 1536 bytes');
  });

  test('--sector-size makes images count as such', async () => {
    const host = formatWorld();
    const result = await format(host, { sectorSize: 4096 });
    expect(result.geometry).toMatchObject({ blockSectors: 8n, remapUnit: 8 });
    expect(generationOn(host, S0).devices.map((device) => device.logicalBlockSize)).toEqual([
      4096, 4096, 4096,
    ]);
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });
});

describe('warnings', () => {
  test('main is too short, or its sectors cannot be read: no hash is recorded', async () => {
    for (const spoil of [
      (host: MemoryHost) => host.resize(MAIN, 64 * 512),
      (host: MemoryHost) => host.failReads(MAIN, 512n * 32n, 512n * 33n),
    ]) {
      const host = formatWorld();
      spoil(host);
      expect((await format(host)).warnings.join()).toContain('none is recorded');
      expect(generationOn(host, S0).devices[0]!.contentSha256.every((byte) => byte === 0)).toBe(true);
    }
  });

  test('main is an image that is not raw, or a spare of some setup', async () => {
    const host = formatWorld();
    host.poke(MAIN, 0, Uint8Array.of(0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3));
    expect((await format(host)).warnings.join()).toContain(
      'qcow2 image (version 3), but is taken as a raw disk',
    );
    host.addImage('/img/third', 8 * MIB);
    const { warnings } = await format(host, { main: S0, spares: ['/img/third'], uuid: OTHER_UUID });
    expect(warnings.join()).toContain('is it a spare, and not main?');
  });

  test('a spare on the disk of main', async () => {
    const host = formatWorld();
    host.addBlock('/dev/sda1', 8 * MIB, { facts: { wholeDisk: 'b:8:0' } });
    host.addBlock('/dev/sda2', 8 * MIB, { facts: { wholeDisk: 'b:8:0' } });
    const { warnings } = await format(host, { main: '/dev/sda1', spares: ['/dev/sda2', S0] });
    expect(warnings).toEqual(['/dev/sda2: is on the same disk as main, and will fail with it']);
  });
});

describe('errors and interruptions', () => {
  test('a bad sector anywhere on a spare stops it before the first copy exists', async () => {
    for (const start of [8192, 3 * MIB]) {
      const host = formatWorld();
      host.poke(S1, 0, noise(2, 5 * MIB));
      host.failWrites(S1, BigInt(start), BigInt(start) + 512n);
      const before = hashOf(host);
      const fault = await format(host).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code: 'FORMAT_INCOMPLETE', exit: 8 });
      for (const path of SPARES) expect(setupsOn(host, path)).toEqual(new Map());
      host.heal();
      expect(await undo(host, (fault as { fields: { undo: string } }).fields.undo)).toBe('undone');
      expect(hashOf(host)).toBe(before);
    }
  });

  test('a header that cannot be written makes it fail, though other copies are whole', async () => {
    const host = formatWorld();
    host.failWrites(S1, 1048576n, 1048576n + 512n);
    expect(await faultOf(() => format(host))).toBe('FORMAT_INCOMPLETE');
    host.heal();
    const refused = await format(host).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'HOLDS_METADATA', fields: { unfinished: 'yes' } });
    expect(await faultOf(() => format(host, { force: true, name: 'again' }))).toBe('none');
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('writes that are lost without an error are noticed', async () => {
    const host = formatWorld();
    host.loseWrites(S0, 4194304n, 4194304n + 4096n);
    expect(await faultOf(() => format(host))).toBe('FORMAT_INCOMPLETE');
  });

  test('a signal stops it before the first copy, and no longer after', async () => {
    const run = async (after: number): Promise<{ code: string; host: MemoryHost }> => {
      const host = formatWorld();
      let asked = 0;
      const signals = { interrupted: () => asked++ >= after, breathe: async () => undefined };
      return { code: await faultOf(() => format(host, { signals })), host };
    };
    for (const after of [0, 1, 2]) {
      const { code, host } = await run(after);
      expect(code).toBe('FORMAT_INTERRUPTED');
      expect(setupsOn(host, S0)).toEqual(new Map());
      expect(await faultOf(() => format(host, { force: true }))).toBe('none');
      expect(decide(host, SETUP_UUID).verdict).toBe('clean');
    }
    const late = await run(4);
    expect([late.code, decide(late.host, SETUP_UUID).verdict]).toEqual(['none', 'clean']);
  });
});

describe('a power cut', () => {
  interface Cut {
    readonly at: number;
    readonly tear?: { readonly sectors: number } | { readonly seed: number };
    readonly cache?: 'kept' | 'lost' | { readonly seed: number };
  }

  /** Before each mutation with the cache kept, lost or in part; and inside each write. */
  function cutsOf(host: MemoryHost): Cut[] {
    return host.log.flatMap(({ kind }, at): Cut[] => [
      { at, cache: 'kept' },
      { at, cache: 'lost' },
      { at, cache: { seed: at + 1 } },
      ...(kind === 'write'
        ? [{ at, tear: { sectors: 1 } }, { at, tear: { seed: at + 1 }, cache: { seed: at } } as const]
        : []),
    ]);
  }

  async function everyCut(
    host: MemoryHost,
    run: () => Promise<unknown>,
    after: (cut: Cut) => Promise<void>,
  ): Promise<number> {
    const start = host.snapshot();
    host.reboot();
    await run();
    const cuts = cutsOf(host);
    for (const cut of cuts) {
      host.restore(start);
      host.cutPower(cut);
      await expect(run()).rejects.toThrow(PowerCut);
      host.reboot();
      await after(cut);
    }
    return cuts.length;
  }

  test('on empty spares: nothing, or copies of the new setup alone; running it again makes it', async () => {
    const host = formatWorld();
    const count = await everyCut(
      host,
      () => format(host),
      async () => {
        for (const path of SPARES)
          expect([...setupsOn(host, path).keys()].every((uuid) => uuid === SETUP_UUID)).toBe(true);
        expect(['clean', 'repairable', 'lost']).toContain(decide(host, SETUP_UUID).verdict);
        expect(await faultOf(() => format(host, { force: true }))).toBe('none');
        expect(decide(host, SETUP_UUID).verdict).toBe('clean');
      },
    );
    expect(count).toBeGreaterThan(100);
  });

  test('over an older setup: whole copies of old and new never stand side by side, undo and a second run both work', async () => {
    const host = formatWorld();
    await format(host, { uuid: OTHER_UUID, name: 'old' });
    host.poke(S0, 3 * MIB, noise(6, 2048));
    const old = hashOf(host);
    let undone = 0;
    const count = await everyCut(
      host,
      () => format(host, { force: true }),
      async () => {
        const cut = host.snapshot();
        const whole = new Set<string>();
        for (const path of SPARES) {
          for (const [uuid, copies] of setupsOn(host, path)) if (copies > 0) whole.add(uuid);
        }
        expect(whole.size).toBeLessThanOrEqual(1);
        const [journal] = journals(host);
        if (hashOf(host) !== old) {
          expect(['undone', 'nothing-to-do']).toContain(await undo(host, journal!));
          expect(hashOf(host)).toBe(old);
          undone++;
        }
        host.restore(cut);
        expect(await faultOf(() => format(host, { force: true }))).toBe('none');
        for (const path of SPARES) expect(setupsOn(host, path)).toEqual(new Map([[SETUP_UUID, 5]]));
        expect(decide(host, SETUP_UUID).verdict).toBe('clean');
      },
    );
    expect(count).toBeGreaterThan(100);
    expect(undone).toBeGreaterThan(50);
  });
});
