// SPDX-License-Identifier: GPL-2.0-or-later
// The field tables against FORMAT.md, number by number: offsets, widths and names as they stand there.
import type { Struct } from '../../src/core/codec';
import { cName, fieldSize } from '../../src/core/codec';
import * as layout from '../../src/core/layout';

const decimal = (offset: number): string => String(offset);
/** As FORMAT.md gives the offsets of the header. */
const hexadecimal = (offset: number): string => `0x${offset.toString(16).padStart(3, '0')}`;

/** `24 data_start u64` and so on: every field of a structure. */
function linesOf(struct: Struct, inWords = decimal): string[] {
  return struct.fields.map((field) => {
    const size = fieldSize(field);
    const type = field.type === 'records' ? `${field.count} × ${size / field.count}` : field.type;
    const counted = field.type === 'char' || field.type === 'bytes' ? `${type}[${size}]` : type;
    return `${inWords(field.offset)} ${cName(field.name)} ${counted}`;
  });
}

test('the header (section 2)', () => {
  expect(layout.HEADER.size).toBe(512);
  expect(linesOf(layout.HEADER, hexadecimal)).toEqual([
    '0x000 magic char[16]',
    '0x010 format_major u16',
    '0x012 format_minor u16',
    '0x014 header_bytes u32',
    '0x018 compat u64',
    '0x020 ro_compat u64',
    '0x028 incompat u64',
    '0x030 sequence u64',
    '0x038 written_ns u64',
    '0x040 created_ns u64',
    '0x048 parent_crc u32',
    '0x04c state u32',
    '0x050 setup_uuid uuid',
    '0x060 spare_uuid uuid',
    '0x070 copy_index u8',
    '0x071 copy_count u8',
    '0x072 spare_index u8',
    '0x073 spare_count u8',
    '0x074 slot_bytes u32',
    '0x078 run_id u64',
    '0x080 directory 8 × 24',
    '0x140 writer char[32]',
    '0x160 reserved bytes[148]',
    '0x1f4 overall_crc u32',
    '0x1f8 header_crc u32',
    '0x1fc tail u32',
  ]);
  expect(linesOf(layout.DIRECTORY_ENTRY)).toEqual([
    '0 type u32',
    '4 offset u32',
    '8 length u32',
    '12 record_count u32',
    '16 crc u32',
    '20 reserved u32',
  ]);
  expect(layout.MAGIC).toEqual(Uint8Array.from(Buffer.from('dm-remap-v4\0\0\0\0\0')));
  expect(layout.HEADER_CRC_AT).toBe(0x1f8);
  expect(layout.SLOT_BYTES_AT).toBe(0x74);
  expect(layout.PER_COPY_FIELDS).toEqual(['copyIndex', 'spareIndex', 'spareUuid', 'headerCrc']);
});

test('a device record (section 3, DEVICES)', () => {
  expect(layout.DEVICE.size).toBe(512);
  expect(linesOf(layout.DEVICE)).toEqual([
    '0 role u8',
    '1 index u8',
    '2 flags u16',
    '4 logical_block_size u32',
    '8 physical_block_size u32',
    '12 reserved0 u32',
    '16 size_sectors u64',
    '24 data_start u64',
    '32 data_sectors u64',
    '40 device_uuid uuid',
    '56 fs_uuid uuid',
    '72 fs_type char[16]',
    '88 part_uuid uuid',
    '104 wwn char[64]',
    '168 serial char[64]',
    '232 model char[64]',
    '296 path char[128]',
    '424 content_sha256 bytes[32]',
    '456 health_score u32',
    '460 reserved1 u32',
    '464 last_checked_ns u64',
    '472 used_sectors u64',
    '480 last_sequence u64',
    '488 base_sequence u64',
    '496 last_run u64',
    '504 reserved2 u32',
    '508 crc u32',
  ]);
  expect(layout.CONTENT_HASH_SECTORS).toEqual([0n, 1n, 2n, 8n, 16n, 32n, 64n, 128n]);
});

test('CONFIG and its tunables (section 3)', () => {
  expect(layout.CONFIG.size).toBe(4096);
  expect(linesOf(layout.CONFIG)).toEqual([
    '0 name char[128]',
    '128 params char[512]',
    '640 target_sectors u64',
    '648 remap_unit u32',
    '652 reserved0 u32',
    '656 scan_interval_s u32',
    '660 scan_chunk_min u32',
    '664 scan_chunk_max u32',
    '668 slow_io_ms u32',
    '672 remap_threshold u32',
    '676 alert_threshold u32',
    '680 auto_remap u8',
    '681 maintenance_mode u8',
    '682 spare_policy u8',
    '683 min_copies u8',
    '684 reserved1 u32',
    '688 reassembly_version u8',
    '689 require_confirmation u8',
    '690 read_only u8',
    '691 allow_degraded u8',
    '692 allow_size_mismatch u8',
    '693 check_main_size u8',
    '694 check_spare_size u8',
    '695 check_fs_uuid u8',
    '696 pre_checks u32',
    '700 post_checks u32',
    '704 tunable_count u32',
    '708 reserved2 u32',
    '712 reserved3 bytes[56]',
    '768 tunables 32 × 40',
    '2048 description char[128]',
    '2176 reserved4 bytes[1916]',
    '4092 crc u32',
  ]);
  expect(linesOf(layout.TUNABLE)).toEqual(['0 name char[32]', '32 value u64']);
});

test('HEALTH and an event (section 3)', () => {
  expect([layout.HEALTH.size, layout.EVENT.size, layout.EVENT_RING]).toEqual([512, 32, 128]);
  expect(linesOf(layout.HEALTH)).toEqual([
    '0 score u32',
    '4 flags u32',
    '8 scan_position u64',
    '16 last_full_scan_ns u64',
    '24 next_scan_ns u64',
    '32 scans_completed u64',
    '40 sectors_scanned u64',
    '48 read_errors u64',
    '56 write_errors u64',
    '64 slow_sectors u64',
    '72 predictive_remaps u64',
    '80 repaired_copies u64',
    '88 reserved bytes[420]',
    '508 crc u32',
  ]);
  expect(linesOf(layout.EVENT)).toEqual([
    '0 time_ns u64',
    '8 sector u64',
    '16 kind u16',
    '18 device u16',
    '20 length u32',
    '24 value u32',
    '28 serial u32',
  ]);
  expect(layout.EVENT_KIND.slice(1)).toEqual([
    ...['created', 'activated', 'deactivated', 'remapped', 'read error', 'write error', 'slow sector'],
    ...['copy repaired', 'spare failed', 'spare added', 'config changed', 'scan started', 'scan finished'],
    ...['data lost', 'data rewritten'],
  ]);
});

test('a remap block, its entries and its trailer (section 3)', () => {
  expect(linesOf(layout.ENTRY)).toEqual([
    '0 main_sector u64',
    '8 spare_sector u64',
    '16 length u32',
    '20 spare_index u8',
    '21 reason u8',
    '22 flags u16',
    '24 created_ns u64',
  ]);
  expect(linesOf(layout.TRAILER)).toEqual([
    '0 magic u32',
    '4 block_index u32',
    '8 entry_count u32',
    '12 reserved0 u32',
    '16 sequence u64',
    '24 reserved1 u32',
    '28 crc u32',
  ]);
  expect(linesOf(layout.REMAP_BLOCK)).toEqual(['0 entries 127 × 32', '4064 trailer 1 × 32']);
  const magic = new Uint8Array(4);
  new DataView(magic.buffer).setUint32(0, layout.REMAP_BLOCK_MAGIC, true);
  expect(Buffer.from(magic).toString()).toBe('RMB4');
  expect(layout.RETIRED_MAIN_SECTOR).toBe(18446744073709551615n);
});

test('places, limits and defaults (sections 1 to 3)', () => {
  expect(layout.SLOT_SECTORS).toEqual([0n, 1024n, 2048n, 4096n, 8192n]);
  expect(layout.SLOT_ROOM_BYTES).toBe(1024 * 512);
  // The last slot ends where a spare's data may begin at the earliest.
  expect(layout.SLOT_SECTORS[4] + 1024n).toBe(layout.METADATA_END_SECTOR);
  expect([layout.MIN_SLOT_BYTES, layout.DEFAULT_SPARE_DATA_START, layout.MIN_SPARE_SECTORS]).toEqual([
    24576,
    10240n,
    16384n,
  ]);
  expect(layout.SECTION_OFFSET).toEqual({ 1: 4096, 2: 12288, 3: 16384, 4: 20480, 5: 24576 });
  // All nine device records fit before CONFIG.
  expect(4096 + 9 * layout.DEVICE.size).toBeLessThanOrEqual(12288);
  expect([layout.MAX_REMAP_BLOCKS, layout.MAX_ENTRIES]).toEqual([122, 15494]);
  // 122 blocks fill a slot to its last byte.
  expect(24576 + 122 * 4096).toBe(layout.SLOT_ROOM_BYTES);
  expect(layout.SEQUENCE_LIMIT).toBe(9223372036854775808n);
  expect([layout.MAX_SPARES, layout.COPY_COUNT, layout.MAX_TUNABLES, layout.MAX_NAME_BYTES]).toEqual([
    8, 5, 32, 89,
  ]);
  expect([layout.STATE_ACTIVE, layout.STATE_DEGRADED, layout.STATE_MAINTENANCE]).toEqual([1, 2, 4]);
  expect([layout.DEVICE_PRIMARY, layout.DEVICE_FAILED, layout.DEVICE_RETIRED]).toEqual([1, 2, 4]);
});
