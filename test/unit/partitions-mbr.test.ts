// SPDX-License-Identifier: GPL-2.0-or-later
// Listing the partitions of an MBR and its extended boot records; tables of both kinds that are hostile; and what the
// real tools make.
import fc from 'fast-check';
import { type PartitionTable, readPartitions } from '../../src/core/partitions';
import { MemorySource } from '../../src/source/memory';
import { mendGptHeader, writeFat, writeGpt, writeLogicals, writeMbr } from '../support/content';
import { countingSource } from '../support/counting-source';
import { codesOf, DISK, extentsOf, MIB, readTable, TWO_ENTRIES } from '../support/partition-reading';
import { prng } from '../support/prng';
import { fillFile, readImage, runTool, testWith, withFile } from '../support/tools';

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
    const table = readTable(bytes);
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
    const small = readTable(bytes, 512);
    expect([small.blockSize, extentsOf(small)]).toEqual([512, [[1, 32768n, 65536n]]]);
    expect(small.alternatives.map(extentsOf)).toEqual([[[1, 262144n, 524288n]]]);
    const large = readTable(bytes, 4096);
    expect([large.blockSize, extentsOf(large)]).toEqual([4096, [[1, 262144n, 524288n]]]);
    writeMbr(bytes, [{ type: 0x83, start: 64, length: 4096 }]);
    expect(readTable(bytes, 512).alternatives).toEqual([]);
    expect([readTable(bytes, 4096).blockSize, codesOf(readTable(bytes, 4096))]).toEqual([
      512,
      ['other-block-size'],
    ]);
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
    const table = readTable(bytes, 512);
    expect([table.blockSize, extentsOf(table)]).toEqual([
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
    const table = readTable(bytes);
    expect(extentsOf(table)[0]).toEqual([5, 1921n * 512n, 50n * 512n]);
    expect(table.partitions.length).toBeLessThanOrEqual(2);
    expect(codesOf(table)).toEqual(['ebr-damaged']);
  });

  test('a chain without end is followed to 252 partitions', () => {
    const bytes = new Uint8Array(DISK);
    writeMbr(bytes, [{ type: 0x05, start: 64, length: 8000 }]);
    writeLogicals(
      bytes,
      64,
      Array.from({ length: 400 }, (_, i) => ({ start: 65 + 2 * i, length: 1 })),
    );
    const table = readTable(bytes);
    expect(table.partitions).toHaveLength(252);
    expect(codesOf(table)).toContain('too-many');
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
      expect(readTable(bytes)).toEqual({
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
    const table = readTable(bytes);
    expect([table.scheme, table.partitions, codesOf(table)]).toEqual([null, [], ['gpt-missing']]);
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
      expect(readTable(new Uint8Array(size)).scheme).toBeNull();
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
        const { source, bytesRead } = countingSource(bytes.subarray(0, size), own);
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
        const { source, bytesRead } = countingSource(bytes, own);
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
        const table = readTable(readImage(path));
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
