// SPDX-License-Identifier: GPL-2.0-or-later
// How reads are reported: as extents that say where their bytes came from. No I/O here; see src/source and src/host.

/**
 * One piece of what a read found. Offsets are bytes, absolute in the source, half-open.
 * A bare buffer can't tell "zeros on the medium" from "could not be read"; an extent can, so that a region
 * which was not read never turns into a verdict about its contents.
 */
export type Extent =
  | { readonly kind: 'data'; readonly start: bigint; readonly end: bigint; readonly bytes: Uint8Array }
  | { readonly kind: 'unread'; readonly start: bigint; readonly end: bigint; readonly reason: string }
  | { readonly kind: 'hole'; readonly start: bigint; readonly end: bigint }
  | { readonly kind: 'beyond-end'; readonly start: bigint; readonly end: bigint };

/** Something that can be read: an image, a block device, a partition of either. */
export interface ByteSource {
  readonly sizeBytes: bigint;
  /** Bytes: 512 or 4096 (an image file counts as 512 unless told otherwise). */
  readonly logicalBlockSize: number;
  /**
   * Extents that cover [offset, offset + length) exactly, in order and without overlap.
   * I/O errors are 'unread' extents, never exceptions.
   */
  readAt(offset: bigint, length: number): Extent[];
}

/** A part of a region that holds no trustworthy bytes. Byte offsets relative to the region's start, half-open. */
export interface Gap {
  readonly start: number;
  readonly end: number;
  readonly kind: 'unread' | 'beyond-end';
  readonly reason: string;
}

/** A contiguous read: bytes (zero where there was a gap) and the gaps, in order. */
export interface Region {
  readonly bytes: Uint8Array;
  readonly gaps: readonly Gap[];
}

/** Reads [offset, offset + length) of a source into one region. */
export function readRegion(source: ByteSource, offset: bigint, length: number): Region {
  const extents = source.readAt(offset, length);
  const only = extents[0];
  // The healthy case needs no copy: one extent of data that is all there is.
  if (extents.length === 1 && only !== undefined && only.kind === 'data' && only.bytes.length === length) {
    return { bytes: only.bytes, gaps: [] };
  }
  const bytes = new Uint8Array(length);
  const gaps: Gap[] = [];
  for (const extent of extents) {
    const start = Number(extent.start - offset);
    const end = Number(extent.end - offset);
    if (extent.kind === 'data') bytes.set(extent.bytes, start);
    else if (extent.kind === 'unread') gaps.push({ start, end, kind: 'unread', reason: extent.reason });
    else if (extent.kind === 'beyond-end')
      gaps.push({ start, end, kind: 'beyond-end', reason: 'the image ends here' });
  }
  return { bytes, gaps };
}

/** The first gap that touches [start, end) of a region, or undefined. */
export function gapWithin(region: Region, start: number, end: number): Gap | undefined {
  return region.gaps.find((gap) => gap.start < end && gap.end > start);
}
