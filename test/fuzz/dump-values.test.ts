// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps with any value anywhere: refused, or a generation that a restore puts on spares which are then clean. Damage to
// the bytes of a dump, and every refusal by itself, are in test/unit/dumpform-refusals.test.ts.
import fc from 'fast-check';
import { encodeUtf8 } from '../../src/core/bytes';
import { parseDump } from '../../src/core/dumpform';
import { encodeCopy } from '../../src/core/generation';
import { judgeSlot, sameGeneration } from '../../src/core/judge';
import { rulesBroken } from '../../src/core/rules';
import { story } from '../../fixtures/build';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';
import { DUMP, dumpOf, machine, noSpare, run, S0, S1 } from '../support/restore-world';

jest.setTimeout(PATIENCE_MS);

const NEWEST = story({ spares: 2, entries: 9, unknownSection: true, lostAndRetired: true }).newest;
const TEXT = dumpOf(NEWEST);

/** Every place of a document, as the keys that lead to it. */
function placesIn(value: unknown, path: readonly string[] = []): string[][] {
  const own = path.length === 0 ? [] : [[...path]];
  if (typeof value !== 'object' || value === null) return own;
  return [...own, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...path, key]))];
}

const PLACES = placesIn(JSON.parse(TEXT));

/** The dump with another value in one place; undefined takes it away. */
function withValue(text: string, path: readonly string[], value: unknown): string {
  const root = JSON.parse(text) as Record<string, unknown>;
  let at: Record<string, unknown> = root;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = path.at(-1)!;
  if (value === undefined) Reflect.deleteProperty(at, last);
  else at[last] = value;
  return JSON.stringify(root);
}

const decimals = fc.oneof(
  fc.bigInt({ min: -1n, max: 1n << 65n }).map(String),
  fc.constantFrom(
    '0',
    '1',
    '6',
    '7',
    '4096',
    '24576',
    '28672',
    '524288',
    '9223372036854775807',
    '18446744073709551615',
  ),
);
const hostile = fc.oneof(
  { weight: 4, arbitrary: decimals },
  { weight: 3, arbitrary: fc.oneof(fc.integer({ min: -1, max: 300 }), fc.integer(), fc.double()) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 140 }) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 2, arbitrary: fc.stringMatching(/^[0-9a-f]{0,64}$/) },
  { weight: 2, arbitrary: fc.uuid() },
  { weight: 1, arbitrary: fc.constant(undefined) },
);

/** A value of the kind that stands there. */
function similar(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value === 'number') return fc.oneof(fc.nat(9), fc.nat(0xffff), fc.nat(0xffffffff));
  if (typeof value === 'boolean') return fc.boolean();
  if (typeof value !== 'string') return hostile;
  if (/^[0-9]+$/.test(value)) return decimals;
  if (/^[0-9a-f]{8}-/.test(value)) return fc.uuid();
  if (/^([0-9a-f]{2}){8,}$/.test(value)) return fc.stringMatching(new RegExp(`^[0-9a-f]{${value.length}}$`));
  return fc.string({ unit: 'grapheme', maxLength: 60 });
}

function valueAt(path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], JSON.parse(TEXT));
}

/** Places by their first keys, so that the hundred events do not hide the header. */
const edit = fc
  .constantFrom(...new Set(PLACES.map(([first = '']) => first)))
  .chain((first) => fc.constantFrom(...PLACES.filter((path) => path[0] === first)))
  .chain((path) =>
    fc.tuple(
      fc.constant(path),
      fc.oneof({ weight: 4, arbitrary: similar(valueAt(path)) }, { weight: 1, arbitrary: hostile }),
    ),
  );
const edits = fc.array(edit, { minLength: 1, maxLength: 3 });

/** The dump with these edits; one whose place another has taken away is left out. */
function edited(list: readonly (readonly [readonly string[], unknown])[]): string {
  return list.reduce((text, [path, value]) => {
    try {
      return withValue(text, path, value);
    } catch (error) {
      if (error instanceof TypeError) return text;
      throw error;
    }
  }, TEXT);
}

test('a generation or problems, and no exception; what is taken makes valid copies', () => {
  let taken = 0;
  fc.assert(
    fc.property(edits, (list) => {
      const read = parseDump(encodeUtf8(edited(list)));
      if (!read.ok) {
        expect(read.problems.length).toBeGreaterThan(0);
        return;
      }
      taken++;
      rulesBroken(read.generation);
      const { spareIndex, spareUuid, copyIndex } = read.generation.header;
      const bytes = encodeCopy(read.generation, { spareIndex, spareUuid, copyIndex });
      const judged = judgeSlot({ bytes, gaps: [] }, 'integrity');
      // A value out of range is for judge.ts to refuse; where it is in range, the copy is valid and the same.
      if (judged.generation !== null) expect(sameGeneration(judged.generation, read.generation)).toBe(true);
      else
        expect(
          judged.header.rangeProblems.length + (judged.header.unsupported === null ? 0 : 1),
        ).toBeGreaterThan(0);
    }),
    fixedRuns(700),
  );
  expect(taken).toBeGreaterThan(50);
});

test('what dmremap-restore takes is clean afterwards, and what it refuses changes nothing', async () => {
  let restored = 0;
  await fc.assert(
    fc.asyncProperty(edits, async (list) => {
      const host = machine([noSpare(), noSpare()], edited(list));
      const { status, out } = await run.restore(host, '--json', DUMP, S0, S1);
      const document = JSON.parse(out) as { exitCode: number; error: unknown };
      expect(document.exitCode).toBe(status);
      if (status !== 0) {
        expect(host.log.filter(({ path }) => path === S0 || path === S1)).toEqual([]);
        return;
      }
      restored++;
      const check = await run.fsck(host, '-n', S0, S1);
      expect(check.status).toBe(0);
      const again = await run.restore(host, '--json', DUMP, S0, S1);
      expect([again.status, JSON.parse(again.out)]).toMatchObject([0, { error: null }]);
    }),
    fixedRuns(120),
  );
  expect(restored).toBeGreaterThan(10);
});
