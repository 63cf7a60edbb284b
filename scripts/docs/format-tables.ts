// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of docs/FORMAT.md: fields, names and numbers, all from src/core/layout.ts and src/core/forms.ts.
import type { Field, Struct } from '../../src/core/codec';
import { cName, fieldSize } from '../../src/core/codec';
import { formOf } from '../../src/core/forms';
import * as layout from '../../src/core/layout';
import type { Parts } from './splice';
import { table } from './splice';

function typeName(field: Field): string {
  switch (field.type) {
    case 'char':
      return `char[${field.count}]`;
    case 'bytes':
      return `u8[${field.count}]`;
    case 'uuid':
      return 'u8[16]';
    case 'records':
      return `${field.of.name}[${field.count}]`;
    default:
      return field.type;
  }
}

const hex = (value: number, digits: number): string =>
  `0x${value.toString(16).toUpperCase().padStart(digits, '0')}`;

/** Every field of a structure. The offset is given as people count it and as hex dumps do. */
function fieldTable(struct: Struct): string {
  const digits = struct.size > 0xfff ? 4 : 3;
  const rows = struct.fields.map((field) => [
    String(field.offset),
    hex(field.offset, digits),
    String(fieldSize(field)),
    typeName(field),
    `\`${cName(field.name)}\``,
    field.doc,
  ]);
  return table(['offset', 'hex', 'bytes', 'type', 'field', 'what'], rows);
}

const STRUCTS: readonly Struct[] = [
  layout.HEADER,
  layout.DIRECTORY_ENTRY,
  layout.DEVICE,
  layout.CONFIG,
  layout.TUNABLE,
  layout.HEALTH,
  layout.EVENT,
  layout.ENTRY,
  layout.REMAP_BLOCK,
  layout.TRAILER,
];

/** Values and bits that have names, of every field that has any. */
function names(): string {
  const rows: string[][] = [];
  for (const struct of STRUCTS) {
    for (const field of struct.fields) {
      const form = formOf(struct, field);
      if (form.kind !== 'enum' && form.kind !== 'flags') continue;
      form.names.forEach((name, i) => {
        if (name === null) return;
        const value = form.kind === 'enum' ? String(i) : `bit ${i} (${hex(2 ** i, 1)})`;
        rows.push([`\`${struct.name}.${cName(field.name)}\``, value, name]);
      });
    }
  }
  return table(['field', 'value', 'name'], rows);
}

function slots(): string {
  const rows = layout.SLOT_SECTORS.map((sector, copy) => [
    String(copy),
    String(sector),
    String(sector * layout.SECTOR_BYTES_BIG),
    hex(Number(sector * layout.SECTOR_BYTES_BIG), 6),
  ]);
  return table(['copy', 'first sector', 'first byte', 'hex'], rows);
}

function sections(): string {
  const lengths: Readonly<Record<number, string>> = {
    1: `(1 + spares) × ${layout.DEVICE.size}`,
    2: String(layout.CONFIG.size),
    3: String(layout.HEALTH.size),
    4: `${layout.EVENT_RING} × ${layout.EVENT.size}`,
    5: `n × ${layout.BLOCK_BYTES}, n = 0 to ${layout.MAX_REMAP_BLOCKS}`,
  };
  const counts: Readonly<Record<number, string>> = {
    1: '1 + spares',
    2: '1',
    3: '1',
    4: 'events in use, 0 to 128',
    5: 'entries in all blocks',
  };
  const rows = layout.KNOWN_SECTIONS.map((type) => [
    String(type),
    layout.SECTION_NAME[type] ?? '',
    String(layout.SECTION_OFFSET[type]),
    lengths[type] ?? '',
    counts[type] ?? '',
  ]);
  return table(['type', 'section', 'offset in the slot', 'bytes', 'record_count'], rows);
}

function limits(): string {
  return table(
    ['what', 'value'],
    [
      ['copies on a spare', String(layout.COPY_COUNT)],
      ['spares of a setup', `1 to ${layout.MAX_SPARES}`],
      ['bytes of a slot', String(layout.SLOT_ROOM_BYTES)],
      ['least `slot_bytes`', String(layout.MIN_SLOT_BYTES)],
      ['sectors of a spare, at least', String(layout.MIN_SPARE_SECTORS)],
      ['`data_start` of a spare, at least', String(layout.METADATA_END_SECTOR)],
      ['`data_start` of a spare, by default', String(layout.DEFAULT_SPARE_DATA_START)],
      ['entries in a remap block', String(layout.ENTRIES_PER_BLOCK)],
      ['remap blocks', `0 to ${layout.MAX_REMAP_BLOCKS}`],
      ['entries of a setup', `0 to ${layout.MAX_ENTRIES}`],
      ['events that are kept', String(layout.EVENT_RING)],
      ['tunables', `0 to ${layout.MAX_TUNABLES}`],
      ['bytes of a name', `1 to ${layout.MAX_NAME_BYTES}`],
      ['sequences', '1 to 2^63 - 1'],
    ],
  );
}

/** The parts of docs/FORMAT.md that come from the tables. */
export function formatParts(): Parts {
  return {
    slots: slots(),
    sections: sections(),
    limits: limits(),
    names: names(),
    ...Object.fromEntries(STRUCTS.map((struct) => [struct.name.replace(/_/g, '-'), fieldTable(struct)])),
  };
}
