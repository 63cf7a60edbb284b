// SPDX-License-Identifier: GPL-2.0-or-later
// Reading around bad blocks: what is lost, what is saved, and how much effort a dying disk may cost.
import type { Extent } from '../../src/core/extents';
import { readExtents } from '../../src/host/narrow';
import type { Medium, Pread } from '../../src/host/narrow';
import { sizeByReading } from '../../src/host/read';

interface Disk {
  readonly medium: Medium;
  readonly bytes: Uint8Array;
  /** Every call: [offset, length, failed]. */
  readonly calls: [number, number, boolean][];
}

const systemError = (code: string, errno: number): Error =>
  Object.assign(new Error(`${code}: made up, read`), { code, errno });
const EIO = (): Error => systemError('EIO', -5);

interface DiskOptions {
  readonly blockSize?: number;
  readonly bad?: readonly [number, number][];
  /** As the page cache does: a bad sector fails for its whole page. */
  readonly pages?: boolean;
  readonly error?: () => Error;
  readonly claims?: number;
  readonly direct?: boolean;
  /** Most bytes a call gives. */
  readonly most?: number;
}

function disk(size: number, options: DiskOptions = {}): Disk {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 9)) & 0xff);
  const calls: [number, number, boolean][] = [];
  const reads =
    (grain: number): Pread =>
    (target, position) => {
      const start = Number(position);
      const end = Math.min(start + target.length, size);
      const from = start - (start % grain);
      const to = Math.ceil(end / grain) * grain;
      const failed = (options.bad ?? []).some(([a, b]) => a < to && b > from);
      calls.push([start, target.length, failed]);
      if (failed) throw (options.error ?? EIO)();
      const count = Math.max(0, Math.min(end - start, options.most ?? Infinity));
      target.set(bytes.subarray(start, start + count));
      return count;
    };
  const blockSize = options.blockSize ?? 512;
  const medium = {
    sizeBytes: BigInt(options.claims ?? size),
    blockSize,
    pread: reads(options.pages === true ? 4096 : blockSize),
  };
  return {
    medium: options.direct === true ? { ...medium, preadBlock: reads(blockSize) } : medium,
    bytes,
    calls,
  };
}

/** "data 0-512, unread 512-1024: reason" */
const shape = (extents: readonly Extent[]): string[] =>
  extents.map(
    (each) => `${each.kind} ${each.start}-${each.end}${each.kind === 'unread' ? `: ${each.reason}` : ''}`,
  );

function expectDataToMatch(extents: readonly Extent[], bytes: Uint8Array): void {
  for (const extent of extents) {
    if (extent.kind !== 'data') continue;
    expect(Buffer.compare(extent.bytes, bytes.subarray(Number(extent.start), Number(extent.end)))).toBe(0);
  }
}

test('a healthy read is one call and one extent', () => {
  const { medium, bytes, calls } = disk(65536);
  const extents = readExtents(medium, 512n, 24576);
  expect(shape(extents)).toEqual(['data 512-25088']);
  expectDataToMatch(extents, bytes);
  expect(calls).toEqual([[512, 24576, false]]);
});

test('a read of nothing asks nothing', () => {
  const { medium, calls } = disk(4096);
  expect(readExtents(medium, 0n, 0)).toEqual([]);
  expect(calls).toEqual([]);
});

test('short reads are continued', () => {
  const { medium, bytes } = disk(65536, { most: 1000 });
  const extents = readExtents(medium, 100n, 40000);
  expect(shape(extents)).toEqual(['data 100-40100']);
  expectDataToMatch(extents, bytes);
});

test('what lies past the size is beyond the end', () => {
  const { medium, bytes } = disk(10000);
  const extents = readExtents(medium, 8192n, 4096);
  expect(shape(extents)).toEqual(['data 8192-10000', 'beyond-end 10000-12288']);
  expectDataToMatch(extents, bytes);
  expect(shape(readExtents(medium, 20000n, 512))).toEqual(['beyond-end 20000-20512']);
});

test('a medium that ends before its size says is beyond the end from there on', () => {
  const { medium } = disk(10000, { claims: 20000 });
  expect(shape(readExtents(medium, 8192n, 16384))).toEqual(['data 8192-10000', 'beyond-end 10000-24576']);
});

test.each([
  [512, 'unread 6144-6656: EIO: i/o error'],
  [4096, 'unread 4096-8192: EIO: i/o error'],
])('one bad sector costs one block of %i bytes', (blockSize, lost) => {
  const { medium, bytes } = disk(524288, { blockSize, bad: [[6144, 6656]] });
  const extents = readExtents(medium, 0n, 524288);
  expect(shape(extents).filter((line) => line.startsWith('unread'))).toEqual([lost]);
  expect(extents).toHaveLength(3);
  expectDataToMatch(extents, bytes);
});

test('bad sectors at the very begin and end of a request', () => {
  const { medium, bytes } = disk(65536, {
    bad: [
      [1024, 1536],
      [40448, 40960],
    ],
  });
  const extents = readExtents(medium, 1024n, 39936);
  expect(shape(extents)).toEqual([
    'unread 1024-1536: EIO: i/o error',
    'data 1536-40448',
    'unread 40448-40960: EIO: i/o error',
  ]);
  expectDataToMatch(extents, bytes);
});

test('a request that does not begin or end at a block keeps to its bounds', () => {
  const { medium, bytes } = disk(65536, { bad: [[512, 1024]] });
  const extents = readExtents(medium, 700n, 9001);
  expect(shape(extents)).toEqual(['unread 700-1024: EIO: i/o error', 'data 1024-9701']);
  expectDataToMatch(extents, bytes);
});

test('through the page cache a bad sector takes its page with it', () => {
  const { medium } = disk(65536, { pages: true, bad: [[9216, 9728]] });
  expect(shape(readExtents(medium, 0n, 65536))).toEqual([
    'data 0-8192',
    'unread 8192-12288: EIO: i/o error',
    'data 12288-65536',
  ]);
});

test('past the page cache only the sector is lost', () => {
  const { medium, bytes } = disk(65536, { pages: true, direct: true, bad: [[9216, 9728]] });
  const extents = readExtents(medium, 0n, 65536);
  expect(shape(extents)).toEqual(['data 0-9216', 'unread 9216-9728: EIO: i/o error', 'data 9728-65536']);
  expectDataToMatch(extents, bytes);
});

test('a single block is not asked twice', () => {
  const { medium, calls } = disk(65536, { bad: [[512, 1024]] });
  readExtents(medium, 512n, 512);
  expect(calls).toHaveLength(1);
});

test('a dead zone is given up after eight units, and the rest is said not to have been tried', () => {
  const { medium, calls } = disk(524288, { bad: [[8192, 524288]] });
  const extents = readExtents(medium, 0n, 524288);
  expect(shape(extents)).toEqual([
    'data 0-8192',
    'unread 8192-40960: EIO: i/o error',
    'unread 40960-524288: not tried after 8 blocks of 4096 bytes in a row could not be read (EIO: i/o error)',
  ]);
  expect(calls.filter(([, , failed]) => failed).length).toBeLessThan(100);
});

test('readable blocks in between let the search go on', () => {
  const bad = Array.from({ length: 64 }, (_, i): [number, number] => [i * 8192, i * 8192 + 4096]);
  const { medium, bytes } = disk(524288, { bad });
  const extents = readExtents(medium, 0n, 524288);
  expect(extents.filter((each) => each.kind === 'data')).toHaveLength(64);
  expect(shape(extents).filter((line) => line.includes('not tried'))).toEqual([]);
  expectDataToMatch(extents, bytes);
});

test.each([
  ['EIO', -5, 'EIO: i/o error'],
  ['ENODATA', -61, 'ENODATA: medium error'],
  ['EREMOTEIO', -121, 'EREMOTEIO: target error'],
  ['EILSEQ', -84, 'EILSEQ: protection information error'],
  ['ENXIO', -6, 'ENXIO: no such device or address'],
  ['ETIMEDOUT', -110, 'ETIMEDOUT: connection timed out'],
  ['Unknown system error -117', -117, 'EUCLEAN: the file system needs cleaning'],
  ['Unknown system error -133', -133, 'errno 133'],
])('the reason names the error: %s', (code, errno, reason) => {
  const { medium } = disk(4096, { bad: [[0, 4096]], error: () => systemError(code, errno) });
  expect(shape(readExtents(medium, 0n, 512))).toEqual([`unread 0-512: ${reason}`]);
});

test('an interrupted call is made again', () => {
  let interruptions = 5;
  const { medium } = disk(4096);
  const pread: Pread = (target, position) => {
    if (interruptions-- > 0) throw systemError('EINTR', -4);
    return medium.pread(target, position);
  };
  expect(shape(readExtents({ ...medium, pread }, 0n, 4096))).toEqual(['data 0-4096']);
});

test('a driver that is always busy does not hang the read', () => {
  const medium: Medium = {
    sizeBytes: 4096n,
    blockSize: 4096,
    pread: () => {
      throw systemError('EAGAIN', -11);
    },
  };
  expect(shape(readExtents(medium, 0n, 4096))[0]).toMatch(/^unread 0-4096: EAGAIN/);
});

test('a mistake of the program is no verdict about the disk', () => {
  const { medium } = disk(4096, { bad: [[0, 4096]], error: () => systemError('EBADF', -9) });
  expect(() => readExtents(medium, 0n, 512)).toThrow('EBADF');
});

test('extents cover any request over any damage, exactly and in order', () => {
  let seed = 12345;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 300; round++) {
    const bad = Array.from({ length: random(6) }, (): [number, number] => {
      const start = random(60000);
      return [start, start + 1 + random(9000)];
    });
    const blockSize = random(2) === 0 ? 512 : 4096;
    const { medium, bytes } = disk(65536, {
      bad,
      blockSize,
      direct: random(2) === 0,
      pages: random(2) === 0,
    });
    const offset = random(70000);
    const length = 1 + random(70000);
    const extents = readExtents(medium, BigInt(offset), length);
    let at = BigInt(offset);
    for (const extent of extents) {
      expect(extent.start).toBe(at);
      expect(extent.end).toBeGreaterThan(extent.start);
      if (extent.kind === 'data') expect(extent.bytes).toHaveLength(Number(extent.end - extent.start));
      at = extent.end;
    }
    expect(at).toBe(BigInt(offset + length));
    expectDataToMatch(extents, bytes);
  }
});

test.each([0, 1, 2, 511, 512, 4096, 65535, 65536, 100003])(
  'a size of %i bytes is found by reading',
  (size) => {
    let calls = 0;
    const found = sizeByReading((_target, position) => {
      calls++;
      return position < BigInt(size) ? 1 : 0;
    });
    expect(found).toBe(BigInt(size));
    expect(calls).toBeLessThan(150);
  },
);

test('sizes of devices are found through bad sectors, and where the kernel refuses huge offsets', () => {
  const size = 2n ** 41n + 4096n;
  const found = sizeByReading((_target, position) => {
    if (position > 2n ** 45n) throw systemError('EINVAL', -22);
    if (position >= size) return 0;
    if (position % 3n === 0n) throw EIO();
    return 1;
  });
  expect(found).toBe(size);
});
