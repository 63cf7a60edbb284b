// SPDX-License-Identifier: GPL-2.0-or-later
// Generators of partition tables: GPT with its backup, MBR, chains of extended boot records, and the labels of other
// systems. All LBAs are in blocks of the given size; the disk is all of `bytes`.
import { crc32 } from '../../src/core/crc32';
import { Put, UUID } from './put';

export const LINUX_DATA = '0fc63daf-8483-4772-8e79-3d69d8477de4';

export interface GptEntry {
  readonly first: bigint;
  readonly last: bigint;
  readonly type?: string;
  readonly uuid?: string;
  readonly name?: string;
}

export interface GptOptions {
  readonly blockSize?: number;
  readonly entries?: readonly GptEntry[];
  readonly entryCount?: number;
  readonly entryBytes?: number;
  /** Write the protective MBR (default), the primary, the backup. */
  readonly protective?: boolean;
  readonly primary?: boolean;
  readonly backup?: boolean;
}

export function writeGpt(bytes: Uint8Array, options: GptOptions = {}): void {
  const { blockSize = 512, entryCount = 128, entryBytes = 128 } = options;
  const { protective = true, primary = true, backup = true } = options;
  const last = Math.floor(bytes.length / blockSize) - 1;
  const arrayBlocks = Math.ceil((entryCount * entryBytes) / blockSize);
  const array = new Uint8Array(entryCount * entryBytes);
  (options.entries ?? []).forEach((entry, i) => {
    const put = new Put(array, i * entryBytes).guid(0, entry.type ?? LINUX_DATA).guid(16, entry.uuid ?? UUID);
    put.u64(32, entry.first).u64(40, entry.last);
    Array.from({ length: entry.name?.length ?? 0 }, (_, k) =>
      put.u16(56 + 2 * k, entry.name?.charCodeAt(k) ?? 0),
    );
  });
  const places = [
    ...(primary ? [{ lba: 1, other: last, entries: 2 }] : []),
    ...(backup ? [{ lba: last, other: 1, entries: last - arrayBlocks }] : []),
  ];
  for (const { lba, other, entries } of places) {
    bytes.set(array, entries * blockSize);
    const put = new Put(bytes, lba * blockSize).text(0, 'EFI PART').u32(8, 0x10000).u32(12, 92);
    put
      .u64(24, BigInt(lba))
      .u64(32, BigInt(other))
      .u64(40, BigInt(2 + arrayBlocks));
    put
      .u64(48, BigInt(last - arrayBlocks - 1))
      .guid(56, UUID)
      .u64(72, BigInt(entries));
    put.u32(80, entryCount).u32(84, entryBytes).u32(88, crc32(array));
    mendGptHeader(bytes, lba * blockSize);
  }
  if (protective) writeMbr(bytes, [{ type: 0xee, start: 1, length: last }]);
}

/** Makes the checksum of the header at byte `at` right again after a field was changed. */
export function mendGptHeader(bytes: Uint8Array, at: number): void {
  const put = new Put(bytes, at).u32(16, 0);
  put.u32(16, crc32(bytes.subarray(at, at + 92)));
}

export interface MbrEntrySpec {
  readonly type: number;
  readonly start: number;
  readonly length: number;
  readonly flag?: number;
}

/** Writes a boot sector at byte `at`; entries beyond those given stay empty. */
export function writeMbr(bytes: Uint8Array, entries: readonly MbrEntrySpec[], at = 0): void {
  entries.forEach((entry, i) => {
    const put = new Put(bytes, at + 446 + 16 * i).u8(0, entry.flag ?? 0).u8(4, entry.type);
    put.u32(8, entry.start).u32(12, entry.length);
  });
  new Put(bytes, at).u8(510, 0x55, 0xaa);
}

/**
 * A chain of extended boot records in the extended partition that starts at `extended`; each logical partition has its
 * record `lead` blocks before it. Starts and lengths in blocks of `unit` bytes.
 */
export function writeLogicals(
  bytes: Uint8Array,
  extended: number,
  logicals: readonly { start: number; length: number; type?: number }[],
  unit = 512,
  lead = 1,
): void {
  logicals.forEach((logical, i) => {
    const at = i === 0 ? extended : logical.start - lead;
    const next = logicals[i + 1];
    const entries: MbrEntrySpec[] = [
      { type: logical.type ?? 0x83, start: logical.start - at, length: logical.length },
    ];
    if (next !== undefined) {
      entries.push({ type: 0x05, start: next.start - lead - extended, length: next.length + lead });
    }
    writeMbr(bytes, entries, at * unit);
  });
}

export function writeApplePartitionMap(bytes: Uint8Array): void {
  new Put(bytes, 0)
    .text(0, 'ER')
    .u16be(2, 512)
    .u32be(4, Math.floor(bytes.length / 512));
  const put = new Put(bytes, 512).text(0, 'PM').u32be(4, 1).u32be(8, 1).u32be(12, 63);
  put.text(16, 'Apple').text(48, 'Apple_partition_map');
}

export function writeSunLabel(bytes: Uint8Array): void {
  const put = new Put(bytes, 0).text(0, 'disk').u16be(420, 7200).u16be(436, 16).u16be(508, 0xdabe);
  let sum = 0;
  for (let at = 0; at < 510; at += 2) sum ^= ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  put.u16be(510, sum);
}

export function writeSgiLabel(bytes: Uint8Array): void {
  new Put(bytes, 0).u32be(0, 0x0be5a941).u16be(4, 0).text(8, '/unix');
}

export function writeBsdLabel(bytes: Uint8Array): void {
  new Put(bytes, 512).u32(0, 0x82564557).u32(132, 0x82564557).u16(138, 8);
}

export function writeLdm(bytes: Uint8Array): void {
  new Put(bytes, 3072).text(0, 'PRIVHEAD').u16be(12, 2).u16be(14, 12);
}
