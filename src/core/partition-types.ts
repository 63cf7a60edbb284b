// SPDX-License-Identifier: GPL-2.0-or-later
// What the readers of partition tables (gpt.ts, mbr.ts, partitions.ts) give back, and the names of partition types.

/** A partition, in bytes from the start of the source. `length` is what the table says: it may reach past the end. */
export interface Partition {
  /** As the system numbers them: entry index + 1; logical ones from 5. */
  readonly number: number;
  readonly start: bigint;
  readonly length: bigint;
  readonly typeName: string;
  /** The partition's own name; comes from the disk: escape it before it is shown. Empty where the table has none. */
  readonly name: string;
  /** PARTUUID in 8-4-4-4-12 form (GPT only). */
  readonly uuid: string | null;
}

/** Something about a table that is not as it should be. Stable codes; the text is for a person. */
export interface PartitionNote {
  readonly code:
    | 'backup-gpt-damaged'
    | 'backup-gpt-elsewhere'
    | 'beyond-end'
    | 'ebr-damaged'
    | 'gpt-missing'
    | 'gpt-stale'
    | 'hybrid-mbr'
    | 'no-protective-mbr'
    | 'other-block-size'
    | 'overlap'
    | 'primary-gpt-damaged'
    | 'too-many'
    | 'unread';
  readonly text: string;
}

/** More partitions than this are not looked at, whatever a table claims. */
export const MAX_PARTITIONS = 256;

const GPT_TYPES: Readonly<Record<string, string>> = {
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 'Linux filesystem',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'Linux swap',
  '44479540-f297-41b2-9af7-d131d5f0458a': 'Linux root (x86)',
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'Linux root (x86-64)',
  'b921b045-1df0-41c3-af44-4c6f280d3fae': 'Linux root (ARM64)',
  '933ac7e1-2eb4-4f13-b844-0e14e2aef915': 'Linux home',
  '3b8f8425-20e0-4f3b-907f-1a25a76f98e8': 'Linux server data',
  'bc13c2ff-59e6-4262-a352-b275fd6f7172': 'Linux extended boot',
  '8da63339-0007-60c0-c436-083ac8230908': 'Linux reserved',
  'a19d880f-05fc-4d3b-a006-743f0f84911e': 'Linux RAID',
  'e6d6d379-f507-44c2-a23c-238f2a3df928': 'Linux LVM',
  'ca7d7ccb-63ed-4c53-861c-1742536059cc': 'LUKS',
  '7ffec5c9-2d00-49b7-8941-3ea10a5586b7': 'dm-crypt',
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'EFI System',
  '21686148-6449-6e6f-744e-656564454649': 'BIOS boot',
  '024dee41-33e7-11d3-9d69-0008c781f39f': 'MBR partition scheme',
  'e3c9e316-0b5c-4db8-817d-f92df00215ae': 'Microsoft reserved',
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 'Microsoft basic data',
  '5808c8aa-7e8f-42e0-85d2-e1e90434cfb3': 'Microsoft LDM metadata',
  'af9b60a0-1431-4f62-bc68-3311714a69ad': 'Microsoft LDM data',
  'e75caf8f-f680-4cee-afa3-b001e56efc2d': 'Microsoft Storage Spaces',
  'de94bba4-06d1-4d40-a16a-bfd50179d6ac': 'Windows recovery environment',
  '6a898cc3-1dd2-11b2-99a6-080020736631': 'ZFS',
  '6a945a3b-1dd2-11b2-99a6-080020736631': 'Solaris reserved',
  '48465300-0000-11aa-aa11-00306543ecac': 'Apple HFS/HFS+',
  '7c3457ef-0000-11aa-aa11-00306543ecac': 'Apple APFS',
  '516e7cb4-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD data',
  '516e7cba-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD ZFS',
};

const MBR_TYPES: Readonly<Record<number, string>> = {
  0x01: 'FAT12',
  0x04: 'FAT16 <32M',
  0x05: 'Extended',
  0x06: 'FAT16',
  0x07: 'HPFS/NTFS/exFAT',
  0x0b: 'W95 FAT32',
  0x0c: 'W95 FAT32 (LBA)',
  0x0e: 'W95 FAT16 (LBA)',
  0x0f: "W95 Ext'd (LBA)",
  0x11: 'Hidden FAT12',
  0x27: 'Hidden NTFS WinRE',
  0x42: 'Windows dynamic disk (LDM)',
  0x82: 'Linux swap / Solaris',
  0x83: 'Linux',
  0x85: 'Linux extended',
  0x8e: 'Linux LVM',
  0xa5: 'FreeBSD',
  0xa6: 'OpenBSD',
  0xa9: 'NetBSD',
  0xaf: 'HFS / HFS+',
  0xbf: 'Solaris',
  0xda: 'Non-FS data',
  0xea: 'Linux extended boot',
  0xee: 'GPT protective',
  0xef: 'EFI (FAT-12/16/32)',
  0xfb: 'VMware VMFS',
  0xfd: 'Linux RAID autodetect',
};

export function gptTypeName(uuid: string): string {
  return GPT_TYPES[uuid] ?? `type ${uuid}`;
}

export function mbrTypeName(type: number): string {
  return MBR_TYPES[type] ?? `type 0x${type.toString(16).padStart(2, '0')}`;
}

/**
 * The partitions that begin inside `size` bytes, at most MAX_PARTITIONS of them; what does not fit, reaches past the
 * end or overlaps is told to `notes`. A table can claim anything.
 */
export function withinSource(
  partitions: readonly Partition[],
  size: bigint,
  notes: PartitionNote[],
): Partition[] {
  const inside = partitions.filter((partition) => partition.start < size);
  const outside = partitions.length - inside.length;
  if (outside > 0) {
    notes.push({ code: 'beyond-end', text: `${outside} partition(s) begin past the end and were left out` });
  }
  if (inside.length > MAX_PARTITIONS) {
    notes.push({ code: 'too-many', text: `only the first ${MAX_PARTITIONS} partitions are looked at` });
  }
  const taken = inside.slice(0, MAX_PARTITIONS);
  for (const { number, start, length } of taken) {
    if (start + length > size)
      notes.push({ code: 'beyond-end', text: `partition ${number} reaches past the end` });
  }
  noteOverlaps(taken, notes);
  return taken;
}

function noteOverlaps(partitions: readonly Partition[], notes: PartitionNote[]): void {
  const sorted = [...partitions].sort((a, b) =>
    a.start < b.start ? -1 : a.start > b.start ? 1 : a.number - b.number,
  );
  let widest: Partition | undefined;
  for (const partition of sorted) {
    if (widest !== undefined && partition.start < widest.start + widest.length) {
      notes.push({ code: 'overlap', text: `partitions ${widest.number} and ${partition.number} overlap` });
    }
    if (widest === undefined || partition.start + partition.length > widest.start + widest.length)
      widest = partition;
  }
}
