// SPDX-License-Identifier: GPL-2.0-or-later
// A copy-on-write layer over a source: writes stay in memory, reads see them. For trying a repair without touching the
// input, and for tests. It never writes to what lies beneath.
import type { ByteSource, Extent } from '../core/extents';
import { Fault } from '../core/faults';
import type { WriteHandle } from '../host/host';
import { clipAtEnd, joinExtents } from './cover';

/** Bytes written over the base; kept sorted and without overlap. */
interface Patch {
  readonly start: bigint;
  readonly end: bigint;
  readonly bytes: Uint8Array;
}

export class OverlaySource implements ByteSource {
  private patches: Patch[] = [];

  constructor(readonly base: ByteSource) {}

  get sizeBytes(): bigint {
    return this.base.sizeBytes;
  }

  get logicalBlockSize(): number {
    return this.base.logicalBlockSize;
  }

  /** What the base holds, with the writes over it. A region that could not be read is data once it was written. */
  readAt(offset: bigint, length: number): Extent[] {
    return clipAtEnd(offset, length, this.sizeBytes, (start, size) => {
      const end = start + BigInt(size);
      const extents: Extent[] = [];
      let at = start;
      const baseUpTo = (to: bigint): void => {
        if (to > at) extents.push(...this.base.readAt(at, Number(to - at)));
      };
      for (const patch of this.patches) {
        if (patch.end <= at) continue;
        if (patch.start >= end) break;
        const from = patch.start > at ? patch.start : at;
        const to = patch.end < end ? patch.end : end;
        baseUpTo(from);
        const bytes = patch.bytes.slice(Number(from - patch.start), Number(to - patch.start));
        extents.push({ kind: 'data', start: from, end: to, bytes });
        at = to;
      }
      baseUpTo(end);
      return joinExtents(extents);
    });
  }

  /** Lays `bytes` over the base at `offset`. Fault WRITE_FAILED past the end: a device does not grow. */
  writeAt(offset: bigint, bytes: Uint8Array, path = 'overlay'): void {
    const end = offset + BigInt(bytes.length);
    if (offset < 0n || end > this.sizeBytes) {
      throw new Fault('WRITE_FAILED', {
        path,
        offset: `${offset}`,
        length: `${bytes.length}`,
        reason: 'it would go past the end',
      });
    }
    if (bytes.length === 0) return;
    const kept: Patch[] = [];
    for (const patch of this.patches) {
      if (patch.end <= offset || patch.start >= end) {
        kept.push(patch);
        continue;
      }
      if (patch.start < offset) {
        kept.push({
          start: patch.start,
          end: offset,
          bytes: patch.bytes.slice(0, Number(offset - patch.start)),
        });
      }
      if (patch.end > end) {
        kept.push({ start: end, end: patch.end, bytes: patch.bytes.slice(Number(end - patch.start)) });
      }
    }
    kept.push({ start: offset, end, bytes: bytes.slice() });
    kept.sort((a, b) => (a.start < b.start ? -1 : 1));
    this.patches = kept;
  }

  /** What was written, in order of place: [start, end) in bytes. */
  written(): { start: bigint; end: bigint }[] {
    return this.patches.map(({ start, end }) => ({ start, end }));
  }

  /** The overlay as what a repair writes to. Syncing and closing it do nothing. */
  writer(path: string): WriteHandle {
    return {
      path,
      sizeBytes: this.sizeBytes,
      readAt: (offset, length) => exactly(this, path, offset, length),
      writeAt: (offset, bytes) => this.writeAt(offset, bytes, path),
      sync: () => undefined,
      close: () => undefined,
    };
  }
}

/** All of [offset, offset + length) of a source, or Fault READ_FAILED that says where and why it is not all there. */
export function exactly(source: ByteSource, path: string, offset: bigint, length: number): Uint8Array {
  const extents = source.readAt(offset, length);
  const only = extents[0];
  if (extents.length === 1 && only?.kind === 'data') return only.bytes;
  const bytes = new Uint8Array(length);
  for (const extent of extents) {
    if (extent.kind === 'data') bytes.set(extent.bytes, Number(extent.start - offset));
    else if (extent.kind !== 'hole') {
      throw new Fault('READ_FAILED', {
        path,
        offset: `${extent.start}`,
        length: `${extent.end - extent.start}`,
        reason: extent.kind === 'unread' ? extent.reason : 'it lies past the end',
      });
    }
  }
  return bytes;
}
