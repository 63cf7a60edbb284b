// SPDX-License-Identifier: GPL-2.0-or-later
// A part of another source seen as a source of its own: a partition, or what follows --offset. Finding partitions is
// not done here.
import type { ByteSource, Extent } from '../core/extents';
import { clipAtEnd, shiftExtents } from './cover';

/** [base, base + length) of `inner`, in bytes; offset 0 of the slice is `base` of the inner source. */
export class SliceSource implements ByteSource {
  /**
   * What of the slice exists: a partition that its table places past the end of a truncated image ends where the
   * image does, and reads past that are 'beyond-end', as they would be in the image itself.
   */
  readonly sizeBytes: bigint;

  constructor(
    readonly inner: ByteSource,
    readonly base: bigint,
    length: bigint,
  ) {
    if (base < 0n || length < 0n) throw new RangeError(`slice of ${length} bytes at byte ${base}`);
    const available = inner.sizeBytes > base ? inner.sizeBytes - base : 0n;
    this.sizeBytes = length < available ? length : available;
  }

  get logicalBlockSize(): number {
    return this.inner.logicalBlockSize;
  }

  /** Extents in the coordinates of the slice. */
  readAt(offset: bigint, length: number): Extent[] {
    return clipAtEnd(offset, length, this.sizeBytes, (start, size) =>
      shiftExtents(this.inner.readAt(this.base + start, size), -this.base),
    );
  }
}
