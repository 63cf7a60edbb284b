// SPDX-License-Identifier: GPL-2.0-or-later
// One generation of the metadata: its header, its sections, how they become the bytes of a copy, and how a new
// generation is put together. No judging here (judge.ts) and no choosing (setup.ts).
import { concatBytes, textField } from './bytes';
import { crc32, crc32WithHole } from './crc32';
import type { RecordOf } from './codec';
import { decode, decodeMany, encode, encodeInto } from './codec';
import {
  BLOCK_BYTES,
  CONFIG,
  DEVICE,
  DIRECTORY_ENTRIES,
  ENTRIES_PER_BLOCK,
  ENTRY,
  EVENT,
  EVENT_RING,
  EVENT_SERIAL_AT,
  FORMAT_MAJOR,
  HEADER,
  HEADER_BYTES,
  HEADER_CRC_AT,
  HEALTH,
  MAGIC,
  MIN_SLOT_BYTES,
  REMAP_BLOCK_MAGIC,
  SECTION,
  SECTION_OFFSET,
  SLOT_ROOM_BYTES,
  TRAILER,
  TRAILER_AT,
} from './layout';
import type {
  ConfigRecord,
  DeviceRecord,
  DirectoryEntry,
  EventRecord,
  Header,
  HealthRecord,
  RemapEntry,
  SectionType,
} from './layout';

/** A section as it lies in a generation. `offset` in bytes from the start of the slot. */
export interface Section {
  readonly type: number;
  readonly offset: number;
  readonly recordCount: number;
  /** The directory entry's reserved word, kept as it was found. */
  readonly reserved: number;
  readonly bytes: Uint8Array;
}

/** All that the copies of one generation have in common; the per-copy fields of `header` are those of one copy. */
export interface Generation {
  readonly header: Header;
  /** The 512 bytes that `header` was decoded from: reserved bytes survive a rewrite because of them. */
  readonly headerBytes: Uint8Array;
  /** In directory order. */
  readonly sections: readonly Section[];
}

/** Whose copy it is: the per-copy fields of FORMAT.md section 2. */
export interface CopyPlace {
  readonly spareIndex: number;
  readonly spareUuid: string;
  readonly copyIndex: number;
}

export type RemapTrailer = RecordOf<typeof TRAILER>;

/** The decoded sections. */
export interface Contents {
  /** Main first, then the spares by index. */
  readonly devices: readonly DeviceRecord[];
  readonly config: ConfigRecord;
  readonly health: HealthRecord;
  /** All 128 places of the ring. */
  readonly events: readonly EventRecord[];
  readonly remaps: readonly RemapEntry[];
  readonly trailers: readonly RemapTrailer[];
}

/** Directory entries in use, in order; the first unused one ends the list. */
export function usedDirectory(header: Header): DirectoryEntry[] {
  const end = header.directory.findIndex((entry) => entry.type === 0);
  return end === -1 ? header.directory : header.directory.slice(0, end);
}

/**
 * The generation in a slot's bytes. The caller has judged the header to be in range and to have its right crc
 * (judge.ts), so that every section lies inside the slot; `slot` has at least slot_bytes bytes. The
 * sections are views of `slot`, which must not change afterwards.
 */
export function generationOf(slot: Uint8Array, header: Header): Generation {
  return {
    header,
    headerBytes: slot.slice(0, HEADER_BYTES),
    sections: usedDirectory(header).map((entry) => ({
      type: entry.type,
      offset: entry.offset,
      recordCount: entry.recordCount,
      reserved: entry.reserved,
      bytes: slot.subarray(entry.offset, entry.offset + entry.length),
    })),
  };
}

/** The bytes of a known section. A generation always has all five. */
export function sectionBytes(generation: Generation, type: SectionType): Uint8Array {
  return generation.sections.find((section) => section.type === type)?.bytes ?? new Uint8Array(0);
}

/**
 * Decodes the sections, each when it is first asked for: who only wants the devices should not pay for 15,494 entries.
 * Lengths are those that judge.ts holds a valid copy to.
 */
export function contentsOf(generation: Generation): Contents {
  return new LazyContents(generation);
}

class LazyContents implements Contents {
  #devices: DeviceRecord[] | undefined;
  #config: ConfigRecord | undefined;
  #health: HealthRecord | undefined;
  #events: EventRecord[] | undefined;
  #remaps: ReturnType<typeof decodeRemaps> | undefined;

  constructor(private readonly generation: Generation) {}

  get devices(): readonly DeviceRecord[] {
    const bytes = sectionBytes(this.generation, SECTION.devices);
    return (this.#devices ??= decodeMany(DEVICE, bytes, 0, bytes.length / DEVICE.size));
  }

  get config(): ConfigRecord {
    return (this.#config ??= decode(CONFIG, sectionBytes(this.generation, SECTION.config)));
  }

  get health(): HealthRecord {
    return (this.#health ??= decode(HEALTH, sectionBytes(this.generation, SECTION.health)));
  }

  get events(): readonly EventRecord[] {
    return (this.#events ??= decodeMany(EVENT, sectionBytes(this.generation, SECTION.events), 0, EVENT_RING));
  }

  get remaps(): readonly RemapEntry[] {
    return this.#remapSection().remaps;
  }

  get trailers(): readonly RemapTrailer[] {
    return this.#remapSection().trailers;
  }

  #remapSection(): ReturnType<typeof decodeRemaps> {
    return (this.#remaps ??= decodeRemaps(sectionBytes(this.generation, SECTION.remaps)));
  }
}

/** The serials of the event ring, place by place, without decoding the events. */
export function eventSerials(generation: Generation): number[] {
  const bytes = sectionBytes(generation, SECTION.events);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: EVENT_RING }, (_unused, place) =>
    view.getUint32(place * EVENT.size + EVENT_SERIAL_AT, true),
  );
}

/** Entries and trailers of a REMAPS section, or of any whole number of its blocks. */
export function decodeRemaps(bytes: Uint8Array): { remaps: RemapEntry[]; trailers: RemapTrailer[] } {
  const remaps: RemapEntry[] = [];
  const trailers: RemapTrailer[] = [];
  for (let at = 0; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES) {
    const trailer = decode(TRAILER, bytes, at + TRAILER_AT);
    trailers.push(trailer);
    for (const entry of decodeMany(ENTRY, bytes, at, Math.min(trailer.entryCount, ENTRIES_PER_BLOCK)))
      remaps.push(entry);
  }
  return { remaps, trailers };
}

/** The whole bytes of one copy: slot_bytes long, gaps zero, the per-copy fields of `place`. */
export function encodeCopy(generation: Generation, place: CopyPlace): Uint8Array {
  const out = new Uint8Array(generation.header.slotBytes);
  for (const section of generation.sections) out.set(section.bytes, section.offset);
  out.set(encodeHeader(generation, place), 0);
  return out;
}

/** The 512-byte header of one copy. */
export function encodeHeader(generation: Generation, place: CopyPlace): Uint8Array {
  const header = generation.headerBytes.slice();
  encodeInto(HEADER, header, 0, {
    copyIndex: place.copyIndex,
    spareIndex: place.spareIndex,
    spareUuid: place.spareUuid,
  });
  sealHeader(header);
  return header;
}

/** Writes the right header_crc into a header. */
export function sealHeader(header: Uint8Array): void {
  encodeInto(HEADER, header, 0, { headerCrc: headerCrcOf(header) });
}

/** The header_crc that these 512 bytes should have. */
export function headerCrcOf(header: Uint8Array): number {
  return crc32WithHole(header, 0, HEADER_BYTES, HEADER_CRC_AT);
}

/** Where the crc of each record of a section lies, record by record; empty for sections whose records have none. */
export function recordCrcPlaces(
  type: number,
  length: number,
): { start: number; end: number; crcAt: number }[] {
  const size =
    type === SECTION.devices
      ? DEVICE.size
      : type === SECTION.health
        ? HEALTH.size
        : type === SECTION.config
          ? CONFIG.size
          : type === SECTION.remaps
            ? BLOCK_BYTES
            : 0;
  if (size === 0) return [];
  const places = [];
  for (let start = 0; start + size <= length; start += size)
    places.push({ start, end: start + size, crcAt: start + size - 4 });
  return places;
}

/** Writes the right record crcs into a section's bytes. */
export function sealRecords(type: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { start, end, crcAt } of recordCrcPlaces(type, bytes.length)) {
    view.setUint32(crcAt, crc32WithHole(bytes, start, end, crcAt), true);
  }
}

/** A section to be laid out by `makeGeneration`. */
export interface SectionParts {
  readonly type: number;
  readonly recordCount: number;
  readonly reserved?: number;
  /** Record crcs already right. */
  readonly bytes: Uint8Array;
}

/** The header fields that somebody who makes a generation has to decide. */
export type HeaderChoices = Pick<
  Header,
  | 'sequence'
  | 'writtenNs'
  | 'createdNs'
  | 'parentCrc'
  | 'state'
  | 'setupUuid'
  | 'spareCount'
  | 'runId'
  | 'writer'
>;

/** Sections at their v4.0 places: known ones at their offsets, unknown ones behind REMAPS (FORMAT.md section 2). */
export function layOut(parts: readonly SectionParts[]): { sections: Section[]; slotBytes: number } {
  const sections: Section[] = [];
  const remaps = parts.find((part) => part.type === SECTION.remaps);
  let free = SECTION_OFFSET[SECTION.remaps] + (remaps?.bytes.length ?? 0);
  for (const part of parts) {
    const known = SECTION_OFFSET[part.type as SectionType] as number | undefined;
    const offset = known ?? free;
    if (known === undefined) free += Math.ceil(part.bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
    sections.push({
      type: part.type,
      offset,
      recordCount: part.recordCount,
      reserved: part.reserved ?? 0,
      bytes: part.bytes,
    });
  }
  // Equal offsets happen: sections of length 0 (REMAPS without entries) share theirs with the one behind them, and must
  // come before it, or they would begin inside it.
  sections.sort((a, b) => a.offset - b.offset || a.bytes.length - b.bytes.length || a.type - b.type);
  return { sections, slotBytes: Math.max(MIN_SLOT_BYTES, Math.ceil(free / BLOCK_BYTES) * BLOCK_BYTES) };
}

/**
 * Lays out a generation (see layOut) and makes all crcs. `template` is the header whose reserved bytes, minor version
 * and feature flags are carried on. Null when the sections do not fit the slot or the directory.
 */
export function makeGeneration(
  choices: HeaderChoices,
  parts: readonly SectionParts[],
  template?: Uint8Array,
): Generation | null {
  const { sections, slotBytes } = layOut(parts);
  if (slotBytes > SLOT_ROOM_BYTES || sections.length > DIRECTORY_ENTRIES) return null;
  return sealGeneration(choices, sections, slotBytes, template);
}

/**
 * A generation from sections that have their offsets already (a dump keeps those it found). The caller has seen to it
 * that they are in order, do not overlap, lie inside `slotBytes` and fit the directory.
 */
export function sealGeneration(
  choices: HeaderChoices,
  sections: readonly Section[],
  slotBytes: number,
  template?: Uint8Array,
): Generation {
  const headerBytes =
    template?.slice() ??
    encode(HEADER, { magic: MAGIC, formatMajor: FORMAT_MAJOR, headerBytes: HEADER_BYTES });
  const directory: DirectoryEntry[] = [];
  let overallCrc = 0;
  for (let i = 0; i < DIRECTORY_ENTRIES; i++) {
    const section = sections[i];
    if (section === undefined) {
      directory.push({ type: 0, offset: 0, length: 0, recordCount: 0, crc: 0, reserved: 0 });
      continue;
    }
    overallCrc = crc32(section.bytes, overallCrc);
    directory.push({
      type: section.type,
      offset: section.offset,
      length: section.bytes.length,
      recordCount: section.recordCount,
      crc: crc32(section.bytes),
      reserved: section.reserved,
    });
  }
  encodeInto(HEADER, headerBytes, 0, {
    ...choices,
    copyIndex: 0,
    copyCount: 5,
    spareIndex: 0,
    spareUuid: '00000000-0000-0000-0000-000000000000',
    slotBytes,
    directory,
    overallCrc,
    tail: 0,
  });
  sealHeader(headerBytes);
  return { header: decode(HEADER, headerBytes), headerBytes, sections };
}

/** The bytes of a DEVICES section. */
export function encodeDevices(devices: readonly DeviceRecord[]): SectionParts {
  const bytes = concatBytes(devices.map((device) => encode(DEVICE, device)));
  sealRecords(SECTION.devices, bytes);
  return { type: SECTION.devices, recordCount: devices.length, bytes };
}

export function encodeConfig(config: ConfigRecord): SectionParts {
  const bytes = encode(CONFIG, config);
  sealRecords(SECTION.config, bytes);
  return { type: SECTION.config, recordCount: 1, bytes };
}

export function encodeHealth(health: HealthRecord): SectionParts {
  const bytes = encode(HEALTH, health);
  sealRecords(SECTION.health, bytes);
  return { type: SECTION.health, recordCount: 1, bytes };
}

/** The ring from all its 128 places; record_count = used records. */
export function encodeEvents(events: readonly EventRecord[]): SectionParts {
  const bytes = new Uint8Array(EVENT_RING * EVENT.size);
  events.slice(0, EVENT_RING).forEach((event, i) => {
    encodeInto(EVENT, bytes, i * EVENT.size, event);
  });
  return { type: SECTION.events, recordCount: events.filter((event) => event.serial !== 0).length, bytes };
}

/** REMAPS from entries in their order; `sequenceOf` gives each block the commit that last changed it. */
export function encodeRemaps(
  remaps: readonly RemapEntry[],
  sequenceOf: (block: number) => bigint,
): SectionParts {
  const blocks = Math.ceil(remaps.length / ENTRIES_PER_BLOCK);
  const bytes = new Uint8Array(blocks * BLOCK_BYTES);
  for (let block = 0; block < blocks; block++) {
    const entries = remaps.slice(block * ENTRIES_PER_BLOCK, (block + 1) * ENTRIES_PER_BLOCK);
    entries.forEach((entry, i) => {
      encodeInto(ENTRY, bytes, block * BLOCK_BYTES + i * ENTRY.size, entry);
    });
    encodeInto(TRAILER, bytes, block * BLOCK_BYTES + TRAILER_AT, {
      magic: REMAP_BLOCK_MAGIC,
      blockIndex: block,
      entryCount: entries.length,
      sequence: sequenceOf(block),
    });
  }
  sealRecords(SECTION.remaps, bytes);
  return { type: SECTION.remaps, recordCount: remaps.length, bytes };
}

/** The sections of a generation as parts for another one. */
export function partsOf(generation: Generation): SectionParts[] {
  return generation.sections.map(({ type, recordCount, reserved, bytes }) => ({
    type,
    recordCount,
    reserved,
    bytes,
  }));
}

/** The header's writer field. */
export function writerField(writer: string): Uint8Array {
  return textField(writer, 32);
}
