// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel's format code writes: the same bytes as the toolkit for the same generation, whether it is one that is
// written again or the next one of a line that the fixtures tell on their own.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { commit, story } from '../../fixtures/build';
import type { SetupOptions } from '../../fixtures/build';
import { encode } from '../../src/core/codec';
import type { Generation, Section } from '../../src/core/generation';
import { makeGeneration, partsOf, sealGeneration } from '../../src/core/assemble';
import { contentsOf, encodeCopy, sectionBytes } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import {
  BLOCK_BYTES,
  ENTRY,
  EVENT_RING,
  MAX_ENTRIES,
  SECTION,
  SECTION_OFFSET,
  SLOT_ROOM_BYTES,
  SLOT_SECTORS,
  STATE_ACTIVE,
} from '../../src/core/layout';
import type { RemapEntry } from '../../src/core/layout';
import { arbitraryGeneration, arbitraryOddLayout } from '../support/arbitrary-generation';
import { placeOf } from '../support/bench';
import { fixedRuns } from '../support/fixed-runs';
import { HISTORIES } from '../support/histories';
import { describeC } from '../support/kernel-c';
import type { Encoded, EncodeQuestion } from '../support/kernel-judge';
import { askEncode, buildJudge } from '../support/kernel-judge';
import { removeTree, temporaryDirectory } from '../support/temporary';
import '../support/engines';

jest.setTimeout(300_000);

const VECTORS = join(__dirname, '..', '..', 'fixtures', 'vectors');
const VECTOR_SPARES = ['empty/spare0', 'one/spare0', 'three/spare0', 'three/spare1', 'three/spare2'];

/** Valid copies of a vector's spare, byte for byte. */
function copiesOf(name: string): Uint8Array[] {
  const image = gunzipSync(readFileSync(join(VECTORS, `${name}.img.gz`)));
  return SLOT_SECTORS.map((sector) => {
    const start = Number(sector) * 512;
    const bytes = new Uint8Array(image.subarray(start, start + SLOT_ROOM_BYTES));
    const judgement = judgeSlot({ bytes, gaps: [] }, 'complete');
    if (!judgement.valid || judgement.header.header === null) throw new Error(`${name}: not valid`);
    return bytes.subarray(0, judgement.header.header.slotBytes);
  });
}

function entryBytes(entries: readonly RemapEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY.size);
  entries.forEach((entry, i) => {
    bytes.set(encode(ENTRY, entry), i * ENTRY.size);
  });
  return bytes;
}

/** True if the kernel made these bytes, or both say that there is no room for them. */
function same(encoded: Encoded | undefined, wanted: Uint8Array | null): boolean {
  if (encoded === undefined) return false;
  if (encoded.image === null || wanted === null) return encoded.image === wanted;
  return Buffer.compare(encoded.image, wanted) === 0;
}

/** The same generation again. */
function again(copy: Uint8Array): EncodeQuestion {
  const { header, generation } = judgeSlot({ bytes: copy, gaps: [] }, 'complete');
  if (header.header === null || generation === null) throw new Error('not valid');
  const { sequence, writtenNs, state, runId } = header.header;
  const entries = entryBytes(contentsOf(generation).remaps);
  return { copy, devices: null, entries, sequence, writtenNs, state, runId };
}

/** The generation with an unknown section of a block at 8192, and another of so many blocks behind REMAPS. */
function withUnknownBefore(generation: Generation, blocksBehind: number): Generation {
  const unknown = (type: number, offset: number, blocks: number): Section[] =>
    blocks === 0
      ? []
      : [
          {
            type,
            offset,
            recordCount: 1,
            reserved: 0,
            bytes: new Uint8Array(blocks * BLOCK_BYTES).fill(type),
          },
        ];
  const remaps = sectionBytes(generation, SECTION.remaps).length;
  const behind = SECTION_OFFSET[SECTION.remaps] + remaps;
  const sections = [...generation.sections, ...unknown(77, 8192, 1), ...unknown(78, behind, blocksBehind)];
  sections.sort((a, b) => a.offset - b.offset || a.bytes.length - b.bytes.length);
  return sealGeneration(
    generation.header,
    sections,
    behind + blocksBehind * BLOCK_BYTES,
    generation.headerBytes,
  );
}

/** A copy of a generation in the layout of v4.0 writers; null where that has no room for it. */
function canonical(generation: Generation, spare: number, copy: number): Uint8Array | null {
  const made = makeGeneration(generation.header, partsOf(generation), generation.headerBytes);
  return made === null ? null : encodeCopy(made, placeOf(made, spare, copy));
}

/** What the kernel is told to make the next generation of `before` of. Event: the newest of `after`. */
function next(before: Generation, after: Generation, spare: number, copy: number): EncodeQuestion {
  const { sequence, writtenNs, state, runId } = after.header;
  const { remaps, events } = contentsOf(after);
  const event = events.reduce((most, one) => (one.serial > most.serial ? one : most));
  // The kernel has to make the record crcs itself.
  const devices = sectionBytes(after, SECTION.devices).slice();
  for (let end = 512; end <= devices.length; end += 512) devices.fill(0xee, end - 4, end);
  return {
    copy: encodeCopy(before, placeOf(before, spare, copy)),
    devices,
    entries: entryBytes(remaps),
    ...{ sequence, writtenNs, state, runId, event },
  };
}

const SHAPES: readonly (readonly [name: string, options: SetupOptions])[] = [
  ['one spare', {}],
  ['two spares, lost and retired extents', { spares: 2, entries: 20, lostAndRetired: true }],
  ['eight spares, several blocks', { spares: 8, entries: 700 }],
  ['reserved bytes', { spares: 2, entries: 300, reserved: true }],
  ['an unknown section', { entries: 200, unknownSection: true, reserved: true }],
  ['other order of sections', { entries: 140, movedSections: true, reserved: true }],
  ['a full table', { entries: 15_494 }],
];

describeC('what the kernel encodes', () => {
  let folder = '';
  let judge = '';

  beforeAll(() => {
    folder = temporaryDirectory();
    judge = buildJudge(folder);
  });
  afterAll(() => {
    removeTree(folder);
  });

  test.each(VECTOR_SPARES)('the copies of %s are the same bytes again', (name) => {
    const copies = copiesOf(name);
    const encoded = askEncode(judge, copies.map(again));
    expect(copies.map((copy, i) => same(encoded[i], copy))).toEqual([true, true, true, true, true]);
  });

  test('every generation of the histories is the same bytes again, in the layout of v4.0', () => {
    const all = HISTORIES.flatMap(({ written }) => written);
    const encoded = askEncode(
      judge,
      all.map((generation) => again(encodeCopy(generation, placeOf(generation, 0, 3)))),
    );
    expect(all.map((generation, i) => same(encoded[i], canonical(generation, 0, 3)))).toEqual(
      all.map(() => true),
    );
    expect(all.length).toBeGreaterThan(50);
  });

  test.each([
    ['generations', arbitraryGeneration()],
    ['generations of unusual layouts', arbitraryOddLayout()],
  ] as const)('arbitrary %s are the same bytes again, in the layout of v4.0', (_what, arbitrary) => {
    const { numRuns, seed } = fixedRuns(60);
    const all = fc.sample(arbitrary, { numRuns, seed });
    const encoded = askEncode(
      judge,
      all.map((generation) => again(encodeCopy(generation, placeOf(generation, 0, 1)))),
    );
    expect(all.map((generation, i) => same(encoded[i], canonical(generation, 0, 1)))).toEqual(
      all.map(() => true),
    );
  });

  test.each(SHAPES)('the line of a setup with %s, commit by commit', (_name, options) => {
    const { generations, newest } = story(options);
    const fewer = contentsOf(newest).remaps.filter((_entry, i) => i % 5 !== 2);
    const late = commit(newest, { run: 7n, sequence: 99n, state: STATE_ACTIVE, event: 2 });
    const line = [
      ...generations,
      late,
      commit(late, { entries: fewer, event: 15 }),
      commit(late, { entries: [] }),
    ];
    const pairs = line.slice(1).map((after, i): [Generation, Generation] => {
      const before = i + 1 === line.length - 1 ? late : line[i];
      if (before === undefined) throw new Error('no generation before');
      return [before, after];
    });
    const encoded = askEncode(
      judge,
      pairs.map(([before, after]) => next(before, after, 0, 4)),
    );
    expect(pairs.map(([, after], i) => same(encoded[i], canonical(after, 0, 4)))).toEqual(
      pairs.map(() => true),
    );
  });

  test('the ring of events goes round', () => {
    const line = [story().newest];
    for (let i = 0; i < EVENT_RING + 5; i++)
      line.push(commit(line[i] ?? story().newest, { event: 1 + (i % 3) }));
    const encoded = askEncode(
      judge,
      line.slice(1).map((after, i) => next(line[i] ?? after, after, 0, 0)),
    );
    expect(line.slice(1).map((after, i) => same(encoded[i], canonical(after, 0, 0)))).toEqual(
      line.slice(1).map(() => true),
    );
    expect(
      Math.max(...contentsOf(line.at(-1) ?? story().newest).events.map(({ serial }) => serial)),
    ).toBeGreaterThan(EVENT_RING);
  });

  test('entries fill the room that unknown sections leave, and no more', () => {
    const small = story().newest;
    const withUnknown = story({ unknownSection: true }).newest;
    const filled = (base: Generation, count: number): EncodeQuestion => {
      const [first] = contentsOf(base).remaps;
      if (first === undefined) throw new Error('no entry');
      const entries = Array.from({ length: count }, (_unused, i) => ({
        ...first,
        mainSector: BigInt(8 * i),
      }));
      return { ...again(encodeCopy(base, placeOf(base, 0, 0))), entries: entryBytes(entries) };
    };
    const encoded = askEncode(judge, [
      filled(small, MAX_ENTRIES),
      // 5000 bytes of it take two blocks.
      filled(withUnknown, MAX_ENTRIES - 2 * 127),
      filled(withUnknown, MAX_ENTRIES - 2 * 127 + 1),
    ]);
    expect(encoded.map(({ room, image }) => [room, image?.length ?? null])).toEqual([
      [MAX_ENTRIES, SLOT_ROOM_BYTES],
      [MAX_ENTRIES - 2 * 127, SLOT_ROOM_BYTES],
      [MAX_ENTRIES - 2 * 127, null],
    ]);
    for (const { image } of encoded.slice(0, 2))
      expect(judgeSlot({ bytes: image ?? new Uint8Array(0), gaps: [] }, 'complete').valid).toBe(true);
  });

  test.each([
    ['beside a full table', { entries: MAX_ENTRIES }, 0, MAX_ENTRIES - 127],
    ['beside others that leave nothing', { entries: 0 }, 122, 0],
    ['beside others that leave a block', { entries: 100 }, 120, 127],
  ] as const)(
    'an unknown section before REMAPS has to move, %s',
    (_where, options, blocksBehind, wantedRoom) => {
      const generation = withUnknownBefore(story(options).newest, blocksBehind);
      const copy = encodeCopy(generation, placeOf(generation, 0, 0));
      expect(judgeSlot({ bytes: copy, gaps: [] }, 'complete').valid).toBe(true);
      const [encoded] = askEncode(judge, [again(copy)]);
      expect(encoded?.room).toBe(wantedRoom);
      expect(same(encoded, canonical(generation, 0, 0))).toBe(true);
      expect(encoded?.image === null).toBe(
        contentsOf(generation).remaps.length > wantedRoom || blocksBehind === 122,
      );
    },
  );
});
