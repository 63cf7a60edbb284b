// SPDX-License-Identifier: GPL-2.0-or-later
// Opening inputs on the real system, image files: what is refused and how, what reads and writes do. Block devices are
// in host-loop.test.ts.
import { execFileSync, spawn } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  chmodSync,
  existsSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { readRegion } from '../../src/core/extents';
import { DirectReader } from '../../src/host/direct';
import { examine, openExamined } from '../../src/host/input';
import { createNodeHost } from '../../src/host/node';
import { faultCodeOf, faultOf, removeTree, temporaryDirectory } from '../support/temporary';

const host = createNodeHost({});
let dir = '';
const at = (name: string): string => join(dir, name);
const ramp = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (i * 11 + (i >> 8)) & 0xff);

beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => removeTree(dir));

/** Runs `action` as nobody where the test runs as root, whom nothing is forbidden. */
function unprivileged<T>(action: () => T): T {
  if (process.getuid?.() !== 0) return action();
  process.seteuid?.(65534);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
  }
}

describe('opening for reading', () => {
  test('an image: its size, block size, contents', () => {
    writeFileSync(at('i'), ramp(10_000));
    const handle = host.openRead(at('i'));
    expect([handle.kind, handle.sizeBytes, handle.logicalBlockSize, handle.path]).toEqual([
      'image',
      10_000n,
      512,
      at('i'),
    ]);
    expect(readRegion(handle, 1234n, 5000).bytes).toEqual(ramp(10_000).subarray(1234, 6234));
    expect(handle.readAt(9990n, 100).map((each) => each.kind)).toEqual(['data', 'beyond-end']);
    handle.close();
    handle.close();
    expect(() => handle.readAt(0n, 1)).toThrow('was closed');
  });

  test('all names of a file have one identity, other files have others', () => {
    for (const name of ['a', 'b']) writeFileSync(at(name), 'same contents');
    symlinkSync('a', at('symbolic'));
    linkSync(at('a'), at('hard'));
    const identity = (name: string): string => {
      const handle = host.openRead(at(name));
      handle.close();
      return handle.identity;
    };
    const { dev, ino } = statSync(at('a'), { bigint: true });
    expect([identity('a'), identity('symbolic'), identity('hard')]).toEqual(Array(3).fill(`f:${dev}:${ino}`));
    expect(identity('b')).not.toBe(identity('a'));
  });

  test('what is no input is named, and nothing hangs', async () => {
    writeFileSync(at('empty'), '');
    execFileSync('mkfifo', [at('fifo')]);
    symlinkSync('nowhere', at('dangling'));
    symlinkSync('loop', at('loop'));
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const outcome = (name: string): string => faultOf(() => host.openRead(name)).sentence.replace(name, 'X');
    expect(
      [
        at('none'),
        at('dangling'),
        at('empty/x'),
        dir,
        at('empty'),
        at('fifo'),
        at('socket'),
        '/dev/null',
        at('loop'),
        '',
        'a\0b',
      ].map(outcome),
    ).toEqual([
      'X: no such file or device',
      'X: no such file or device',
      'X: no such file or device',
      'X: is a directory; an image file or a block device is needed',
      'X: is empty (0 bytes)',
      'X: is a named pipe; an image file or a block device is needed',
      'X: is a socket; an image file or a block device is needed',
      'X: is a character device; an image file or a block device is needed',
      'X: cannot open: ELOOP: too many symbolic links encountered',
      'X: no such file or device',
      expect.stringContaining('X: cannot open: '),
    ]);
    await new Promise((resolve) => server.close(resolve));
  });

  test('no permission is said to be that', () => {
    chmodSync(dir, 0o755);
    writeFileSync(at('secret'), 'x', { mode: 0o000 });
    const fault = unprivileged(() => faultOf(() => host.openRead(at('secret'))));
    expect(fault.sentence).toBe(`${at('secret')}: permission denied (open for reading)`);
  });

  test("another owner's file can be read, though its access time cannot be left alone", () => {
    chmodSync(dir, 0o755);
    writeFileSync(at('theirs'), 'x', { mode: 0o644 });
    unprivileged(() => host.openRead(at('theirs')).close());
  });

  test('the access time of an image stays', () => {
    writeFileSync(at('i'), ramp(4096));
    utimesSync(at('i'), 1_000_000_000, 1_600_000_000);
    const handle = host.openRead(at('i'));
    handle.readAt(0n, 4096);
    handle.close();
    expect(statSync(at('i')).atimeMs).toBe(1_000_000_000_000);
  });

  test('an image cut short while it is open ends where it now ends', () => {
    writeFileSync(at('i'), ramp(10_000));
    const handle = host.openRead(at('i'));
    truncateSync(at('i'), 6000);
    expect(handle.readAt(4096n, 8192).map((each) => [each.kind, each.start, each.end])).toEqual([
      ['data', 4096n, 6000n],
      ['beyond-end', 6000n, 12288n],
    ]);
    handle.close();
  });

  test('a file put in the place of the one that was looked at is not opened', () => {
    writeFileSync(at('i'), 'first');
    const input = examine(at('i'));
    writeFileSync(at('other'), 'other');
    renameSync(at('other'), at('i'));
    expect(faultOf(() => openExamined(input, 0, 'open for reading')).fields['reason']).toMatch(/replaced/);
    execFileSync('mkfifo', [at('fifo')]);
    renameSync(at('fifo'), at('i'));
    expect(faultCodeOf(() => openExamined(input, 0, 'open for reading'))).toBe('NOT_A_DEVICE_OR_FILE');
  });

  test('ten thousand small files are opened, read and closed without trace', () => {
    const descriptors = (): number => host.listDir('/proc/self/fd').length;
    writeFileSync(at('i'), ramp(4096));
    const before = descriptors();
    for (let i = 0; i < 10_000; i++) {
      const handle = host.openRead(at('i'));
      handle.readAt(0n, 4096);
      handle.close();
    }
    for (let i = 0; i < 10; i++) faultCodeOf(() => host.openRead(dir));
    expect(descriptors()).toBe(before);
  });
});

describe('opening for writing', () => {
  test('writes land where they should, are read back, and do not grow the image', () => {
    writeFileSync(at('i'), ramp(10_001));
    const handle = host.openWrite(at('i'));
    expect(handle.sizeBytes).toBe(10_001n);
    const piece = new Uint8Array(700).fill(0xee);
    handle.writeAt(5000n, piece);
    handle.sync();
    const expected = ramp(10_001);
    expected.set(piece, 5000);
    expect(handle.readAt(0n, 10_001)).toEqual(expected);
    expect(handle.readAt(10_000n, 1)).toEqual(expected.subarray(10_000));
    expect(faultOf(() => handle.writeAt(9_999n, new Uint8Array(3))).fields).toEqual({
      path: at('i'),
      offset: '9999',
      length: '3',
      reason: 'it would go past the end',
    });
    expect(faultCodeOf(() => handle.writeAt(-1n, new Uint8Array(3)))).toBe('WRITE_FAILED');
    expect(faultCodeOf(() => handle.readAt(9_999n, 3))).toBe('READ_FAILED');
    handle.close();
    handle.close();
    expect(() => handle.writeAt(0n, piece)).toThrow('was closed');
    expect(() => handle.readAt(0n, 1)).toThrow('was closed');
    expect(() => handle.sync()).toThrow('was closed');
    expect(new Uint8Array(readFileSync(at('i')))).toEqual(expected);
  });

  test('reads larger than the direct buffer are whole', () => {
    const size = 3 * 1024 * 1024 + 777;
    writeFileSync(at('i'), ramp(size));
    const handle = host.openWrite(at('i'));
    expect(Buffer.compare(handle.readAt(513n, size - 513), ramp(size).subarray(513))).toBe(0);
    handle.close();
  });

  test('an image that was cut short meanwhile fails to be read back, rather than being padded', () => {
    writeFileSync(at('i'), ramp(8192));
    const handle = host.openWrite(at('i'));
    truncateSync(at('i'), 5000);
    expect(faultOf(() => handle.readAt(4096n, 4096)).fields['reason']).toBe('it ends before that');
    handle.close();
  });

  test('a file system without direct reads is read through the cache', () => {
    // /proc refuses O_DIRECT; /dev/shm (tmpfs) does on kernels before 6.6.
    const fd = openSync('/proc/self/status', 'r');
    expect(DirectReader.open(fd, 4096)).toBeNull();
    closeSync(fd);
    if (!existsSync('/dev/shm')) return;
    const path = `/dev/shm/dmremap-test-${process.pid}`;
    writeFileSync(path, ramp(5000));
    try {
      const handle = host.openWrite(path);
      expect(handle.readAt(100n, 4000)).toEqual(ramp(5000).subarray(100, 4100));
      handle.close();
    } finally {
      removeTree(path);
    }
  });

  test('an image that somebody else writes to is refused, and free again afterwards', () => {
    writeFileSync(at('i'), ramp(4096));
    linkSync(at('i'), at('other-name'));
    const fd = openSync(at('other-name'), 'r+');
    const child = spawn('sleep', ['60'], { stdio: ['ignore', fd, 'ignore'] });
    closeSync(fd);
    try {
      expect(host.inUse(at('i'))).toEqual([
        expect.stringMatching(`^open for writing by process ${child.pid} `),
      ]);
      const fault = faultOf(() => host.openWrite(at('i')));
      expect(fault.code).toBe('IN_USE');
      host.openRead(at('i')).close();
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('one that is only read by somebody is free', () => {
    writeFileSync(at('i'), ramp(4096));
    const fd = openSync(at('i'), 'r');
    const child = spawn('sleep', ['60'], { stdio: [fd, 'ignore', 'ignore'] });
    closeSync(fd);
    try {
      expect(host.inUse(at('i'))).toEqual([]);
      host.openWrite(at('i')).close();
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('what cannot be written to is refused before anything is written', () => {
    chmodSync(dir, 0o755);
    writeFileSync(at('theirs'), 'x', { mode: 0o444 });
    mkdirSync(at('d'));
    expect(unprivileged(() => faultOf(() => host.openWrite(at('theirs')))).sentence).toBe(
      `${at('theirs')}: permission denied (open for writing)`,
    );
    expect(faultCodeOf(() => host.openWrite(at('d')))).toBe('IS_DIRECTORY');
    expect(faultCodeOf(() => host.openWrite(at('none')))).toBe('NOT_FOUND');
    expect(faultCodeOf(() => host.openWrite('/dev/null'))).toBe('NOT_A_DEVICE_OR_FILE');
    writeFileSync(at('empty'), '');
    expect(faultCodeOf(() => host.openWrite(at('empty')))).toBe('EMPTY');
  });
});

test('facts of an image', () => {
  writeFileSync(at('i'), ramp(10_000));
  expect(host.facts(at('i'))).toEqual({
    kind: 'image',
    sizeBytes: 10_000n,
    logicalBlockSize: 512,
    physicalBlockSize: 512,
    wwn: null,
    serial: null,
    model: null,
    stablePath: at('i'),
    partUuid: null,
    zoned: false,
    readOnly: false,
  });
  expect(host.facts(join(dir, 'x', '..', 'i')).stablePath).toBe(at('i'));
  expect(faultCodeOf(() => host.facts(at('none')))).toBe('NOT_FOUND');
});
