// SPDX-License-Identifier: GPL-2.0-or-later
// Which structure lies where in a slot, whole or damaged: what an annotated dump and a comparison walk through. Judges
// nothing and decodes nothing but what it needs to find its way.
import { isZero } from './bytes';
import type { Struct } from './codec';
import { decode } from './codec';
import type { Region } from './extents';
import { gapWithin } from './extents';
import { usedDirectory } from './generation';
import type { Header } from './layout';
import {
  BLOCK_BYTES,
  CONFIG,
  DEVICE,
  ENTRIES_PER_BLOCK,
  ENTRY,
  EVENT,
  EVENT_RING,
  HEADER,
  HEADER_BYTES,
  HEALTH,
  KNOWN_SECTIONS,
  MAX_REMAP_BLOCKS,
  MAX_SPARES,
  MIN_SLOT_BYTES,
  REMAP_BLOCK_MAGIC,
  SECTION,
  SECTION_NAME,
  SECTION_OFFSET,
  SLOT_ROOM_BYTES,
  TRAILER,
  TRAILER_AT,
} from './layout';

/** A section as far as it is in the slot; bytes from the slot's start, half-open. */
export interface MappedSection {
  readonly type: number;
  /** 'DEVICES', or 'section 77'. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** One record. */
export interface MappedRecord {
  /** 'devices[2]', 'config', 'remaps[0].entries[5]'. */
  readonly path: string;
  readonly struct: Struct;
  readonly start: number;
  /** False for places of the ring and of blocks that hold nothing. */
  readonly used: boolean;
}

export interface SlotMap {
  /** Null when its bytes were not read. */
  readonly header: Header | null;
  /** Whether the sections are where the directory says; else where v4.0 writers put them. */
  readonly byDirectory: boolean;
  /** In order of offset. */
  readonly sections: readonly MappedSection[];
  /** Bytes that the copy uses, as far as they were read. */
  readonly end: number;
}

/** Finds the sections of a slot by its directory where that makes sense, else by the table of FORMAT.md section 1. */
export function mapSlot(region: Region): SlotMap {
  const readable = region.bytes.length >= HEADER_BYTES && gapWithin(region, 0, HEADER_BYTES) === undefined;
  const header = readable ? decode(HEADER, region.bytes) : null;
  const listed = header === null ? null : fromDirectory(header);
  const limit = Math.min(region.bytes.length, SLOT_ROOM_BYTES);
  const sections = (listed ?? fromTable(region, header))
    .map((section) => ({ ...section, end: Math.min(section.end, limit) }))
    .filter((section) => section.start < section.end);
  const last = sections.reduce(
    (most, section) => Math.max(most, section.end),
    Math.min(MIN_SLOT_BYTES, limit),
  );
  const end = listed === null || header === null ? last : Math.min(header.slotBytes, limit);
  return { header, byDirectory: listed !== null, sections, end };
}

/** The directory's sections, or null when it can't be followed: something in it is out of order or out of the slot. */
function fromDirectory(header: Header): MappedSection[] | null {
  const used = usedDirectory(header);
  let free = BLOCK_BYTES;
  for (const { offset, length } of used) {
    if (offset % BLOCK_BYTES !== 0 || offset < free || offset + length > header.slotBytes) return null;
    free = offset + length;
  }
  if (header.slotBytes > SLOT_ROOM_BYTES) return null;
  if (!KNOWN_SECTIONS.every((type) => used.filter((entry) => entry.type === type).length === 1)) return null;
  return used.map(({ type, offset, length }) => section(type, offset, length));
}

function section(type: number, start: number, length: number): MappedSection {
  return { type, name: SECTION_NAME[type] ?? `section ${type}`, start, end: start + length };
}

function fromTable(region: Region, header: Header | null): MappedSection[] {
  const spares =
    header !== null && header.spareCount >= 1 && header.spareCount <= MAX_SPARES
      ? header.spareCount
      : MAX_SPARES;
  let blocks = 0;
  while (blocks < MAX_REMAP_BLOCKS && isBlock(region, SECTION_OFFSET[SECTION.remaps] + blocks * BLOCK_BYTES))
    blocks++;
  return [
    section(SECTION.devices, SECTION_OFFSET[SECTION.devices], (1 + spares) * DEVICE.size),
    section(SECTION.config, SECTION_OFFSET[SECTION.config], CONFIG.size),
    section(SECTION.health, SECTION_OFFSET[SECTION.health], HEALTH.size),
    section(SECTION.events, SECTION_OFFSET[SECTION.events], EVENT_RING * EVENT.size),
    section(SECTION.remaps, SECTION_OFFSET[SECTION.remaps], blocks * BLOCK_BYTES),
  ];
}

function isBlock(region: Region, at: number): boolean {
  const end = at + BLOCK_BYTES;
  return (
    end <= region.bytes.length && decode(TRAILER, region.bytes, at + TRAILER_AT).magic === REMAP_BLOCK_MAGIC
  );
}

/** The record of the header. */
export const HEADER_RECORD: MappedRecord = { path: 'header', struct: HEADER, start: 0, used: true };

/** The whole records of a section; none for a section of unknown type. What is left of a cut one belongs to no record. */
export function* recordsOf(region: Region, mapped: MappedSection): Generator<MappedRecord> {
  switch (mapped.type) {
    case SECTION.devices:
      yield* array(region, mapped, 'devices', DEVICE, 1 + MAX_SPARES);
      return;
    case SECTION.config:
      yield* array(region, mapped, 'config', CONFIG, 1);
      return;
    case SECTION.health:
      yield* array(region, mapped, 'health', HEALTH, 1);
      return;
    case SECTION.events:
      yield* array(region, mapped, 'events', EVENT, EVENT_RING);
      return;
    case SECTION.remaps:
      for (let block = 0; block < MAX_REMAP_BLOCKS; block++) {
        const start = mapped.start + block * BLOCK_BYTES;
        if (start + BLOCK_BYTES > mapped.end) return;
        yield* blockRecords(region, block, start);
      }
  }
}

function* array(
  region: Region,
  mapped: MappedSection,
  name: string,
  struct: Struct,
  most: number,
): Generator<MappedRecord> {
  for (let i = 0; i < most; i++) {
    const start = mapped.start + i * struct.size;
    if (start + struct.size > mapped.end) return;
    const path = most === 1 ? name : `${name}[${i}]`;
    yield { path, struct, start, used: !isBlank(region, start, start + struct.size) };
  }
}

function* blockRecords(region: Region, block: number, start: number): Generator<MappedRecord> {
  const path = `remaps[${block}]`;
  const { entryCount } = decode(TRAILER, region.bytes, start + TRAILER_AT);
  for (let i = 0; i < ENTRIES_PER_BLOCK; i++) {
    const at = start + i * ENTRY.size;
    const used = i < entryCount || !isBlank(region, at, at + ENTRY.size);
    yield { path: `${path}.entries[${i}]`, struct: ENTRY, start: at, used };
  }
  yield { path: `${path}.trailer`, struct: TRAILER, start: start + TRAILER_AT, used: true };
}

/** Zero, and read. */
function isBlank(region: Region, start: number, end: number): boolean {
  return isZero(region.bytes, start, end) && gapWithin(region, start, end) === undefined;
}

/** The parts of [0, end) that belong to neither the header nor a section. */
export function unownedRanges(map: SlotMap): { start: number; end: number }[] {
  const owned = [{ start: 0, end: HEADER_BYTES }, ...map.sections];
  const out: { start: number; end: number }[] = [];
  let at = 0;
  for (const { start, end } of [...owned, { start: map.end, end: map.end }]) {
    if (start > at) out.push({ start: at, end: start });
    at = Math.max(at, end);
  }
  return out;
}
