// SPDX-License-Identifier: GPL-2.0-or-later
// Mutated spares for fuzzing: the same seed gives the same spares on every machine. The mutations of one copy are in
// mutate.ts; what has to hold for them is in fuzz-harness.ts.
import { encodeInto } from '../../src/core/codec';
import type { Gap } from '../../src/core/extents';
import { sealHeader } from '../../src/core/generation';
import type { Generation } from '../../src/core/generation';
import { HEADER, HEADER_BYTES } from '../../src/core/layout';
import { COPY_INDEXES, placeOf } from './bench';
import type { BenchSpare } from './bench';
import { copyOf } from './histories';
import type { History } from './histories';
import { below, chance, graftFrom, mend, mutateField, pick, scribble, swapParts, targetsIn } from './mutate';
import type { Random } from './mutate';
import { prng } from './prng';

export interface FuzzImage {
  readonly setupUuid: string;
  readonly spares: readonly BenchSpare[];
  /** What was done, for the message of a failure. */
  readonly story: readonly string[];
}

/** Copies before any mutation: which generation lies where. */
function arrangement(history: History, random: Random): Generation[][] {
  const { line, newest, branch, stranger, spares } = history;
  const kind = below(random, 8);
  return Array.from({ length: spares }, (_unused, spare) =>
    COPY_INDEXES.map(() => {
      if (kind === 4) return pick(random, line);
      if (kind === 5 && spare === spares - 1) return pick(random, branch);
      if (kind === 6 && spare === spares - 1) return line[line.length - 2] ?? newest;
      if (kind === 7 && chance(random, 30)) return pick(random, stranger);
      return newest;
    }),
  );
}

/** Changes a copy of its own up to six times; mends most. */
function mutate(
  copy: Uint8Array,
  pristine: Uint8Array,
  history: History,
  random: Random,
  story: string[],
): void {
  const targets = targetsIn(pristine);
  const times = 1 + below(random, chance(random, 70) ? 2 : 6);
  for (let i = 0; i < times; i++) {
    const how = below(random, 20);
    if (how < 14) story.push(mutateField(copy, targets, random));
    else if (how < 16) story.push(graftFrom(copy, anyCopy(history, random), random));
    else if (how < 18) story.push(swapParts(copy, random));
    else story.push(scribble(copy, random));
  }
  if (chance(random, 85)) mend(copy);
  else if (chance(random, 50)) sealHeader(copy.subarray(0, HEADER_BYTES));
  else story.push('not mended');
}

function anyCopy(history: History, random: Random): Uint8Array {
  const generation = pick(random, history.written);
  return copyOf(generation, below(random, generation.header.spareCount), below(random, 5));
}

/** One mutated generation in all places, or copies mutated each by itself. */
export function fuzzImage(histories: readonly History[], seed: number): FuzzImage {
  const random = prng(seed);
  const history = pick(random, histories);
  const story = [history.name];
  const placed = arrangement(history, random);
  const spares = placed.map((row, spare) => ({
    slots: row.map((generation, copy) => copyOf(generation, spare % generation.header.spareCount, copy)),
    gaps: row.map((): Gap[] => []),
  }));
  if (chance(random, 45)) everywhere(history, spares, random, story);
  else {
    for (let i = 1 + below(random, 3); i > 0; i--) {
      const spare = below(random, history.spares);
      const copy = below(random, 5);
      const slots = spares[spare]?.slots;
      const pristine = slots?.[copy];
      if (slots === undefined || pristine === undefined) continue;
      const own = pristine.slice();
      story.push(`spare ${spare} copy ${copy}:`);
      mutate(own, copyOf(placed[spare]?.[copy] ?? history.newest, 0, copy), history, random, story);
      slots[copy] = own;
    }
  }
  if (chance(random, 12)) cutOrHide(spares, random, story);
  // Now and then not all spares of a setup are given, or one is given twice.
  const given = chance(random, 10) ? spares.slice(0, 1 + below(random, spares.length)) : spares;
  const twice = chance(random, 3) ? given.slice(0, 1) : [];
  return {
    setupUuid: chance(random, 2) ? pick(random, history.stranger).header.setupUuid : history.setupUuid,
    spares: [...given, ...twice],
    story,
  };
}

/** The same mutated generation in every place: what a defective writer, or a careful forger, would have left. */
function everywhere(history: History, spares: readonly BenchSpare[], random: Random, story: string[]): void {
  story.push('everywhere:');
  const pristine = copyOf(history.newest, 0, 0);
  const own = pristine.slice();
  mutate(own, pristine, history, random, story);
  spares.forEach(({ slots }, spare) => {
    for (const copy of COPY_INDEXES) {
      const slot = own.slice();
      encodeInto(HEADER, slot, 0, placeOf(history.newest, spare, copy));
      sealHeader(slot.subarray(0, HEADER_BYTES));
      slots[copy] = slot;
    }
  });
}

/** Ends of images, and parts that could not be read. */
function cutOrHide(
  spares: readonly { readonly slots: Uint8Array[]; readonly gaps: Gap[][] }[],
  random: Random,
  story: string[],
): void {
  const { slots, gaps } = pick(random, spares);
  const copy = below(random, 5);
  const length = slots[copy]?.length ?? 0;
  const at = below(random, length + 1);
  if (chance(random, 40)) {
    story.push(`slot ${copy} ends at ${at}`);
    slots[copy] = (slots[copy] ?? new Uint8Array(0)).slice(0, at);
    return;
  }
  const end = Math.min(length, at + 512 * (1 + below(random, 16)));
  const kind = chance(random, 70) ? 'unread' : 'beyond-end';
  story.push(`bytes ${at} to ${end} of slot ${copy} are ${kind}`);
  if (end > at) gaps[copy]?.push({ start: at, end, kind, reason: 'EIO: i/o error' });
}
