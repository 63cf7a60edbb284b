// SPDX-License-Identifier: GPL-2.0-or-later
// Turns a field table into a decoder, an encoder and a list of named byte ranges. Knows no structure of its own: the
// tables are in layout.ts. All integers are little-endian (FORMAT.md, preamble).
import { formatUuid, parseUuid } from './bytes';

/**
 * One field. `count` is the number of bytes for `char` and `bytes`, the number of records for `records`, else 1.
 * Text stays raw bytes when decoded (see textOf), so that decoding loses nothing, not even what follows a NUL.
 */
export type Field = {
  readonly name: string;
  readonly offset: number;
  readonly doc: string;
} & (
  | { readonly type: 'u8' | 'u16' | 'u32' | 'u64' | 'uuid' }
  | { readonly type: 'char' | 'bytes'; readonly count: number }
  | { readonly type: 'records'; readonly count: number; readonly of: Struct }
);

export interface Struct<F extends readonly Field[] = readonly Field[]> {
  /** The C structure's name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly fields: F;
}

type ValueOf<F extends Field> = F extends { type: 'u64' }
  ? bigint
  : F extends { type: 'u8' | 'u16' | 'u32' }
    ? number
    : F extends { type: 'uuid' }
      ? string
      : F extends { type: 'records'; of: infer S extends Struct }
        ? RecordOf<S>[]
        : Uint8Array;

/** The decoded form of a structure: one property a field. */
export type RecordOf<S extends Struct> = { -readonly [F in S['fields'][number] as F['name']]: ValueOf<F> };

/** The same structure with these of its fields only: a look at few of them should not cost what all of them do. */
export function onlyFields<F extends Field, N extends F['name']>(
  struct: Struct<readonly F[]>,
  names: readonly N[],
): Struct<readonly Extract<F, { readonly name: N }>[]> {
  const isWanted = (field: F): field is Extract<F, { readonly name: N }> =>
    (names as readonly string[]).includes(field.name);
  return { ...struct, fields: struct.fields.filter(isWanted) };
}

/** Bytes that one field takes. */
export function fieldSize(field: Field): number {
  switch (field.type) {
    case 'u8':
      return 1;
    case 'u16':
      return 2;
    case 'u32':
      return 4;
    case 'u64':
      return 8;
    case 'uuid':
      return 16;
    case 'char':
    case 'bytes':
      return field.count;
    case 'records':
      return field.count * field.of.size;
  }
}

/** The name a field has in the C structures: `overallCrc` there is `overall_crc`. */
export function cName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

type Value = number | bigint | string | Uint8Array | Values[];
interface Values {
  [name: string]: Value;
}

/** Reads one field of a structure that begins at byte `at` of a view. */
type Reader = (view: DataView, at: number) => Value;

function readerOf(field: Field): Reader {
  const { offset } = field;
  switch (field.type) {
    case 'u8':
      return (view, at) => view.getUint8(at + offset);
    case 'u16':
      return (view, at) => view.getUint16(at + offset, true);
    case 'u32':
      return (view, at) => view.getUint32(at + offset, true);
    case 'u64':
      return (view, at) => view.getBigUint64(at + offset, true);
    case 'uuid':
      return (view, at) => formatUuid(new Uint8Array(view.buffer, view.byteOffset + at + offset, 16));
    case 'char':
    case 'bytes': {
      const { count } = field;
      return (view, at) => new Uint8Array(view.buffer, view.byteOffset + at + offset, count);
    }
    case 'records': {
      const { count, of } = field;
      return (view, at) => readMany(of, view, at + offset, count);
    }
  }
}

interface Decoder {
  readonly readers: readonly (readonly [string, Reader])[];
  /** True if decoded records have parts of the bytes in them, as they are. */
  readonly keepsBytes: boolean;
}

/** By structure, made at the first use: a table is walked for its fields only once. */
const DECODERS = new Map<Struct, Decoder>();

function decoderOf(struct: Struct): Decoder {
  let decoder = DECODERS.get(struct);
  if (decoder === undefined) {
    decoder = {
      readers: struct.fields.map((field) => [field.name, readerOf(field)] as const),
      keepsBytes: struct.fields.some(keepsBytes),
    };
    DECODERS.set(struct, decoder);
  }
  return decoder;
}

function keepsBytes(field: Field): boolean {
  return field.type === 'records' ? field.of.fields.some(keepsBytes) : 'count' in field;
}

function readMany(struct: Struct, view: DataView, at: number, count: number): Values[] {
  const { readers } = decoderOf(struct);
  const records: Values[] = [];
  for (let i = 0; i < count; i++) records.push(readInto({}, readers, view, at + i * struct.size));
  return records;
}

function readInto(record: Values, readers: Decoder['readers'], view: DataView, at: number): Values {
  for (const [name, read] of readers) record[name] = read(view, at);
  return record;
}

function writeField(field: Field, view: DataView, at: number, value: Value): void {
  const offset = at + field.offset;
  switch (field.type) {
    case 'u8':
      view.setUint8(offset, value as number);
      return;
    case 'u16':
      view.setUint16(offset, value as number, true);
      return;
    case 'u32':
      view.setUint32(offset, value as number, true);
      return;
    case 'u64':
      view.setBigUint64(offset, value as bigint, true);
      return;
    case 'uuid': {
      const raw = parseUuid(value as string);
      if (raw === null) throw new RangeError(`${field.name}: not a UUID`);
      new Uint8Array(view.buffer, view.byteOffset + offset, 16).set(raw);
      return;
    }
    case 'char':
    case 'bytes': {
      const raw = value as Uint8Array;
      if (raw.length !== field.count) throw new RangeError(`${field.name}: ${field.count} bytes are needed`);
      new Uint8Array(view.buffer, view.byteOffset + offset, field.count).set(raw);
      return;
    }
    case 'records':
      (value as Values[]).forEach((record, i) => {
        if (i < field.count) writeRecord(field.of, view, offset + i * field.of.size, record);
      });
      return;
  }
}

function writeRecord(struct: Struct, view: DataView, at: number, record: Values): void {
  for (const field of struct.fields) {
    const value = record[field.name];
    if (value !== undefined) writeField(field, view, at, value);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Decodes the structure that begins at byte `at`. The caller has checked that all of it is inside `bytes`. */
export function decode<S extends Struct>(struct: S, bytes: Uint8Array, at = 0): RecordOf<S> {
  return decodeMany(struct, bytes, at, 1)[0] as RecordOf<S>;
}

/** Decodes the structure that begins at the first byte into a record of which it has some of the fields. */
export function decodeInto<S extends Struct>(
  struct: S,
  bytes: Uint8Array,
  record: RecordOf<NoInfer<S>>,
): void {
  readInto(record, decoderOf(struct).readers, viewOf(bytes), 0);
}

/** Decodes `count` structures that lie one after another from byte `at`. */
export function decodeMany<S extends Struct>(
  struct: S,
  bytes: Uint8Array,
  at: number,
  count: number,
): RecordOf<S>[] {
  // One copy for all byte fields, which stay what they are when `bytes` change: to copy each took longer than the rest.
  const records = decoderOf(struct).keepsBytes
    ? readMany(struct, viewOf(bytes.slice(at, at + count * struct.size)), 0, count)
    : readMany(struct, viewOf(bytes), at, count);
  return records as RecordOf<S>[];
}

/** Writes the given fields of a structure at byte `at`; fields that are not given keep their bytes. */
export function encodeInto<S extends Struct>(
  struct: S,
  bytes: Uint8Array,
  at: number,
  record: Partial<RecordOf<S>>,
): void {
  writeRecord(struct, viewOf(bytes), at, record as Values);
}

/** The bytes of a whole structure; fields that are not given are zero. */
export function encode<S extends Struct>(struct: S, record: Partial<RecordOf<S>>): Uint8Array {
  const bytes = new Uint8Array(struct.size);
  encodeInto(struct, bytes, 0, record);
  return bytes;
}

/** A named byte range of a structure, records inside records flattened: `directory[2].offset`. */
export interface FieldRange {
  readonly path: string;
  readonly field: Field;
  /** Bytes from the start of the outermost structure, half-open. */
  readonly start: number;
  readonly end: number;
}

/** Every scalar field of a structure in order of offset: for annotated dumps, differences, docs and mutators. */
export function fieldRanges(struct: Struct, base = 0, prefix = ''): FieldRange[] {
  const out: FieldRange[] = [];
  for (const field of struct.fields) {
    const start = base + field.offset;
    if (field.type === 'records') {
      for (let i = 0; i < field.count; i++) {
        out.push(...fieldRanges(field.of, start + i * field.of.size, `${prefix}${field.name}[${i}].`));
      }
    } else {
      out.push({ path: `${prefix}${field.name}`, field, start, end: start + fieldSize(field) });
    }
  }
  return out;
}
