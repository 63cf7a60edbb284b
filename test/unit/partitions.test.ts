// SPDX-License-Identifier: GPL-2.0-or-later
// Listing the partitions of a GPT: primary and backup, both block sizes, beside an MBR, and headers that lie.
import { readPartitions } from '../../src/core/partitions';
import { MemorySource } from '../../src/source/memory';
import { LINUX_DATA, mendGptHeader, writeGpt, writeMbr } from '../support/content';
import { codesOf, DISK, extentsOf, readTable, TWO_ENTRIES } from '../support/partition-reading';
import { Put, UUID } from '../support/put';

describe('GPT', () => {
  test.each([
    [512, 512],
    [512, 4096],
    [4096, 512],
    [4096, 4096],
  ])('with blocks of %i bytes is read from a source with blocks of %i', (blockSize, own) => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { blockSize, entries: TWO_ENTRIES });
    const table = readTable(bytes, own);
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
    expect(codesOf(table)).toEqual(blockSize === own ? [] : ['other-block-size']);
  });

  test.each([512, 4096])(
    'damage to any byte of the primary header leads to the backup (blocks of %i)',
    (blockSize) => {
      const bytes = new Uint8Array(DISK);
      writeGpt(bytes, { blockSize, entries: TWO_ENTRIES });
      const expected = extentsOf(readTable(bytes));
      for (let at = blockSize; at < blockSize + 92; at++) {
        const damaged = bytes.slice();
        damaged[at]! ^= 0x40;
        const table = readTable(damaged);
        expect([at, table.scheme, extentsOf(table)]).toEqual([at, 'gpt-backup', expected]);
        expect(codesOf(table)).toContain('primary-gpt-damaged');
      }
    },
  );

  test('a damaged entry, and a primary that could not be read, lead to the backup', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES });
    const expected = extentsOf(readTable(bytes));
    const damaged = bytes.slice();
    damaged[1024 + 200]! ^= 1;
    expect(readTable(damaged).scheme).toBe('gpt-backup');
    expect(extentsOf(readTable(damaged))).toEqual(expected);
    const bad = [{ start: 0n, end: 4096n, reason: 'I/O error' }];
    const unread = readPartitions(new MemorySource(bytes, { bad }));
    expect(unread.scheme).toBe('gpt-backup');
    expect(extentsOf(unread)).toEqual(expected);
    expect(codesOf(unread)).toContain('unread');
  });

  test.each(['primary header', 'damaged primary header', 'protective MBR'])(
    'in an enlarged image the backup is found by the %s',
    (survivor) => {
      const bytes = new Uint8Array(2 * DISK);
      writeGpt(bytes.subarray(0, DISK), { entries: TWO_ENTRIES, protective: survivor === 'protective MBR' });
      const expected = extentsOf(readTable(bytes));
      expect(codesOf(readTable(bytes))).toContain('backup-gpt-elsewhere');
      if (survivor === 'primary header') bytes.fill(0, 1024, 1024 + 256);
      else if (survivor === 'damaged primary header') bytes[512 + 24]! ^= 1;
      else bytes.fill(0, 512, 1024);
      const table = readTable(bytes);
      expect([table.scheme, extentsOf(table)]).toEqual(['gpt-backup', expected]);
      expect(codesOf(table)).toContain('backup-gpt-elsewhere');
    },
  );

  test('a missing backup is a note', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, backup: false });
    expect(readTable(bytes).scheme).toBe('gpt');
    expect(codesOf(readTable(bytes))).toEqual(['backup-gpt-damaged']);
  });

  test('both damaged: no scheme, but the notes tell', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES });
    bytes[512 + 20]! ^= 1;
    bytes[DISK - 512 + 17]! ^= 1;
    const table = readTable(bytes);
    expect([table.scheme, table.partitions]).toEqual([null, []]);
    expect(codesOf(table)).toEqual(['primary-gpt-damaged', 'gpt-missing']);
  });

  test('a header copied to another place is not believed', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, backup: false });
    bytes.copyWithin(DISK - 512, 512, 1024);
    bytes.fill(0, 512, 1024);
    expect(readTable(bytes).scheme).toBeNull();
  });

  test('without a protective MBR it is taken, with a note', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES, protective: false });
    expect(readTable(bytes).scheme).toBe('gpt');
    expect(codesOf(readTable(bytes))).toEqual(['no-protective-mbr']);
  });

  test('a hybrid MBR leaves the GPT in force; a plain MBR makes it stale', () => {
    const bytes = new Uint8Array(DISK);
    writeGpt(bytes, { entries: TWO_ENTRIES });
    const plain = { type: 0x83, start: 64, length: 32 };
    writeMbr(bytes, [{ type: 0xee, start: 1, length: 63 }, plain]);
    const hybrid = readTable(bytes);
    expect([hybrid.scheme, codesOf(hybrid)]).toEqual(['gpt', ['hybrid-mbr']]);
    expect(hybrid.alternatives.map(({ scheme }) => scheme)).toContain('mbr');
    bytes.fill(0, 446, 510);
    writeMbr(bytes, [plain]);
    const stale = readTable(bytes);
    expect([stale.scheme, codesOf(stale)]).toEqual(['mbr', ['gpt-stale']]);
    expect(stale.alternatives.map(({ scheme }) => scheme)).toEqual(['mbr', 'gpt']);
  });

  test('other entry sizes and counts are read; partitions end at 256', () => {
    const bytes = new Uint8Array(DISK);
    const entries = Array.from({ length: 300 }, (_, i) => ({
      first: 2048n + BigInt(i),
      last: 2048n + BigInt(i),
    }));
    writeGpt(bytes, { entries, entryCount: 512, entryBytes: 256 });
    const table = readTable(bytes);
    expect(table.partitions).toHaveLength(256);
    expect(table.partitions[255]?.number).toBe(256);
    expect(codesOf(table)).toEqual(['too-many']);
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
    const table = readTable(bytes);
    expect([table.scheme, table.partitions]).toEqual([null, []]);
    expect(codesOf(table)).toContain('primary-gpt-damaged');
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
    const table = readTable(bytes);
    expect(extentsOf(table)).toEqual([
      [4, 64n * 512n, 64n * 512n],
      [5, 100n * 512n, (last + 1n) * 512n],
    ]);
    expect(codesOf(table)).toEqual(['beyond-end', 'beyond-end', 'overlap']);
  });

  test('an unknown type is named by its GUID; a lone surrogate in a name is replaced', () => {
    const bytes = new Uint8Array(DISK);
    const type = '11111111-2222-3333-4444-555555555555';
    writeGpt(bytes, { entries: [{ first: 64n, last: 65n, type, name: 'a\ud800b' }] });
    expect(readTable(bytes).partitions[0]).toMatchObject({ typeName: `type ${type}`, name: 'a\ufffdb' });
    expect(LINUX_DATA).not.toBe(type);
  });
});
