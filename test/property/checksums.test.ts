// SPDX-License-Identifier: GPL-2.0-or-later
// The test that FORMAT.md asks for in its preamble: whatever changes in a record, and however its own crc is mended, the
// crc of its section and overall_crc must show it. A CRC appended to its own data would make both blind.
import fc from 'fast-check';
import { concatBytes } from '../../src/core/bytes';
import { crc32, crc32Combine, crc32WithHole } from '../../src/core/crc32';
import type { Generation, Section } from '../../src/core/generation';
import { encodeCopy, headerCrcOf, recordCrcPlaces, sealRecords } from '../../src/core/generation';
import { badRecordsOf, judgeSlot } from '../../src/core/judge';
import { HEADER_BYTES, HEADER_CRC_AT, SECTION } from '../../src/core/layout';
import { story } from '../../fixtures/build';
import { arbitraryGeneration } from '../support/arbitrary-generation';
import { placeOf } from '../support/bench';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';

jest.setTimeout(PATIENCE_MS);

const setup = story({
  spares: 3,
  entries: 130,
  lostAndRetired: true,
  unknownSection: true,
  reserved: true,
}).newest;

/** Bytes of a section that no record crc field covers. */
function outsideCrcFields(section: Section): number[] {
  const fields = new Set<number>();
  for (const { crcAt } of recordCrcPlaces(section.type, section.bytes.length)) {
    for (let i = 0; i < 4; i++) fields.add(crcAt + i);
  }
  return Array.from(section.bytes, (_byte, at) => at).filter((at) => !fields.has(at));
}

/** overall_crc over these sections, the one at `index` replaced. */
function overallWith(generation: Generation, index: number, bytes: Uint8Array): number {
  return generation.sections.reduce((crc, section, i) => crc32(i === index ? bytes : section.bytes, crc), 0);
}

describe.each(setup.sections.map((section, index) => ({ type: section.type, section, index })))(
  'section $type',
  ({ section, index }) => {
    test('every byte outside a crc field: with the record mended, section crc and overall_crc differ', () => {
      const bytes = section.bytes.slice();
      const before = crc32(bytes);
      expect(setup.header.directory[index]!.crc).toBe(before);
      const unseen: number[] = [];
      for (const at of outsideCrcFields(section)) {
        const was = bytes[at]!;
        bytes[at] = was ^ (1 << (at % 8));
        sealRecords(section.type, bytes);
        if (badRecordsOf(section.type, bytes).length > 0)
          throw new Error(`byte ${at}: the record was not mended`);
        const overall = overallWith(setup, index, bytes);
        if (crc32(bytes) === before || overall === setup.header.overallCrc) unseen.push(at);
        bytes[at] = was;
        sealRecords(section.type, bytes);
      }
      expect(unseen).toEqual([]);
      expect(crc32(bytes)).toBe(before);
    });
  },
);

test('any change of any bytes of any generation, mended as far as records go, is seen by both levels above', () => {
  const change = fc.record({
    section: fc.nat(),
    places: fc.array(fc.record({ at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) }), {
      minLength: 1,
      maxLength: 5,
    }),
  });
  fc.assert(
    fc.property(arbitraryGeneration({ entries: 200 }), change, (generation, { section: which, places }) => {
      const index = which % generation.sections.length;
      const section = generation.sections[index]!;
      if (section.bytes.length === 0) return;
      const bytes = section.bytes.slice();
      for (const { at, xor } of places) bytes[at % bytes.length]! ^= xor;
      sealRecords(section.type, bytes);
      const same = bytes.every((byte, at) => byte === section.bytes[at]);
      expect(crc32(bytes) === generation.header.directory[index]!.crc).toBe(same);
      expect(overallWith(generation, index, bytes) === generation.header.overallCrc).toBe(same);
    }),
    fixedRuns(150),
  );
});

test('every byte of the header outside header_crc changes header_crc', () => {
  const header = encodeCopy(setup, placeOf(setup, 1, 2)).subarray(0, HEADER_BYTES);
  const right = headerCrcOf(header);
  for (let at = 0; at < HEADER_BYTES; at++) {
    for (const bit of [1, 128]) {
      header[at]! ^= bit;
      const isField = at >= HEADER_CRC_AT && at < HEADER_CRC_AT + 4;
      expect([at, headerCrcOf(header) === right]).toEqual([at, isField]);
      header[at]! ^= bit;
    }
  }
});

test('any single bit of a copy, gaps apart, makes it invalid', () => {
  const copy = encodeCopy(setup, placeOf(setup, 0, 4));
  const covered = [{ start: 0, end: HEADER_BYTES }].concat(
    setup.sections.map(({ offset, bytes }) => ({ start: offset, end: offset + bytes.length })),
  );
  const valid: number[] = [];
  for (const { start, end } of covered) {
    // Every byte would take a while and prove no more: all of the header, every third byte behind it.
    for (let at = start; at < end; at += start === 0 ? 1 : 3) {
      copy[at]! ^= 1 << (at % 8);
      if (judgeSlot({ bytes: copy, gaps: [] }, 'integrity').valid) valid.push(at);
      copy[at]! ^= 1 << (at % 8);
    }
  }
  expect(valid).toEqual([]);
  expect(judgeSlot({ bytes: copy, gaps: [] }, 'integrity').valid).toBe(true);
});

test('what FORMAT.md warns of: a CRC over data with its own CRC behind it is the same whatever the data', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (data) => {
      const own = new Uint8Array(4);
      new DataView(own.buffer).setUint32(0, crc32(data), true);
      expect(crc32(concatBytes([data, own]))).toBe(0x2144df1c);
    }),
    fixedRuns(50),
  );
  // The crc of this format is taken with its field as zero, in place, and so the whole record has no constant CRC.
  const remaps = setup.sections.find(({ type }) => type === SECTION.remaps)!.bytes;
  const blocks = new Set<number>();
  for (let at = 0; at < remaps.length; at += 4096) blocks.add(crc32(remaps.subarray(at, at + 4096)));
  expect(blocks.size).toBe(remaps.length / 4096);
});

test('a crc with a hole is the crc with that field zero, wherever the hole lies', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 300 }), fc.nat(), fc.nat(), (bytes, a, b) => {
      const start = a % (bytes.length - 4);
      const crcAt = start + (b % (bytes.length - 3 - start));
      const zeroed = bytes.slice(start);
      zeroed.fill(0, crcAt - start, crcAt - start + 4);
      expect(crc32WithHole(bytes, start, bytes.length, crcAt)).toBe(crc32(zeroed));
    }),
    fixedRuns(300),
  );
});

test('combining the crcs of two parts is the crc of both together, empty ones included', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.uint8Array({ maxLength: 5000 }), (a, b) => {
      expect(crc32Combine(crc32(a), crc32(b), b.length)).toBe(crc32(concatBytes([a, b])));
    }),
    fixedRuns(300),
  );
});
