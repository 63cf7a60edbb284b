// SPDX-License-Identifier: GPL-2.0-or-later
// Records to JSON values and back, driven by the field tables and src/core/forms.ts: the dump form, its parser and the
// documents of dmremap-inspect all show a field in the same way. Which records make a document is not decided here.
import { encodeUtf8, formatUuid, fromHex, isZero, parseUuid, toHex } from './bytes';
import type { Field, Struct } from './codec';
import type { FieldValue, Form } from './forms';
import { enumName, exactText, flagNames, formOf, isReserved, sumText } from './forms';
import type { JsonMap, JsonNode } from './json-parse';
import { quoted } from './json-parse';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonList | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/**
 * A list whose elements are made one by one, each time somebody goes through it. The tables of a large setup, as objects
 * and all at the same time, would take many times the memory of the setup.
 */
export class JsonList<T = unknown> implements Iterable<T> {
  constructor(private readonly make: () => Iterator<T>) {}

  [Symbol.iterator](): Iterator<T> {
    return this.make();
  }
}

/** A decoded record of any structure. */
export type AnyRecord = Readonly<Record<string, unknown>>;

/**
 * A record with each field in its JSON form, by the field's name. Left out: the fields in `without`, and raw or
 * reserved bytes that are zero. Records inside records are the caller's.
 */
export function recordJson(
  struct: Struct,
  record: AnyRecord,
  without: ReadonlySet<string> = NONE,
): JsonObject {
  const out: Record<string, JsonValue> = {};
  for (const field of struct.fields) {
    if (field.type === 'records' || without.has(field.name)) continue;
    const value = record[field.name] as FieldValue;
    if (isOptional(field) && isNothing(value)) continue;
    out[field.name] = fieldJson(formOf(struct, field), value);
  }
  return out;
}

const NONE: ReadonlySet<string> = new Set();

/** Fields that say nothing when they are zero. */
function isOptional(field: Field): boolean {
  return field.type === 'bytes' || isReserved(field);
}

function isNothing(value: FieldValue): boolean {
  return value instanceof Uint8Array ? isZero(value) : value === 0 || value === 0n;
}

function fieldJson(form: Form, value: FieldValue): JsonValue {
  if (value instanceof Uint8Array) {
    const text = form.kind === 'text' ? exactText(value) : null;
    if (text !== null) return text;
    return form.kind === 'text' ? { hex: toHex(value) } : toHex(value);
  }
  if (typeof value !== 'number') return value.toString();
  switch (form.kind) {
    case 'enum':
      return enumName(form.names, value);
    case 'flags':
      return flagNames(form.names, value);
    case 'sum':
      return sumText(value);
    case 'decimal':
      return value.toString();
    default:
      return value;
  }
}

/** What is wrong with a document: where (`devices[2].sizeSectors`, empty for the whole) and what. Not yet escaped. */
export interface Problem {
  readonly path: string;
  readonly problem: string;
}

/** Collects problems up to a number that a person can use; hostile input must not make a list without end. */
export class Problems {
  readonly list: Problem[] = [];
  private static readonly MOST = 50;

  add(path: string, problem: string): void {
    if (this.list.length < Problems.MOST) this.list.push({ path, problem });
  }

  get none(): boolean {
    return this.list.length === 0;
  }
}

/** The path of a key below a path. */
export function below(path: string, key: string): string {
  const shown = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(key) ? key : quoted(key);
  return path === '' ? shown : `${path}.${shown}`;
}

/** The node as an object, or a problem. */
export function asObject(node: JsonNode | undefined, path: string, problems: Problems): JsonMap | null {
  if (node instanceof Map) return node;
  problems.add(path, node === undefined ? 'is missing' : 'is not an object');
  return null;
}

/** The node as an array of at most `most` elements, or a problem. */
export function asArray(
  node: JsonNode | undefined,
  path: string,
  most: number,
  problems: Problems,
): JsonNode[] | null {
  if (!Array.isArray(node)) {
    problems.add(path, node === undefined ? 'is missing' : 'is not an array');
    return null;
  }
  if (node.length <= most) return node;
  problems.add(path, `has ${node.length} elements; ${most} is the most`);
  return null;
}

/** A problem for every key that is not among `known`. */
export function refuseUnknownKeys(
  object: JsonMap,
  known: ReadonlySet<string>,
  path: string,
  problems: Problems,
): void {
  for (const key of object.keys()) if (!known.has(key)) problems.add(below(path, key), 'unknown key');
}

/** What readRecord is to expect besides the fields of the structure. */
export interface RecordRules {
  /** Fields that are not in the JSON: they are derived. */
  readonly without: ReadonlySet<string>;
  /** Fields that may be missing, because they have a derived value. */
  readonly maybe?: ReadonlySet<string>;
  /** Further keys, which the caller reads. */
  readonly more?: ReadonlySet<string>;
}

/**
 * The fields of a record from its JSON form: the inverse of recordJson, for encode(). Missing optional fields are left
 * out. Null when there was a problem. Accepts what recordJson writes, and numbers for every name.
 */
export function readRecord(
  struct: Struct,
  node: JsonNode | undefined,
  path: string,
  rules: RecordRules,
  problems: Problems,
): Record<string, FieldValue> | null {
  const object = asObject(node, path, problems);
  if (object === null) return null;
  const out: Record<string, FieldValue> = {};
  const known = new Set(rules.more);
  let sound = true;
  for (const field of struct.fields) {
    if (field.type === 'records' || rules.without.has(field.name)) continue;
    known.add(field.name);
    const value = object.get(field.name);
    if (value === undefined && (isOptional(field) || rules.maybe?.has(field.name) === true)) continue;
    const read = readField(struct, field, value, below(path, field.name), problems);
    if (read === null) sound = false;
    else out[field.name] = read;
  }
  const before = problems.list.length;
  refuseUnknownKeys(object, known, path, problems);
  return sound && problems.list.length === before ? out : null;
}

/** One field from its JSON form, or null after a problem. */
export function readField(
  struct: Struct,
  field: Field,
  node: JsonNode | undefined,
  path: string,
  problems: Problems,
): FieldValue | null {
  const read = node === undefined ? 'is missing' : valueOf(field, formOf(struct, field), node);
  if (!(read instanceof Wrapped)) {
    problems.add(path, read);
    return null;
  }
  return read.value;
}

/** Tells a value that was read from the sentence that says why none was. */
class Wrapped {
  constructor(readonly value: FieldValue) {}
}

function valueOf(field: Field, form: Form, node: JsonNode): Wrapped | string {
  switch (field.type) {
    case 'u8':
      return integerOf(form, node, 8);
    case 'u16':
      return integerOf(form, node, 16);
    case 'u32':
      return integerOf(form, node, 32);
    case 'u64': {
      const value = decimalOf(node, 64);
      return typeof value === 'bigint' ? new Wrapped(value) : value;
    }
    case 'uuid': {
      const bytes = typeof node === 'string' ? parseUuid(node) : null;
      return bytes === null ? 'not a UUID in 8-4-4-4-12 form' : new Wrapped(formatUuid(bytes));
    }
    case 'char':
      return textOfNode(field.count, node);
    case 'bytes':
      return hexOf(node, field.count);
    case 'records':
      return 'not a single value';
  }
}

function integerOf(form: Form, node: JsonNode, bits: number): Wrapped | string {
  switch (form.kind) {
    case 'decimal': {
      const value = decimalOf(node, bits);
      return typeof value === 'bigint' ? new Wrapped(Number(value)) : value;
    }
    case 'sum':
      if (typeof node !== 'string' || !/^0x[0-9a-fA-F]{8}$/.test(node))
        return 'not 0x and eight hexadecimal digits';
      return new Wrapped(parseInt(node.slice(2), 16));
    case 'enum': {
      const value = typeof node === 'string' ? form.names.indexOf(node) : node;
      if (value === -1 && typeof node === 'string')
        return `unknown name ${quoted(node)}; known: ${form.names.filter(isName).join(', ')}`;
      return numberOf(value, bits);
    }
    case 'flags':
      return flagsOf(form.names, node, bits);
    default:
      return numberOf(node, bits);
  }
}

function isName(name: string | null): name is string {
  return name !== null;
}

function numberOf(node: JsonNode, bits: number): Wrapped | string {
  if (typeof node !== 'number' || !Number.isInteger(node)) return 'not an integer';
  if (node < 0 || node >= 2 ** bits) return `not between 0 and ${2 ** bits - 1}`;
  return new Wrapped(node);
}

/** Decimal digits in a string, as a number of at most `bits` bits, or why it is none. */
export function decimalOf(node: JsonNode, bits: number): bigint | string {
  if (typeof node === 'number')
    return `not a string; write "${Number.isInteger(node) ? node : 0}" (64-bit values do not fit a JSON number)`;
  if (typeof node !== 'string' || !/^(0|[1-9][0-9]{0,19})$/.test(node)) return 'not a decimal number';
  const value = BigInt(node);
  const limit = 1n << BigInt(bits);
  return value < limit ? value : `not between 0 and ${limit - 1n}`;
}

function flagsOf(names: readonly string[], node: JsonNode, bits: number): Wrapped | string {
  if (!Array.isArray(node) || node.length > names.length + 1)
    return `not an array of at most ${names.length + 1} flags`;
  let value = 0;
  for (const flag of node) {
    const bit = typeof flag === 'string' ? names.indexOf(flag) : -1;
    if (bit === -1 && typeof flag === 'string')
      return `unknown flag ${quoted(flag)}; known: ${names.join(', ')}`;
    const number = bit === -1 ? numberOf(flag, bits) : new Wrapped(2 ** bit);
    if (!(number instanceof Wrapped)) return `a flag is ${number}`;
    // Unsigned: bit 31 must not turn the sum negative.
    value = (value | (number.value as number)) >>> 0;
  }
  return new Wrapped(value);
}

function textOfNode(size: number, node: JsonNode): Wrapped | string {
  if (node instanceof Map) {
    const hex = node.size === 1 ? node.get('hex') : undefined;
    return hex === undefined ? 'neither a string nor {"hex": "..."}' : hexOf(hex, size);
  }
  if (typeof node !== 'string') return 'neither a string nor {"hex": "..."}';
  if (node.includes('\0')) return 'has a NUL in it';
  if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(node))
    return 'has half a character (a lone surrogate) in it';
  const bytes = encodeUtf8(node);
  if (bytes.length >= size) return `takes ${bytes.length} bytes; there is room for ${size - 1}`;
  const out = new Uint8Array(size);
  out.set(bytes);
  return new Wrapped(out);
}

function hexOf(node: JsonNode, size: number): Wrapped | string {
  const bytes = typeof node === 'string' ? fromHex(node) : null;
  if (bytes === null) return 'not hexadecimal digits in pairs';
  if (bytes.length !== size) return `has ${bytes.length} bytes; ${size} are needed`;
  return new Wrapped(bytes);
}

/** Exactly `size` bytes from hexadecimal digits, or null after a problem. */
export function readHexLine(
  node: JsonNode | undefined,
  path: string,
  size: number,
  problems: Problems,
): Uint8Array | null {
  const read = node === undefined ? 'is missing' : hexOf(node, size);
  if (read instanceof Wrapped && read.value instanceof Uint8Array) return read.value;
  problems.add(path, typeof read === 'string' ? read : 'no bytes');
  return null;
}

/** Bytes in a line of `hexLines`. */
const LINE_BYTES = 32;

/** Any number of bytes as lines of hexadecimal digits. */
export function hexLines(bytes: Uint8Array): string[] {
  const out: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) out.push(toHex(bytes.subarray(at, at + LINE_BYTES)));
  return out;
}

/** The bytes of lines of hexadecimal digits (each at most LINE_BYTES bytes), or null after a problem. */
export function readHexLines(
  node: JsonNode | undefined,
  path: string,
  mostBytes: number,
  problems: Problems,
): Uint8Array | null {
  const lines = asArray(node, path, Math.ceil(mostBytes / LINE_BYTES), problems);
  if (lines === null) return null;
  const out = new Uint8Array(lines.length * LINE_BYTES);
  let length = 0;
  for (const [i, line] of lines.entries()) {
    const bytes = typeof line === 'string' ? fromHex(line) : null;
    if (bytes === null || bytes.length > LINE_BYTES) {
      problems.add(`${path}[${i}]`, `not a line of up to ${2 * LINE_BYTES} hexadecimal digits in pairs`);
      return null;
    }
    out.set(bytes, length);
    length += bytes.length;
  }
  return out.slice(0, length);
}
