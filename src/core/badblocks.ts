// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the output of badblocks(8): numbers of bad blocks, one a line. The size of a block is not in the file.
import { linesOf, type ParseError } from './mapfile';

/** Bytes of the device, half-open. */
export interface BadExtent {
  readonly start: bigint;
  readonly end: bigint;
}

export const MAX_BADBLOCKS_BYTES = 64 * 1024 * 1024;
const MAX_EXTENTS = 1_000_000;
const LIMIT = 1n << 64n;

/**
 * Bad areas as sorted, merged extents. Blank lines and lines that begin with `#` are passed over, as e2fsck -l does;
 * anything else that is not a decimal number is refused with its line: a number read wrongly would give up good
 * sectors and trust bad ones. `blockSize` is in bytes, as given to badblocks -b.
 */
export function parseBadBlocks(bytes: Uint8Array, blockSize: number): { extents: BadExtent[] } | ParseError {
  if (!Number.isSafeInteger(blockSize) || blockSize <= 0)
    return { line: 0, reason: 'the block size is not positive' };
  if (bytes.length > MAX_BADBLOCKS_BYTES)
    return { line: 0, reason: `larger than ${MAX_BADBLOCKS_BYTES} bytes` };
  const unit = BigInt(blockSize);
  const extents: BadExtent[] = [];
  for (const { number, text } of linesOf(bytes)) {
    const line = text.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (!/^[0-9]{1,20}$/.test(line)) return { line: number, reason: 'not a decimal block number' };
    const start = BigInt(line) * unit;
    const end = start + unit;
    if (end > LIMIT) return { line: number, reason: 'the block lies past 2^64 bytes' };
    const last = extents[extents.length - 1];
    // badblocks writes in ascending order, so nearly all merging happens here and memory follows the extents.
    if (last !== undefined && start >= last.start && start <= last.end) {
      if (end > last.end) extents[extents.length - 1] = { start: last.start, end };
      continue;
    }
    if (extents.length === MAX_EXTENTS)
      return { line: number, reason: `more than ${MAX_EXTENTS} separate areas` };
    extents.push({ start, end });
  }
  return { extents: mergeExtents(extents) };
}

function mergeExtents(extents: readonly BadExtent[]): BadExtent[] {
  const sorted = [...extents].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const merged: BadExtent[] = [];
  for (const extent of sorted) {
    const last = merged[merged.length - 1];
    if (last === undefined || extent.start > last.end) merged.push(extent);
    else if (extent.end > last.end) merged[merged.length - 1] = { start: last.start, end: extent.end };
  }
  return merged;
}
