// SPDX-License-Identifier: GPL-2.0-or-later
// Differences between two slots: none is missed, none is invented, and nothing in a slot can make showing it fail.
import fc from 'fast-check';
import { commit, copyBytes, entriesOf, firstGeneration } from '../../fixtures/build';
import { annotateSlot, slotHex } from '../../src/core/annotate';
import { encodeInto } from '../../src/core/codec';
import { contentsFound } from '../../src/core/describe';
import { MOST_DIFFERENCES, compareSlots } from '../../src/core/differences';
import type { Region } from '../../src/core/extents';
import { sealHeader } from '../../src/core/generation';
import { ENTRY, HEADER, PER_COPY_FIELDS } from '../../src/core/layout';

const region = (bytes: Uint8Array, gaps: Region['gaps'] = []): Region => ({ bytes, gaps });

describe('differences', () => {
  const generation = commit(firstGeneration({ spares: 2, entries: 200, unknownSection: true }), {
    entries: entriesOf(200, 2),
  });
  const copy = copyBytes(generation, 0, 0);

  test('copies of one generation differ in the per-copy fields only', () => {
    const { fields, ranges, omitted } = compareSlots(region(copy), region(copyBytes(generation, 1, 3)));
    expect(fields.map(({ path }) => path)).toEqual(
      ['spareUuid', 'copyIndex', 'spareIndex', 'headerCrc'].map((name) => `header.${name}`),
    );
    expect(new Set(PER_COPY_FIELDS)).toEqual(new Set(fields.map(({ path }) => path.slice(7))));
    expect(fields.every(({ perCopy }) => perCopy)).toBe(true);
    expect([ranges, omitted]).toEqual([[], 0]);
  });

  test('a copy does not differ from itself', () => {
    expect(compareSlots(region(copy), region(copy.slice()))).toEqual({ fields: [], ranges: [], omitted: 0 });
  });

  test('every byte counts: in a field, in an unknown section, or in none', () => {
    fc.assert(
      fc.property(fc.nat(copy.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const other = copy.slice();
        other[at] = (other[at] ?? 0) ^ mask;
        const { fields, ranges } = compareSlots(region(copy), region(other));
        expect(fields.length + ranges.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  test('one new entry is one difference in the table, although it moves all behind it', () => {
    const entries = entriesOf(200, 2);
    const [, second] = entries;
    const fewer = commit(generation, { entries: entries.filter((entry) => entry !== second) });
    const { fields } = compareSlots(region(copy), region(copyBytes(fewer, 0, 0)));
    expect(fields.filter(({ path }) => path.startsWith('remaps[main'))).toEqual([
      {
        section: 'REMAPS',
        path: 'remaps[main 2064]',
        a: '8 sectors at spare 1 sector 10240',
        b: null,
        perCopy: false,
      },
    ]);
  });

  test('an entry whose main sector is damaged is compared with the one in its place', () => {
    const other = copy.slice();
    encodeInto(ENTRY, other, 24576 + 32, { mainSector: 5n });
    expect(compareSlots(region(copy), region(other)).fields).toEqual([
      { section: 'REMAPS', path: 'remaps[0].entries[1].mainSector', a: '2064', b: '5', perCopy: false },
    ]);
  });

  test('bytes outside any field are ranges', () => {
    const other = copy.slice();
    other.fill(1, 600, 610);
    other[18000] = 1;
    expect(compareSlots(region(copy), region(other)).ranges).toEqual([
      { where: 'unused', start: 600, end: 610 },
      { where: 'unused', start: 18000, end: 18001 },
    ]);
    const unknown = copy.slice();
    unknown.fill(0xfe, unknown.length - 4000, unknown.length - 3999);
    expect(compareSlots(region(copy), region(unknown)).ranges[0]?.where).toBe('section 32343');
  });

  test('what was not read on one side is a difference, on both sides none', () => {
    const gaps: Region['gaps'] = [{ start: 16384, end: 16896, kind: 'unread', reason: 'EIO' }];
    const found = compareSlots(region(copy), region(copy, gaps));
    expect(found.fields[0]).toMatchObject({
      section: 'HEALTH',
      path: 'health.score',
      a: '97',
      b: 'not read: EIO',
    });
    expect(compareSlots(region(copy, gaps), region(copy, gaps)).fields).toEqual([]);
  });

  test('no more than so many are listed', () => {
    const other = copy.slice();
    for (let at = 24576; at < 24576 + 8192; at++) other[at] = (at * 7) & 0xff;
    const found = compareSlots(region(copy), region(other));
    expect(found.fields.length).toBeLessThanOrEqual(MOST_DIFFERENCES);
    const noise = Uint8Array.from(copy, (_byte, i) => (i * 31 + (i >> 8)) & 0xff);
    expect(compareSlots(region(copy), region(noise)).fields.length).toBeLessThanOrEqual(MOST_DIFFERENCES);
  });
});

test('hostile headers make nothing fail', () => {
  const base = copyBytes(commit(firstGeneration({ spares: 3 }), { entries: entriesOf(30, 3) }), 0, 0);
  const word = fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 4096, 24576, 0x7fffffff, 0xffffffff));
  const entry = fc.record({
    type: fc.nat(8),
    offset: word,
    length: word,
    recordCount: word,
    crc: word,
    reserved: word,
  });
  const hostile = fc.record({
    slotBytes: word,
    spareCount: fc.nat(255),
    directory: fc.array(entry, { minLength: 8, maxLength: 8 }),
  });
  fc.assert(
    fc.property(hostile, fc.nat(base.length), (fields, length) => {
      const slot = base.slice();
      encodeInto(HEADER, slot, 0, fields);
      sealHeader(slot.subarray(0, 512));
      for (const bytes of [slot, slot.subarray(0, length)]) {
        const found = contentsFound(region(bytes));
        expect(found.remaps.length).toBeLessThanOrEqual(15494);
        expect([...annotateSlot(region(bytes))].length).toBeGreaterThan(0);
        compareSlots(region(bytes), region(base));
        expect([...slotHex(region(bytes))].join('')).toMatch(/^[0-9a-f]*$/);
      }
    }),
    { numRuns: 200 },
  );
});
