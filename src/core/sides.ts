// SPDX-License-Identifier: GPL-2.0-or-later
// What a person can choose between with --choose: the sides of a split, or the generation that is older than one recovered
// only in part, and the copies to name each by. What is then written is planned in plan.ts.
import { isEvidenceOf } from './identity';
import { sameGenerationHeader } from './header';
import { sameGeneration } from './judge';
import type { Candidate, CopyState, SetupDecision } from './model';

/** A place as --choose names it. */
export interface Choice {
  readonly spare: number;
  readonly copy: number;
}

/**
 * Each history of a setup once, that which would win first; where none would, what was recovered in full before what is
 * whole. None at a level that does not read contents.
 */
export function sidesOf(decision: SetupDecision): Candidate[] {
  const { winner, candidates, seats } = decision;
  const sides: Candidate[] = [];
  const add = (side: Candidate | null | undefined): void => {
    if (!side || sides.some(({ generation }) => sameGeneration(generation, side.generation))) return;
    sides.push(side);
  };
  add(salvagedSide(decision));
  if (winner === null) add(candidates.find(({ salvage }) => salvage !== null));
  if (sides.length === 0 || winner === null) add(candidates.find(({ salvage }) => salvage === null));
  for (const candidate of candidates)
    if (winner?.salvage === null && candidate.generation.header.sequence === winner.header.sequence)
      add(candidate);
  for (const { standing, index } of seats) {
    if (standing !== 'diverged') continue;
    add(candidates.find(({ places }) => places.some(({ spare }) => spare.identity?.index === index)));
  }
  return sides;
}

/** The winner, where no whole copy of it is left: it is named by the place of its header. */
function salvagedSide({ winner }: SetupDecision): Candidate | null {
  if (!winner?.salvage || winner.generation === null) return null;
  return { generation: winner.generation, places: [winner.from], salvage: winner.salvage };
}

/** The generation that a choice names: one that is whole there, or the salvaged one whose header lies there; or null. */
export function chosenSide(decision: SetupDecision, choice: Choice): Candidate | null {
  const all = [salvagedSide(decision), ...decision.candidates];
  return all.find((one) => one?.places.some((place) => sitsAt(place, choice))) ?? null;
}

function sitsAt(place: Candidate['places'][number], { spare, copy }: Choice): boolean {
  return place.spare.identity?.index === spare && place.copyIndex === copy;
}

/** The copies that a side can be chosen by, in order. */
export function namesOfSide({ places }: Candidate): Choice[] {
  return places
    .flatMap(({ spare, copyIndex }) =>
      spare.identity === null ? [] : [{ spare: spare.identity.index, copy: copyIndex }],
    )
    .sort((a, b) => a.spare - b.spare || a.copy - b.copy);
}

/** Why a place can't be chosen, and what can be instead. */
export interface Unchoosable {
  /** A clause. */
  readonly why: string;
  /** The side that the place was of, where its header still says so; else all sides. */
  readonly instead: readonly Candidate[];
}

const STATE_SAYS: Readonly<Partial<Record<CopyState, string>>> = {
  unread: 'could not be read',
  overwritten: 'is overwritten by other content',
  foreign: 'is of another setup',
  unsupported: 'needs a newer tool',
  truncated: 'lies behind the end of the input',
};

/**
 * Explains a choice that names no whole copy. One that did, the first time: a power cut in the middle of the repair
 * leaves the copy torn that was under way, and just that may have been the one named.
 */
export function unchoosable(decision: SetupDecision, choice: Choice): Unchoosable {
  const sides = sidesOf(decision);
  const { spare, copy } = choice;
  const seat = decision.seats.find(({ index }) => index === spare);
  if (seat === undefined) return { why: `the setup has no spare ${spare}`, instead: sides };
  const slot = seat.spare?.slots[copy];
  if (slot === undefined) return { why: `spare ${spare} was not given`, instead: sides };
  const state = seat.copies[copy]?.state ?? 'corrupt';
  const why = `spare ${spare} copy ${copy} ${STATE_SAYS[state] ?? `is ${state}`}, and only a whole copy can be chosen`;
  const { header } = slot;
  if (!isEvidenceOf(header, decision.setupUuid)) return { why, instead: sides };
  const same = [...sides, ...decision.candidates].find(({ generation }) =>
    sameGenerationHeader(header.bytes, generation.headerBytes),
  );
  if (same === undefined) return { why, instead: sides };
  return {
    why: `${why}; sequence ${header.header.sequence}, which its header is of, is whole in other copies`,
    instead: [same],
  };
}
