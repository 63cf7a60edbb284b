// SPDX-License-Identifier: GPL-2.0-or-later
// Opening inputs on the real system, block devices: on loop devices, where root has them.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { readRegion } from '../../src/core/extents';
import { DirectReader } from '../../src/host/direct';
import { preadOf, sizeByReading } from '../../src/host/read';
import { createNodeHost } from '../../src/host/node';
import { describeWithLoops, LoopDevices } from '../support/loop-devices';
import { faultCodeOf, faultOf, removeTree, temporaryDirectory } from '../support/temporary';

const host = createNodeHost({ PATH: process.env['PATH'] });
const MIB = 1024 * 1024;
const ramp = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (i * 11 + (i >> 8)) & 0xff);

describeWithLoops('loop devices', () => {
  const loops = new LoopDevices();
  let dir = '';
  let mounted: string[] = [];
  const at = (name: string): string => join(dir, name);

  beforeEach(() => {
    dir = temporaryDirectory();
    writeFileSync(at('i'), ramp(2 * MIB));
  });
  afterEach(() => {
    for (const path of mounted) execFileSync('umount', [path]);
    mounted = [];
    loops.detachAll();
    removeTree(dir);
  });
  afterAll(() => loops.detachAll());

  const mount = (...args: string[]): string => {
    const path = at('mnt');
    mkdirSync(path, { recursive: true });
    execFileSync('mount', [...args, path]);
    mounted.push(path);
    return path;
  };

  describe.each([512, 4096] as const)('with sectors of %i bytes', (sectorSize) => {
    test('are read and written like images, and exclusively', () => {
      const node = loops.attach(at('i'), { sectorSize });
      const reader = host.openRead(node);
      expect([reader.kind, reader.sizeBytes, reader.logicalBlockSize]).toEqual([
        'block',
        BigInt(2 * MIB),
        sectorSize,
      ]);
      expect(reader.identity).toMatch(/^b:7:\d+$/);
      expect(readRegion(reader, 1000n, 5000).bytes).toEqual(ramp(2 * MIB).subarray(1000, 6000));
      expect(reader.readAt(BigInt(2 * MIB - 512), 1024).map((each) => each.kind)).toEqual([
        'data',
        'beyond-end',
      ]);

      const writer = host.openWrite(node);
      const block = new Uint8Array(4096).fill(0x77);
      writer.writeAt(8192n, block);
      writer.sync();
      expect(writer.readAt(8192n, 4096)).toEqual(block);
      expect(writer.readAt(8100n, 200)).toEqual(new Uint8Array(readFileSync(at('i')).subarray(8100, 8300)));
      expect(faultCodeOf(() => writer.writeAt(BigInt(2 * MIB - 1), new Uint8Array(2)))).toBe('WRITE_FAILED');
      expect(faultOf(() => host.openWrite(node)).code).toBe('IN_USE');
      host.openRead(node).close();
      writer.close();
      host.openWrite(node).close();
      expect(readRegion(reader, 8192n, 4096).bytes).toEqual(block);
      reader.close();
      expect(new Uint8Array(readFileSync(at('i')).subarray(8192, 12288))).toEqual(block);
    });

    test('what is read back is what the medium has, not what the cache has', () => {
      const node = loops.attach(at('i'), { sectorSize });
      const writer = host.openWrite(node);
      const before = writer.readAt(0n, 4096);
      // Warm the page cache of the device, then change the image beneath it.
      execFileSync('dd', [`if=${node}`, 'of=/dev/null', 'bs=4096', 'count=1', 'status=none']);
      const changed = new Uint8Array(4096).fill(0x99);
      execFileSync('dd', [`of=${at('i')}`, 'bs=4096', 'count=1', 'conv=notrunc,fsync', 'status=none'], {
        input: changed,
      });
      expect(writer.readAt(0n, 4096)).toEqual(changed);
      expect(before).toEqual(ramp(4096));
      writer.close();
    });

    test('a direct read that the device refuses is no error of the medium', () => {
      const node = loops.attach(at('i'), { sectorSize });
      const fd = openSync(node, 'r');
      const direct = DirectReader.open(fd, 64);
      const target = new Uint8Array(100);
      expect(direct?.read(target, 64n)).toBeNull();
      direct?.close();
      closeSync(fd);
    });

    test('facts', () => {
      const node = loops.attach(at('i'), { sectorSize });
      expect(host.facts(node)).toMatchObject({
        kind: 'block',
        sizeBytes: BigInt(2 * MIB),
        logicalBlockSize: sectorSize,
        wwn: null,
        partUuid: null,
        zoned: false,
        readOnly: false,
      });
    });

    test('the size is found by reading, where sysfs does not tell it', () => {
      const node = loops.attach(at('i'), { sectorSize });
      const fd = openSync(node, 'r');
      expect(sizeByReading(preadOf(fd))).toBe(BigInt(2 * MIB));
      closeSync(fd);
    });
  });

  test('a device that is read-only, by attaching or by mark, is read and refused for writing', () => {
    const attached = loops.attach(at('i'), { readOnly: true });
    expect(faultCodeOf(() => host.openWrite(attached))).toBe('READ_ONLY');
    expect(host.facts(attached).readOnly).toBe(true);
    host.openRead(attached).close();
    loops.detach(attached);

    const marked = loops.attach(at('i'));
    loops.setReadOnly(marked, true);
    try {
      expect(faultOf(() => host.openWrite(marked)).code).toBe('READ_ONLY');
      host.openRead(marked).close();
    } finally {
      loops.setReadOnly(marked, false);
    }
    host.openWrite(marked).close();
    expect(loops.isReadOnly(marked)).toBe(false);
  });

  test('an image behind a loop device is refused, under any name', () => {
    const node = loops.attach(at('i'));
    execFileSync('ln', [at('i'), at('hard')]);
    expect(host.inUse(at('hard'))).toEqual([`backing file of ${node}`]);
    expect(faultOf(() => host.openWrite(at('hard'))).sentence).toBe(
      `${at('hard')}: is in use: backing file of ${node}; nothing was written`,
    );
    host.openRead(at('i')).close();
    loops.detach(node);
    expect(host.inUse(at('i'))).toEqual([]);
    host.openWrite(at('i')).close();
  });

  test('a device that is mounted is refused for writing and can be read', () => {
    truncateSync(at('i'), 8 * MIB);
    const node = loops.attach(at('i'));
    execFileSync('mkfs.ext4', ['-q', '-F', '-b', '1024', '-U', '01234567-89ab-cdef-0123-456789abcdef', node]);
    expect(host.contentHints(node)).toEqual({
      fsUuid: '01234567-89ab-cdef-0123-456789abcdef',
      fsType: 'ext4',
      fsBlockSize: 1024,
    });
    const path = mount(node);
    expect(host.inUse(node)).toEqual([`mounted at ${path}`]);
    expect(faultOf(() => host.openWrite(node)).fields).toEqual({ path: node, reason: `mounted at ${path}` });
    const reader = host.openRead(node);
    expect(readRegion(reader, 1080n, 2).bytes).toEqual(Uint8Array.of(0x53, 0xef));
    reader.close();
  });

  test('a device that is held exclusively, or open for writing, by others is refused', () => {
    const node = loops.attach(at('i'));
    const exclusive = openSync(node, constants.O_RDONLY | constants.O_EXCL);
    expect(host.inUse(node)).toEqual([]); // nothing to be seen, but O_EXCL finds it
    expect(faultOf(() => host.openWrite(node)).fields['reason']).toBe(
      'something else has it open exclusively',
    );
    closeSync(exclusive);
    host.openWrite(node).close();
  });

  test('partitions: use of one is use of the disk, and O_EXCL of one leaves the other free', () => {
    truncateSync(at('i'), 32 * MIB);
    const table = Buffer.alloc(512);
    const entry = (index: number, start: number, count: number): void => {
      table.writeUInt8(0x83, 446 + 16 * index + 4);
      table.writeUInt32LE(start, 446 + 16 * index + 8);
      table.writeUInt32LE(count, 446 + 16 * index + 12);
    };
    entry(0, 2048, 16384);
    entry(1, 20480, 16384);
    table.writeUInt16LE(0xaa55, 510);
    execFileSync('dd', [`of=${at('i')}`, 'conv=notrunc', 'status=none'], { input: table });
    const node = loops.attach(at('i'), { partitions: true });
    const [first, second] = [`${node}p1`, `${node}p2`];
    expect(host.facts(first)).toMatchObject({ sizeBytes: BigInt(16384 * 512), logicalBlockSize: 512 });
    execFileSync('mkfs.ext4', ['-q', '-F', first]);
    const path = mount(first);
    expect(host.inUse(first)).toEqual([`mounted at ${path}`]);
    expect(host.inUse(node)).toEqual([`${first} is mounted at ${path}`]);
    expect(host.inUse(second)).toEqual([]);
    expect(faultCodeOf(() => host.openWrite(node))).toBe('IN_USE');
    const writer = host.openWrite(second);
    writer.writeAt(0n, new Uint8Array(512).fill(1));
    writer.sync();
    expect(writer.readAt(0n, 512)).toEqual(new Uint8Array(512).fill(1));
    writer.close();
  });

  test('a file system that is full leaves no half journal, and one that is read-only is named', () => {
    const path = mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs');
    const chunk = new Uint8Array(32 * 1024).fill(1);
    const fault = faultOf(() => host.writeFileDurably(join(path, 'j'), [chunk, chunk, chunk]));
    expect(fault.sentence).toBe(`${join(path, 'j')}: cannot write it: ENOSPC: no space left on device`);
    expect(host.listDir(path)).toEqual([]);
    writeFileSync(join(path, 'spare'), chunk);
    execFileSync('mount', ['-o', 'remount,ro', path]);
    expect(faultOf(() => host.openWrite(join(path, 'spare'))).sentence).toBe(
      `${join(path, 'spare')}: is read-only: it lies on a read-only file system; nothing was written`,
    );
    expect(host.facts(join(path, 'spare')).readOnly).toBe(true);
    expect(faultOf(() => host.writeFileDurably(join(path, 'k'), [])).fields['reason']).toMatch(/^EROFS/);
  });
});
