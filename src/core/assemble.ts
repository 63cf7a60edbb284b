// SPDX-License-Identifier: GPL-2.0-or-later
// How a new generation is put together: the bytes of its sections from their records, where they go in the slot, and the
// header over them. What is to be in it is decided elsewhere (newsetup.ts, commit.ts).
import { concatBytes, textField } from './bytes';
import { crc32 } from './crc32';
import { decode, encode, encodeInto } from './codec';
import type { Generation, Section } from './generation';
import { sealHeader, sealRecords } from './generation';
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
import {
  BLOCK_BYTES,
  CONFIG,
  DEVICE,
  DIRECTORY_ENTRIES,
  ENTRIES_PER_BLOCK,
  ENTRY,
  EVENT,
  EVENT_RING,
  FORMAT_MAJOR,
  HEADER,
  HEADER_BYTES,
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
