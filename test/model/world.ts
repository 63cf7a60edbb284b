// SPDX-License-Identifier: GPL-2.0-or-later
// The spares of the model: which parts of which generations lie in each slot, in symbols, and the bytes that they stand
// for. Who writes what, and who wins, is elsewhere in this folder.
import type { Region } from '../../src/core/extents';
import type { Generation } from '../../src/core/generation';
import { encodeHeader } from '../../src/core/generation';
import { BLOCK_BYTES, SECTION_OFFSET } from '../../src/core/layout';
import type { SpareRead } from '../../src/core/model';
import type { SpareRecord } from './generations';
import { Gen, spareUuid } from './generations';

export const COPIES = [0, 1, 2, 3, 4] as const;
/** One remap block: every generation of the model has the same size. */
export const SLOT_BYTES = SECTION_OFFSET[5] + BLOCK_BYTES;

/** A slot, by its three parts. Null: bytes that pass no checksum. A copy is whole when all three are of one generation. */
export interface Slot {
  header: Gen | null;
  /** The spare and slot that the header names; not its own for a misplaced copy. */
  place: { readonly spare: number; readonly copy: number };
  devices: Gen | null;
  /** The generation whose REMAPS bytes (remapsOf) lie here. */
  remaps: Gen | null;
  /** Reads of it fail at present. */
  unread: boolean;
  /** It could not be read when a run began, and was not written since: nobody knows of the header it shows. */
  overlooked: boolean;
  /** Writes to it fail: `clean` without effect, `spoils` with garbage for sections. */
  dead: 'no' | 'clean' | 'spoils';
}

export interface World {
  readonly slots: readonly (readonly Slot[])[];
  readonly minCopies: number;
  /** The last run that was given out. */
  run: bigint;
  /** The last contents that were given out. */
  value: number;
  /** All generations that ever were. */
  readonly gens: Gen[];
}

/** A setup that was just made: generation 1 everywhere, acknowledged. */
export function newWorld(spares: number, minCopies = 3): World {
  const record: SpareRecord = { last: 1n, base: 0n, run: 1n };
  const records = Array.from({ length: spares }, () => record);
  const first = new Gen({ run: 1n, sequence: 1n, parent: null, records, value: 0, minCopies, seen: [] });
  first.acknowledged = true;
  const slots = records.map((_record, spare) => COPIES.map((copy) => wholeSlot(first, spare, copy)));
  return { slots, minCopies, run: 1n, value: 0, gens: [first] };
}

function wholeSlot(gen: Gen, spare: number, copy: number): Slot {
  return {
    header: gen,
    place: { spare, copy },
    devices: gen,
    remaps: gen,
    unread: false,
    overlooked: false,
    dead: 'no',
  };
}

/** A world that can be changed without changing this one. Generations are shared; what was acknowledged stays so. */
export function cloneWorld(world: World): World {
  const slots = world.slots.map((spare) => spare.map((slot) => ({ ...slot })));
  return { ...world, slots, gens: [...world.gens] };
}

export function slotAt(world: World, spare: number, copy: number): Slot {
  const slot = world.slots[spare]?.[copy];
  if (slot === undefined) throw new Error(`no slot ${copy} on spare ${spare}`);
  return slot;
}

/** True if a slot can be read and holds a whole copy, in its place or not. */
export function isWhole(slot: Slot): slot is Slot & { header: Gen } {
  const { header } = slot;
  return !slot.unread && header !== null && slot.devices === header && slot.remaps === header.remapsOf;
}

export function isInPlace(slot: Slot, spare: number, copy: number): boolean {
  return slot.place.spare === spare && slot.place.copy === copy;
}

/** A new run begins on these spares, and does not see what it can't read. */
export function overlook(world: World, spares: readonly number[]): void {
  for (const spare of spares) for (const slot of world.slots[spare] ?? []) slot.overlooked ||= slot.unread;
}

/** Writes one part of a slot. False on an error of the device. */
export function writePart(slot: Slot, apply: () => void): boolean {
  if (slot.dead === 'spoils') slot.devices = null;
  if (slot.dead !== 'no') return false;
  // A drive that is written to has a new sector for a bad one.
  slot.unread = false;
  slot.overlooked = false;
  apply();
  return true;
}

/** The generation whose header a slot shows, or null. */
export function shownBy(slot: Slot): Gen | null {
  return slot.unread ? null : slot.header;
}

export function shownOn(world: World, spares: readonly number[]): Gen[] {
  return [
    ...new Set(spares.flatMap((spare) => COPIES.map((copy) => shownBy(slotAt(world, spare, copy))))),
  ].filter((gen) => gen !== null);
}

const numbers = new Map<Generation, number>();
function numberOf(gen: Gen | null): number {
  if (gen === null) return 0;
  let number = numbers.get(gen.bytes);
  if (number === undefined) numbers.set(gen.bytes, (number = numbers.size + 1));
  return number;
}

function slotKey(slot: Slot, spare: number, copy: number): string {
  if (slot.unread) return `unread ${spare} ${copy}`;
  const { place } = slot;
  return `${spare} ${copy} ${numberOf(slot.header)}:${place.spare}:${place.copy} ${numberOf(slot.devices)} ${numberOf(slot.remaps)}`;
}

/** Equal keys: the spares given look the same to a reader, be they of one world or of two. */
export function keyOf(world: World, spares: readonly number[]): string {
  return spares
    .map((spare) => COPIES.map((copy) => slotKey(slotAt(world, spare, copy), spare, copy)).join('|'))
    .join('/');
}

const regions = new Map<string, Region>();
const MOST_REGIONS = 4000;

/** The bytes of a slot. */
export function regionOf(slot: Slot, spare: number, copy: number): Region {
  const key = slotKey(slot, spare, copy);
  let region = regions.get(key);
  if (region === undefined) {
    if (regions.size >= MOST_REGIONS) regions.clear();
    regions.set(key, (region = makeRegion(slot)));
  }
  return region;
}

function makeRegion(slot: Slot): Region {
  const bytes = new Uint8Array(SLOT_BYTES);
  if (slot.unread) return { bytes, gaps: [{ start: 0, end: SLOT_BYTES, kind: 'unread', reason: 'EIO' }] };
  bytes.set(headerBytes(slot));
  bytes.fill(0x5a, BLOCK_BYTES);
  for (const section of slot.devices?.bytes.sections ?? []) {
    if (section.type === 1) bytes.fill(0, BLOCK_BYTES, SECTION_OFFSET[5]);
    if (section.type < 5) bytes.set(section.bytes, section.offset);
  }
  for (const section of slot.remaps?.bytes.sections ?? [])
    if (section.type === 5) bytes.set(section.bytes, section.offset);
  return { bytes, gaps: [] };
}

function headerBytes({ header, place }: Slot): Uint8Array {
  const { spare, copy } = place;
  const at = { spareIndex: spare, spareUuid: spareUuid(spare), copyIndex: copy };
  if (header !== null) return encodeHeader(header.bytes, at);
  // A bad header that still names its place, as a few flipped bits or a torn sector leave it.
  const first = worldless(at);
  first[0x38] = (first[0x38] ?? 0) ^ 0xff;
  return first;
}

let pattern: Gen | null = null;
function worldless(at: { spareIndex: number; spareUuid: string; copyIndex: number }): Uint8Array {
  const record = { last: 1n, base: 0n, run: 1n };
  pattern ??= new Gen({
    run: 1n,
    sequence: 1n,
    parent: null,
    records: [record],
    value: 0,
    minCopies: 3,
    seen: [],
  });
  return encodeHeader(pattern.bytes, at);
}

/** What a reader of one spare gets. */
export function readOf(world: World, spare: number): SpareRead {
  const slots = COPIES.map((copy) => regionOf(slotAt(world, spare, copy), spare, copy));
  return { label: `/s${spare}`, base: 0n, slots };
}

/** In short, for messages: header/devices/remaps by sequence, slot by slot. */
export function describe(world: World): string {
  const name = (gen: Gen | null): string =>
    gen === null ? 'x' : `${gen.sequence}r${gen.run}${gen.acknowledged ? '*' : ''}`;
  const slot = (one: Slot): string =>
    `${isWhole(one) ? name(one.header) : `${name(one.header)}/${name(one.devices)}/${name(one.remaps)}`}${one.unread ? '?' : ''}${one.dead === 'no' ? '' : '!'}`;
  return world.slots.map((spare, index) => `spare ${index}: ${spare.map(slot).join(' ')}`).join('\n');
}
