// SPDX-License-Identifier: GPL-2.0-or-later
// A source over bytes in memory, with regions that cannot be read where wanted; and the cutting of bad regions out of
// a read, which the test machine shares.
import type { ByteSource, Extent } from '../core/extents';
import { clipAtEnd, joinExtents } from './cover';

/** A region that cannot be read. Bytes, half-open. */
export interface BadRange {
  readonly start: bigint;
  readonly end: bigint;
  readonly reason: string;
}

export interface MemoryOptions {
  readonly bad?: readonly BadRange[];
  readonly logicalBlockSize?: number;
}

/** Bytes as a source. Reads give copies, so that results stay what they were when the bytes change later. */
export class MemorySource implements ByteSource {
  readonly sizeBytes: bigint;
  readonly logicalBlockSize: number;
  private readonly bad: readonly BadRange[];

  constructor(
    private readonly bytes: Uint8Array,
    options: MemoryOptions = {},
  ) {
    this.sizeBytes = BigInt(bytes.length);
    this.logicalBlockSize = options.logicalBlockSize ?? 512;
    this.bad = options.bad ?? [];
  }

  readAt(offset: bigint, length: number): Extent[] {
    return clipAtEnd(offset, length, this.sizeBytes, (start, size) =>
      cutBadRanges(start, size, this.bad, (from, count) =>
        this.bytes.slice(Number(from), Number(from) + count),
      ),
    );
  }
}

/** A read of [offset, offset + length) in which `bad` regions are 'unread' and `bytesAt` gives all others. */
export function cutBadRanges(
  offset: bigint,
  length: number,
  bad: readonly BadRange[],
  bytesAt: (start: bigint, length: number) => Uint8Array,
): Extent[] {
  const end = offset + BigInt(length);
  const touching = bad.filter((range) => range.start < end && range.end > offset);
  touching.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const extents: Extent[] = [];
  let at = offset;
  const dataUpTo = (to: bigint): void => {
    if (to > at) {
      extents.push({ kind: 'data', start: at, end: to, bytes: bytesAt(at, Number(to - at)) });
      at = to;
    }
  };
  for (const range of touching) {
    dataUpTo(range.start < end ? range.start : end);
    const stop = range.end < end ? range.end : end;
    if (stop <= at) continue; // covered by an earlier, overlapping range
    extents.push({ kind: 'unread', start: at, end: stop, reason: range.reason });
    at = stop;
  }
  dataUpTo(end);
  return joinExtents(extents);
}
