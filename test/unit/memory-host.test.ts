// SPDX-License-Identifier: GPL-2.0-or-later
// The test machine itself: crash tests are worth what its power cuts are worth.
import { readRegion } from '../../src/core/extents';
import { MemoryHost, PowerCut } from '../support/memory-host';
import type { Cache, PowerCutPlan } from '../support/memory-host';
import { faultCodeOf, faultOf } from '../support/temporary';

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** The first byte of each 512-byte sector. */
const sectors = (bytes: Uint8Array): number[] =>
  Array.from({ length: Math.ceil(bytes.length / 512) }, (_, i) => bytes[i * 512] ?? -1);

function machine(): MemoryHost {
  const host = new MemoryHost();
  host.addImage('/img/spare', 8192);
  return host;
}

/** Writes 0x11 over the first 4 KiB, syncs, writes 0x22 over the second. */
function twoWrites(host: MemoryHost): void {
  const handle = host.openWrite('/img/spare');
  handle.writeAt(0n, filled(4096, 0x11));
  handle.sync();
  handle.writeAt(4096n, filled(4096, 0x22));
  handle.close();
}

function cut(plan: PowerCutPlan, work: (host: MemoryHost) => void = twoWrites, host = machine()): MemoryHost {
  host.cutPower(plan);
  expect(() => work(host)).toThrow(PowerCut);
  expect(host.isDown).toBe(true);
  host.reboot();
  return host;
}

test('every mutation is in one log, in order', () => {
  const host = machine();
  twoWrites(host);
  host.makeDirs('/var/undo');
  host.writeFileDurably('/var/undo/j', [filled(10, 1), filled(20, 2)]);
  host.appendDurably('/var/undo/j', filled(5, 3));
  host.removeFile('/var/undo/j');
  expect(
    host.log.map(({ kind, path, offset, bytes }) => `${kind} ${path} ${offset}+${bytes.length}`),
  ).toEqual([
    'write /img/spare 0+4096',
    'sync /img/spare 0+0',
    'write /img/spare 4096+4096',
    'make-directory /var 0+0',
    'make-directory /var/undo 0+0',
    'create /var/undo/j 0+0',
    'write /var/undo/j 0+10',
    'write /var/undo/j 10+20',
    'sync /var/undo/j 0+0',
    'sync-name /var/undo/j 0+0',
    'write /var/undo/j 30+5',
    'sync /var/undo/j 0+0',
    'remove /var/undo/j 0+0',
  ]);
});

describe('power cuts', () => {
  test('the mutation that is cut does not happen, and those before it do', () => {
    expect(sectors(cut({ at: 2 }).bytesOf('/img/spare'))).toEqual([...filled(8, 0x11), ...filled(8, 0)]);
    expect(sectors(cut({ at: 0 }).bytesOf('/img/spare'))).toEqual([...filled(16, 0)]);
  });

  test('nothing works until the reboot', () => {
    const host = machine();
    const handle = host.openWrite('/img/spare');
    const reader = host.openRead('/img/spare');
    host.cutPower({ at: 0 });
    expect(() => handle.writeAt(0n, filled(1, 1))).toThrow(PowerCut);
    for (const action of [
      () => handle.writeAt(0n, filled(1, 1)),
      () => handle.readAt(0n, 1),
      () => handle.sync(),
      () => reader.readAt(0n, 1),
      () => host.openRead('/img/spare'),
      () => host.openWrite('/img/spare'),
      () => host.writeFileDurably('/img/x', []),
      () => host.removeFile('/img/spare'),
      () => host.makeDirs('/x'),
      () => host.listDir('/img'),
    ]) {
      expect(action).toThrow(PowerCut);
    }
    handle.close();
    reader.close();
    host.reboot();
    expect(host.openRead('/img/spare').sizeBytes).toBe(8192n);
  });

  test('the first sectors of a torn write are new, the rest old', () => {
    const host = cut({ at: 2, tear: { sectors: 3 } });
    expect(sectors(host.bytesOf('/img/spare')).slice(8)).toEqual([0x22, 0x22, 0x22, 0, 0, 0, 0, 0]);
  });

  test('any sectors of a torn write can be the new ones', () => {
    const host = cut({ at: 2, tear: { mask: 0b10100001n } });
    expect(sectors(host.bytesOf('/img/spare')).slice(8)).toEqual([0x22, 0, 0, 0, 0, 0x22, 0, 0x22]);
  });

  test('a seed tears the same way each time, and different seeds differently', () => {
    const torn = (seed: number): string =>
      sectors(cut({ at: 2, tear: { seed } }).bytesOf('/img/spare'))
        .slice(8)
        .join();
    expect(torn(1)).toBe(torn(1));
    expect(new Set(Array.from({ length: 20 }, (_, seed) => torn(seed))).size).toBeGreaterThan(10);
  });

  /** Two writes over each other that are not synced, then the cut. */
  const unsynced = (host: MemoryHost): void => {
    const handle = host.openWrite('/img/spare');
    handle.writeAt(0n, filled(512, 1));
    handle.sync();
    handle.writeAt(0n, filled(1024, 2));
    handle.writeAt(512n, filled(1024, 3));
    handle.sync();
  };
  const survived = (cache: Cache): number[] =>
    sectors(cut({ at: 4, cache }, unsynced).bytesOf('/img/spare')).slice(0, 3);

  test('a volatile cache may keep or lose what was not synced', () => {
    expect(survived('kept')).toEqual([2, 3, 3]);
    expect(survived('lost')).toEqual([1, 0, 0]);
  });

  test('or any part of it, but never what was synced', () => {
    const seen = new Set(Array.from({ length: 64 }, (_, seed) => survived({ seed }).join()));
    for (const outcome of seen) expect(outcome).toMatch(/^[12],[023],[03]$/);
    expect(seen.size).toBe(2 * 3 * 2);
  });

  const journal = (host: MemoryHost): void =>
    host.writeFileDurably('/img/j', [filled(1024, 1), filled(1024, 2)]);

  test('a new file may be cut at each of its steps', () => {
    const sizes = [0, 1, 2, 3, 4].map((at) => {
      const host = cut({ at }, journal);
      return host.exists('/img/j') ? host.bytesOf('/img/j').length : null;
    });
    expect(sizes).toEqual([null, 0, 1024, 2048, 2048]);
    const done = machine();
    done.cutPower({ at: 5 });
    journal(done);
    expect(done.bytesOf('/img/j')).toHaveLength(2048);
  });

  test('until its directory is synced a new file may be lost whole, and until it is synced in part', () => {
    expect(cut({ at: 4, cache: 'lost' }, journal).exists('/img/j')).toBe(false);
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 64; seed++) {
      const host = cut({ at: 3, cache: { seed } }, journal);
      outcomes.add(host.exists('/img/j') ? sectors(host.bytesOf('/img/j')).join() : 'absent');
    }
    expect(outcomes).toContain('absent');
    expect(outcomes).toContain('');
    expect(outcomes).toContain('0,0,2');
    expect(outcomes).toContain('1,1,2,2');
  });

  test('an append may be torn', () => {
    const append = (host: MemoryHost): void => {
      journal(host);
      host.appendDurably('/img/j', filled(1024, 3));
    };
    expect(sectors(cut({ at: 5, tear: { sectors: 1 } }, append).bytesOf('/img/j'))).toEqual([1, 1, 2, 2, 3]);
    expect(sectors(cut({ at: 5, tear: { mask: 2n } }, append).bytesOf('/img/j'))).toEqual([1, 1, 2, 2, 0, 3]);
  });

  test('appends that are not aligned are torn at the sectors of the file', () => {
    const append = (host: MemoryHost): void => {
      host.writeFileDurably('/img/j', [filled(500, 1)]);
      host.appendDurably('/img/j', filled(100, 2));
    };
    expect(cut({ at: 4, tear: { sectors: 1 } }, append).bytesOf('/img/j')).toHaveLength(512);
  });
});

describe('faults', () => {
  test('a bad region is unread until it is written to', () => {
    const host = machine();
    host.failReads('/img/spare', 512n, 2048n);
    const gaps = (): unknown[] =>
      readRegion(host.openRead('/img/spare'), 0n, 4096).gaps.map((gap) => [gap.start, gap.end]);
    expect(gaps()).toEqual([[512, 2048]]);
    const handle = host.openWrite('/img/spare');
    expect(faultOf(() => handle.readAt(0n, 4096)).fields['offset']).toBe('512');
    handle.writeAt(1024n, filled(512, 1));
    expect(gaps()).toEqual([
      [512, 1024],
      [1536, 2048],
    ]);
    expect(handle.readAt(1024n, 512)).toEqual(filled(512, 1));
  });

  test('unless it is bad for good', () => {
    const host = machine();
    host.failReads('/img/spare', 512n, 1024n, 'ENODATA: medium error', true);
    host.openWrite('/img/spare').writeAt(0n, filled(4096, 1));
    expect(readRegion(host.openRead('/img/spare'), 0n, 4096).gaps[0]?.reason).toBe('ENODATA: medium error');
    host.heal();
    expect(readRegion(host.openRead('/img/spare'), 0n, 4096).gaps).toEqual([]);
  });

  test('a write fails from its first bad sector on', () => {
    const host = machine();
    host.failWrites('/img/spare', 1024n, 1536n);
    const handle = host.openWrite('/img/spare');
    expect(faultOf(() => handle.writeAt(0n, filled(4096, 1))).fields).toEqual({
      path: '/img/spare',
      offset: '0',
      length: '4096',
      reason: 'EIO: i/o error',
    });
    expect(sectors(host.bytesOf('/img/spare')).slice(0, 4)).toEqual([1, 1, 0, 0]);
    handle.writeAt(2048n, filled(512, 2));
  });

  test('a device may lie about what it wrote', () => {
    const host = machine();
    host.loseWrites('/img/spare', 512n, 1024n);
    const handle = host.openWrite('/img/spare');
    handle.writeAt(0n, filled(2048, 1));
    handle.sync();
    expect(sectors(handle.readAt(0n, 2048))).toEqual([1, 0, 1, 1]);
  });

  test('syncs can fail, after some that did not', () => {
    const host = machine();
    host.failSyncs('/img/spare', 1);
    const handle = host.openWrite('/img/spare');
    handle.sync();
    expect(faultCodeOf(() => handle.sync())).toBe('SYNC_FAILED');
  });

  test('a directory can be full, at once or in the middle of a file', () => {
    const host = machine();
    host.failFiles('/full');
    host.failFiles('/small', 'ENOSPC: no space left on device', 1000);
    expect(faultCodeOf(() => host.makeDirs('/full'))).toBe('FILE_FAILED');
    host.makeDirs('/small');
    expect(faultCodeOf(() => host.writeFileDurably('/small/j', [filled(600, 1), filled(600, 2)]))).toBe(
      'FILE_FAILED',
    );
    expect(host.listDir('/small')).toEqual([]);
    host.writeFileDurably('/small/j', [filled(600, 1)]);
  });

  test('devices in use, marked read-only or opened twice are refused, images opened twice are not', () => {
    const host = machine();
    host.addBlock('/dev/a', 4096);
    host.addBlock('/dev/ro', 4096, { readOnly: true });
    const first = host.openWrite('/dev/a');
    expect(faultCodeOf(() => host.openWrite('/dev/a'))).toBe('IN_USE');
    first.close();
    host.openWrite('/dev/a').close();
    host.setInUse('/dev/a', ['mounted at /mnt']);
    expect(host.inUse('/dev/a')).toEqual(['mounted at /mnt']);
    expect(faultCodeOf(() => host.openWrite('/dev/a'))).toBe('IN_USE');
    expect(faultCodeOf(() => host.openWrite('/dev/ro'))).toBe('READ_ONLY');
    host.openWrite('/img/spare');
    host.openWrite('/img/spare');
  });
});

test('a restored snapshot repeats a run exactly', () => {
  const host = machine();
  const before = host.snapshot();
  const run = (): string[] => {
    twoWrites(host);
    host.writeFileDurably('/img/j', [host.random(8)]);
    return [
      host.sha256(host.bytesOf('/img/spare'), host.bytesOf('/img/j')),
      host.openRead('/img/j').identity,
    ];
  };
  const first = run();
  host.restore(before);
  expect(host.log).toEqual([]);
  expect(host.exists('/img/j')).toBe(false);
  expect(sectors(host.bytesOf('/img/spare'))).toEqual([...filled(16, 0)]);
  expect(run()).toEqual(first);
});

test('a disk of terabytes costs what was written to it', () => {
  const host = new MemoryHost();
  host.addBlock('/dev/big', 2 ** 42);
  host.openWrite('/dev/big').writeAt(2n ** 42n - 512n, filled(512, 9));
  expect(readRegion(host.openRead('/dev/big'), 2n ** 42n - 512n, 512).bytes).toEqual(filled(512, 9));
});

test('names: aliases, directories, listing, faults', () => {
  const host = machine();
  host.addAlias('/dev/disk/by-id/x', '/img/spare');
  host.addImage('/img/empty', 0);
  expect(host.realPath('/dev/disk/by-id/x')).toBe('/img/spare');
  expect(host.openRead('/dev/disk/by-id/x').identity).toBe(host.openRead('/img/spare').identity);
  expect(host.listDir('/img')).toEqual(['empty', 'spare']);
  expect(host.listDir('/')).toEqual(['img']);
  expect(host.listDir('/nowhere')).toEqual([]);
  expect(faultCodeOf(() => host.openRead('/img'))).toBe('IS_DIRECTORY');
  expect(faultCodeOf(() => host.openRead('/img/none'))).toBe('NOT_FOUND');
  expect(faultCodeOf(() => host.openRead('/img/empty'))).toBe('EMPTY');
  expect(faultCodeOf(() => host.writeFileDurably('/img/spare', []))).toBe('FILE_EXISTS');
  expect(faultCodeOf(() => host.writeFileDurably('/nowhere/j', []))).toBe('FILE_FAILED');
  expect(faultCodeOf(() => host.readFile('/img/spare', 100))).toBe('FILE_FAILED');
  expect(faultCodeOf(() => host.openWrite('/img/spare').writeAt(8000n, filled(400, 1)))).toBe('WRITE_FAILED');
  host.resize('/img/spare', 5000);
  expect(host.facts('/img/spare').sizeBytes).toBe(5000n);
});
