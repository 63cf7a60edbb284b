// SPDX-License-Identifier: GPL-2.0-or-later
// Entries that a setup is made with: areas of main known to be unreadable become DATA_LOST entries with room reserved
// on the spares. Where the areas come from (badblocks.ts, mapfile.ts) is not known here.
import { Fault } from './faults';
import { ENTRY_DATA_LOST, MAX_ENTRIES } from './layout';
import type { RemapEntry } from './layout';
import type { Geometry } from './newgeometry';

/** Sectors of main, half-open. */
export interface LostArea {
  readonly start: bigint;
  readonly end: bigint;
}

/** reason 2: read error. */
const READ_ERROR = 2;
const MAX_LENGTH = (1n << 32n) - 1n;

/**
 * Areas, in any order and overlapping or not, widened to whole aligned units, cut at the ends of the mapped area, and
 * joined where they touch (FORMAT.md section 7). Sorted. What lies wholly outside the mapped area is left out.
 */
export function wholeUnits(areas: readonly LostArea[], unit: bigint, mappedSectors: bigint): LostArea[] {
  const out: { start: bigint; end: bigint }[] = [];
  const sorted = areas.filter((area) => area.start < area.end && area.start < mappedSectors);
  sorted.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  for (const area of sorted) {
    const start = area.start - (area.start % unit);
    const up = ((area.end + unit - 1n) / unit) * unit;
    const end = up < mappedSectors ? up : mappedSectors;
    const last = out[out.length - 1];
    if (last !== undefined && start <= last.end) {
      if (end > last.end) last.end = end;
    } else {
      out.push({ start, end });
    }
  }
  return out;
}

/** Sectors of spare space, in whole units, that the areas of `wholeUnits` take. */
function spaceFor(areas: readonly LostArea[], unit: bigint): bigint {
  return areas.reduce((sum, area) => sum + ((area.end - area.start + unit - 1n) / unit) * unit, 0n);
}

/**
 * The entries for areas of main that cannot be read, sorted by main_sector: DATA_LOST, reason 2, spare space first-fit
 * with the primary spare first, in whole aligned units; an area is split where a spare ends. Throws Fault NO_ROOM when the
 * spares hold fewer sectors, TOO_MANY_ENTRIES when a copy holds fewer entries, than are needed.
 */
export function lostEntries(areas: readonly LostArea[], geometry: Geometry, createdNs: bigint): RemapEntry[] {
  const unit = BigInt(geometry.remapUnit);
  const wanted = wholeUnits(areas, unit, geometry.mainDataSectors);
  const needed = spaceFor(wanted, unit);
  // data_start and data_sectors of spares are multiples of 8, so all of a spare's room is whole units.
  const room = geometry.spares.reduce((sum, spare) => sum + spare.dataSectors, 0n);
  if (needed > room) throw new Fault('NO_ROOM', { needed: String(needed), room: String(room) });

  const longest = MAX_LENGTH - (MAX_LENGTH % unit);
  const entries: RemapEntry[] = [];
  let count = 0;
  let spareIndex = 0;
  let taken = 0n;
  for (const area of wanted) {
    let at = area.start;
    while (at < area.end) {
      const spare = geometry.spares[spareIndex];
      if (spare === undefined) throw new RangeError('more space was taken than was counted');
      if (taken === spare.dataSectors) {
        spareIndex++;
        taken = 0n;
        continue;
      }
      const length = least(area.end - at, spare.dataSectors - taken, longest);
      count++;
      // Counted to the end for the message, but never held: a map can name far more areas than a copy has room for.
      if (count <= MAX_ENTRIES) {
        entries.push({
          mainSector: at,
          spareSector: spare.dataStart + taken,
          length: Number(length),
          spareIndex,
          reason: READ_ERROR,
          flags: ENTRY_DATA_LOST,
          createdNs,
        });
      }
      at += length;
      taken += ((length + unit - 1n) / unit) * unit;
    }
  }
  if (count > MAX_ENTRIES)
    throw new Fault('TOO_MANY_ENTRIES', { needed: String(count), room: String(MAX_ENTRIES) });
  return entries;
}

function least(...values: readonly [bigint, ...bigint[]]): bigint {
  return values.reduce((a, b) => (b < a ? b : a));
}
