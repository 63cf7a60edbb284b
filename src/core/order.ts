// SPDX-License-Identifier: GPL-2.0-or-later
// In which order the places of a repair plan are written, and which of them must wait until a new copy is whole. What
// is written to them, and by whose leave, is in plan.ts.
import type { Region } from './extents';
import type { Generation } from './generation';
import { sameGeneration } from './judge';
import type { PlannedCopy } from './plan';

/**
 * The order of FORMAT.md section 6, over all spares at once: places without a whole copy first, then the whole ones by
 * their sequence, and among equals slots 1, 2, 3, 4 and last 0; what is precious comes last of all.
 *
 * By sequence, because a spare may show a higher one than the rest of its copies have (of a commit that was cut). That copy
 * under way first, and the power cut: its old header would stay over new sections, and the spare by itself would
 * show a newer generation of which nothing whole is left.
 */
export function inCommitOrder(copies: readonly PlannedCopy[]): PlannedCopy[] {
  const sequence = ({ seat, copy }: PlannedCopy): bigint => {
    const slot = seat.spare?.slots[copy.copyIndex];
    return slot?.valid === true ? (slot.header.header?.sequence ?? 0n) : 0n;
  };
  const rank = ({ copy }: PlannedCopy): number => (copy.copyIndex === 0 ? 5 : copy.copyIndex);
  return copies.slice().sort((a, b) => {
    if (a.precious !== b.precious) return a.precious ? 1 : -1;
    const [x, y] = [sequence(a), sequence(b)];
    if (x !== y) return x < y ? -1 : 1;
    return rank(a) - rank(b) || a.seat.index - b.seat.index;
  });
}

/** What the places of a plan hold that must not be lost before a new copy is whole. */
export interface Treasure {
  /** Generations of which the last whole copy waits ("never the last one" of FORMAT.md section 6). */
  readonly generations: readonly Generation[];
  /** Pieces that a salvage is made of, each with the places that hold it: one of them waits. */
  readonly pieces: readonly (readonly Region[])[];
  /** The pieces are given up where every place would have to wait for them: one has to be the first. */
  readonly expendable: boolean;
}

/**
 * In commit order, with the places that have to wait marked as precious. All the others together can be destroyed, by a
 * power cut or by one failing write after the other, and what is treasured is still there.
 */
export function keeping(wanted: readonly PlannedCopy[], treasure: Treasure): PlannedCopy[] {
  const order = inCommitOrder(wanted);
  const generations = treasure.generations.map((generation) =>
    order.filter((one) => holds(one, generation)).map(regionOf),
  );
  const pieces = [...generations, ...treasure.pieces];
  const gone = new Set<Region>();
  const marked = order.map((one): PlannedCopy => {
    const region = regionOf(one);
    const needed = pieces.some(
      (places) => places.includes(region) && places.every((place) => place === region || gone.has(place)),
    );
    if (!needed) gone.add(region);
    return needed ? { ...one, precious: true } : one;
  });
  if (treasure.expendable && marked.every((one) => one.precious) && treasure.pieces.length > 0) {
    return keeping(wanted, { ...treasure, pieces: [] });
  }
  return inCommitOrder(marked);
}

/** What is left of a restoring plan, in commit order. If every place is precious none is: one has to be the first. */
export function oneFirst(copies: readonly PlannedCopy[]): PlannedCopy[] {
  const all = copies.every((copy) => copy.precious);
  return inCommitOrder(all ? copies.map((copy) => ({ ...copy, precious: false })) : copies);
}

function regionOf({ seat, copy }: PlannedCopy): Region {
  const slot = seat.spare?.slots[copy.copyIndex];
  if (slot === undefined) throw new RangeError(`spare ${seat.index} has no slot ${copy.copyIndex}`);
  return slot.region;
}

function holds({ seat, copy }: PlannedCopy, generation: Generation): boolean {
  const whole = seat.spare?.slots[copy.copyIndex]?.generation ?? null;
  return whole !== null && sameGeneration(whole, generation);
}
