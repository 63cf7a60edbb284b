// SPDX-License-Identifier: GPL-2.0-or-later
// Listing partitions: GPT and its backup, MBR and its extended boot records, both block sizes, and tables that lie.
import fc from 'fast-check';
import type { ByteSource } from '../../src/core/extents';
import { type PartitionTable, readPartitions } from '../../src/core/partitions';
import { MemorySource } from '../../src/source/memory';
import { LINUX_DATA, mendGptHeader, writeFat, writeGpt, writeLogicals, writeMbr } from '../support/content';
import { Put, UUID } from '../support/put';
import { prng } from '../support/prng';
import { fillFile, readImage, runTool, testWith, withFile } from '../support/tools';

const MIB = 1024 * 1024;
const DISK = 4 * MIB;

function read(bytes: Uint8Array, logicalBlockSize = 512): PartitionTable {
  return readPartitions(new MemorySource(bytes, { logicalBlockSize }));
}

/** [number, start, length] of each partition. */
function extents(table: Pick<PartitionTable, 'partitions'>): (number | bigint)[][] {
  return table.partitions.map(({ number, start, length }) => [number, start, length]);
}

function codes(table: PartitionTable): string[] {
  return table.notes.map(({ code }) => code);
}

const TWO_ENTRIES = [
  { first: 64n, last: 127n, name: 'spare' },
  { first: 256n, last: 511n, name: 'größer 💾', type: 'a19d880f-05fc-4d3b-a006-743f0f84911e' },
];

describe('GPT', () => {
  test.each([
    [512, 512],
    [512, 4096],
    [4096, 512],
    [4096, 4096],
  ])('with blocks of %i bytes is read from a source with blocks of %i', (blockSize, own) => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { blockSize, entries: TWO_ENTRIES });
    const table = read(bytes, own);
    const unit = BigInt(blockSize);
    expect(table.scheme).toBe('gpt');
    expect(table.blockSize).toBe(blockSize);
    expect(table.partitions).toEqual([
      {
        number: 1,
        start: 64n * unit,
        length: 64n * unit,
        typeName: 'Linux filesystem',
        name: 'spare',
        uuid: UUID,
      },
      {
        number: 2,
        start: 256n * unit,
        length: 256n * unit,
        typeName: 'Linux RAID',
        name: 'größer 💾',
        uuid: UUID,
      },
    ]);
    expect(codes(table)).toEqual(blockSize === own ? [] : ['other-block-size']);
  });

  test.each([512, 4096])(
    'damage to any byte of the primary header leads to the backup (blocks of %i)',
    (blockSize) => {
      const bytes = new Uint8Array(DISK);
      writeGpt(bytes, { blockSize, entries: TWO_ENTRIES });
      const expected = extents(read(bytes));
      for (let at = blockSize; at < blockSize + 92; at++) {
        const damaged = bytes.slice();
        damaged[at]! ^= 0x40;
        const table = read(damaged);
        expect([at, table.scheme, extents(table)]).toEqual([at, 'gpt-backup', expected]);
        expect(codes(table)).toContain('primary-gpt-damaged');
      }
    },
  );

  test('a damaged entry, and a primary that could not be read, lead to the backup', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES });
    const expected = extents(read(bytes));
    const damaged = bytes.slice();
    damaged[1024 + 200]! ^= 1;
    expect(read(damaged).scheme).toBe('gpt-backup');
    expect(extents(read(damaged))).toEqual(expected);
    const bad = [{ start: 0n, end: 4096n, reason: 'I/O error' }];
    const unread = readPartitions(new MemorySource(bytes, { bad }));
    expect(unread.scheme).toBe('gpt-backup');
    expect(extents(unread)).toEqual(expected);
    expect(codes(unread)).toContain('unread');
  });

  test.each(['primary header', 'damaged primary header', 'protective MBR'])(
    'in an enlarged image the backup is found by the %s',
    (survivor) => {
      const bytes = new Uint8Array(2 * DISK);
      writeGpt(bytes.subarray(0, DISK), { entries: TWO_ENTRIES, protective: survivor === 'protective MBR' });
      const expected = extents(read(bytes));
      expect(codes(read(bytes))).toContain('backup-gpt-elsewhere');
      if (survivor === 'primary header') bytes.fill(0, 1024, 1024 + 256);
      else if (survivor === 'damaged primary header') bytes[512 + 24]! ^= 1;
      else bytes.fill(0, 512, 1024);
      const table = read(bytes);
      expect([table.scheme, extents(table)]).toEqual(['gpt-backup', expected]);
      expect(codes(table)).toContain('backup-gpt-elsewhere');
    },
  );

  test('a missing backup is a note', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, backup: false });
    expect(read(bytes).scheme).toBe('gpt');
    expect(codes(read(bytes))).toEqual(['backup-gpt-damaged']);
  });

  test('both damaged: no scheme, but the notes tell', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES });
    bytes[512 + 20]! ^= 1;
    bytes[DISK - 512 + 17]! ^= 1;
    const table = read(bytes);
    expect([table.scheme, table.partitions]).toEqual([null, []]);
    expect(codes(table)).toEqual(['primary-gpt-damaged', 'gpt-missing']);
  });

  test('a header copied to another place is not believed', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, backup: false });
    bytes.copyWithin(DISK - 512, 512, 1024);
    bytes.fill(0, 512, 1024);
    expect(read(bytes).scheme).toBeNull();
  });

  test('without a protective MBR it is taken, with a note', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, protective: false });
    expect(read(bytes).scheme).toBe('gpt');
    expect(codes(read(bytes))).toEqual(['no-protective-mbr']);
  });

  test('a hybrid MBR leaves the GPT in force; a plain MBR makes it stale', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES });
    const plain = { type: 0x83, start: 64, length: 32 };
    writeMbr(bytes, [{ type: 0xee, start: 1, length: 63 }, plain]);
    const hybrid = read(bytes);
    expect([hybrid.scheme, codes(hybrid)]).toEqual(['gpt', ['hybrid-mbr']]);
    expect(hybrid.alternatives.map(({ scheme }) => scheme)).toContain('mbr');
    bytes.fill(0, 446, 510);
    writeMbr(bytes, [plain]);
    const stale = read(bytes);
    expect([stale.scheme, codes(stale)]).toEqual(['mbr', ['gpt-stale']]);
    expect(stale.alternatives.map(({ scheme }) => scheme)).toEqual(['mbr', 'gpt']);
  });

  test('other entry sizes and counts are read; partitions end at 256', () => {
    const bytes = new Uint8Array(DISK);
    const entries = Array.from({ length: 300 }, (_, i) => ({
      first: 2048n + BigInt(i),
      last: 2048n + BigInt(i),
    }));
    writeGpt(bytes, { entries, entryCount: 512, entryBytes: 256 });
    const table = read(bytes);
    expect(table.partitions).toHaveLength(256);
    expect(table.partitions[255]?.number).toBe(256);
    expect(codes(table)).toEqual(['too-many']);
  });

  test.each([
    ['an entry count that overflows', (put: Put) => put.u32(80, 0xffffffff)],
    ['an entry size of 0', (put: Put) => put.u32(84, 0)],
    ['an entry size that is no power of two', (put: Put) => put.u32(84, 192)],
    ['a huge entry size', (put: Put) => put.u32(84, 0x80000000)],
    ['an array past the end', (put: Put) => put.u64(72, 1n << 40n)],
    ['an array at 2^64', (put: Put) => put.u64(72, 0xffffffffffffffffn)],
    ['an array over its own header', (put: Put) => put.u64(72, 1n)],
    ['no entries', (put: Put) => put.u32(80, 0)],
  ])('a header with a right checksum but %s is refused', (_, change) => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, backup: false });
    change(new Put(bytes, 512));
    mendGptHeader(bytes, 512);
    const table = read(bytes);
    expect([table.scheme, table.partitions]).toEqual([null, []]);
    expect(codes(table)).toContain('primary-gpt-damaged');
  });

  test('hostile entries are left out, cut ones and overlaps are notes', () => {
    const bytes = new Uint8Array(DISK);
    const last = BigInt(DISK / 512 - 1);
    writeGpt(bytes, {
      entries: [
        { first: 100n, last: 99n },
        { first: 0n, last: 10n },
        { first: 1n << 63n, last: 0xffffffffffffffffn },
        { first: 64n, last: 127n },
        { first: 100n, last: last + 100n },
      ],
    });
    const table = read(bytes);
    expect(extents(table)).toEqual([
      [4, 64n * 512n, 64n * 512n],
      [5, 100n * 512n, (last + 1n) * 512n],
    ]);
    expect(codes(table)).toEqual(['beyond-end', 'beyond-end', 'overlap']);
  });

  test('an unknown type is named by its GUID; a lone surrogate in a name is replaced', () => {
    const bytes = new Uint8Array(DISK);
    const type = '11111111-2222-3333-4444-555555555555';
    writeGpt(bytes, { entries: [{ first: 64n, last: 65n, type, name: 'a\ud800b' }] });
    expect(read(bytes).partitions[0]).toMatchObject({ typeName: `type ${type}`, name: 'a\ufffdb' });
    expect(LINUX_DATA).not.toBe(type);
  });
});

describe('MBR', () => {
  test('primary and logical partitions, numbered as the system does', () => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [
      { type: 0x83, start: 64, length: 100, flag: 0x80 },
      { type: 0x0f, start: 1024, length: 4096 },
      { type: 0x8e, start: 6000, length: 500 },
    ]);
    writeLogicals(bytes, 1024, [
      { start: 1025, length: 99 },
      { start: 2049, length: 500, type: 0xfd },
      { start: 3000, length: 1 },
    ]);
    const table = read(bytes);
    expect(table.scheme).toBe('mbr');
    expect(
      table.partitions.map(({ number, start, length, typeName }) => [
        number,
        start / 512n,
        length / 512n,
        typeName,
      ]),
    ).toEqual([
      [1, 64n, 100n, 'Linux'],
      [3, 6000n, 500n, 'Linux LVM'],
      [5, 1025n, 99n, 'Linux'],
      [6, 2049n, 500n, 'Linux RAID autodetect'],
      [7, 3000n, 1n, 'Linux'],
    ]);
    expect(table.partitions.every(({ name, uuid }) => name === '' && uuid === null)).toBe(true);
    expect(table.notes).toEqual([]);
  });

  test('counts blocks of the source; the other unit is an alternative where everything fits', () => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [{ type: 0x83, start: 64, length: 128 }]);
    const small = read(bytes, 512);
    expect([small.blockSize, extents(small)]).toEqual([512, [[1, 32768n, 65536n]]]);
    expect(small.alternatives.map(extents)).toEqual([[[1, 262144n, 524288n]]]);
    const large = read(bytes, 4096);
    expect([large.blockSize, extents(large)]).toEqual([4096, [[1, 262144n, 524288n]]]);
    writeMbr(bytes, [{ type: 0x83, start: 64, length: 4096 }]);
    expect(read(bytes, 512).alternatives).toEqual([]);
    expect([read(bytes, 4096).blockSize, codes(read(bytes, 4096))]).toEqual([512, ['other-block-size']]);
  });

  test('the unit in which the extended boot records are found is taken', () => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [{ type: 0x05, start: 128, length: 512 }]);
    writeLogicals(
      bytes,
      128,
      [
        { start: 130, length: 10 },
        { start: 200, length: 20 },
      ],
      4096,
    );
    const table = read(bytes, 512);
    expect([table.blockSize, extents(table)]).toEqual([
      4096,
      [
        [5, 130n * 4096n, 10n * 4096n],
        [6, 200n * 4096n, 20n * 4096n],
      ],
    ]);
  });

  test.each([
    ['loops', (bytes: Uint8Array) => writeMbr(bytes, linkTo(128), 2048 * 512)],
    ['leaves the extended partition', (bytes: Uint8Array) => writeMbr(bytes, linkTo(0x7fffffff), 2048 * 512)],
    ['leads to a sector without a record', (bytes: Uint8Array) => writeMbr(bytes, linkTo(700), 2048 * 512)],
    ['ends in a record that was zeroed', (bytes: Uint8Array) => bytes.fill(0, 2048 * 512, 2049 * 512)],
  ])('a chain that %s ends there, with a note', (_, damage) => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [{ type: 0x05, start: 1920, length: 4096 }]);
    writeLogicals(bytes, 1920, [
      { start: 1921, length: 50 },
      { start: 2049, length: 50 },
    ]);
    damage(bytes);
    const table = read(bytes);
    expect(extents(table)[0]).toEqual([5, 1921n * 512n, 50n * 512n]);
    expect(table.partitions.length).toBeLessThanOrEqual(2);
    expect(codes(table)).toEqual(['ebr-damaged']);
  });

  test('a chain without end is followed to 252 partitions', () => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [{ type: 0x05, start: 64, length: 8000 }]);
    writeLogicals(
      bytes,
      64,
      Array.from({ length: 400 }, (_, i) => ({ start: 65 + 2 * i, length: 1 })),
    );
    const table = read(bytes);
    expect(table.partitions).toHaveLength(252);
    expect(codes(table)).toContain('too-many');
  });

  test('what is no table: 55 AA alone, wrong flags, empty entries, a FAT boot sector', () => {
    const bare = new Uint8Array(DISK);
    writeMbr(bare, []);
    const flags = new Uint8Array(DISK);
    writeMbr(flags, [{ type: 0x83, start: 64, length: 64, flag: 0x42 }]);
    const empty = new Uint8Array(DISK);
    writeMbr(empty, [{ type: 0x83, start: 64, length: 0 }]);
    const fat = new Uint8Array(DISK);
    writeFat(fat);
    for (const bytes of [bare, flags, empty, fat]) {
      expect(read(bytes)).toEqual({
        scheme: null,
        blockSize: 512,
        partitions: [],
        alternatives: [],
        notes: [],
      });
    }
  });

  test('a protective MBR without a GPT has no partitions', () => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [{ type: 0xee, start: 1, length: 0xffffffff }]);
    const table = read(bytes);
    expect([table.scheme, table.partitions, codes(table)]).toEqual([null, [], ['gpt-missing']]);
  });
});

/** A record whose link leads `lba` blocks into the extended partition. */
function linkTo(lba: number): { type: number; start: number; length: number }[] {
  return [
    { type: 0x83, start: 1, length: 50 },
    { type: 0x05, start: lba, length: 100 },
  ];
}

describe('hostile tables', () => {
  test('sources of any small size, and sources that cannot be read at all', () => {
    for (const size of [0, 1, 511, 512, 513, 1024, 4095, 4096, 8192]) {
      expect(read(new Uint8Array(size)).scheme).toBeNull();
      const bad = [{ start: 0n, end: BigInt(size), reason: 'I/O error' }];
      expect(readPartitions(new MemorySource(new Uint8Array(size), { bad })).scheme).toBeNull();
    }
  });

  test('any change to tables with right checksums gives bounded results and few reads', () => {
    const change = fc.record({
      blockSize: fc.constantFrom(512, 4096),
      own: fc.constantFrom(512, 4096),
      header: fc.array(fc.tuple(fc.integer({ min: 8, max: 91 }), fc.nat(255)), { maxLength: 4 }),
      entries: fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { maxLength: 8 }),
      mbr: fc.array(fc.tuple(fc.integer({ min: 446, max: 511 }), fc.nat(255)), { maxLength: 4 }),
      size: fc.integer({ min: 0, max: DISK }),
      mend: fc.boolean(),
    });
    fc.assert(
      fc.property(change, ({ blockSize, own, header, entries, mbr, size, mend }) => {
        const bytes = new Uint8Array(DISK);
        writeGpt(bytes, { blockSize, entries: TWO_ENTRIES });
        for (const [at, value] of header) bytes[blockSize + at] = value;
        for (const [at, value] of entries) bytes[2 * blockSize + at] = value;
        for (const [at, value] of mbr) bytes[at] = value;
        if (mend) mendGptHeader(bytes, blockSize);
        const { source, read: bytesRead } = counting(bytes.subarray(0, size), own);
        const table = readPartitions(source);
        checkBounds(table, BigInt(size));
        expect(bytesRead()).toBeLessThan(8 * MIB);
      }),
      { numRuns: 300 },
    );
  });

  test('random boot records never make the walk long', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(512, 4096), (seed, own) => {
        const next = prng(seed);
        const bytes = new Uint8Array(MIB / 4);
        for (let at = 0; at < bytes.length; at += 512) {
          const entry = () => ({
            type: next() % 3 === 0 ? 0x83 : 0x05,
            start: next() % 600,
            length: next() % 600,
          });
          writeMbr(bytes, [entry(), entry(), entry(), entry()], at);
        }
        const { source, read: bytesRead } = counting(bytes, own);
        checkBounds(readPartitions(source), BigInt(bytes.length));
        expect(bytesRead()).toBeLessThan(4 * MIB);
      }),
      { numRuns: 200 },
    );
  });
});

function checkBounds(table: PartitionTable, size: bigint): void {
  for (const { partitions } of [table, ...table.alternatives]) {
    expect(partitions.length).toBeLessThanOrEqual(256);
    for (const { start, length, number } of partitions) {
      expect(start > 0n && start < size && length > 0n && number > 0).toBe(true);
    }
  }
  expect(table.notes.length).toBeLessThanOrEqual(600);
}

function counting(bytes: Uint8Array, logicalBlockSize: number): { source: ByteSource; read: () => number } {
  const inner = new MemorySource(bytes, { logicalBlockSize });
  let count = 0;
  const source: ByteSource = {
    sizeBytes: inner.sizeBytes,
    logicalBlockSize,
    readAt(offset, length) {
      count += length;
      return inner.readAt(offset, length);
    },
  };
  return { source, read: () => count };
}

describe('against the real tools', () => {
  const script = {
    gpt: 'label: gpt\n,2M,L\nsize=3M,name="two"\n',
    dos: 'label: dos\n,2M\n,20M,E\n,3M\n,4M,8e\n,5M\n',
  };

  for (const label of ['gpt', 'dos'] as const) {
    testWith('sfdisk')(`sfdisk makes a ${label} table that is read as it lists it`, () => {
      withFile(64 * MIB, (path) => {
        expect(runTool('sfdisk', ['-q', path], script[label]).status).toBe(0);
        const listed = JSON.parse(runTool('sfdisk', ['--json', path]).stdout) as {
          partitiontable: {
            partitions: { node: string; start: number; size: number; type: string; uuid?: string }[];
          };
        };
        const wanted = listed.partitiontable.partitions
          .filter(({ type }) => type !== '5')
          .map(({ node, start, size, uuid }) => [
            Number(/\d+$/.exec(node)?.[0]),
            BigInt(start) * 512n,
            BigInt(size) * 512n,
            uuid?.toLowerCase() ?? null,
          ]);
        const table = read(readImage(path));
        expect(
          table.partitions.map(({ number, start, length, uuid }) => [number, start, length, uuid]),
        ).toEqual(wanted);
        expect(wanted.length).toBe(label === 'gpt' ? 2 : 4);
        expect(table.notes).toEqual([]);
      });
    });
  }

  testWith('sfdisk')('sfdisk reads the generated tables without complaint', () => {
    const gpt = new Uint8Array(64 * MIB);
    writeGpt(gpt, { entries: TWO_ENTRIES });
    const dos = new Uint8Array(64 * MIB);
    writeMbr(dos, [{ type: 0x05, start: 2048, length: 20000 }]);
    writeLogicals(dos, 2048, [
      { start: 4096, length: 100 },
      { start: 8192, length: 200 },
    ]);
    for (const bytes of [gpt, dos]) {
      withFile(bytes.length, (path) => {
        fillFile(path, bytes);
        const verified = runTool('sfdisk', ['--verify', path]);
        expect([verified.status, verified.stdout]).toEqual([
          0,
          expect.stringContaining('No errors detected'),
        ]);
      });
    }
  });
});
