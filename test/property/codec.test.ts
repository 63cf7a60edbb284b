// SPDX-License-Identifier: GPL-2.0-or-later
// Encoding and decoding undo each other: for every structure of layout.ts, in any place of any buffer, and for whole
// copies of any generation. What the fields mean is in test/unit.
import fc from 'fast-check';
import { equalBytes } from '../../src/core/bytes';
import { decode, decodeMany, encode, encodeInto, fieldRanges } from '../../src/core/codec';
import type { RecordOf, Struct } from '../../src/core/codec';
import type { Generation } from '../../src/core/generation';
import {
  encodeConfig,
  encodeDevices,
  encodeEvents,
  encodeHealth,
  partsOf,
  sealGeneration,
} from '../../src/core/assemble';
import { contentsOf, encodeCopy, generationOf, sectionBytes } from '../../src/core/generation';
import { judgeSlot, sameGeneration } from '../../src/core/judge';
import { SECTION } from '../../src/core/layout';
import { arbitraryGeneration, arbitraryOddLayout, copyPlaces } from '../support/arbitrary-generation';
import { anyBytes, arbitraryRecord, STRUCTS } from '../support/arbitrary-record';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';

jest.setTimeout(PATIENCE_MS);

describe.each(STRUCTS.map((struct) => ({ name: struct.name, struct })))('$name', ({ struct }) => {
  test('its fields tile it: no byte belongs to two, none to none', () => {
    holdTiling(struct);
  });

  test('any record comes back from its bytes', () => {
    fc.assert(
      fc.property(arbitraryRecord(struct), (record) => {
        expect(decode(struct, encode(struct, record))).toEqual(record);
      }),
      fixedRuns(60),
    );
  });

  test('any bytes come back from their record', () => {
    fc.assert(
      fc.property(anyBytes(struct.size), (bytes) => {
        expect(equalBytes(encode(struct, decode(struct, bytes)), bytes)).toBe(true);
      }),
      fixedRuns(200),
    );
  });

  test('in any place of a buffer, without touching a byte beside it', () => {
    fc.assert(
      fc.property(
        arbitraryRecord(struct),
        fc.nat(40),
        fc.nat(40),
        fc.nat(255),
        (record, before, after, fill) => {
          const buffer = new Uint8Array(before + struct.size + after).fill(fill);
          encodeInto(struct, buffer, before, record);
          expect(buffer.subarray(0, before).every((byte) => byte === fill)).toBe(true);
          expect(buffer.subarray(before + struct.size).every((byte) => byte === fill)).toBe(true);
          expect(equalBytes(buffer.subarray(before, before + struct.size), encode(struct, record))).toBe(
            true,
          );
          expect(decode(struct, buffer, before)).toEqual(record);
        },
      ),
      fixedRuns(30),
    );
  });

  test('fields that are not given keep their bytes', () => {
    const names = struct.fields.map((field) => field.name);
    fc.assert(
      fc.property(
        anyBytes(struct.size),
        arbitraryRecord(struct),
        fc.subarray(names),
        (bytes, record, given) => {
          const changed = bytes.slice();
          const some = Object.fromEntries(
            given.map((name) => [name, (record as Record<string, unknown>)[name]]),
          );
          encodeInto(struct, changed, 0, some as Partial<RecordOf<Struct>>);
          const was = decode(struct, bytes) as Record<string, unknown>;
          expect(decode(struct, changed)).toEqual({ ...was, ...some });
        },
      ),
      fixedRuns(60),
    );
  });

  test('several behind one another are each their own', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.nat(8), (count, at) => {
        const bytes = Uint8Array.from(
          { length: at + count * struct.size },
          (_unused, i) => (i * 31 + 7) & 0xff,
        );
        const many = decodeMany(struct, bytes, at, count);
        expect(many).toEqual(
          Array.from({ length: count }, (_unused, i) => decode(struct, bytes, at + i * struct.size)),
        );
      }),
      fixedRuns(10),
    );
  });
});

function holdTiling(struct: Struct): void {
  let at = 0;
  for (const range of fieldRanges(struct)) {
    expect([range.path, range.start]).toEqual([range.path, at]);
    expect(range.end).toBeGreaterThan(range.start);
    at = range.end;
  }
  expect(at).toBe(struct.size);
}

/** Both kinds of layout, texts of any bytes. */
const anyGeneration = fc.oneof(
  arbitraryGeneration({ malformedTexts: true }),
  arbitraryOddLayout({ entries: 40 }),
);

/** The copy is read as the same generation, and that makes the same copy. */
function roundTrip(generation: Generation): void {
  for (const place of copyPlaces(generation)) {
    const copy = encodeCopy(generation, place);
    const judged = judgeSlot({ bytes: copy, gaps: [] }, 'integrity');
    expect(judged.valid).toBe(true);
    const read = generationOf(copy, judged.header.header!);
    expect(read.header).toMatchObject(place);
    expect(sameGeneration(read, generation)).toBe(true);
    expect(equalBytes(encodeCopy(read, place), copy)).toBe(true);
    // Every other place's copy can be made from this one: only the per-copy fields differ.
    const [first] = copyPlaces(generation);
    expect(equalBytes(encodeCopy(read, first!), encodeCopy(generation, first!))).toBe(true);
  }
}

describe('whole copies', () => {
  test('are read as the generation they were made from, and make the same bytes again', () => {
    fc.assert(fc.property(anyGeneration, roundTrip), fixedRuns(40));
  });

  test('decoded sections make the same sections, and the same sections the same header', () => {
    fc.assert(
      fc.property(anyGeneration, (generation) => {
        const contents = contentsOf(generation);
        const made = new Map<number, Uint8Array>([
          [SECTION.devices, encodeDevices(contents.devices).bytes],
          [SECTION.config, encodeConfig(contents.config).bytes],
          [SECTION.health, encodeHealth(contents.health).bytes],
          [SECTION.events, encodeEvents(contents.events).bytes],
        ]);
        for (const [type, bytes] of made) {
          const was = generation.sections.find((section) => section.type === type)!.bytes;
          expect([type, equalBytes(bytes, was)]).toEqual([type, true]);
        }
        const { header, headerBytes, sections } = generation;
        const sealed = sealGeneration(header, sections, header.slotBytes, headerBytes);
        const used = sections.length;
        expect(sealed.header.directory.slice(0, used)).toEqual(header.directory.slice(0, used));
        expect(sealed.header.overallCrc).toBe(header.overallCrc);
        expect(partsOf(sealed)).toEqual(partsOf(generation));
        expect(sectionBytes(sealed, SECTION.remaps)).toEqual(sectionBytes(generation, SECTION.remaps));
      }),
      fixedRuns(40),
    );
  });
});
