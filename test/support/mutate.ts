// SPDX-License-Identifier: GPL-2.0-or-later
// Mutations of one copy, driven by the field tables: hostile values in any field, pieces of other copies, and the mending
// of every checksum afterwards, so that what was changed gets past them. Which copies are mutated is fuzz-images.ts.
import { fieldRanges } from '../../src/core/codec';
import type { Field, Struct } from '../../src/core/codec';
import { crc32 } from '../../src/core/crc32';
import { sealHeader, sealRecords } from '../../src/core/generation';
import {
  CONFIG,
  DEVICE,
  ENTRY,
  EVENT,
  HEADER,
  HEADER_BYTES,
  HEALTH,
  SECTION,
  TRAILER,
  TRAILER_AT,
} from '../../src/core/layout';

/** Unsigned 32-bit numbers, one after another. */
export type Random = () => number;

export function below(random: Random, limit: number): number {
  return random() % limit;
}

export function pick<T>(random: Random, list: readonly T[]): T {
  const one = list[random() % list.length];
  if (one === undefined) throw new RangeError('nothing to pick from');
  return one;
}

export function chance(random: Random, percent: number): boolean {
  return random() % 100 < percent;
}

/** A field of a copy. Bytes from the start of the slot, half-open. */
export interface Target {
  readonly path: string;
  readonly field: Field;
  readonly start: number;
  readonly end: number;
}

/** Fields by what they belong to, so that the thousand fields of EVENTS do not hide the forty of the header. */
export type Targets = readonly (readonly Target[])[];

function targetsOf(struct: Struct, at: number, name: string): Target[] {
  return fieldRanges(struct).map(({ path, field, start, end }) => ({
    path: `${name}.${path}`,
    field,
    start: at + start,
    end: at + end,
  }));
}

function repeated(struct: Struct, at: number, count: number, name: string, step = struct.size): Target[] {
  return Array.from({ length: count }, (_unused, i) =>
    targetsOf(struct, at + i * step, `${name}[${i}]`),
  ).flat();
}

const known = new WeakMap<Uint8Array, Targets>();

/** Every field of a whole copy. Worked out once for each. */
export function targetsIn(copy: Uint8Array): Targets {
  const found = known.get(copy);
  if (found !== undefined) return found;
  const header = targetsOf(HEADER, 0, 'header');
  const groups: Target[][] = [
    header.filter(({ path }) => !path.startsWith('header.directory')),
    header.filter(({ path }) => path.startsWith('header.directory')),
  ];
  const blocks: Target[] = [];
  for (const { type, offset, length } of directoryOf(copy)) {
    if (type === SECTION.devices) groups.push(repeated(DEVICE, offset, length / DEVICE.size, 'devices'));
    if (type === SECTION.config) groups.push(targetsOf(CONFIG, offset, 'config'));
    if (type === SECTION.health) groups.push(targetsOf(HEALTH, offset, 'health'));
    if (type === SECTION.events) groups.push(repeated(EVENT, offset, length / EVENT.size, 'events'));
    if (type !== SECTION.remaps) continue;
    for (let at = offset; at < offset + length; at += 4096) {
      groups.push(repeated(ENTRY, at, 127, `entries at ${at}`));
      blocks.push(...targetsOf(TRAILER, at + TRAILER_AT, `trailer at ${at}`));
    }
  }
  if (blocks.length > 0) groups.push(blocks);
  known.set(copy, groups);
  return groups;
}

interface Listed {
  readonly type: number;
  readonly offset: number;
  readonly length: number;
  /** Byte of the entry in the header. */
  readonly at: number;
}

const DIRECTORY_AT = 0x80;

/** The used entries of a copy's directory, hostile or not. */
export function directoryOf(copy: Uint8Array): Listed[] {
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
  const listed: Listed[] = [];
  for (let at = DIRECTORY_AT; at < DIRECTORY_AT + 8 * 24 && at + 24 <= copy.length; at += 24) {
    const type = view.getUint32(at, true);
    if (type === 0) break;
    listed.push({ type, offset: view.getUint32(at + 4, true), length: view.getUint32(at + 8, true), at });
  }
  return listed;
}

/** Makes every checksum of a copy right that has a place: records, sections, overall, header. */
export function mend(copy: Uint8Array): void {
  if (copy.length < HEADER_BYTES) return;
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
  let overall = 0;
  for (const { type, offset, length, at } of directoryOf(copy)) {
    if (offset + length > copy.length) continue;
    const section = copy.subarray(offset, offset + length);
    sealRecords(type, section);
    view.setUint32(at + 16, crc32(section), true);
    overall = crc32(section, overall);
  }
  view.setUint32(0x1f4, overall, true);
  sealHeader(copy.subarray(0, HEADER_BYTES));
}

const NUMBERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 5n, 7n, 8n, 9n, 31n, 32n, 100n, 101n, 127n, 128n, 255n, 256n, 511n, 512n, 513n],
  ...[4095n, 4096n, 4097n, 8192n, 9215n, 9216n, 16383n, 16384n, 24575n, 24576n, 32768n, 65535n, 65536n],
  ...[0x34424d52n, 524287n, 524288n, 524289n, 1n << 31n, (1n << 31n) - 1n, (1n << 32n) - 1n, 1n << 32n],
  ...[(1n << 32n) - 4096n, (1n << 63n) - 2n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 2n, (1n << 64n) - 1n],
];

/** Texts that a terminal or a parser could choke on; most are no UTF-8. */
const TEXTS: readonly (readonly number[])[] = [
  [],
  [0x1b, 0x5b, 0x32, 0x4a],
  [0x41, 0x00, 0x42],
  [0xff, 0xfe, 0xfd],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0x2f, 0x2e, 0x2e, 0x2f],
  [0xe2, 0x80, 0xae, 0x41],
  [0x0a, 0x0d, 0x09, 0x7f],
  [0xf0, 0x9f, 0x92, 0xbe],
];

function writeNumber(copy: Uint8Array, { start, end }: Target, value: bigint): void {
  let rest = value;
  for (let at = start; at < end; at++) {
    copy[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function readNumber(copy: Uint8Array, { start, end }: Target): bigint {
  let value = 0n;
  for (let at = end - 1; at >= start; at--) value = (value << 8n) | BigInt(copy[at] ?? 0);
  return value;
}

/** Puts another value into a field. Returns what was done, in words. */
export function mutateField(copy: Uint8Array, targets: Targets, random: Random): string {
  const target = pick(random, pick(random, targets));
  const { field, start, end } = target;
  if (end > copy.length) return 'none';
  const how = below(random, 8);
  if (field.type === 'char' || field.type === 'bytes' || field.type === 'uuid') {
    if (how === 0) copy.fill(0, start, end);
    else if (how === 1) copy.fill(random() & 0xff, start, end);
    else if (how < 5) copy.set(pick(random, TEXTS).slice(0, end - start), start);
    else copy[start + below(random, end - start)] = random() & 0xff;
    return `${target.path} as text`;
  }
  const now = readNumber(copy, target);
  if (how < 4) writeNumber(copy, target, pick(random, NUMBERS));
  else if (how === 4) writeNumber(copy, target, now + 1n);
  else if (how === 5) writeNumber(copy, target, now - 1n);
  else if (how === 6) writeNumber(copy, target, now ^ (1n << BigInt(below(random, 8 * (end - start)))));
  else writeNumber(copy, target, (BigInt(random()) << 32n) | BigInt(random()));
  return `${target.path} = ${readNumber(copy, target)}`;
}

/** Two records, sections or sectors of the copy change places. */
export function swapParts(copy: Uint8Array, random: Random): string {
  const size = pick(random, [24, 32, 512, 4096]);
  const places = Math.floor(copy.length / size);
  if (places < 2) return 'none';
  const [a, b] = [below(random, places) * size, below(random, places) * size];
  const kept = copy.slice(a, a + size);
  copy.copyWithin(a, b, b + size);
  copy.set(kept, b);
  return `${size} bytes at ${a} and ${b} swapped`;
}

/** A piece of another copy: its header, a section, a block, a record, some sectors. */
export function graftFrom(copy: Uint8Array, other: Uint8Array, random: Random): string {
  const kind = below(random, 5);
  let [start, end] = [0, HEADER_BYTES];
  if (kind === 1) {
    const { offset, length } = pick(random, directoryOf(other));
    [start, end] = [offset, offset + length];
  } else if (kind > 1) {
    const size = pick(random, [32, 512, 4096]);
    start = below(random, Math.max(1, Math.floor(other.length / size))) * size;
    end = start + size * (1 + below(random, 3));
  }
  end = Math.min(end, other.length, copy.length);
  if (start >= end) return 'none';
  copy.set(other.subarray(start, end), start);
  return `bytes ${start} to ${end} of another copy`;
}

/** Bytes that are no field: noise, zeros, one value, anywhere in the copy. */
export function scribble(copy: Uint8Array, random: Random): string {
  const start = below(random, copy.length);
  const end = Math.min(copy.length, start + 1 + below(random, pick(random, [4, 64, 1024, 8192])));
  const what = below(random, 3);
  if (what === 0) copy.fill(0, start, end);
  else if (what === 1) copy.fill(random() & 0xff, start, end);
  else for (let at = start; at < end; at++) copy[at] = random() & 0xff;
  return `bytes ${start} to ${end} scribbled over`;
}
