// SPDX-License-Identifier: GPL-2.0-or-later
// The on-disk layout: one field table per structure, and the numbers of FORMAT.md sections 1 to 3. Decoding, encoding,
// annotated dumps, docs/FORMAT.md, the comparison with the C structures and the tests' mutators all come from here.
import { textField } from './bytes';
import type { RecordOf, Struct } from './codec';
import { onlyFields } from './codec';

/** Where the five copies start, in sectors (FORMAT.md section 1). */
export const SLOT_SECTORS = [0n, 1024n, 2048n, 4096n, 8192n] as const;
export const COPY_COUNT = 5;
export const MAX_SPARES = 8;
/** Bytes that a slot has room for, and the least that a copy uses. */
export const SLOT_ROOM_BYTES = 524288;
export const MIN_SLOT_BYTES = 24576;
/** Writes are whole blocks of this many bytes. */
export const BLOCK_BYTES = 4096;
/** Sectors: the first one past the last slot; a spare's data never begins below it. */
export const METADATA_END_SECTOR = 9216n;
export const DEFAULT_SPARE_DATA_START = 10240n;
export const MIN_SPARE_SECTORS = 16384n;
/** SECTOR_BYTES of bytes.ts, for sums of sectors. */
export const SECTOR_BYTES_BIG = 512n;
/** Sequences lie in [1, 2^63). */
export const SEQUENCE_LIMIT = 1n << 63n;
export const FORMAT_MAJOR = 4;
export const HEADER_BYTES = 512;

export const MAGIC_TEXT = 'dm-remap-v4';
export const MAGIC = textField(MAGIC_TEXT, 16);

export const STATE_ACTIVE = 1;
export const STATE_DEGRADED = 2;
export const STATE_MAINTENANCE = 4;

export const DIRECTORY_ENTRY = {
  name: 'section_entry',
  size: 24,
  fields: [
    { name: 'type', type: 'u32', offset: 0, doc: 'which section; 0 = unused' },
    { name: 'offset', type: 'u32', offset: 4, doc: 'bytes from the start of the slot, 4096-aligned' },
    { name: 'length', type: 'u32', offset: 8, doc: 'bytes' },
    { name: 'recordCount', type: 'u32', offset: 12, doc: 'records in the section' },
    { name: 'crc', type: 'u32', offset: 16, doc: "CRC32 of the section's bytes" },
    { name: 'reserved', type: 'u32', offset: 20, doc: 'zero' },
  ],
} as const satisfies Struct;
export type DirectoryEntry = RecordOf<typeof DIRECTORY_ENTRY>;

export const DIRECTORY_ENTRIES = 8;

export const HEADER = {
  name: 'header',
  size: HEADER_BYTES,
  fields: [
    { name: 'magic', type: 'char', count: 16, offset: 0x000, doc: '`dm-remap-v4` and five NULs' },
    { name: 'formatMajor', type: 'u16', offset: 0x010, doc: '4' },
    { name: 'formatMinor', type: 'u16', offset: 0x012, doc: '0' },
    { name: 'headerBytes', type: 'u32', offset: 0x014, doc: '512' },
    { name: 'compat', type: 'u64', offset: 0x018, doc: 'feature flags; unknown ones are fine' },
    { name: 'roCompat', type: 'u64', offset: 0x020, doc: 'feature flags; unknown ones allow reading only' },
    { name: 'incompat', type: 'u64', offset: 0x028, doc: 'feature flags; unknown ones refuse the setup' },
    { name: 'sequence', type: 'u64', offset: 0x030, doc: 'grows with every commit; 1 to 2^63 - 1' },
    { name: 'writtenNs', type: 'u64', offset: 0x038, doc: 'when this generation was committed' },
    { name: 'createdNs', type: 'u64', offset: 0x040, doc: 'when the setup was made' },
    {
      name: 'parentCrc',
      type: 'u32',
      offset: 0x048,
      doc: 'overall_crc of the generation before; 0 for the first',
    },
    { name: 'state', type: 'u32', offset: 0x04c, doc: 'bit 0 ACTIVE, bit 1 DEGRADED, bit 2 MAINTENANCE' },
    { name: 'setupUuid', type: 'uuid', offset: 0x050, doc: 'the setup' },
    { name: 'spareUuid', type: 'uuid', offset: 0x060, doc: 'the spare this copy lies on' },
    { name: 'copyIndex', type: 'u8', offset: 0x070, doc: '0 to 4' },
    { name: 'copyCount', type: 'u8', offset: 0x071, doc: '5' },
    { name: 'spareIndex', type: 'u8', offset: 0x072, doc: '0 to 7' },
    { name: 'spareCount', type: 'u8', offset: 0x073, doc: '1 to 8' },
    { name: 'slotBytes', type: 'u32', offset: 0x074, doc: 'bytes of the slot in use, a multiple of 4096' },
    {
      name: 'runId',
      type: 'u64',
      offset: 0x078,
      doc: 'random, new for every activation and every commit by a tool',
    },
    {
      name: 'directory',
      type: 'records',
      of: DIRECTORY_ENTRY,
      count: DIRECTORY_ENTRIES,
      offset: 0x080,
      doc: 'the sections, in order of offset',
    },
    { name: 'writer', type: 'char', count: 32, offset: 0x140, doc: 'what wrote this generation' },
    { name: 'reserved', type: 'bytes', count: 148, offset: 0x160, doc: 'zero' },
    {
      name: 'overallCrc',
      type: 'u32',
      offset: 0x1f4,
      doc: "CRC32 over all the sections' bytes in directory order",
    },
    { name: 'headerCrc', type: 'u32', offset: 0x1f8, doc: 'CRC32 of the header with this field zero' },
    { name: 'tail', type: 'u32', offset: 0x1fc, doc: 'always 0: never a boot signature' },
  ],
} as const satisfies Struct;
export type Header = RecordOf<typeof HEADER>;
export const HEADER_CRC_AT = 0x1f8;
export const SLOT_BYTES_AT = 0x74;

/** Section types; all five are always listed, each once. */
export const SECTION = { devices: 1, config: 2, health: 3, events: 4, remaps: 5 } as const;
export type SectionType = (typeof SECTION)[keyof typeof SECTION];
export const KNOWN_SECTIONS: readonly SectionType[] = [1, 2, 3, 4, 5];
export const SECTION_NAME: Readonly<Record<number, string>> = {
  1: 'DEVICES',
  2: 'CONFIG',
  3: 'HEALTH',
  4: 'EVENTS',
  5: 'REMAPS',
};
/** Where a v4.0 writer puts each section, in bytes from the start of the slot. Readers follow the directory. */
export const SECTION_OFFSET: Readonly<Record<SectionType, number>> = {
  1: 4096,
  2: 12288,
  3: 16384,
  4: 20480,
  5: 24576,
};

export const DEVICE = {
  name: 'device_record',
  size: 512,
  fields: [
    { name: 'role', type: 'u8', offset: 0, doc: '0 main, 1 spare' },
    { name: 'index', type: 'u8', offset: 1, doc: '0 for main, 0 to 7 for spares' },
    { name: 'flags', type: 'u16', offset: 2, doc: 'bit 0 PRIMARY spare, bit 1 FAILED, bit 2 RETIRED' },
    { name: 'logicalBlockSize', type: 'u32', offset: 4, doc: 'bytes' },
    { name: 'physicalBlockSize', type: 'u32', offset: 8, doc: 'bytes' },
    { name: 'reserved0', type: 'u32', offset: 12, doc: 'zero' },
    { name: 'sizeSectors', type: 'u64', offset: 16, doc: 'size of the device' },
    {
      name: 'dataStart',
      type: 'u64',
      offset: 24,
      doc: 'main: first mapped sector; spare: first allocatable sector',
    },
    { name: 'dataSectors', type: 'u64', offset: 32, doc: 'main: mapped length; spare: allocatable length' },
    { name: 'deviceUuid', type: 'uuid', offset: 40, doc: 'a spare: its spare_uuid' },
    { name: 'fsUuid', type: 'uuid', offset: 56, doc: 'zero if none' },
    { name: 'fsType', type: 'char', count: 16, offset: 72, doc: "blkid's name" },
    { name: 'partUuid', type: 'uuid', offset: 88, doc: 'GPT PARTUUID, or zero' },
    { name: 'wwn', type: 'char', count: 64, offset: 104, doc: 'world wide name' },
    { name: 'serial', type: 'char', count: 64, offset: 168, doc: 'serial number' },
    { name: 'model', type: 'char', count: 64, offset: 232, doc: 'model' },
    { name: 'path', type: 'char', count: 128, offset: 296, doc: 'a /dev/disk/by-id path where there is one' },
    {
      name: 'contentSha256',
      type: 'bytes',
      count: 32,
      offset: 424,
      doc: 'hint: hash of eight sectors of main',
    },
    { name: 'healthScore', type: 'u32', offset: 456, doc: '0 to 100' },
    { name: 'reserved1', type: 'u32', offset: 460, doc: 'zero' },
    { name: 'lastCheckedNs', type: 'u64', offset: 464, doc: 'when the device was last checked' },
    { name: 'usedSectors', type: 'u64', offset: 472, doc: 'spares: information only' },
    {
      name: 'lastSequence',
      type: 'u64',
      offset: 480,
      doc: 'spares: newest generation that may have been put here',
    },
    {
      name: 'baseSequence',
      type: 'u64',
      offset: 488,
      doc: 'spares: highest sequence seen when last_run included it',
    },
    { name: 'lastRun', type: 'u64', offset: 496, doc: 'spares: last run that included this spare' },
    { name: 'reserved2', type: 'u32', offset: 504, doc: 'zero' },
    { name: 'crc', type: 'u32', offset: 508, doc: 'CRC32 of the record' },
  ],
} as const satisfies Struct;
export type DeviceRecord = RecordOf<typeof DEVICE>;
export const DEVICE_PRIMARY = 1;
export const DEVICE_FAILED = 2;
export const DEVICE_RETIRED = 4;
/** The sectors of main whose bytes content_sha256 hashes, in this order. */
export const CONTENT_HASH_SECTORS = [0n, 1n, 2n, 8n, 16n, 32n, 64n, 128n] as const;

export const TUNABLE = {
  name: 'tunable',
  size: 40,
  fields: [
    { name: 'name', type: 'char', count: 32, offset: 0, doc: 'name' },
    { name: 'value', type: 'u64', offset: 32, doc: 'value' },
  ],
} as const satisfies Struct;
export const MAX_TUNABLES = 32;

export const CONFIG = {
  name: 'config',
  size: 4096,
  fields: [
    { name: 'name', type: 'char', count: 128, offset: 0, doc: 'device-mapper name, 1 to 89 bytes' },
    { name: 'params', type: 'char', count: 512, offset: 128, doc: "the target's arguments as first given" },
    { name: 'targetSectors', type: 'u64', offset: 640, doc: 'length of the remapped device' },
    { name: 'remapUnit', type: 'u32', offset: 648, doc: 'sectors, 1 or 8' },
    { name: 'reserved0', type: 'u32', offset: 652, doc: 'zero' },
    { name: 'scanIntervalS', type: 'u32', offset: 656, doc: 'seconds' },
    { name: 'scanChunkMin', type: 'u32', offset: 660, doc: 'sectors' },
    { name: 'scanChunkMax', type: 'u32', offset: 664, doc: 'sectors' },
    { name: 'slowIoMs', type: 'u32', offset: 668, doc: 'milliseconds' },
    { name: 'remapThreshold', type: 'u32', offset: 672, doc: 'errors before a scan-found sector is moved' },
    { name: 'alertThreshold', type: 'u32', offset: 676, doc: 'health score' },
    { name: 'autoRemap', type: 'u8', offset: 680, doc: '0 or 1' },
    { name: 'maintenanceMode', type: 'u8', offset: 681, doc: '0 or 1' },
    {
      name: 'sparePolicy',
      type: 'u8',
      offset: 682,
      doc: '0 primary first, 1 round robin, 2 least used, 3 healthiest',
    },
    { name: 'minCopies', type: 'u8', offset: 683, doc: '1 to 5' },
    { name: 'reserved1', type: 'u32', offset: 684, doc: 'zero' },
    { name: 'reassemblyVersion', type: 'u8', offset: 688, doc: '1' },
    { name: 'requireConfirmation', type: 'u8', offset: 689, doc: '0 or 1' },
    { name: 'readOnly', type: 'u8', offset: 690, doc: '0 or 1' },
    { name: 'allowDegraded', type: 'u8', offset: 691, doc: '0 or 1' },
    { name: 'allowSizeMismatch', type: 'u8', offset: 692, doc: '0 or 1' },
    { name: 'checkMainSize', type: 'u8', offset: 693, doc: '0 or 1' },
    { name: 'checkSpareSize', type: 'u8', offset: 694, doc: '0 or 1' },
    { name: 'checkFsUuid', type: 'u8', offset: 695, doc: '0 or 1' },
    { name: 'preChecks', type: 'u32', offset: 696, doc: 'bit mask' },
    { name: 'postChecks', type: 'u32', offset: 700, doc: 'bit mask' },
    { name: 'tunableCount', type: 'u32', offset: 704, doc: '0 to 32' },
    { name: 'reserved2', type: 'u32', offset: 708, doc: 'zero' },
    { name: 'reserved3', type: 'bytes', count: 56, offset: 712, doc: 'zero' },
    { name: 'tunables', type: 'records', of: TUNABLE, count: MAX_TUNABLES, offset: 768, doc: 'the tunables' },
    { name: 'description', type: 'char', count: 128, offset: 2048, doc: 'free text' },
    { name: 'reserved4', type: 'bytes', count: 1916, offset: 2176, doc: 'zero' },
    { name: 'crc', type: 'u32', offset: 4092, doc: 'CRC32 of the section' },
  ],
} as const satisfies Struct;
export type ConfigRecord = RecordOf<typeof CONFIG>;
/** Bytes of UTF-8 that a name may have. */
export const MAX_NAME_BYTES = 89;
export const SPARE_POLICY = ['primary-first', 'round-robin', 'least-used', 'healthiest'] as const;

export const HEALTH = {
  name: 'health',
  size: 512,
  fields: [
    { name: 'score', type: 'u32', offset: 0, doc: '0 to 100' },
    { name: 'flags', type: 'u32', offset: 4, doc: 'bit 0 scan running' },
    { name: 'scanPosition', type: 'u64', offset: 8, doc: 'sector' },
    { name: 'lastFullScanNs', type: 'u64', offset: 16, doc: 'end of the last full scan' },
    { name: 'nextScanNs', type: 'u64', offset: 24, doc: 'when the next scan is due' },
    { name: 'scansCompleted', type: 'u64', offset: 32, doc: 'counter' },
    { name: 'sectorsScanned', type: 'u64', offset: 40, doc: 'counter' },
    { name: 'readErrors', type: 'u64', offset: 48, doc: 'counter' },
    { name: 'writeErrors', type: 'u64', offset: 56, doc: 'counter' },
    { name: 'slowSectors', type: 'u64', offset: 64, doc: 'counter' },
    { name: 'predictiveRemaps', type: 'u64', offset: 72, doc: 'counter' },
    { name: 'repairedCopies', type: 'u64', offset: 80, doc: 'counter' },
    { name: 'reserved', type: 'bytes', count: 420, offset: 88, doc: 'zero' },
    { name: 'crc', type: 'u32', offset: 508, doc: 'CRC32 of the section' },
  ],
} as const satisfies Struct;
export type HealthRecord = RecordOf<typeof HEALTH>;

export const EVENT = {
  name: 'event',
  size: 32,
  fields: [
    { name: 'timeNs', type: 'u64', offset: 0, doc: 'when' },
    { name: 'sector', type: 'u64', offset: 8, doc: 'where' },
    { name: 'kind', type: 'u16', offset: 16, doc: 'what' },
    { name: 'device', type: 'u16', offset: 18, doc: '0 main, 1 + i spare i' },
    { name: 'length', type: 'u32', offset: 20, doc: 'sectors' },
    { name: 'value', type: 'u32', offset: 24, doc: 'kind 4: spare_sector / 8; 5 and 6: errno; else 0' },
    { name: 'serial', type: 'u32', offset: 28, doc: 'from 1; 0 = empty; lies at (serial - 1) % 128' },
  ],
} as const satisfies Struct;
export type EventRecord = RecordOf<typeof EVENT>;
export const EVENT_RING = 128;
export const EVENT_SERIAL_AT = 28;
/** Names of the event kinds; index = kind. */
export const EVENT_KIND = [
  'none',
  'created',
  'activated',
  'deactivated',
  'remapped',
  'read error',
  'write error',
  'slow sector',
  'copy repaired',
  'spare failed',
  'spare added',
  'config changed',
  'scan started',
  'scan finished',
  'data lost',
  'data rewritten',
] as const;
export const EVENT_CREATED = 1;

export const ENTRY = {
  name: 'remap_entry',
  size: 32,
  fields: [
    {
      name: 'mainSector',
      type: 'u64',
      offset: 0,
      doc: 'first sector on main; 2^64 - 1 retires the spare extent',
    },
    { name: 'spareSector', type: 'u64', offset: 8, doc: 'first sector on the spare' },
    { name: 'length', type: 'u32', offset: 16, doc: 'sectors, at least 1' },
    { name: 'spareIndex', type: 'u8', offset: 20, doc: 'which spare' },
    { name: 'reason', type: 'u8', offset: 21, doc: '1 write error, 2 read error, 3 manual, 4 predictive' },
    { name: 'flags', type: 'u16', offset: 22, doc: 'bit 0 DATA_LOST' },
    { name: 'createdNs', type: 'u64', offset: 24, doc: 'when the entry was made' },
  ],
} as const satisfies Struct;
export type RemapEntry = RecordOf<typeof ENTRY>;
export const RETIRED_MAIN_SECTOR = (1n << 64n) - 1n;
export const ENTRY_DATA_LOST = 1;
export const REMAP_REASON = ['none', 'write error', 'read error', 'manual', 'predictive'] as const;

export const ENTRIES_PER_BLOCK = 127;
export const MAX_REMAP_BLOCKS = 122;
export const MAX_ENTRIES = ENTRIES_PER_BLOCK * MAX_REMAP_BLOCKS;
export const REMAP_BLOCK_MAGIC = 0x34424d52;

export const TRAILER = {
  name: 'remap_trailer',
  size: 32,
  fields: [
    { name: 'magic', type: 'u32', offset: 0, doc: '`RMB4`' },
    { name: 'blockIndex', type: 'u32', offset: 4, doc: 'which block of the section' },
    { name: 'entryCount', type: 'u32', offset: 8, doc: '1 to 127' },
    { name: 'reserved0', type: 'u32', offset: 12, doc: 'zero' },
    { name: 'sequence', type: 'u64', offset: 16, doc: 'the commit that last changed the block' },
    { name: 'reserved1', type: 'u32', offset: 24, doc: 'zero' },
    { name: 'crc', type: 'u32', offset: 28, doc: 'CRC32 of the block' },
  ],
} as const satisfies Struct;
export const TRAILER_AT = 4064;

export const REMAP_BLOCK = {
  name: 'remap_block',
  size: 4096,
  fields: [
    { name: 'entries', type: 'records', of: ENTRY, count: ENTRIES_PER_BLOCK, offset: 0, doc: 'the entries' },
    { name: 'trailer', type: 'records', of: TRAILER, count: 1, offset: TRAILER_AT, doc: 'the trailer' },
  ],
} as const satisfies Struct;

/** The fields of the header that differ between the copies of one generation (FORMAT.md section 2). */
const PER_COPY_NAMES = ['copyIndex', 'spareIndex', 'spareUuid', 'headerCrc'] as const;
export const PER_COPY_FIELDS: readonly string[] = PER_COPY_NAMES;
export const PER_COPY = onlyFields(HEADER, PER_COPY_NAMES);
