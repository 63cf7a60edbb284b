// SPDX-License-Identifier: GPL-2.0-or-later
// A source over bytes that counts how many bytes were asked for: shows that hostile contents can't cause many reads.
import type { ByteSource } from '../../src/core/extents';
import { MemorySource } from '../../src/source/memory';

export function countingSource(
  bytes: Uint8Array,
  logicalBlockSize = 512,
): { source: ByteSource; bytesRead: () => number } {
  const inner = new MemorySource(bytes, { logicalBlockSize });
  let count = 0;
  const source: ByteSource = {
    sizeBytes: inner.sizeBytes,
    logicalBlockSize,
    readAt(offset, length) {
      count += length;
      return inner.readAt(offset, length);
    },
  };
  return { source, bytesRead: () => count };
}
