// SPDX-License-Identifier: GPL-2.0-or-later
// Short forms for the tests of partition tables: reading one from bytes, and what to compare of it.
import { type PartitionTable, readPartitions } from '../../src/core/partitions';
import { MemorySource } from '../../src/source/memory';

export const MIB = 1024 * 1024;
/** Bytes of the disks in these tests. */
export const DISK = 4 * MIB;

export const TWO_ENTRIES = [
  { first: 64n, last: 127n, name: 'spare' },
  { first: 256n, last: 511n, name: 'größer 💾', type: 'a19d880f-05fc-4d3b-a006-743f0f84911e' },
];

export function readTable(bytes: Uint8Array, logicalBlockSize = 512): PartitionTable {
  return readPartitions(new MemorySource(bytes, { logicalBlockSize }));
}

/** [number, start, length] of each partition. */
export function extentsOf(table: Pick<PartitionTable, 'partitions'>): (number | bigint)[][] {
  return table.partitions.map(({ number, start, length }) => [number, start, length]);
}

export function codesOf(table: PartitionTable): string[] {
  return table.notes.map(({ code }) => code);
}
