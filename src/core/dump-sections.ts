// SPDX-License-Identifier: GPL-2.0-or-later
// The five known sections as readable JSON and back, each pair of directions side by side. A section whose bytes the
// readable form can't say exactly has none; dumpform.ts then shows it raw. The document around them is made there too.
import { equalBytes, isZero, toHex } from './bytes';
import type { RecordOf, Struct } from './codec';
import { decode, decodeMany, encode, encodeInto } from './codec';
import type { FieldValue } from './forms';
import type { SectionParts } from './assemble';
import type { Section } from './generation';
import { sealRecords } from './generation';
import type { JsonNode } from './json-parse';
import type { SectionType } from './layout';
import {
  BLOCK_BYTES,
  CONFIG,
  DEVICE,
  ENTRIES_PER_BLOCK,
  ENTRY,
  EVENT,
  EVENT_RING,
  HEALTH,
  MAX_REMAP_BLOCKS,
  MAX_SPARES,
  MAX_TUNABLES,
  REMAP_BLOCK_MAGIC,
  SECTION,
  TRAILER,
  TRAILER_AT,
  TUNABLE,
} from './layout';
import type { AnyRecord, JsonObject, JsonValue, Problems, RecordRules } from './record-json';
import { asArray, asObject, below, readHexLine, readRecord, recordJson } from './record-json';

export interface ReadableSection {
  readonly type: SectionType;
  /** Where it stands in the document. */
  readonly key: string;
  /** The section as JSON, or null when that would lose something of it. */
  readonly json: (section: Section) => JsonValue | null;
  /** The section from its JSON, crcs of its records made; null after a problem. */
  readonly read: (node: JsonNode, path: string, problems: Problems) => SectionParts | null;
}

type Read = Record<string, FieldValue>;
interface ReadWithRecords {
  [name: string]: FieldValue | Read[];
}

const WITHOUT_CRC: RecordRules = { without: new Set(['crc']) };
const WHOLE: RecordRules = { without: new Set() };

/** Whether `parts` are what the section was: then its JSON says all there is. */
function exact(section: Section, parts: SectionParts): boolean {
  return section.recordCount === parts.recordCount && equalBytes(section.bytes, parts.bytes);
}

function pack(type: SectionType, struct: Struct, records: readonly ReadWithRecords[]): SectionParts {
  const bytes = new Uint8Array(records.length * struct.size);
  records.forEach((record, i) => writeFields(struct, bytes, i * struct.size, record));
  sealRecords(type, bytes);
  return { type, recordCount: records.length, bytes };
}

/** encodeInto for a structure and fields that are known only at run time; readRecord has seen to it that they agree. */
function writeFields(struct: Struct, bytes: Uint8Array, at: number, record: ReadWithRecords): void {
  encodeInto(struct, bytes, at, record as Partial<RecordOf<Struct>>);
}

/** A record as its fields again, to see whether packing it gives the same bytes. */
function fieldsOf(record: AnyRecord): ReadWithRecords {
  return record as ReadWithRecords;
}

const DEVICES: ReadableSection = {
  type: SECTION.devices,
  key: 'devices',
  json(section) {
    const count = Math.floor(section.bytes.length / DEVICE.size);
    if (count > MAX_SPARES + 1) return null;
    const records = decodeMany(DEVICE, section.bytes, 0, count);
    if (!exact(section, pack(SECTION.devices, DEVICE, records.map(fieldsOf)))) return null;
    return records.map((record) => recordJson(DEVICE, record, WITHOUT_CRC.without));
  },
  read(node, path, problems) {
    const list = asArray(node, path, MAX_SPARES + 1, problems);
    const records = list?.map((item, i) => readRecord(DEVICE, item, `${path}[${i}]`, WITHOUT_CRC, problems));
    return records === undefined || !records.every(isRead) ? null : pack(SECTION.devices, DEVICE, records);
  },
};

function isRead<T>(record: T | null): record is T {
  return record !== null;
}

const CONFIG_RULES: RecordRules = {
  without: new Set(['crc']),
  maybe: new Set(['tunableCount']),
  more: new Set(['tunables']),
};

const CONFIGURATION: ReadableSection = {
  type: SECTION.config,
  key: 'config',
  json(section) {
    if (section.bytes.length !== CONFIG.size) return null;
    const record = decode(CONFIG, section.bytes);
    if (!exact(section, pack(SECTION.config, CONFIG, [fieldsOf(record)]))) return null;
    return configJson(record);
  },
  read(node, path, problems) {
    const record = readRecord(CONFIG, node, path, CONFIG_RULES, problems);
    const list = asArray(
      asObject(node, path, problems)?.get('tunables'),
      `${path}.tunables`,
      MAX_TUNABLES,
      problems,
    );
    const tunables = list?.map((item, i) =>
      readRecord(TUNABLE, item, `${path}.tunables[${i}]`, WHOLE, problems),
    );
    if (record === null || tunables === undefined || !tunables.every(isRead)) return null;
    return pack(SECTION.config, CONFIG, [{ tunableCount: tunables.length, ...record, tunables }]);
  },
};

/** A CONFIG record as JSON: the tunables up to the last that counts or says something. */
export function configJson(record: {
  readonly tunables: readonly AnyRecord[];
  readonly tunableCount: number;
}): JsonObject {
  const said = record.tunables.map((tunable) => !isZero(encode(TUNABLE, tunable))).lastIndexOf(true) + 1;
  const shown = record.tunables.slice(0, Math.max(said, Math.min(record.tunableCount, MAX_TUNABLES)));
  const derived = record.tunableCount === shown.length;
  return {
    ...recordJson(CONFIG, record, new Set(derived ? ['crc', 'tunableCount'] : ['crc'])),
    tunables: shown.map((tunable) => recordJson(TUNABLE, tunable)),
  };
}

const HEALTH_SECTION: ReadableSection = {
  type: SECTION.health,
  key: 'health',
  json(section) {
    if (section.bytes.length !== HEALTH.size) return null;
    const record = decode(HEALTH, section.bytes);
    if (!exact(section, pack(SECTION.health, HEALTH, [fieldsOf(record)]))) return null;
    return recordJson(HEALTH, record, WITHOUT_CRC.without);
  },
  read(node, path, problems) {
    const record = readRecord(HEALTH, node, path, WITHOUT_CRC, problems);
    return record === null ? null : pack(SECTION.health, HEALTH, [record]);
  },
};

/** Where in the ring an event of this serial belongs (FORMAT.md section 3), or null for the serial of an empty place. */
export function ringPlace(serial: number): number | null {
  return serial === 0 ? null : (serial - 1) % EVENT_RING;
}

const EVENTS: ReadableSection = {
  type: SECTION.events,
  key: 'events',
  json(section) {
    if (section.bytes.length !== EVENT_RING * EVENT.size) return null;
    const places = decodeMany(EVENT, section.bytes, 0, EVENT_RING);
    if (!exact(section, packEvents(places.map((record, index) => ({ index, record: fieldsOf(record) })))))
      return null;
    return eventsJson(places);
  },
  read(node, path, problems) {
    const list = asArray(node, path, EVENT_RING, problems);
    if (list === null) return null;
    const taken = new Map<number, number>();
    const events: { index: number; record: ReadWithRecords }[] = [];
    for (const [i, item] of list.entries()) {
      const record = readRecord(EVENT, item, `${path}[${i}]`, { without: NONE, more: INDEX }, problems);
      if (record === null) continue;
      const index = eventIndex(item, record['serial'] as number, `${path}[${i}]`, problems);
      if (index === null) continue;
      const other = taken.get(index);
      if (other !== undefined)
        problems.add(`${path}[${i}]`, `lies in the same place of the ring as ${path}[${other}]`);
      taken.set(index, i);
      events.push({ index, record });
    }
    return problems.none ? packEvents(events) : null;
  },
};

const NONE: ReadonlySet<string> = new Set();
const INDEX: ReadonlySet<string> = new Set(['index']);

/** The used places of a ring as JSON, oldest first; with their index where it isn't the one that the serial gives. */
export function eventsJson(places: readonly (AnyRecord & { readonly serial: number })[]): JsonObject[] {
  return places
    .map((event, index) => ({ event, index }))
    .filter(({ event }) => !isZero(encode(EVENT, fieldsOf(event))))
    .sort((a, b) => a.event.serial - b.event.serial || a.index - b.index)
    .map(({ event, index }) => ({
      ...recordJson(EVENT, event),
      ...(ringPlace(event.serial) === index ? {} : { index }),
    }));
}

function eventIndex(item: JsonNode, serial: number, path: string, problems: Problems): number | null {
  const given = item instanceof Map ? item.get('index') : undefined;
  const index = given ?? ringPlace(serial);
  if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < EVENT_RING) return index;
  const problem =
    index === null ? 'is missing, and serial 0 gives no place' : `not an integer from 0 to ${EVENT_RING - 1}`;
  problems.add(below(path, 'index'), problem);
  return null;
}

function packEvents(
  events: readonly { readonly index: number; readonly record: ReadWithRecords }[],
): SectionParts {
  const bytes = new Uint8Array(EVENT_RING * EVENT.size);
  for (const { index, record } of events) writeFields(EVENT, bytes, index * EVENT.size, record);
  const used = events.filter(({ record }) => record['serial'] !== 0).length;
  return { type: SECTION.events, recordCount: used, bytes };
}

/** One block of REMAPS in the parts that JSON shows; all else of it follows from them. */
interface Block {
  /** The trailer's fields that don't follow from anything. */
  readonly trailer: ReadWithRecords;
  readonly entries: readonly ReadWithRecords[];
  /** What lies in the places behind the entries, one entry's bytes each, up to the last that is not zero. */
  readonly behind: readonly Uint8Array[];
}

const TRAILER_RULES: RecordRules = {
  without: new Set(['magic', 'blockIndex', 'entryCount', 'crc']),
  more: new Set(['entries', 'behind']),
};

const REMAPS: ReadableSection = {
  type: SECTION.remaps,
  key: 'remaps',
  json(section) {
    const count = section.bytes.length / BLOCK_BYTES;
    if (!Number.isInteger(count) || count > MAX_REMAP_BLOCKS) return null;
    const blocks: Block[] = [];
    for (let at = 0; at < section.bytes.length; at += BLOCK_BYTES)
      blocks.push(unpackBlock(section.bytes, at));
    return exact(section, packRemaps(blocks)) ? blocks.map(blockJson) : null;
  },
  read(node, path, problems) {
    const list = asArray(node, path, MAX_REMAP_BLOCKS, problems);
    const blocks = list?.map((item, i) => readBlock(item, `${path}[${i}]`, problems));
    return blocks === undefined || !blocks.every(isRead) ? null : packRemaps(blocks);
  },
};

function unpackBlock(bytes: Uint8Array, at: number): Block {
  const trailer = decode(TRAILER, bytes, at + TRAILER_AT);
  const count = Math.min(trailer.entryCount, ENTRIES_PER_BLOCK);
  const behind: Uint8Array[] = [];
  for (let i = count; i < ENTRIES_PER_BLOCK; i++) {
    behind.push(bytes.slice(at + i * ENTRY.size, at + (i + 1) * ENTRY.size));
  }
  const said = behind.map((place) => !isZero(place)).lastIndexOf(true) + 1;
  return {
    trailer: { sequence: trailer.sequence, reserved0: trailer.reserved0, reserved1: trailer.reserved1 },
    entries: decodeMany(ENTRY, bytes, at, count).map(fieldsOf),
    behind: behind.slice(0, said),
  };
}

function packRemaps(blocks: readonly Block[]): SectionParts {
  const bytes = new Uint8Array(blocks.length * BLOCK_BYTES);
  let recordCount = 0;
  for (const [blockIndex, block] of blocks.entries()) {
    const at = blockIndex * BLOCK_BYTES;
    block.entries.forEach((entry, i) => writeFields(ENTRY, bytes, at + i * ENTRY.size, entry));
    block.behind.forEach((place, i) => bytes.set(place, at + (block.entries.length + i) * ENTRY.size));
    writeFields(TRAILER, bytes, at + TRAILER_AT, {
      ...block.trailer,
      magic: REMAP_BLOCK_MAGIC,
      blockIndex,
      entryCount: block.entries.length,
    });
    recordCount += block.entries.length;
  }
  sealRecords(SECTION.remaps, bytes);
  return { type: SECTION.remaps, recordCount, bytes };
}

function blockJson(block: Block): JsonObject {
  return {
    ...recordJson(TRAILER, block.trailer, TRAILER_RULES.without),
    entries: block.entries.map((entry) => recordJson(ENTRY, entry)),
    ...(block.behind.length === 0 ? {} : { behind: block.behind.map(toHex) }),
  };
}

function readBlock(node: JsonNode, path: string, problems: Problems): Block | null {
  const trailer = readRecord(TRAILER, node, path, TRAILER_RULES, problems);
  const object = asObject(node, path, problems);
  if (object === null) return null;
  const list = asArray(object.get('entries'), `${path}.entries`, ENTRIES_PER_BLOCK, problems);
  const entries = list?.map((item, i) => readRecord(ENTRY, item, `${path}.entries[${i}]`, WHOLE, problems));
  if (trailer === null || entries === undefined || !entries.every(isRead)) return null;
  const room = ENTRIES_PER_BLOCK - entries.length;
  const places = asArray(object.get('behind') ?? [], `${path}.behind`, room, problems);
  const behind = places?.map((item, i) => readHexLine(item, `${path}.behind[${i}]`, ENTRY.size, problems));
  return behind === undefined || !behind.every(isRead) ? null : { trailer, entries, behind };
}

/** In order of type. */
export const READABLE_SECTIONS: readonly ReadableSection[] = [
  DEVICES,
  CONFIGURATION,
  HEALTH_SECTION,
  EVENTS,
  REMAPS,
];
