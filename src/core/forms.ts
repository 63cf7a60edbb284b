// SPDX-License-Identifier: GPL-2.0-or-later
// What the value of each field means to a reader: a time, a count, one of several names, a set of flags. The one place
// that says so; JSON, tables, annotated dumps and differences all ask here. Nothing about the layout: see layout.ts.
import { decodeUtf8, isZero, textDefect, textOf, toHex } from './bytes';
import type { Field, Struct } from './codec';
import { EVENT_KIND, REMAP_REASON, RETIRED_MAIN_SECTOR, SPARE_POLICY } from './layout';
import { isoUtc } from './time';

/** A decoded field, as codec.ts gives it; records inside records are left to the caller. */
export type FieldValue = number | bigint | string | Uint8Array;

/**
 * - number: a plain JSON number
 * - decimal: a count of sectors or bytes, a sequence, or anything of 64 bits: decimal digits in a JSON string
 * - time: nanoseconds since the epoch, in JSON as decimal
 * - sum: a checksum or magic number; eight hexadecimal digits after 0x
 * - enum: a name, or the number where it has none
 * - flags: names of the bits that are set, and one number for the rest
 * - text, hex, uuid: text is a string when that is exact, else the bytes
 */
export type Form =
  | { readonly kind: 'number' | 'decimal' | 'time' | 'sum' | 'text' | 'hex' | 'uuid' | 'records' }
  /** Index = value; null: a value that the format does not define. */
  | { readonly kind: 'enum'; readonly names: readonly (string | null)[] }
  /** Index = bit. */
  | { readonly kind: 'flags'; readonly names: readonly string[] };

/** For enumerations that begin at 1: the 'none' of the layout tables is a place holder, not a defined value. */
const fromOne = (names: readonly string[]): (string | null)[] =>
  names.map((name, i) => (i === 0 ? null : name));

const SPECIAL: Readonly<Record<string, Form>> = {
  'header.state': { kind: 'flags', names: ['ACTIVE', 'DEGRADED', 'MAINTENANCE'] },
  'device_record.role': { kind: 'enum', names: ['main', 'spare'] },
  'device_record.flags': { kind: 'flags', names: ['PRIMARY', 'FAILED', 'RETIRED'] },
  'config.sparePolicy': { kind: 'enum', names: SPARE_POLICY },
  'health.flags': { kind: 'flags', names: ['SCAN_RUNNING'] },
  'event.kind': { kind: 'enum', names: fromOne(EVENT_KIND) },
  'remap_entry.reason': { kind: 'enum', names: fromOne(REMAP_REASON) },
  'remap_entry.flags': { kind: 'flags', names: ['DATA_LOST'] },
  'remap_trailer.magic': { kind: 'sum' },
};

/** Names of fields of any size below 64 bits that are strings in every JSON document of the toolkit. */
const DECIMAL_NAMES: ReadonlySet<string> = new Set(['offset', 'length', 'slotBytes']);

/** How the field of a structure is to be shown and written. */
export function formOf(struct: Struct, field: Field): Form {
  const special = SPECIAL[`${struct.name}.${field.name}`];
  if (special !== undefined) return special;
  switch (field.type) {
    case 'u8':
    case 'u16':
    case 'u32':
      if (/crc$/i.test(field.name)) return { kind: 'sum' };
      return { kind: DECIMAL_NAMES.has(field.name) ? 'decimal' : 'number' };
    case 'u64':
      return { kind: field.name.endsWith('Ns') ? 'time' : 'decimal' };
    case 'uuid':
      return { kind: 'uuid' };
    case 'char':
      return { kind: 'text' };
    case 'bytes':
      return { kind: 'hex' };
    case 'records':
      return { kind: 'records' };
  }
}

/** Whether a field is one of those that FORMAT.md calls reserved. */
export function isReserved(field: Field): boolean {
  return field.name.startsWith('reserved');
}

/** The name of an enumeration's value, or the number itself where it has none. */
export function enumName(names: readonly (string | null)[], value: number): string | number {
  return names[value] ?? value;
}

/** Names of the bits that are set, then the bits without a name as one number. */
export function flagNames(names: readonly string[], value: number): (string | number)[] {
  const out: (string | number)[] = names.filter((_, bit) => (value >>> bit) % 2 === 1);
  const rest = Math.floor(value / 2 ** names.length) * 2 ** names.length;
  if (rest !== 0) out.push(rest);
  return out;
}

export function sumText(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** The string of a NUL-padded field when it says all there is in the field, else null. */
export function exactText(field: Uint8Array): string | null {
  return textDefect(field) === null ? decodeUtf8(field.subarray(0, field.indexOf(0))) : null;
}

/** Longest run of raw bytes that a value shown to a person spells out. */
const HEX_SHOWN = 32;

/**
 * One value for a person, on one line, whatever is in it. Not escaped: text from a disk is in it as it stands.
 * Zero times are `never`, empty text and zero bytes `-`.
 */
export function showValue(struct: Struct, field: Field, value: FieldValue): string {
  const form = formOf(struct, field);
  if (typeof value === 'bigint') {
    if (form.kind === 'time') return value === 0n ? 'never' : isoUtc(value);
    return field.name === 'mainSector' && value === RETIRED_MAIN_SECTOR ? 'retired' : value.toString();
  }
  if (typeof value === 'number') {
    if (form.kind === 'enum') return enumName(form.names, value).toString();
    if (form.kind === 'flags') return flagsText(form.names, value);
    return form.kind === 'sum' ? sumText(value) : value.toString();
  }
  if (typeof value === 'string') return value;
  if (form.kind === 'text') return showText(value);
  if (isZero(value)) return '-';
  return value.length <= HEX_SHOWN
    ? toHex(value)
    : `${toHex(value.subarray(0, HEX_SHOWN))}... (${value.length} bytes)`;
}

/** `DATA_LOST, 0x10`, or `-` for none. */
export function flagsText(names: readonly string[], value: number): string {
  if (value === 0) return '-';
  return flagNames(names, value)
    .map((flag) => (typeof flag === 'string' ? flag : `0x${flag.toString(16)}`))
    .join(', ');
}

function showText(field: Uint8Array): string {
  const defect = textDefect(field);
  const text = textOf(field);
  if (defect === null) return text === '' ? '-' : text;
  return `${text} (${defect})`;
}
