// SPDX-License-Identifier: GPL-2.0-or-later
// What is different between two slots, field by field, whatever state they are in; and which bytes differ that belong to
// no field. Bounded, because hostile copies can differ everywhere. How it is shown is in src/render.
import type { FieldRange } from './codec';
import { decode } from './codec';
import type { Region } from './extents';
import { gapWithin } from './extents';
import { flagsText, formOf } from './forms';
import type { RemapEntry } from './layout';
import { ENTRY, PER_COPY_FIELDS, RETIRED_MAIN_SECTOR, SECTION } from './layout';
import { rangesOf, valueText } from './annotate';
import type { MappedRecord, SlotMap } from './slotmap';
import { HEADER_RECORD, mapSlot, recordsOf, unownedRanges } from './slotmap';

/** One field that differs; values as for a person, null on the side that does not have it. Not escaped. */
export interface Difference {
  /** 'header', 'DEVICES', ...: what it is grouped by. */
  readonly section: string;
  /** 'devices[2].flags', 'remaps[main 4096].spareSector'. */
  readonly path: string;
  readonly a: string | null;
  readonly b: string | null;
  /** One of the fields in which the copies of one generation always differ. */
  readonly perCopy: boolean;
}

/** Bytes from the slot's start, half-open. */
export interface RawDifference {
  /** 'unused', or the name of a section of unknown type. */
  readonly where: string;
  readonly start: number;
  readonly end: number;
}

export interface SlotDifferences {
  readonly fields: readonly Difference[];
  readonly ranges: readonly RawDifference[];
  /** Differences that were found but are beyond MOST_DIFFERENCES. */
  readonly omitted: number;
}

/** More than these of each kind are counted and not listed. */
export const MOST_DIFFERENCES = 1000;

/** Compares two slots. Neither need be valid. */
export function compareSlots(a: Region, b: Region): SlotDifferences {
  const sides: Sides = { a: sideOf(a), b: sideOf(b) };
  const fields = new Bounded<Difference>();
  if (sides.a.map.header !== null && sides.b.map.header !== null) {
    compareRecord(sides, HEADER_RECORD, HEADER_RECORD, 'header', fields);
  } else if (sides.a.map.header !== sides.b.map.header) {
    const read = (side: Side): string => (side.map.header === null ? 'not read' : 'read');
    fields.add({ section: 'header', path: 'header', a: read(sides.a), b: read(sides.b), perCopy: false });
  }
  for (const name of sectionNames(sides)) compareSection(sides, name, fields);
  const ranges = new Bounded<RawDifference>();
  compareRaw(sides, ranges);
  return { fields: fields.list, ranges: ranges.list, omitted: fields.omitted + ranges.omitted };
}

interface Side {
  readonly region: Region;
  readonly map: SlotMap;
}

interface Sides {
  readonly a: Side;
  readonly b: Side;
}

class Bounded<T> {
  readonly list: T[] = [];
  omitted = 0;

  add(one: T): void {
    if (this.list.length < MOST_DIFFERENCES) this.list.push(one);
    else this.omitted++;
  }
}

function sideOf(region: Region): Side {
  return { region, map: mapSlot(region) };
}

/** Sections of a known type, of either side, in order of type. */
function sectionNames(sides: Sides): string[] {
  const known = [...sides.a.map.sections, ...sides.b.map.sections].filter(
    ({ type }) => type <= SECTION.remaps,
  );
  return [...new Map(known.sort((x, y) => x.type - y.type).map(({ name }) => [name, name])).keys()];
}

function compareSection(sides: Sides, name: string, fields: Bounded<Difference>): void {
  const a = recordsByKey(sides.a, name);
  const b = recordsByKey(sides.b, name);
  const alone = new Map<string, MappedRecord>();
  for (const [key, record] of b) if (!a.has(key) && record.used) alone.set(record.path, record);
  for (const [key, record] of a) {
    const other = b.get(key);
    // What identifies an entry may itself be damaged: then the one in its place is its counterpart.
    const inPlace = alone.get(record.path);
    if (other !== undefined) compareRecord(sides, record, other, name, fields, key);
    else if (inPlace !== undefined && record.used) {
      alone.delete(record.path);
      compareRecord(sides, record, inPlace, name, fields);
    } else if (record.used) {
      fields.add({ section: name, path: key, a: summary(sides.a, record), b: null, perCopy: false });
    }
  }
  for (const [key, record] of b) {
    if (alone.get(record.path) !== record) continue;
    fields.add({ section: name, path: key, a: null, b: summary(sides.b, record), perCopy: false });
  }
}

/**
 * The records of a section by what identifies them: their place, but an entry by its main sector. One new entry moves
 * all behind it, and by place all of these would differ.
 */
function recordsByKey(side: Side, name: string): Map<string, MappedRecord> {
  const out = new Map<string, MappedRecord>();
  for (const mapped of side.map.sections) {
    if (mapped.name !== name) continue;
    for (const record of recordsOf(side.region, mapped)) {
      if (record.struct !== ENTRY) out.set(record.path, record);
      else if (record.used)
        out.set(freeKey(out, entryKey(decode(ENTRY, side.region.bytes, record.start))), record);
    }
  }
  return out;
}

function entryKey(entry: RemapEntry): string {
  if (entry.mainSector !== RETIRED_MAIN_SECTOR) return `remaps[main ${entry.mainSector}]`;
  return `remaps[retired spare ${entry.spareIndex} sector ${entry.spareSector}]`;
}

/** A damaged table may have the same entry twice. */
function freeKey(taken: ReadonlyMap<string, unknown>, key: string): string {
  let free = key;
  for (let n = 2; taken.has(free); n++) free = `${key}#${n}`;
  return free;
}

/** What there is, where the other side has nothing. */
function summary(side: Side, record: MappedRecord): string {
  if (record.struct !== ENTRY) return 'there';
  const entry = decode(ENTRY, side.region.bytes, record.start);
  const form = ENTRY.fields.find((field) => field.name === 'flags');
  const flags = form === undefined ? null : formOf(ENTRY, form);
  const lost =
    flags?.kind === 'flags' && entry.flags !== 0 ? ` (${flagsText(flags.names, entry.flags)})` : '';
  return `${entry.length} sectors at spare ${entry.spareIndex} sector ${entry.spareSector}${lost}`;
}

function compareRecord(
  sides: Sides,
  a: MappedRecord,
  b: MappedRecord,
  section: string,
  fields: Bounded<Difference>,
  key = a.path,
): void {
  for (const range of rangesOf(a.struct)) {
    if (sameField(sides, a, b, range)) continue;
    fields.add({
      section,
      path: `${key}.${range.path}`,
      a: valueText(sides.a.region, a, range),
      b: valueText(sides.b.region, b, range),
      perCopy: section === 'header' && PER_COPY_FIELDS.includes(range.path),
    });
  }
}

/** Equal bytes, both read. Two fields that were not read are not called different. */
function sameField(sides: Sides, a: MappedRecord, b: MappedRecord, range: FieldRange): boolean {
  const unreadA = gapWithin(sides.a.region, a.start + range.start, a.start + range.end) !== undefined;
  const unreadB = gapWithin(sides.b.region, b.start + range.start, b.start + range.end) !== undefined;
  if (unreadA || unreadB) return unreadA && unreadB;
  for (let i = range.start; i < range.end; i++) {
    if (sides.a.region.bytes[a.start + i] !== sides.b.region.bytes[b.start + i]) return false;
  }
  return true;
}

/** Bytes outside any field: between the sections of both sides, and sections of unknown type. */
function compareRaw(sides: Sides, ranges: Bounded<RawDifference>): void {
  const fieldsOf = ({ map }: Side): Uint8Array => {
    const owned = new Uint8Array(Math.max(sides.a.map.end, sides.b.map.end)).fill(1);
    for (const { start, end } of unownedRanges(map)) owned.fill(0, start, end);
    owned.fill(0, map.end);
    for (const { type, start, end } of map.sections) if (type > SECTION.remaps) owned.fill(0, start, end);
    return owned;
  };
  const a = fieldsOf(sides.a);
  const b = fieldsOf(sides.b);
  const nameAt = (at: number): string =>
    [...sides.a.map.sections, ...sides.b.map.sections].find(
      ({ type, start, end }) => type > SECTION.remaps && at >= start && at < end,
    )?.name ?? 'unused';
  let start = -1;
  for (let at = 0; at <= a.length; at++) {
    const differs = at < a.length && a[at] === 0 && b[at] === 0 && !sameByte(sides, at);
    if (differs && start === -1) start = at;
    if (!differs && start !== -1) {
      ranges.add({ where: nameAt(start), start, end: at });
      start = -1;
    }
  }
}

function sameByte(sides: Sides, at: number): boolean {
  const value = ({ region }: Side): number | null =>
    at >= region.bytes.length || (region.gaps.length > 0 && gapWithin(region, at, at + 1) !== undefined)
      ? null
      : (region.bytes[at] ?? 0);
  return value(sides.a) === value(sides.b);
}
