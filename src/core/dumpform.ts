// SPDX-License-Identifier: GPL-2.0-or-later
// A whole generation as one JSON document, byte for byte lossless, and back: what dmremap-dump prints, what is kept as a
// text backup, what dmremap-restore reads (schema docs/schemas/dump.json). The sections are in dump-sections.ts.
import { isZero, toHex } from './bytes';
import { decode, encode } from './codec';
import { READABLE_SECTIONS } from './dump-sections';
import type { SectionParts } from './assemble';
import type { Generation, Section } from './generation';
import { layOut, sealGeneration } from './assemble';
import { sealHeader } from './generation';
import type { JsonLimits, JsonMap, JsonNode } from './json-parse';
import { parseJson, quoted } from './json-parse';
import {
  BLOCK_BYTES,
  DIRECTORY_ENTRIES,
  DIRECTORY_ENTRY,
  FORMAT_MAJOR,
  HEADER,
  HEADER_BYTES,
  KNOWN_SECTIONS,
  MAGIC,
  MIN_SLOT_BYTES,
  SECTION,
  SECTION_NAME,
  SLOT_ROOM_BYTES,
} from './layout';
import type { JsonObject, JsonValue, Problem, RecordRules } from './record-json';
import {
  asArray,
  asObject,
  below,
  decimalOf,
  hexLines,
  Problems,
  readHexLine,
  readHexLines,
  readRecord,
  recordJson,
  refuseUnknownKeys,
} from './record-json';

export const DUMP_SCHEMA = 'dmremap.dump/1';

/** Bytes of a file that can be a dump: the largest there is (15494 entries, full sections) has about 7 million. */
export const MAX_DUMP_BYTES = 16 * 1024 * 1024;

/** Deepest: a flag of an entry of a block. The largest dump has about 160,000 values. */
const LIMITS: JsonLimits = { depth: 8, values: 200_000, stringBytes: 8192 };

const HEADER_RULES: RecordRules = {
  // Constants, sums, per-copy fields, and the directory, which follows from the sections.
  without: new Set([
    ...['magic', 'formatMajor', 'headerBytes', 'copyCount', 'tail'],
    ...['overallCrc', 'headerCrc', 'copyIndex', 'spareIndex', 'spareUuid'],
  ]),
  maybe: new Set(['spareCount', 'slotBytes']),
  more: new Set(['unusedDirectory']),
};

/** The dump of a generation, as a value for src/render/json.ts. Per-copy fields are not part of it. */
export function dumpDocument(generation: Generation): JsonObject {
  const readable: Record<string, JsonValue> = {};
  const raw: JsonObject[] = [];
  for (const section of generation.sections) {
    const form = READABLE_SECTIONS.find(({ type }) => type === section.type);
    const json = form === undefined || form.key in readable ? null : form.json(section);
    if (form !== undefined && json !== null) readable[form.key] = json;
    else
      raw.push({
        section: sectionName(section.type),
        recordCount: section.recordCount,
        bytes: hexLines(section.bytes),
      });
  }
  const layout = layoutJson(generation.sections);
  return {
    schema: DUMP_SCHEMA,
    header: headerJson(generation, readable['devices']),
    ...readable,
    ...(raw.length === 0 ? {} : { rawSections: raw }),
    ...(layout === null ? {} : { layout }),
  };
}

/** 'DEVICES', or the number of a type that has no name. */
function sectionName(type: number): string | number {
  return SECTION_NAME[type] ?? type;
}

function headerJson(generation: Generation, devices: JsonValue | undefined): JsonObject {
  const { header, sections } = generation;
  const without = new Set(HEADER_RULES.without);
  if (Array.isArray(devices) && header.spareCount === devices.length - 1) without.add('spareCount');
  if (header.slotBytes === derivedSlotBytes(sections)) without.add('slotBytes');
  const unused = unusedDirectory(generation.headerBytes, sections.length);
  return {
    ...recordJson(HEADER, header, without),
    ...(isZero(unused) ? {} : { unusedDirectory: toHex(unused) }),
  };
}

/** The slot_bytes that goes without saying: where the last section ends. */
function derivedSlotBytes(sections: readonly Section[]): number {
  const end = sections.reduce(
    (most, { offset, bytes }) => Math.max(most, offset + bytes.length),
    MIN_SLOT_BYTES,
  );
  return Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES;
}

const DIRECTORY_AT = HEADER.fields.find((field) => field.name === 'directory')?.offset ?? 0;

/** The directory entries behind the used ones, as a part of `header`. */
function unusedDirectory(header: Uint8Array, used: number): Uint8Array {
  return header.subarray(
    DIRECTORY_AT + used * DIRECTORY_ENTRY.size,
    DIRECTORY_AT + DIRECTORY_ENTRIES * DIRECTORY_ENTRY.size,
  );
}

/** The directory in words, or null when it is what a v4.0 writer would make of these sections. */
function layoutJson(sections: readonly Section[]): JsonObject[] | null {
  const plain = layOut(inDumpOrder(sections)).sections;
  const same = sections.every(
    ({ type, offset, reserved, bytes }, i) =>
      reserved === 0 && plain[i]?.type === type && plain[i].offset === offset && plain[i].bytes === bytes,
  );
  if (same) return null;
  return sections.map(({ type, offset, reserved }) => ({
    section: sectionName(type),
    offset: offset.toString(),
    ...(reserved === 0 ? {} : { reserved }),
  }));
}

/** Known sections by type, then the others in their order: the order in which a reader of the dump finds them. */
function inDumpOrder<T extends { readonly type: number }>(parts: readonly T[]): T[] {
  const known = KNOWN_SECTIONS.flatMap((type) => parts.filter((part) => part.type === type));
  return [...known, ...parts.filter((part) => !known.includes(part))];
}

/**
 * The generation in a dump: offsets as the dump gives them, all crcs made anew, per-copy fields zero. What the bytes
 * are worth (FORMAT.md sections 3 and 7) is for judge.ts and rules.ts; here only that they can be a generation at all.
 * Problems name the place in the document.
 */
export function parseDump(
  bytes: Uint8Array,
):
  | { readonly ok: true; readonly generation: Generation }
  | { readonly ok: false; readonly problems: readonly Problem[] } {
  const problems = new Problems();
  const generation = readDump(bytes, problems);
  if (generation !== null && problems.none) return { ok: true, generation };
  return { ok: false, problems: problems.list };
}

function readDump(bytes: Uint8Array, problems: Problems): Generation | null {
  if (bytes.length > MAX_DUMP_BYTES) {
    problems.add('', `has ${bytes.length} bytes; no dump has more than ${MAX_DUMP_BYTES}`);
    return null;
  }
  const json = parseJson(bytes, LIMITS);
  if (!json.ok) {
    problems.add('', `line ${json.problem.line}, column ${json.problem.column}: ${json.problem.problem}`);
    return null;
  }
  const root = asObject(json.value, '', problems);
  if (root === null) return null;
  const schema = root.get('schema');
  if (schema !== DUMP_SCHEMA) {
    // Nothing else is worth a complaint: of another document every key would be wrong.
    const found = typeof schema === 'string' ? `is ${quoted(schema)}` : 'is not there';
    problems.add('schema', `${found}; a dump that this version reads has "${DUMP_SCHEMA}"`);
    return null;
  }
  refuseUnknownKeys(root, ROOT_KEYS, '', problems);
  const parts = [...readableParts(root, problems), ...rawParts(root.get('rawSections'), problems)];
  return complete(parts, problems) ? assemble(root, parts, problems) : null;
}

const ROOT_KEYS: ReadonlySet<string> = new Set([
  ...['schema', 'header', 'rawSections', 'layout'],
  ...READABLE_SECTIONS.map(({ key }) => key),
]);

function readableParts(root: JsonMap, problems: Problems): SectionParts[] {
  return READABLE_SECTIONS.flatMap(({ key, read }) => {
    const node = root.get(key);
    const part = node === undefined ? null : read(node, key, problems);
    return part === null ? [] : [part];
  });
}

function rawParts(node: JsonNode | undefined, problems: Problems): SectionParts[] {
  if (node === undefined) return [];
  const list = asArray(node, 'rawSections', DIRECTORY_ENTRIES, problems) ?? [];
  return list.flatMap((item, i) => {
    const path = `rawSections[${i}]`;
    const object = asObject(item, path, problems);
    if (object === null) return [];
    refuseUnknownKeys(object, RAW_KEYS, path, problems);
    const type = readSectionName(object.get('section'), below(path, 'section'), problems);
    const recordCount = readWord(object.get('recordCount'), below(path, 'recordCount'), problems);
    const bytes = readHexLines(object.get('bytes'), below(path, 'bytes'), SLOT_ROOM_BYTES, problems);
    return type === null || recordCount === null || bytes === null ? [] : [{ type, recordCount, bytes }];
  });
}

const RAW_KEYS: ReadonlySet<string> = new Set(['section', 'recordCount', 'bytes']);
const LAYOUT_KEYS: ReadonlySet<string> = new Set(['section', 'offset', 'reserved']);

function readSectionName(node: JsonNode | undefined, path: string, problems: Problems): number | null {
  const named = KNOWN_SECTIONS.find((type) => SECTION_NAME[type] === node);
  const type = named ?? node;
  if (typeof type === 'number' && Number.isInteger(type) && type >= 1 && type < 2 ** 32) return type;
  problems.add(path, node === undefined ? 'is missing' : 'neither the name of a section nor its number');
  return null;
}

/** A number of 32 bits. */
function readWord(node: JsonNode | undefined, path: string, problems: Problems): number | null {
  if (typeof node === 'number' && Number.isInteger(node) && node >= 0 && node < 2 ** 32) return node;
  problems.add(path, node === undefined ? 'is missing' : 'not an integer of 32 bits');
  return null;
}

/** Whether each known section is there, once, and no more in all than the directory holds. */
function complete(parts: readonly SectionParts[], problems: Problems): boolean {
  for (const { type, key } of READABLE_SECTIONS) {
    const count = parts.filter((part) => part.type === type).length;
    // A section that was there but did not read has had its problem already.
    if (count === 0 && problems.none) problems.add(key, 'is missing');
    if (count > 1) problems.add(key, 'is there more than once (see rawSections)');
  }
  if (parts.length > DIRECTORY_ENTRIES)
    problems.add('rawSections', `more sections than the ${DIRECTORY_ENTRIES} of a directory`);
  return problems.none;
}

function assemble(root: JsonMap, parts: readonly SectionParts[], problems: Problems): Generation | null {
  const read = readRecord(HEADER, root.get('header'), 'header', HEADER_RULES, problems);
  const sections = placed(root.get('layout'), parts, problems);
  if (read === null || sections === null) return null;
  const devices = parts.find(({ type }) => type === SECTION.devices)?.recordCount ?? 0;
  const slotBytes = (read['slotBytes'] as number | undefined) ?? derivedSlotBytes(sections);
  checkRoom(sections, slotBytes, problems);
  if (devices === 0 || devices > 256)
    problems.add('header.spareCount', 'is missing, and does not follow from the devices');
  if (!problems.none) return null;
  const template = encode(HEADER, {
    magic: MAGIC,
    formatMajor: FORMAT_MAJOR,
    headerBytes: HEADER_BYTES,
    spareCount: devices - 1,
    ...read,
  });
  const sealed = sealGeneration(decode(HEADER, template), sections, slotBytes, template);
  return withUnusedDirectory(
    sealed,
    asObject(root.get('header'), 'header', problems)?.get('unusedDirectory'),
    problems,
  );
}

/** The sections with their offsets, in directory order. */
function placed(
  node: JsonNode | undefined,
  parts: readonly SectionParts[],
  problems: Problems,
): Section[] | null {
  if (node === undefined) return layOut(inDumpOrder(parts)).sections;
  const list = asArray(node, 'layout', DIRECTORY_ENTRIES, problems);
  if (list === null) return null;
  const left = [...parts];
  const sections: Section[] = [];
  for (const [i, item] of list.entries()) {
    const path = `layout[${i}]`;
    const object = asObject(item, path, problems);
    if (object === null) return null;
    refuseUnknownKeys(object, LAYOUT_KEYS, path, problems);
    const type = readSectionName(object.get('section'), below(path, 'section'), problems);
    const offset = decimalOf(object.get('offset') ?? null, 32);
    if (typeof offset === 'string') problems.add(below(path, 'offset'), offset);
    const reserved = readWord(object.get('reserved') ?? 0, below(path, 'reserved'), problems);
    const at = left.findIndex((part) => part.type === type);
    const [part] = at === -1 ? [] : left.splice(at, 1);
    if (part === undefined && type !== null)
      problems.add(below(path, 'section'), 'no (further) section of this type in the dump');
    if (part === undefined || typeof offset === 'string' || reserved === null) return null;
    sections.push({
      type: part.type,
      offset: Number(offset),
      recordCount: part.recordCount,
      reserved,
      bytes: part.bytes,
    });
  }
  for (const part of left) problems.add('layout', `section ${sectionName(part.type)} is missing in it`);
  return sections;
}

/** What FORMAT.md section 2 asks of the directory and of slot_bytes; without it the bytes would fall on each other. */
function checkRoom(sections: readonly Section[], slotBytes: number, problems: Problems): void {
  if (slotBytes % BLOCK_BYTES !== 0 || slotBytes < MIN_SLOT_BYTES || slotBytes > SLOT_ROOM_BYTES) {
    problems.add(
      'header.slotBytes',
      `${slotBytes} is not a multiple of ${BLOCK_BYTES} from ${MIN_SLOT_BYTES} to ${SLOT_ROOM_BYTES}`,
    );
    return;
  }
  let free = BLOCK_BYTES;
  for (const [i, { type, offset, bytes }] of sections.entries()) {
    const name = `section ${sectionName(type)} at byte ${offset}`;
    if (offset % BLOCK_BYTES !== 0)
      problems.add(`layout[${i}].offset`, `${name} is not at a multiple of ${BLOCK_BYTES}`);
    else if (offset < free)
      problems.add(`layout[${i}].offset`, `${name} begins before byte ${free}, where the one before it ends`);
    else if (offset + bytes.length > slotBytes)
      problems.add(`layout[${i}].offset`, `${name} goes beyond the ${slotBytes} bytes of the slot`);
    free = offset + bytes.length;
  }
}

function withUnusedDirectory(
  generation: Generation,
  node: JsonNode | undefined,
  problems: Problems,
): Generation | null {
  if (node === undefined) return generation;
  const headerBytes = generation.headerBytes.slice();
  const unused = unusedDirectory(headerBytes, generation.sections.length);
  const bytes = readHexLine(node, 'header.unusedDirectory', unused.length, problems);
  if (bytes === null) return null;
  for (let at = 0; at < bytes.length; at += DIRECTORY_ENTRY.size) {
    // An entry with a type would be a section that the dump does not hold.
    if (!isZero(bytes, at, at + 4))
      problems.add('header.unusedDirectory', `the entry at byte ${at} of it has a type`);
  }
  unused.set(bytes);
  sealHeader(headerBytes);
  return { header: decode(HEADER, headerBytes), headerBytes, sections: generation.sections };
}
