// SPDX-License-Identifier: GPL-2.0-or-later
// Pseudo-random numbers that are the same on every machine and in every run. Not for secrets.

/** A generator of unsigned 32-bit numbers (mulberry32); equal seeds give equal sequences. */
export function prng(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
