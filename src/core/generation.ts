// SPDX-License-Identifier: GPL-2.0-or-later
// One generation of the metadata: its header, its sections, what they say, and how they become the bytes of a copy. How a
// new one is put together is in assemble.ts. No judging here (judge.ts) and no choosing (setup.ts).
import { crc32WithHole } from './crc32';
import type { RecordOf } from './codec';
import { decode, decodeMany, encodeInto } from './codec';
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
  ENTRIES_PER_BLOCK,
  ENTRY,
  EVENT,
  EVENT_RING,
  EVENT_SERIAL_AT,
  HEADER,
  HEADER_BYTES,
  HEADER_CRC_AT,
  HEALTH,
  SECTION,
  TRAILER,
  TRAILER_AT,
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
  const serials: number[] = [];
  for (let at = EVENT_SERIAL_AT; at < bytes.length; at += EVENT.size) serials.push(view.getUint32(at, true));
  return serials;
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
