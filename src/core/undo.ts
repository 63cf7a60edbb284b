// SPDX-License-Identifier: GPL-2.0-or-later
// What an undo may do: judges what is there now against the old and new bytes of a journal, and derives the writes that
// put the old bytes back. No files are opened here; see src/commands/undo.ts.
//
// The rule, and why a cut undo can be run again:
// * A write without a mark was in flight when power failed, or failed: each sector may be old or new. A sector that is
//   neither belongs to somebody else.
// * A write with a mark was on the medium and read back: it must be new as a whole, or old as a whole (undone already).
//   A mixture means that somebody wrote there since.
// * Except after an undo was begun. An undo that is cut leaves finished writes old in part, and that must not look like
//   a foreign change. So before its first write an undo appends an `undo` mark to the journal, and from then on
//   finished writes may be old or new sector by sector, too. Nothing is lost by that: any such mixture can be made
//   again from the journal, and the state before the second undo goes into a journal of its own anyway.
import { SECTOR_BYTES } from './bytes';
import type { Region } from './extents';
import { gapWithin } from './extents';
import type { ByteRange, PlannedWrite } from './journal';

/**
 * new: as the journal's command wrote it; old: as before (nothing to put back); mixed: sectors of both; changed: at
 * least one sector is neither, or a mixture where none may be; unread: cannot be read now.
 */
export type PlaceState = 'new' | 'old' | 'mixed' | 'changed' | 'unread';

export interface PlaceJudgement {
  readonly state: PlaceState;
  /** For changed and unread: the byte, relative to the start of the write, that shows it. */
  readonly at: number | null;
}

/** One write of a journal with its bytes. `old` and `new` have the same length, whole sectors. */
export interface UndoPlace {
  readonly old: Uint8Array;
  readonly new: Uint8Array;
  /** Parts whose old bytes nobody knows: they are neither judged nor written. */
  readonly unread: readonly ByteRange[];
  /** True if it must be old or new as a whole: finished, and no undo was begun. */
  readonly whole: boolean;
}

/** Judges what is there now. `current` is the region of the same length that was read from the place. */
export function judgePlace(place: UndoPlace, current: Region): PlaceJudgement {
  let onlyOld: number | null = null;
  let allOld = true;
  let unreadAt: number | null = null;
  for (const { start, end } of complement(place.unread, place.old.length)) {
    for (let at = start; at < end; at += SECTOR_BYTES) {
      const stop = at + SECTOR_BYTES;
      if (gapWithin(current, at, stop) !== undefined) {
        unreadAt ??= at;
        continue;
      }
      const notOld = difference(place.old, current.bytes, at, stop);
      if (notOld === -1) {
        const notNew = difference(place.new, current.bytes, at, stop);
        if (notNew !== -1) onlyOld ??= notNew;
        continue;
      }
      allOld = false;
      const notNew = difference(place.new, current.bytes, at, stop);
      if (notNew !== -1)
        return { state: 'changed', at: foreignByte(place, current.bytes, at, stop) ?? notNew };
    }
  }
  if (unreadAt !== null) return { state: 'unread', at: unreadAt };
  if (allOld) return { state: 'old', at: null };
  if (onlyOld === null) return { state: 'new', at: null };
  return place.whole ? { state: 'changed', at: onlyOld } : { state: 'mixed', at: null };
}

/**
 * The writes that put a place back, in ascending order; none if it is old already. What cannot be read now is given as
 * unread, so that the journal of the undo says truly what it does not know.
 */
export function putBack(
  place: UndoPlace,
  current: Region,
  state: PlaceState,
  at: { readonly target: number; readonly offset: bigint; readonly group: string },
): PlannedWrite[] {
  if (state === 'old') return [];
  return complement(place.unread, place.old.length).map(({ start, end }) => {
    let before = current.bytes.subarray(start, end);
    const unread: ByteRange[] = [];
    for (const gap of current.gaps) {
      const from = Math.max(gap.start, start);
      const to = Math.min(gap.end, end);
      if (from >= to) continue;
      // Whole sectors, and never two ranges over the same one.
      const range = { start: floorSector(from - start), end: floorSector(to - start + SECTOR_BYTES - 1) };
      const last = unread.at(-1);
      if (last !== undefined && range.start < last.end) range.start = last.end;
      if (range.start < range.end) unread.push(range);
    }
    if (unread.length > 0) before = before.slice();
    for (const range of unread) before.fill(0, range.start, range.end);
    return {
      target: at.target,
      offset: at.offset + BigInt(start),
      before,
      after: place.old.subarray(start, end),
      unread,
      finding: 'undo',
      group: at.group,
    };
  });
}

/** What lies between the ranges (in order, not overlapping) in [0, length). */
export function complement(ranges: readonly ByteRange[], length: number): ByteRange[] {
  const out: ByteRange[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    if (start > at) out.push({ start: at, end: start });
    at = end;
  }
  if (at < length) out.push({ start: at, end: length });
  return out;
}

function floorSector(bytes: number): number {
  return bytes - (bytes % SECTOR_BYTES);
}

/** The first byte that is neither old nor new, if there is one: a sector can be mixed of both within itself. */
function foreignByte(place: UndoPlace, bytes: Uint8Array, start: number, end: number): number | null {
  for (let i = start; i < end; i++) if (bytes[i] !== place.old[i] && bytes[i] !== place.new[i]) return i;
  return null;
}

/** Index of the first byte of [start, end) that differs, or -1. */
function difference(a: Uint8Array, b: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) if (a[i] !== b[i]) return i;
  return -1;
}
