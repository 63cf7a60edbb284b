// SPDX-License-Identifier: GPL-2.0-or-later
// The bookkeeping that all byte sources share: clipping a request at the end of the source, and joining extents that
// adjoin. No source lives here.
import type { Extent } from '../core/extents';

/**
 * Splits a request at `sizeBytes`: `inside` gives the extents of the part before the end (called only when there is
 * one), and what lies past it becomes 'beyond-end'. Bytes; throws RangeError for a request no medium can have.
 */
export function clipAtEnd(
  offset: bigint,
  length: number,
  sizeBytes: bigint,
  inside: (start: bigint, length: number) => Extent[],
): Extent[] {
  if (offset < 0n || !Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`read of ${length} bytes at byte ${offset}`);
  }
  const end = offset + BigInt(length);
  if (length === 0) return [];
  if (end <= sizeBytes) return inside(offset, length);
  if (offset >= sizeBytes) return [{ kind: 'beyond-end', start: offset, end }];
  const extents = inside(offset, Number(sizeBytes - offset));
  return joinExtents([...extents, { kind: 'beyond-end', start: sizeBytes, end }]);
}

/** The same extents with neighbours of one kind (and one reason) joined, so that a reader of few pieces stays simple. */
export function joinExtents(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  let run: Extent[] = [];
  const flush = (): void => {
    const whole = mergeRun(run);
    if (whole !== null) joined.push(whole);
    run = [];
  };
  for (const extent of extents) {
    const first = run[0];
    if (first !== undefined && !alike(first, extent)) flush();
    run.push(extent);
  }
  flush();
  return joined;
}

function alike(a: Extent, b: Extent): boolean {
  return a.kind === 'unread' && b.kind === 'unread' ? a.reason === b.reason : a.kind === b.kind;
}

function mergeRun(run: readonly Extent[]): Extent | null {
  const first = run[0];
  const last = run[run.length - 1];
  if (first === undefined || last === undefined) return null;
  if (run.length === 1) return first;
  if (first.kind !== 'data') return { ...first, end: last.end };
  const bytes = new Uint8Array(Number(last.end - first.start));
  for (const piece of run) {
    if (piece.kind === 'data') bytes.set(piece.bytes, Number(piece.start - first.start));
  }
  return { kind: 'data', start: first.start, end: last.end, bytes };
}

/** Extents moved by `delta` bytes: from the coordinates of one source to those of another. */
export function shiftExtents(extents: readonly Extent[], delta: bigint): Extent[] {
  return extents.map((extent) => ({ ...extent, start: extent.start + delta, end: extent.end + delta }));
}
