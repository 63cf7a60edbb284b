// SPDX-License-Identifier: GPL-2.0-or-later
// Recognising and wiping foreign content in bytes, for tests.
import { type ContentMatch, recogniseContent } from '../../src/core/signatures';
import { MemorySource } from '../../src/source/memory';

export function recognise(bytes: Uint8Array): ContentMatch[] {
  return recogniseContent(new MemorySource(bytes), { base: 0n, length: BigInt(bytes.length) });
}

/** Zeroes what wiping these matches would zero. */
export function wipe(bytes: Uint8Array, matches: readonly ContentMatch[]): void {
  for (const { start, end } of matches.flatMap((match) => match.wipe))
    bytes.fill(0, Number(start), Number(end));
}
