// SPDX-License-Identifier: GPL-2.0-or-later
// Recognises content that is not dm-remap v4: file systems, partition tables, RAID, LVM, encryption, swap, images and
// files. The tables are in content/ and containers.ts; here they are put together and searched.
import { CONTAINERS } from './containers';
import { DIALECTS } from './content/dialects';
import { FILES, looksLikeText } from './content/files';
import { LINUX_FILESYSTEMS } from './content/linux-filesystems';
import { OTHER_FILESYSTEMS } from './content/other-filesystems';
import { Probe } from './content/probe';
import { type ContentMatch, findSignature, type Signature } from './content/signature';
import { STORAGE } from './content/storage';
import { TABLES } from './content/tables';
import type { ByteSource, Extent } from './extents';

export type { ByteRange, ContentClass, ContentMatch } from './content/signature';

/** All signatures, in the order in which matches are reported: what tells most about a device first. */
export const SIGNATURES: readonly Signature[] = [
  ...DIALECTS,
  ...STORAGE,
  ...LINUX_FILESYSTEMS,
  ...OTHER_FILESYSTEMS,
  ...TABLES,
  ...CONTAINERS,
  ...FILES,
];

/**
 * Everything recognised in [base, base + length) of a source (bytes): a whole device, or a partition of it. Matches
 * come in the order of SIGNATURES; offsets and the ranges to wipe are absolute in the source. What was not read (I/O
 * errors, past the end) is not recognised. Reads at most a few megabytes, at fixed places.
 */
export function recogniseContent(
  source: ByteSource,
  window: { base: bigint; length: bigint },
): ContentMatch[] {
  const probe = new Probe(source, window.base, window.length);
  return SIGNATURES.flatMap((wanted) => findSignature(wanted, probe));
}

/** A buffer as the only readable part of a device whose end is not known. */
function bufferSource(bytes: Uint8Array, offset: bigint): ByteSource {
  const end = offset + BigInt(bytes.length);
  return {
    sizeBytes: end,
    logicalBlockSize: 512,
    readAt(from, length) {
      const to = from + BigInt(length);
      const cut = (at: bigint): bigint => (at < from ? from : at > to ? to : at);
      const start = cut(offset);
      const stop = cut(end);
      const extents: Extent[] = [];
      if (start > from)
        extents.push({ kind: 'unread', start: from, end: start, reason: 'not part of the slot' });
      if (stop > start) {
        const data = bytes.subarray(Number(start - offset), Number(stop - offset));
        extents.push({ kind: 'data', start, end: stop, bytes: data });
      }
      if (to > stop) extents.push({ kind: 'unread', start: stop, end: to, reason: 'not part of the slot' });
      return extents;
    },
  };
}

/**
 * Explains what overwrote a metadata slot. `bytes` (up to 512 KiB) starts at byte `slotOffset` of the device. Looked
 * for are magics that belong at their place on the whole device, and things that begin at the slot's own start, for a
 * partition or a file may begin there. Undefined: nothing that is certain.
 */
export function recogniseInSlot(bytes: Uint8Array, slotOffset: bigint): ContentMatch | undefined {
  const source = bufferSource(bytes, slotOffset);
  const bases = slotOffset === 0n ? [0n] : [0n, slotOffset];
  for (const base of bases) {
    const probe = new Probe(source, base, null);
    for (const wanted of SIGNATURES) {
      const match = findSignature(wanted, probe)[0];
      if (match !== undefined) return match;
    }
  }
  const start = new Probe(source, slotOffset, null).block(0, Math.min(bytes.length, 512));
  if (start === undefined || !looksLikeText(start)) return undefined;
  return { id: 'text', name: 'plain text', class: 'other', offset: slotOffset, wipe: [] };
}
