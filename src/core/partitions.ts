// SPDX-License-Identifier: GPL-2.0-or-later
// Lists the partitions of a disk: decides between GPT, backup GPT and MBR, and between the units their numbers may
// count. The tables themselves are read in gpt.ts and mbr.ts.
import { Probe } from './content/probe';
import type { ByteSource } from './extents';
import { readGpt } from './gpt';
import { type Mbr, mbrFits, mbrPartitions, parseMbr } from './mbr';
import { type Partition, type PartitionNote, withinSource } from './partition-types';

export type { Partition, PartitionNote } from './partition-types';

export type PartitionScheme = 'gpt' | 'gpt-backup' | 'mbr';

/** One way to read the tables of a disk. */
export interface PartitionReading {
  readonly scheme: PartitionScheme;
  /** Bytes that one unit of the table's numbers stands for. */
  readonly blockSize: number;
  readonly partitions: readonly Partition[];
}

export interface PartitionTable {
  /** Null: there is no table that could be read; the notes may say what is left of one. */
  readonly scheme: PartitionScheme | null;
  readonly blockSize: number;
  readonly partitions: readonly Partition[];
  /**
   * Other sound readings of the same disk: an MBR does not say whether it counts 512 or 4096 bytes, and a stale GPT
   * may describe what was there before. Whoever looks for something inside can look there too.
   */
  readonly alternatives: readonly PartitionReading[];
  readonly notes: readonly PartitionNote[];
}

const BLOCK_SIZES: readonly number[] = [512, 4096];

/**
 * The partitions of a source, by the rules that Linux follows: an MBR with a protective entry stands for a GPT, one
 * without is in force itself even if a GPT is left over. Reads only the tables; a damaged or hostile table gives
 * notes, never an exception. Offsets in bytes, at most 256 partitions a reading.
 */
export function readPartitions(source: ByteSource): PartitionTable {
  const probe = new Probe(source, 0n, source.sizeBytes);
  const own = source.logicalBlockSize;
  const units = [own, ...BLOCK_SIZES.filter((size) => size !== own)];
  const notes: PartitionNote[] = [];
  const sector = probe.block(0, 512);
  if (sector === undefined && source.sizeBytes >= 512n) {
    notes.push({ code: 'unread', text: 'the first sector was not read' });
  }
  const mbr = sector === undefined ? null : parseMbr(sector);
  const protectiveLast = mbr?.protectiveLastLba ?? null;
  const gpt = readGpt(probe, units, protectiveLast, notes);
  const readings: PartitionReading[] = [];

  if (gpt !== null) {
    readings.push({ ...gpt, partitions: withinSource(gpt.partitions, source.sizeBytes, notes) });
    if (gpt.blockSize !== own) {
      notes.push({ code: 'other-block-size', text: `the GPT counts blocks of ${gpt.blockSize} bytes` });
    }
  }
  if (mbr !== null && mbr.entries.length > 0) {
    const inForce = gpt === null || protectiveLast === null;
    const fromMbr = mbrReadings(probe, mbr, units, source.sizeBytes, inForce ? notes : []);
    if (inForce) readings.unshift(...fromMbr);
    else readings.push(...fromMbr);
  }
  noteRelation(mbr, gpt !== null, sector !== undefined, notes);
  const [first, ...alternatives] = readings;
  if (first === undefined) return { scheme: null, blockSize: own, partitions: [], alternatives: [], notes };
  return { ...first, alternatives, notes };
}

function noteRelation(mbr: Mbr | null, hasGpt: boolean, sectorRead: boolean, notes: PartitionNote[]): void {
  const isProtective = mbr !== null && mbr.protectiveLastLba !== null;
  if (isProtective && !hasGpt) {
    notes.push({ code: 'gpt-missing', text: 'the MBR stands for a GPT, but there is no sound GPT' });
  } else if (isProtective && mbr.entries.length > 0) {
    notes.push({ code: 'hybrid-mbr', text: 'a hybrid MBR beside the GPT; the GPT is taken' });
  } else if (hasGpt && mbr !== null && !isProtective) {
    notes.push({ code: 'gpt-stale', text: 'a GPT is left over; the MBR is in force' });
  } else if (hasGpt && mbr === null && sectorRead) {
    notes.push({ code: 'no-protective-mbr', text: 'the GPT has no protective MBR' });
  }
}

/**
 * An MBR's readings, likelier first: in the source's own unit, unless the table only makes sense in the other, which
 * shows when partitions leave the disk or the extended boot records are not where they should be. The other unit is
 * given as well where everything fits, since nothing in the table excludes it.
 */
function mbrReadings(
  probe: Probe,
  mbr: Mbr,
  units: readonly number[],
  size: bigint,
  notes: PartitionNote[],
): PartitionReading[] {
  const fitting = units.filter((unit) => mbrFits(mbr, unit, size));
  const readings = (fitting.length === 0 ? units.slice(0, 1) : fitting).map((blockSize) => {
    const own: PartitionNote[] = [];
    const listed = mbrPartitions(probe, mbr, blockSize, own);
    const chainDamaged = own.length > 0;
    const partitions = withinSource(listed, size, own);
    return { scheme: 'mbr' as const, blockSize, partitions, own, chainDamaged };
  });
  readings.sort((a, b) => Number(a.chainDamaged) - Number(b.chainDamaged));
  const best = readings[0];
  if (best !== undefined) {
    notes.push(...best.own);
    if (best.blockSize !== units[0]) {
      notes.push({ code: 'other-block-size', text: `the MBR counts blocks of ${best.blockSize} bytes` });
    }
  }
  return readings.map(({ scheme, blockSize, partitions }) => ({ scheme, blockSize, partitions }));
}
