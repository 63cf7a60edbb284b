// SPDX-License-Identifier: GPL-2.0-or-later
// The C structures of the kernel target and the field tables of the toolkit are the same format: name, offset and size of
// every field, and the numbers that both have.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cName, fieldSize } from '../../src/core/codec';
import type { Struct } from '../../src/core/codec';
import * as layout from '../../src/core/layout';
import { buildProgram, COMPILERS, complaints, describeC, FORMAT_SOURCES } from '../support/kernel-c';
import { removeTree, temporaryDirectory } from '../support/temporary';

/** The C structure of each table. */
const STRUCTURES: readonly (readonly [cStruct: string, table: Struct])[] = [
  ['dmr_disk_section', layout.DIRECTORY_ENTRY],
  ['dmr_disk_header', layout.HEADER],
  ['dmr_disk_device', layout.DEVICE],
  ['dmr_disk_tunable', layout.TUNABLE],
  ['dmr_disk_config', layout.CONFIG],
  ['dmr_disk_health', layout.HEALTH],
  ['dmr_disk_event', layout.EVENT],
  ['dmr_disk_entry', layout.ENTRY],
  ['dmr_disk_trailer', layout.TRAILER],
  ['dmr_disk_block', layout.REMAP_BLOCK],
];

/** C constants, and what the toolkit has for them. */
const NUMBERS: Readonly<Record<string, number | bigint>> = {
  DMR_BLOCK: layout.BLOCK_BYTES,
  DMR_COPIES: layout.COPY_COUNT,
  DMR_MAX_SPARES: layout.MAX_SPARES,
  DMR_SLOT_BYTES: layout.SLOT_ROOM_BYTES,
  DMR_MIN_SLOT_BYTES: layout.MIN_SLOT_BYTES,
  DMR_HEADER_BYTES: layout.HEADER_BYTES,
  DMR_DIRECTORY: layout.DIRECTORY_ENTRIES,
  DMR_METADATA_END: layout.METADATA_END_SECTOR,
  DMR_MIN_SPARE_SECTORS: layout.MIN_SPARE_SECTORS,
  DMR_EVENT_RING: layout.EVENT_RING,
  DMR_MAX_TUNABLES: layout.MAX_TUNABLES,
  DMR_MAX_NAME: layout.MAX_NAME_BYTES,
  DMR_ENTRIES_PER_BLOCK: layout.ENTRIES_PER_BLOCK,
  DMR_MAX_REMAP_BLOCKS: layout.MAX_REMAP_BLOCKS,
  DMR_MAX_ENTRIES: layout.MAX_ENTRIES,
  DMR_REMAPS_AT: layout.SECTION_OFFSET[layout.SECTION.remaps],
  DMR_MAJOR: layout.FORMAT_MAJOR,
  DMR_SEQUENCE_LIMIT: layout.SEQUENCE_LIMIT,
  DMR_RETIRED: layout.RETIRED_MAIN_SECTOR,
  DMR_BLOCK_MAGIC: layout.REMAP_BLOCK_MAGIC,
  DMR_STATE_ACTIVE: layout.STATE_ACTIVE,
  DMR_STATE_DEGRADED: layout.STATE_DEGRADED,
  DMR_STATE_MAINTENANCE: layout.STATE_MAINTENANCE,
  DMR_DEVICES: layout.SECTION.devices,
  DMR_CONFIG: layout.SECTION.config,
  DMR_HEALTH: layout.SECTION.health,
  DMR_EVENTS: layout.SECTION.events,
  DMR_REMAPS: layout.SECTION.remaps,
  DMR_DEVICE_PRIMARY: layout.DEVICE_PRIMARY,
  DMR_DEVICE_FAILED: layout.DEVICE_FAILED,
  DMR_DEVICE_RETIRED: layout.DEVICE_RETIRED,
  DMR_POLICIES: layout.SPARE_POLICY.length,
  DMR_POLICY_PRIMARY: layout.SPARE_POLICY.indexOf('primary-first'),
  DMR_POLICY_ROUND_ROBIN: layout.SPARE_POLICY.indexOf('round-robin'),
  DMR_POLICY_LEAST_USED: layout.SPARE_POLICY.indexOf('least-used'),
  DMR_POLICY_HEALTHIEST: layout.SPARE_POLICY.indexOf('healthiest'),
  DMR_ENTRY_LOST: layout.ENTRY_DATA_LOST,
  DMR_REASON_WRITE: layout.REMAP_REASON.indexOf('write error'),
  DMR_REASON_READ: layout.REMAP_REASON.indexOf('read error'),
  DMR_REASON_MANUAL: layout.REMAP_REASON.indexOf('manual'),
  DMR_REASON_PREDICTIVE: layout.REMAP_REASON.indexOf('predictive'),
  DMR_EVENT_CREATED: layout.EVENT_KIND.indexOf('created'),
  DMR_EVENT_ACTIVATED: layout.EVENT_KIND.indexOf('activated'),
  DMR_EVENT_DEACTIVATED: layout.EVENT_KIND.indexOf('deactivated'),
  DMR_EVENT_REMAPPED: layout.EVENT_KIND.indexOf('remapped'),
  DMR_EVENT_READ_ERROR: layout.EVENT_KIND.indexOf('read error'),
  DMR_EVENT_WRITE_ERROR: layout.EVENT_KIND.indexOf('write error'),
  DMR_EVENT_SLOW: layout.EVENT_KIND.indexOf('slow sector'),
  DMR_EVENT_COPY_REPAIRED: layout.EVENT_KIND.indexOf('copy repaired'),
  DMR_EVENT_SPARE_FAILED: layout.EVENT_KIND.indexOf('spare failed'),
  DMR_EVENT_SPARE_ADDED: layout.EVENT_KIND.indexOf('spare added'),
  DMR_EVENT_CONFIG_CHANGED: layout.EVENT_KIND.indexOf('config changed'),
  DMR_EVENT_SCAN_STARTED: layout.EVENT_KIND.indexOf('scan started'),
  DMR_EVENT_SCAN_FINISHED: layout.EVENT_KIND.indexOf('scan finished'),
  DMR_EVENT_DATA_LOST: layout.EVENT_KIND.indexOf('data lost'),
  DMR_EVENT_DATA_REWRITTEN: layout.EVENT_KIND.indexOf('data rewritten'),
};

/** A program that prints what the compiler made of the structures. A field that C lacks does not compile. */
function program(): string {
  const lines = STRUCTURES.flatMap(([name, table]) => [
    `\tprintf("${name} . 0 %zu\\n", sizeof(struct ${name}));`,
    ...table.fields.map((field) => {
      const member = cName(field.name);
      return `\tprintf("${name} ${member} %zu %zu\\n", offsetof(struct ${name}, ${member}), sizeof(((struct ${name} *)0)->${member}));`;
    }),
  ]);
  const numbers = Object.keys(NUMBERS).map((name) => `\tprintf("number ${name} %llu 0\\n", (u64)(${name}));`);
  return [
    '#include <stdio.h>',
    '#include "dmr-format.h"',
    'int main(void)',
    '{',
    ...lines,
    ...numbers,
    '\tfor (u32 i = 0; i < DMR_COPIES; i++)',
    '\t\tprintf("slot %u %u 0\\n", i, dmr_slot_sector[i]);',
    '\treturn 0;',
    '}',
    '',
  ].join('\n');
}

describeC('the structures in C', () => {
  let folder = '';
  /** 'dmr_disk_header sequence' to [offset, size]. */
  const found = new Map<string, readonly [string, string]>();

  beforeAll(() => {
    folder = temporaryDirectory();
    const source = join(folder, 'print-structs.c');
    writeFileSync(source, program());
    const built = buildProgram(folder, 'print-structs', [source, 'dmr-judge.c']);
    for (const line of execFileSync(built, { encoding: 'utf8' }).trim().split('\n')) {
      const [group = '', name = '', offset = '', size = ''] = line.split(' ');
      found.set(`${group} ${name}`, [offset, size]);
    }
  });
  afterAll(() => {
    removeTree(folder);
  });

  test.each(STRUCTURES)('%s has every field at its place', (name, table) => {
    expect(found.get(`${name} .`)).toEqual(['0', String(table.size)]);
    let end = 0;
    for (const field of table.fields) {
      const place = [String(field.offset), String(fieldSize(field))];
      expect([field.name, found.get(`${name} ${cName(field.name)}`)]).toEqual([field.name, place]);
      // The tables leave no byte out, so neither does a C structure of the same size: it has no field more.
      expect([field.name, field.offset]).toEqual([field.name, end]);
      end = field.offset + fieldSize(field);
    }
    expect(end).toBe(table.size);
  });

  test('the numbers are the same', () => {
    for (const [name, value] of Object.entries(NUMBERS))
      expect([name, found.get(`number ${name}`)?.[0]]).toEqual([name, String(value)]);
    expect(layout.SLOT_SECTORS.map((_sector, i) => found.get(`slot ${i}`)?.[0])).toEqual(
      layout.SLOT_SECTORS.map(String),
    );
  });

  for (const compiler of COMPILERS) {
    test.each(FORMAT_SOURCES)(`${compiler} has nothing to say about %s, and no frame is large`, (file) => {
      expect(complaints(compiler, file, ['-Wframe-larger-than=1024'])).toBe('');
    });
  }
});
