// SPDX-License-Identifier: GPL-2.0-or-later
// In which order places are written, and which of them must wait until a new copy is whole: for repairs and for restores.
// What is written to them, and by whose leave, is in plan.ts and in src/commands/restore-plan.ts.
import type { Region } from './extents';
import type { Generation } from './generation';
import { sameGeneration } from './judge';

/** Copies in the order in which a commit writes them when none is known to be good (FORMAT.md section 6). */
export const COMMIT_ORDER = [1, 2, 3, 4, 0] as const;

/** A slot that is to be written, and what lies in it. */
export interface Place {
  readonly spareIndex: number;
  readonly copyIndex: number;
  readonly region: Region;
  /** The generation of the setup of which a whole copy lies there, in its own place or not; else null. */
  readonly whole: Generation | null;
  /** Whether that copy lies in its own place; a misplaced one never counts (FORMAT.md section 4). */
  readonly inPlace: boolean;
}

export interface Planned {
  readonly place: Place;
  /** It holds the last of something: not to be touched until a copy of the plan's generation is whole. */
  readonly precious: boolean;
}

/**
 * The order of FORMAT.md section 6, over all spares at once: places without a whole copy first, then the whole ones by
 * their sequence, and among equals slots 1, 2, 3, 4 and last 0; what is precious comes last of all.
 *
 * By sequence, because a spare may show a higher one than the rest of its copies have (of a commit that was cut). That copy
 * under way first, and the power cut: its old header would stay over new sections, and the spare by itself would
 * show a newer generation of which nothing whole is left.
 */
export function inCommitOrder<T extends Planned>(copies: readonly T[]): T[] {
  const sequence = ({ place }: T): bigint => place.whole?.header.sequence ?? 0n;
  const rank = ({ place }: T): number => COMMIT_ORDER.findIndex((copy) => copy === place.copyIndex);
  return copies.slice().sort((a, b) => {
    if (a.precious !== b.precious) return a.precious ? 1 : -1;
    const [x, y] = [sequence(a), sequence(b)];
    if (x !== y) return x < y ? -1 : 1;
    return rank(a) - rank(b) || a.place.spareIndex - b.place.spareIndex;
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
 * Of the generations of which there is a whole copy, best first (FORMAT.md section 5), those of which the last one has to
 * wait: the best, all that have the highest sequence shown anywhere (both sides of a split), and `base`, whose contents
 * are put in force.
 */
export function worthKeeping(
  generations: readonly Generation[],
  highestSeen: bigint,
  base: Generation,
): Generation[] {
  return generations.filter(
    (one, i) => i === 0 || one.header.sequence === highestSeen || sameGeneration(one, base),
  );
}

/**
 * In commit order, with the places that have to wait marked as precious. All the others together can be destroyed, by a
 * power cut or by one failing write after the other, and what is treasured is still there.
 */
export function keeping<T extends Planned>(wanted: readonly T[], treasure: Treasure): T[] {
  const order = inCommitOrder(wanted);
  const generations = treasure.generations.map((generation) =>
    order.filter(({ place }) => holds(place, generation)).map(({ place }) => place.region),
  );
  const pieces = [...generations, ...treasure.pieces];
  const gone = new Set<Region>();
  const marked = order.map((one): T => {
    const { region } = one.place;
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
export function oneFirst<T extends Planned>(copies: readonly T[]): T[] {
  const all = copies.every((copy) => copy.precious);
  return inCommitOrder(all ? copies.map((copy) => ({ ...copy, precious: false })) : copies);
}

function holds({ whole, inPlace }: Place, generation: Generation): boolean {
  return whole !== null && inPlace && sameGeneration(whole, generation);
}
