// SPDX-License-Identifier: GPL-2.0-or-later
// The writes that put a new setup on its spares, as a plan for the writing engine. Whether they may be made is decided
// before (commands/format.ts); nothing is written here.
//
// The order, for a power cut at any point: first, on every spare, all that comes before its data except the five header
// blocks. That destroys the sections of whatever copies were there (their DEVICES at least, which has a run of its
// own), so that from then on no whole copy of an older setup is left, while none of the new one exists yet. Only then the
// header blocks, in commit order (FORMAT.md section 6), the spares taking turns. Old and new never stand side by side as
// whole copies, and every sector of metadata has been read back once before the first copy comes into being.
import { SECTOR_BYTES, equalBytes } from './bytes';
import type { ByteRange } from './content/signature';
import type { ByteSource, Region } from './extents';
import { gapWithin, readRegion } from './extents';
import type { Generation } from './generation';
import { encodeCopy } from './generation';
import type { PlannedWrite } from './journal';
import { BLOCK_BYTES, SLOT_ROOM_BYTES, SLOT_SECTORS } from './layout';
import { COMMIT_ORDER } from './order';

/** A spare to be written to. */
export interface SparePlace {
  /** Index of its file or device among the targets of the plan. */
  readonly target: number;
  readonly spareIndex: number;
  readonly spareUuid: string;
  readonly source: ByteSource;
  /** First sector of its data: everything before it becomes metadata or zero. */
  readonly dataStart: bigint;
  /** Signatures of other content, absolute bytes; those behind dataStart are zeroed too. */
  readonly wipe: readonly ByteRange[];
}

/** The groups of the engine: everything but the headers of one spare; one header block. */
export const areaGroup = (spareIndex: number): string => `spare${spareIndex}/area`;
export const copyGroup = (spareIndex: number, copyIndex: number): string =>
  `spare${spareIndex}/copy${copyIndex}`;

/** Whether a group brings a copy into being. */
export const isCopyGroup = (group: string): boolean => group.includes('/copy');

/**
 * The plan. Only 4 KiB blocks that change are written, so that a sparse image stays sparse; what could not be read is
 * written in any case. Reads at most one slot's room at a time.
 */
export function newSetupWrites(generation: Generation, spares: readonly SparePlace[]): PlannedWrite[] {
  const zeros = new Uint8Array(SLOT_ROOM_BYTES);
  const body = new Uint8Array(SLOT_ROOM_BYTES);
  // Without the header, the copies of a generation are all the same.
  body.set(encodeCopy(generation, { spareIndex: 0, spareUuid: generation.header.spareUuid, copyIndex: 0 }));
  body.fill(0, 0, BLOCK_BYTES);
  return [
    ...spares.flatMap((spare) => areaWrites(spare, body, zeros)),
    ...COMMIT_ORDER.flatMap((copyIndex) =>
      spares.flatMap((spare) => headerWrite(generation, spare, copyIndex)),
    ),
  ];
}

function areaWrites(spare: SparePlace, body: Uint8Array, zeros: Uint8Array): PlannedWrite[] {
  const group = areaGroup(spare.spareIndex);
  const writes: PlannedWrite[] = [];
  const end = spare.dataStart * BigInt(SECTOR_BYTES);
  // Slots start and end at multiples of a slot's room, so each piece is one slot or none.
  for (let start = 0n; start < end; start += BigInt(SLOT_ROOM_BYTES)) {
    const isSlot = SLOT_SECTORS.some((sector) => sector * BigInt(SECTOR_BYTES) === start);
    const length = end - start < BigInt(SLOT_ROOM_BYTES) ? Number(end - start) : SLOT_ROOM_BYTES;
    const from = isSlot ? BLOCK_BYTES : 0;
    const wanted = (isSlot ? body : zeros).subarray(from, length);
    writes.push(...changes(spare, group, start + BigInt(from), wanted));
  }
  return [...writes, ...signatureWrites(spare, group, end)];
}

function headerWrite(
  generation: Generation,
  spare: SparePlace,
  copyIndex: 0 | 1 | 2 | 3 | 4,
): PlannedWrite[] {
  const { spareIndex, spareUuid } = spare;
  const block = encodeCopy(generation, { spareIndex, spareUuid, copyIndex }).slice(0, BLOCK_BYTES);
  const offset = SLOT_SECTORS[copyIndex] * BigInt(SECTOR_BYTES);
  return changes(spare, copyGroup(spareIndex, copyIndex), offset, block);
}

/** The write from the first to the last 4 KiB block that is not as wanted; none if all are. */
function changes(spare: SparePlace, group: string, offset: bigint, wanted: Uint8Array): PlannedWrite[] {
  const found = readRegion(spare.source, offset, wanted.length);
  let first = -1;
  let last = -1;
  for (let at = 0; at < wanted.length; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, wanted.length);
    if (sameBytes(found, wanted, at, end)) continue;
    if (first === -1) first = at;
    last = end;
  }
  if (first === -1) return [];
  return [plannedWrite(spare.target, group, offset, found, first, wanted.subarray(first, last))];
}

function sameBytes(found: Region, wanted: Uint8Array, start: number, end: number): boolean {
  if (gapWithin(found, start, end) !== undefined) return false;
  return equalBytes(found.bytes.subarray(start, end), wanted.subarray(start, end));
}

/**
 * One write of `after` at byte `start` of a region that was read from `offset`; its finding is 'format'. What of it could
 * not be read becomes whole sectors, because the journal counts in these: a read may end anywhere before it fails. The old
 * bytes may be a view of the region: it is not to be changed, nor its memory used again, before the write is done.
 */
export function plannedWrite(
  target: number,
  group: string,
  offset: bigint,
  found: Region,
  start: number,
  after: Uint8Array,
): PlannedWrite {
  let before = found.bytes.subarray(start, start + after.length);
  const unread: { start: number; end: number }[] = [];
  for (const gap of found.gaps) {
    const from = Math.max(gap.start - start, 0);
    const to = Math.min(gap.end - start, after.length);
    if (from >= to) continue;
    // Two gaps may share a sector.
    const range = { start: from - (from % SECTOR_BYTES), end: Math.ceil(to / SECTOR_BYTES) * SECTOR_BYTES };
    const last = unread[unread.length - 1];
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else unread.push(range);
  }
  if (unread.length > 0) before = before.slice();
  for (const range of unread) before.fill(0, range.start, range.end);
  return { target, offset: offset + BigInt(start), before, after, unread, finding: 'format', group };
}

/** Signatures closer than this are zeroed by one write: a ZFS label has a hundred of them. Bytes. */
const NEAR = 65536n;

/** Zeroes the signatures behind `end`, and no byte beside them. */
function signatureWrites(spare: SparePlace, group: string, end: bigint): PlannedWrite[] {
  const sector = BigInt(SECTOR_BYTES);
  const limit = (spare.source.sizeBytes / sector) * sector;
  const ranges = spare.wipe
    .map((range) => ({
      start: range.start < end ? end : range.start,
      end: range.end < limit ? range.end : limit,
    }))
    .filter((range) => range.start < range.end)
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const clusters: { start: bigint; end: bigint; ranges: ByteRange[] }[] = [];
  for (const range of ranges) {
    const start = range.start - (range.start % sector);
    const stop = ((range.end + sector - 1n) / sector) * sector;
    const last = clusters[clusters.length - 1];
    if (last !== undefined && start - last.end <= NEAR) {
      last.ranges.push(range);
      if (stop > last.end) last.end = stop;
    } else {
      clusters.push({ start, end: stop, ranges: [range] });
    }
  }
  return clusters.map((cluster) => {
    const found = readRegion(spare.source, cluster.start, Number(cluster.end - cluster.start));
    const after = found.bytes.slice();
    for (const range of cluster.ranges) {
      after.fill(0, Number(range.start - cluster.start), Number(range.end - cluster.start));
    }
    return plannedWrite(spare.target, group, cluster.start, found, 0, after);
  });
}
