// SPDX-License-Identifier: GPL-2.0-or-later
// Reads MBR partition tables and the chain of extended boot records behind them. Whether an MBR or a GPT is in force
// is decided in partitions.ts.
import { magicBytes, type Block, type Probe } from './content/probe';
import { mbrTypeName, type Partition, type PartitionNote } from './partition-types';

export const BOOT_SIGNATURE_AT = 510;
const BOOT_SIGNATURE = magicBytes('\x55\xaa');
const TABLE_AT = 446;
const ENTRY_BYTES = 16;
const GPT_PROTECTIVE = 0xee;
const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];
/** Logical partitions that are followed at most: a chain on a hostile disk need not end. */
const MAX_LOGICAL = 252;

/** Start and length are in the disk's logical blocks. */
export interface MbrEntry {
  readonly number: number;
  readonly type: number;
  readonly start: bigint;
  readonly length: bigint;
}

export interface Mbr {
  /** The entries in use, without the protective ones. */
  readonly entries: readonly MbrEntry[];
  /** The disk's last block according to a protective entry; null where there is none. */
  readonly protectiveLastLba: bigint | null;
}

/**
 * The four entries of a boot sector, or null if it holds no table. 55 AA alone proves nothing, for every boot sector
 * ends so: the flags of all entries have to be right, and one entry has to be in use.
 */
export function parseMbr(sector: Block): Mbr | null {
  if (!sector.has(BOOT_SIGNATURE_AT, BOOT_SIGNATURE)) return null;
  const used: MbrEntry[] = [];
  for (let i = 0; i < 4; i++) {
    const at = TABLE_AT + i * ENTRY_BYTES;
    const flag = sector.u8(at);
    if (flag !== 0 && flag !== 0x80) return null;
    const entry = entryAt(sector, i);
    if (entry !== null) used.push(entry);
  }
  if (used.length === 0) return null;
  const protective = used.find(({ type }) => type === GPT_PROTECTIVE);
  return {
    entries: used.filter(({ type }) => type !== GPT_PROTECTIVE),
    protectiveLastLba: protective === undefined ? null : protective.start + protective.length - 1n,
  };
}

/** An entry in use; one that starts at 0 (as hybrid ISO images have) covers its own table and is no partition. */
function entryAt(sector: Block, index: number): MbrEntry | null {
  const at = TABLE_AT + index * ENTRY_BYTES;
  const type = sector.u8(at + 4);
  const start = BigInt(sector.u32(at + 8));
  const length = BigInt(sector.u32(at + 12));
  if (type === 0 || start === 0n || length === 0n) return null;
  return { number: index + 1, type, start, length };
}

function isExtended(entry: MbrEntry): boolean {
  return EXTENDED_TYPES.includes(entry.type);
}

/** True if every entry ends inside the source when its numbers count blocks of `unit` bytes. */
export function mbrFits(mbr: Mbr, unit: number, size: bigint): boolean {
  return mbr.entries.every((entry) => (entry.start + entry.length) * BigInt(unit) <= size);
}

/** The partitions of a table whose numbers count blocks of `unit` bytes: primary ones, then logical ones. */
export function mbrPartitions(probe: Probe, mbr: Mbr, unit: number, notes: PartitionNote[]): Partition[] {
  const partitions = mbr.entries.map((entry) => toPartition(entry, unit));
  // Only the first extended partition counts, as for every system that reads these tables.
  const extended = mbr.entries.find(isExtended);
  if (extended === undefined) return partitions;
  return [
    ...partitions.filter(({ number }) => number !== extended.number),
    ...logicals(probe, extended, unit, notes),
  ];
}

function toPartition(entry: MbrEntry, unit: number): Partition {
  return {
    number: entry.number,
    start: entry.start * BigInt(unit),
    length: entry.length * BigInt(unit),
    typeName: mbrTypeName(entry.type),
    name: '',
    uuid: null,
  };
}

/**
 * Follows the chain of extended boot records. In each, the first entry is a partition counted from that record, the
 * second the next record counted from the extended partition. No record is visited twice.
 */
function logicals(probe: Probe, extended: MbrEntry, unit: number, notes: PartitionNote[]): Partition[] {
  const partitions: Partition[] = [];
  const visited = new Set<bigint>();
  const end = extended.start + extended.length;
  const note = (text: string): void => void notes.push({ code: 'ebr-damaged', text });
  let at = extended.start;
  while (visited.size < MAX_LOGICAL) {
    if (visited.has(at)) {
      note(`the chain of extended boot records comes back to LBA ${at}`);
      return partitions;
    }
    visited.add(at);
    const record = probe.block(at * BigInt(unit), 512);
    if (record?.has(BOOT_SIGNATURE_AT, BOOT_SIGNATURE) !== true) {
      note(`there is no extended boot record at LBA ${at}${record === undefined ? ' (not read)' : ''}`);
      return partitions;
    }
    const data = entryAt(record, 0);
    if (data !== null && !isExtended(data)) {
      const start = at + data.start;
      if (start + data.length > end) note(`the record at LBA ${at} leaves its extended partition`);
      else partitions.push(toPartition({ ...data, number: 5 + partitions.length, start }, unit));
    }
    const link = entryAt(record, 1);
    if (link === null || !isExtended(link)) return partitions;
    at = extended.start + link.start;
    if (at >= end) {
      note(`the chain of extended boot records leaves its partition at LBA ${at}`);
      return partitions;
    }
  }
  notes.push({ code: 'too-many', text: `only the first ${MAX_LOGICAL} logical partitions are looked at` });
  return partitions;
}
