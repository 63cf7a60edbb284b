// SPDX-License-Identifier: GPL-2.0-or-later
// Memory for the reads of slots, to be used again in a run over thousands of spares: fresh memory costs the system more
// than the reading does. What is read is not known here.

/** Bytes of the read that nearly every slot needs once; reads of other lengths get fresh memory. */
export const REUSED_READ_BYTES = 32768;

/** The slots of a setup with eight spares, some of them read twice: 2 MiB. */
const MOST_KEPT = 64;

const kept: Uint8Array[] = [];

/** Memory for a read of `length` bytes. It is not zero: who reads fills it, or shows only as much as was filled. */
export function takeBuffer(length: number): Uint8Array {
  return (length === REUSED_READ_BYTES ? kept.pop() : undefined) ?? new Uint8Array(length);
}

/** Gives back what a read was given. Nobody may look at it any more, nor at any view of it: the next read is put there. */
export function giveBack(bytes: Uint8Array): void {
  const isWhole = bytes.length === REUSED_READ_BYTES && bytes.buffer.byteLength === REUSED_READ_BYTES;
  // Given back twice, it would be taken twice, and one read would overwrite another.
  const isThere = kept.some(({ buffer }) => buffer === bytes.buffer);
  if (isWhole && !isThere && kept.length < MOST_KEPT) kept.push(bytes);
}
