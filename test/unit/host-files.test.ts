// SPDX-License-Identifier: GPL-2.0-or-later
// The toolkit's own files on the real system: journals and backups, text it reads, the clock and the hashes.
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { join } from 'node:path';
import { crc32 } from '../../src/core/crc32';
import { contentHintsOf, findProgram, NO_HINTS, parseBlkid } from '../../src/host/blkid';
import { useZlibCrc32 } from '../../src/host/crc';
import { createNodeHost } from '../../src/host/node';
import { faultCodeOf, faultOf, removeTree, temporaryDirectory } from '../support/temporary';

const host = createNodeHost({});
let dir = '';
const at = (name: string): string => join(dir, name);
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const mode = (path: string): number => statSync(path).mode & 0o777;

beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(() => removeTree(dir));

describe('writeFileDurably', () => {
  test('writes all chunks into a new file for the owner only', () => {
    host.writeFileDurably(at('j'), [bytes('one '), bytes(''), bytes('two')]);
    expect(readFileSync(at('j'), 'utf8')).toBe('one two');
    expect(mode(at('j'))).toBe(0o600);
    host.writeFileDurably(at('k'), [], 0o640);
    expect(mode(at('k'))).toBe(0o640);
  });

  test('never replaces a file, nor follows a link', () => {
    writeFileSync(at('j'), 'old');
    symlinkSync(at('elsewhere'), at('link'));
    expect(faultCodeOf(() => host.writeFileDurably(at('j'), [bytes('new')]))).toBe('FILE_EXISTS');
    expect(faultCodeOf(() => host.writeFileDurably(at('link'), [bytes('new')]))).toBe('FILE_EXISTS');
    expect(readFileSync(at('j'), 'utf8')).toBe('old');
    expect(existsSync(at('elsewhere'))).toBe(false);
    expect(host.exists(at('link'))).toBe(true);
  });

  test('leaves nothing behind when the chunks fail', () => {
    function* failing(): Generator<Uint8Array> {
      yield bytes('half');
      throw new Error('no more');
    }
    expect(faultOf(() => host.writeFileDurably(at('j'), failing())).fields).toEqual({
      path: at('j'),
      doing: 'write it',
      reason: 'no more',
    });
    expect(host.exists(at('j'))).toBe(false);
  });

  test('says why it cannot make the file', () => {
    const fault = faultOf(() => host.writeFileDurably(at('none/j'), []));
    expect(fault.code).toBe('FILE_FAILED');
    expect(fault.sentence).toBe(`${at('none/j')}: cannot make it: ENOENT: no such file or directory`);
  });
});

test('a full disk is a fault', () => {
  // /dev/full stands in for it where appends are concerned: every write to it is ENOSPC.
  const fault = faultOf(() => host.appendDurably('/dev/full', bytes('x')));
  expect([fault.code, fault.fields['reason']]).toEqual(['FILE_FAILED', 'ENOSPC: no space left on device']);
});

test('appending keeps what is there, and makes no files', () => {
  writeFileSync(at('j'), 'one ');
  host.appendDurably(at('j'), bytes('two'));
  expect(readFileSync(at('j'), 'utf8')).toBe('one two');
  expect(faultCodeOf(() => host.appendDurably(at('none'), bytes('x')))).toBe('NOT_FOUND');
  expect(existsSync(at('none'))).toBe(false);
});

describe('readFile', () => {
  test('gives files up to the limit and not a byte more', () => {
    writeFileSync(at('f'), 'x'.repeat(100_000));
    expect(host.readFile(at('f'), 100_000)).toHaveLength(100_000);
    expect(faultOf(() => host.readFile(at('f'), 99_999)).sentence).toBe(
      `${at('f')}: cannot read it: it is larger than 99999 bytes`,
    );
    writeFileSync(at('empty'), '');
    expect(host.readFile(at('empty'), 0)).toHaveLength(0);
  });

  test('reads files whose size says nothing', () => {
    expect(host.readFile('/proc/self/status', 100_000).length).toBeGreaterThan(100);
  });

  test('names what is no file', () => {
    expect(faultCodeOf(() => host.readFile(at('none'), 10))).toBe('NOT_FOUND');
    expect(faultCodeOf(() => host.readFile(dir, 10))).toBe('IS_DIRECTORY');
    expect(faultOf(() => host.readFile('/dev/null', 10)).fields['what']).toBe('character device');
  });

  test('reads a pipe to its end', () => {
    execFileSync('mkfifo', [at('pipe')]);
    const writer = spawn('sh', ['-c', `printf hello > '${at('pipe')}'`], { stdio: 'ignore' });
    try {
      expect(Buffer.from(host.readFile(at('pipe'), 100)).toString()).toBe('hello');
    } finally {
      writer.kill();
    }
  });
});

test('directories are made for the owner only, all that are missing', () => {
  host.makeDirs(at('a/b/c'));
  expect([at('a'), at('a/b'), at('a/b/c')].map(mode)).toEqual([0o700, 0o700, 0o700]);
  mkdirSync(at('open'), { mode: 0o755 });
  host.makeDirs(at('open'));
  expect(mode(at('open'))).toBe(0o755);
  writeFileSync(at('file'), '');
  expect(faultCodeOf(() => host.makeDirs(at('file/x')))).toBe('FILE_FAILED');
});

test('listing is sorted; a missing directory is an empty one', () => {
  for (const name of ['b', 'a', 'B']) writeFileSync(at(name), '');
  expect(host.listDir(dir)).toEqual(['B', 'a', 'b']);
  expect(host.listDir(at('none'))).toEqual([]);
  expect(host.listDir(at('a'))).toEqual([]);
});

test('removing, existence, real paths, times', () => {
  writeFileSync(at('f'), '');
  symlinkSync('f', at('link'));
  utimesSync(at('f'), 1_700_000_000, 1_700_000_000);
  expect(host.mtimeNs(at('link'))).toBe(1_700_000_000_000_000_000n);
  expect(host.realPath(at('link'))).toBe(host.realPath(at('f')));
  expect(host.exists(at('f'))).toBe(true);
  host.removeFile(at('f'));
  host.removeFile(at('f'));
  expect(host.exists(at('f'))).toBe(false);
  expect(faultCodeOf(() => host.realPath(at('f')))).toBe('NOT_FOUND');
  expect(faultCodeOf(() => host.mtimeNs(at('f')))).toBe('NOT_FOUND');
});

describe('SOURCE_DATE_EPOCH', () => {
  test('is the time when it is set', () => {
    const fixed = createNodeHost({ SOURCE_DATE_EPOCH: '1700000000' });
    expect(fixed.now()).toBe(1_700_000_000_000_000_000n);
    expect(fixed.sourceDateEpoch()).toBe(1_700_000_000_000_000_000n);
  });

  test('otherwise the clock is', () => {
    const before = BigInt(Date.now()) * 1_000_000n;
    expect(host.sourceDateEpoch()).toBeNull();
    expect(host.now() >= before).toBe(true);
    expect(host.now() <= (BigInt(Date.now()) + 1n) * 1_000_000n).toBe(true);
  });

  test.each(['yesterday', '-5', '1.5', '0x10', ' 5', '18446744074', '9'.repeat(30)])(
    'refuses %p',
    (value) => {
      const fault = faultOf(() => createNodeHost({ SOURCE_DATE_EPOCH: value }).now());
      expect([fault.code, fault.exit]).toEqual(['BAD_ENVIRONMENT', 16]);
    },
  );
});

test('hashes and random bytes', () => {
  expect(host.sha256(bytes('a'), bytes('bc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
  expect(host.random(16)).toHaveLength(16);
  expect(host.random(16)).not.toEqual(host.random(16));
});

test('the CRC of zlib gives what the package gives, wherever there is one', () => {
  const data = host.random(10_000);
  const before = crc32(data, 77);
  expect(useZlibCrc32()).toBe(true);
  expect(crc32(data, 77)).toBe(before);
  expect(crc32(data)).toBe(zlibCrc32(data));
});

test('no bytes leave a CRC as it is, also those without memory behind them, where zlib begins anew', () => {
  const nothing = new Uint8Array(new ArrayBuffer(0));
  expect(zlibCrc32(nothing, 77)).toBe(0);
  expect(useZlibCrc32()).toBe(true);
  expect(crc32(nothing, 77)).toBe(77);
});

describe('blkid', () => {
  test('its export format is understood', () => {
    expect(
      parseBlkid(
        'DEVNAME=/dev/sda1\nLABEL=a\\ b\nUUID=0a1b-2c3d\nBLOCK_SIZE=4096\nTYPE=ext4\nUSAGE=filesystem\n',
      ),
    ).toEqual({ fsUuid: '0a1b-2c3d', fsType: 'ext4', fsBlockSize: 4096 });
    expect(parseBlkid('TYPE=we\\ird\nBLOCK_SIZE=0\n')).toEqual({
      fsUuid: null,
      fsType: 'weird',
      fsBlockSize: null,
    });
    expect(parseBlkid('')).toEqual(NO_HINTS);
    expect(parseBlkid('BLOCK_SIZE=99999999999999999999')).toEqual(NO_HINTS);
  });

  const fakeBlkid = (script: string): void => {
    mkdirSync(at('bin'));
    writeFileSync(at('bin/blkid'), `#!/bin/sh\n${script}\n`);
    chmodSync(at('bin/blkid'), 0o755);
  };

  test('it is asked about the absolute path, without our environment', () => {
    fakeBlkid(`echo "TYPE=$1,$2,$3,$4,$LC_ALL,$HOME"`);
    expect(contentHintsOf('/x/../image', at('bin')).fsType).toBe('-p,-o,export,/image,C,');
  });

  test.each(['exit 2', 'echo TYPE=ext4; exit 8', 'kill -9 $$'])('its failure is no hint: %s', (script) => {
    fakeBlkid(script);
    expect(contentHintsOf('/image', at('bin'))).toEqual(NO_HINTS);
  });

  test('it is not taken from a relative directory', () => {
    fakeBlkid('echo TYPE=planted');
    expect(findProgram('no-such-program', 'bin:.:')).toBeNull();
    const cwd = process.cwd();
    process.chdir(dir);
    try {
      expect(findProgram('blkid', 'bin')).not.toBe('bin/blkid');
      expect(findProgram('blkid', at('bin'))).toBe(at('bin/blkid'));
    } finally {
      process.chdir(cwd);
    }
  });
});
