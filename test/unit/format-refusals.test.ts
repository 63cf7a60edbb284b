// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-format refuses, what --force overrides, and what becomes of the content that was there; on the machine in
// memory.
import { equalBytes, textOf } from '../../src/core/bytes';
import { recogniseContent } from '../../src/core/signatures';
import { CONTENT_BYTES, FOREIGN_CONTENT, writeExt, writeGpt, writeMbr, writeXfs } from '../support/content';
import {
  contentsOn,
  DATA_BYTE,
  decide,
  format,
  formatWorld,
  hashOf,
  MAIN,
  MIB,
  OTHER_UUID,
  SETUP_UUID,
  setupsOn,
  SPARES,
  undo,
} from '../support/format-world';
import { noise } from '../support/journals';
import type { MemoryHost } from '../support/memory-host';
import { faultOf, journals } from '../support/undo-world';

const [S0, S1] = SPARES;

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
      bytes.set(noise(9, bytes.length - DATA_BYTE), DATA_BYTE);
      writeGpt(bytes);
    });
    const before = host.bytesOf(S0);
    await format(host, { force: true });
    const after = host.bytesOf(S0);
    // The magic of the backup header, in the last sector.
    const magic = after.length - 512;
    expect(equalBytes(after.subarray(DATA_BYTE, magic), before.subarray(DATA_BYTE, magic))).toBe(true);
    expect(after.subarray(magic, magic + 8)).toEqual(new Uint8Array(8));
    expect(equalBytes(after.subarray(magic + 8), before.subarray(magic + 8))).toBe(true);
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
    expect(textOf(contentsOn(host, S1).config.name)).toBe('other');
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
    expect(contentsOn(host, S0).devices.map((device) => device.logicalBlockSize)).toEqual([4096, 4096, 4096]);
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
      expect(contentsOn(host, S0).devices[0]!.contentSha256.every((byte) => byte === 0)).toBe(true);
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
