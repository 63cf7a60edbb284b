// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that was ever written in the life of a setup and of its relatives: the main line, a line that split off, a
// setup with other uuids. What properties and fuzzing take pieces from, and hold results against.
import fc from 'fast-check';
import { commit, RUN_B, RUN_C, story } from '../../fixtures/build';
import type { SetupOptions } from '../../fixtures/build';
import type { Generation } from '../../src/core/generation';
import { encodeCopy } from '../../src/core/generation';
import { placeOf } from './bench';

export interface History {
  /** For messages. */
  readonly name: string;
  readonly spares: number;
  readonly setupUuid: string;
  /** Main line, oldest first; the last is the newest. */
  readonly line: readonly Generation[];
  /** The newest of the main line: acknowledged. */
  readonly newest: Generation;
  /** Made by the last spare alone, after generation 4 of the main line. */
  readonly branch: readonly Generation[];
  /** All of this setup, then those of another setup. */
  readonly written: readonly Generation[];
  readonly stranger: readonly Generation[];
}

export function history(name: string, options: SetupOptions): History {
  const { spares = 1 } = options;
  const main = story(options);
  const alone = [spares - 1];
  const first = commit(main.at(4), { run: RUN_B, spares: alone, event: 2 });
  const second = commit(first, { spares: alone, entries: [] });
  // A run that every spare takes part in, begun after the clean stop.
  const late = commit(main.newest, { run: RUN_C, state: 1, event: 2 });
  const line = [...main.generations, late];
  const stranger = story({ ...options, id: 2 }).generations.slice(-2);
  const made = {
    name,
    spares,
    setupUuid: late.header.setupUuid,
    line,
    newest: late,
    branch: [first, second],
    written: [...line, first, second, ...stranger],
    stranger,
  };
  // Shown by its name when a property fails, and not as all the bytes that were ever written.
  return Object.defineProperty(made, fc.toStringMethod, { value: () => name });
}

/** Setups of one to three spares, without entries, with one block, with several, and with unusual layouts. */
export const HISTORIES: readonly History[] = [
  history('one spare', {}),
  history('one spare without entries', { entries: 0 }),
  history('two spares', { spares: 2, entries: 20, lostAndRetired: true }),
  history('three spares, three blocks', { spares: 3, entries: 300 }),
  history('one spare, other order of sections', { entries: 140, movedSections: true, reserved: true }),
  history('two spares, an unknown section', { spares: 2, entries: 12, unknownSection: true, reserved: true }),
];

const copies = new Map<Generation, Map<string, Uint8Array>>();

/** The bytes of a copy, made once; not to be changed. */
export function copyOf(generation: Generation, spare: number, copy: number): Uint8Array {
  const own = copies.get(generation) ?? new Map<string, Uint8Array>();
  copies.set(generation, own);
  const key = `${spare}:${copy}`;
  const known = own.get(key);
  if (known !== undefined) return known;
  const made = encodeCopy(generation, placeOf(generation, spare, copy));
  own.set(key, made);
  return made;
}
