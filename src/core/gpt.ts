// SPDX-License-Identifier: GPL-2.0-or-later
// Reads GUID partition tables: the primary one, and the backup one where the primary is damaged. Which table is in
// force on a disk that has an MBR as well is decided in partitions.ts.
import { formatUuid, isZero } from './bytes';
import { type Block, isPowerOfTwo, magicBytes, type Probe } from './content/probe';
import { crc32, crc32WithHole } from './crc32';
import { gptTypeName, type Partition, type PartitionNote } from './partition-types';

export const GPT_MAGIC = 'EFI PART';
const MAGIC = magicBytes(GPT_MAGIC);
const HEADER_BYTES = 92;
/** Bytes of an entry array that are read at most (the usual one has 16 KiB). */
const MAX_ARRAY_BYTES = 1 << 20;
const MAX_ENTRY_BYTES = 4096;
const NAME_AT = 56;
const NAME_UNITS = 36;

/** The fields of a header with a right checksum. LBAs are in units of `blockSize` bytes. */
export interface GptHeader {
  readonly blockSize: number;
  readonly lba: bigint;
  readonly alternateLba: bigint;
  readonly diskUuid: string;
  readonly entriesLba: bigint;
  readonly entryCount: number;
  readonly entryBytes: number;
  readonly entriesCrc: number;
}

/** `damaged`: the magic is there, the rest is not right; where it says its twin lies may still help. */
export type GptHeaderState =
  | { readonly state: 'good'; readonly header: GptHeader }
  | { readonly state: 'damaged'; readonly alternateLba: bigint }
  | { readonly state: 'absent' }
  | { readonly state: 'unread' };

/** A GUID as GPT stores it (first three fields little-endian) in 8-4-4-4-12 form. */
export function gptUuid(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return formatUuid(Uint8Array.from(order, (index) => bytes[index] ?? 0));
}

/** The header at `lba`, checked against its own checksum and its own place. */
export function readGptHeader(probe: Probe, lba: bigint, blockSize: number): GptHeaderState {
  const at = lba * BigInt(blockSize);
  if (lba < 1n || (probe.size !== null && at + BigInt(blockSize) > probe.size)) return { state: 'absent' };
  const block = probe.block(at, blockSize);
  if (block === undefined) return { state: 'unread' };
  if (!block.has(0, MAGIC)) return { state: 'absent' };
  const damaged = { state: 'damaged', alternateLba: block.u64(32) } as const;
  const bytes = block.u32(12);
  if (bytes < HEADER_BYTES || bytes > blockSize) return damaged;
  if (crc32WithHole(block.bytes, 0, bytes, 16) !== block.u32(16)) return damaged;
  const header: GptHeader = {
    blockSize,
    lba: block.u64(24),
    alternateLba: block.u64(32),
    diskUuid: gptUuid(block.bytes.subarray(56, 72)),
    entriesLba: block.u64(72),
    entryCount: block.u32(80),
    entryBytes: block.u32(84),
    entriesCrc: block.u32(88),
  };
  // A header that lies elsewhere than it says was copied there: its LBAs are not to be believed.
  return header.lba === lba ? { state: 'good', header } : damaged;
}

/** The partitions of a header's entry array; null if the array was not read, is out of bounds or fails its checksum. */
export function readGptEntries(probe: Probe, header: GptHeader): Partition[] | null {
  const { entryBytes, entryCount, blockSize } = header;
  if (!isPowerOfTwo(entryBytes) || entryBytes < 128 || entryBytes > MAX_ENTRY_BYTES) return null;
  const length = entryBytes * entryCount;
  if (length === 0 || length > MAX_ARRAY_BYTES || header.entriesLba < 2n) return null;
  const array = probe.block(header.entriesLba * BigInt(blockSize), length);
  if (array === undefined || crc32(array.bytes) !== header.entriesCrc) return null;
  const partitions: Partition[] = [];
  for (let index = 0; index < entryCount; index++) {
    const partition = entryAt(array, index * entryBytes, index + 1, BigInt(blockSize));
    if (partition !== undefined) partitions.push(partition);
  }
  return partitions;
}

function entryAt(array: Block, at: number, number: number, blockSize: bigint): Partition | undefined {
  if (isZero(array.bytes, at, at + 16)) return undefined;
  const first = array.u64(at + 32);
  const last = array.u64(at + 40);
  if (first < 1n || last < first) return undefined;
  return {
    number,
    start: first * blockSize,
    length: (last - first + 1n) * blockSize,
    typeName: gptTypeName(gptUuid(array.bytes.subarray(at, at + 16))),
    name: utf16(array, at + NAME_AT, NAME_UNITS),
    uuid: gptUuid(array.bytes.subarray(at + 16, at + 32)),
  };
}

/** UTF-16LE up to the first NUL; lone surrogates become U+FFFD. */
function utf16(block: Block, at: number, units: number): string {
  let text = '';
  for (let i = 0; i < units; i++) {
    const unit = block.u16(at + 2 * i);
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    out += code >= 0xd800 && code <= 0xdfff ? '\ufffd' : character;
  }
  return out;
}

export interface Gpt {
  readonly scheme: 'gpt' | 'gpt-backup';
  readonly blockSize: number;
  readonly partitions: Partition[];
}

/**
 * The GPT of a disk, or null. `blockSizes` are tried in order, for an image may come from a disk with other blocks
 * than it is opened with. `lastLbaHint` (in blocks): the disk's last block as the protective MBR tells it, which finds
 * the backup in an image that was enlarged.
 */
export function readGpt(
  probe: Probe,
  blockSizes: readonly number[],
  lastLbaHint: bigint | null,
  notes: PartitionNote[],
): Gpt | null {
  const hints = new Map<number, bigint[]>();
  for (const blockSize of blockSizes) {
    const primary = readGptHeader(probe, 1n, blockSize);
    const hinted = lastLbaHint === null ? [] : [lastLbaHint];
    hints.set(blockSize, hinted);
    if (primary.state === 'unread')
      notes.push({ code: 'unread', text: `the GPT header at byte ${blockSize} was not read` });
    if (primary.state === 'absent' || primary.state === 'unread') continue;
    if (primary.state === 'good') {
      const partitions = readGptEntries(probe, primary.header);
      if (partitions !== null) {
        noteBackup(probe, primary.header, notes);
        return { scheme: 'gpt', blockSize, partitions };
      }
    }
    hinted.unshift(primary.state === 'good' ? primary.header.alternateLba : primary.alternateLba);
    const what = primary.state === 'good' ? 'entries of the primary GPT are' : 'primary GPT header is';
    notes.push({ code: 'primary-gpt-damaged', text: `the ${what} damaged (blocks of ${blockSize} bytes)` });
  }
  return readBackup(probe, hints, notes);
}

function readBackup(probe: Probe, hints: ReadonlyMap<number, bigint[]>, notes: PartitionNote[]): Gpt | null {
  for (const [blockSize, hinted] of hints) {
    const last = probe.size === null ? [] : [probe.size / BigInt(blockSize) - 1n];
    for (const lba of new Set([...last, ...hinted])) {
      const backup = readGptHeader(probe, lba, blockSize);
      const partitions = backup.state === 'good' ? readGptEntries(probe, backup.header) : null;
      if (partitions === null) continue;
      if (!notes.some(({ code }) => code === 'primary-gpt-damaged')) {
        notes.push({ code: 'primary-gpt-damaged', text: 'the primary GPT is gone' });
      }
      if (lba !== last[0]) noteElsewhere(lba, notes);
      return { scheme: 'gpt-backup', blockSize, partitions };
    }
  }
  return null;
}

function noteBackup(probe: Probe, primary: GptHeader, notes: PartitionNote[]): void {
  const lba = primary.alternateLba;
  const backup = readGptHeader(probe, lba, primary.blockSize);
  if (backup.state !== 'good' || readGptEntries(probe, backup.header) === null) {
    notes.push({ code: 'backup-gpt-damaged', text: `there is no sound backup GPT at LBA ${lba}` });
  } else if (probe.size !== null && lba !== probe.size / BigInt(primary.blockSize) - 1n)
    noteElsewhere(lba, notes);
}

function noteElsewhere(lba: bigint, notes: PartitionNote[]): void {
  notes.push({
    code: 'backup-gpt-elsewhere',
    text: `the backup GPT is at LBA ${lba}, not at the end: the image was enlarged`,
  });
}
