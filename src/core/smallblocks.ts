// SPDX-License-Identifier: GPL-2.0-or-later
// Content that a device with logical blocks of 4096 bytes could not serve: partition tables that count 512-byte blocks,
// file systems whose own blocks or sectors are smaller. Recognising the content is signatures.ts.
import { Probe } from './content/probe';
import type { Block } from './content/probe';
import type { ContentHints } from './device-facts';
import type { ByteSource } from './extents';
import { readPartitions } from './partitions';
import type { ContentMatch } from './signatures';

const LARGE_BLOCK = 4096;

interface BlockField {
  /** Byte of the device where the structure begins, and bytes of it that are looked at. */
  readonly at: number;
  readonly length: number;
  /** The smallest unit in which the file system reads and writes, in bytes. */
  readonly bytes: (block: Block) => number;
}

const EXT: BlockField = { at: 1024, length: 28, bytes: (block) => 1024 * 2 ** Math.min(block.u32(24), 6) };
const BIOS_SECTOR: BlockField = { at: 0, length: 13, bytes: (block) => block.u16(11) };
const OPTICAL: BlockField = { at: 0, length: 1, bytes: () => 2048 };

/** By id of the signature. XFS counts by its sector size, not its block size: its log and headers use that. */
const BLOCK_FIELDS: Readonly<Record<string, BlockField>> = {
  ext2: EXT,
  ext3: EXT,
  ext4: EXT,
  jbd: EXT,
  xfs: { at: 0, length: 104, bytes: (block) => block.u16be(102) },
  fat12: BIOS_SECTOR,
  fat16: BIOS_SECTOR,
  fat32: BIOS_SECTOR,
  ntfs: BIOS_SECTOR,
  exfat: { at: 0, length: 109, bytes: (block) => 2 ** Math.min(block.u8(108), 16) },
  iso9660: OPTICAL,
  udf: OPTICAL,
};

/**
 * What on `source` would become unreadable behind logical blocks of 4096 bytes, for a person; null if nothing is known to.
 * `hints` are blkid's, where there are any; `matches` those of recogniseContent over the whole source.
 */
export function contentOfSmallBlocks(
  source: ByteSource,
  matches: readonly ContentMatch[],
  hints: ContentHints,
): string | null {
  const table = readPartitions(source);
  if (table.scheme !== null && table.blockSize < LARGE_BLOCK) {
    return `a partition table (${table.scheme}) that counts blocks of ${table.blockSize} bytes`;
  }
  const probe = new Probe(source, 0n, source.sizeBytes);
  for (const match of matches) {
    const field = BLOCK_FIELDS[match.id];
    const block = field && probe.block(field.at, field.length);
    const bytes = field && block && field.bytes(block);
    if (bytes !== undefined && bytes > 0 && bytes < LARGE_BLOCK)
      return `${match.name} with blocks of ${bytes} bytes`;
  }
  if (hints.fsBlockSize !== null && hints.fsBlockSize < LARGE_BLOCK) {
    return `${hints.fsType ?? 'a file system'} with blocks of ${hints.fsBlockSize} bytes`;
  }
  return null;
}
