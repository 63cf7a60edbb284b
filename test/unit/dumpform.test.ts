// SPDX-License-Identifier: GPL-2.0-or-later
// The dump form: what it says of a generation, and that nothing is lost on the way there and back.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { textField, toHex } from '../../src/core/bytes';
import { decode } from '../../src/core/codec';
import { DUMP_SCHEMA, MAX_DUMP_BYTES } from '../../src/core/dumpform';
import { findingSpec } from '../../src/core/findings';
import type { Generation } from '../../src/core/generation';
import {
  encodeConfig,
  encodeDevices,
  encodeEvents,
  encodeRemaps,
  makeGeneration,
  partsOf,
} from '../../src/core/assemble';
import { contentsOf, encodeCopy, sealRecords } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { HEADER, MAX_ENTRIES, SECTION, SLOT_SECTORS } from '../../src/core/layout';
import { rulesBroken } from '../../src/core/rules';
import { arbitraryGeneration, arbitraryOddLayout, copyPlaces } from '../support/arbitrary-generation';
import type { Dump } from '../support/dump-form';
import { copiesOf, expectToFitSchema, parsed, printed, root, sha256, vector } from '../support/dump-form';

describe.each([
  ['empty', 'spare0'],
  ['one', 'spare0'],
  ['three', 'spare0'],
  ['three', 'spare1'],
  ['three', 'spare2'],
])('vector %s, %s', (name, spare) => {
  test('the dump makes every copy again, byte for byte', () => {
    const image = gunzipSync(readFileSync(join(root, 'fixtures', 'vectors', name, `${spare}.img.gz`)));
    for (const sector of SLOT_SECTORS) {
      const at = Number(sector) * 512;
      const slot = new Uint8Array(image.subarray(at, at + 524288));
      const judged = judgeSlot({ bytes: slot, gaps: [] }, 'integrity');
      if (judged.generation === null) throw new Error('not valid');
      const text = printed(judged.generation);
      const place = decode(HEADER, slot);
      const again = encodeCopy(parsed(text), place);
      expect(sha256(again)).toBe(sha256(slot.subarray(0, again.length)));
      expectToFitSchema(text);
    }
  });
});

test('the same dump from every spare: per-copy fields are no part of it', () => {
  expect(printed(vector('three', 'spare1'))).toBe(printed(vector('three', 'spare0')));
});

test('a dump reads as the issue says: names, strings for 64 bits, sorted keys, no crcs', () => {
  const dump = JSON.parse(printed(vector('three', 'spare0'))) as Dump;
  expect(dump['schema']).toBe(DUMP_SCHEMA);
  expect(Object.keys(dump)).toEqual([...Object.keys(dump)].sort());
  expect(dump.header['sequence']).toBe('4097');
  expect(dump.devices.map((device) => [device['role'], device['index']])).toEqual([
    ['main', 0],
    ['spare', 0],
    ['spare', 1],
    ['spare', 2],
  ]);
  expect(dump.remaps.map(({ entries }) => entries.length)).toEqual([127, 127, 46]);
  const entry = dump.remaps[0]?.entries[0];
  expect(Object.keys(entry ?? {})).toEqual([
    'createdNs',
    'flags',
    'length',
    'mainSector',
    'reason',
    'spareIndex',
    'spareSector',
  ]);
  expect(typeof entry?.['mainSector']).toBe('string');
  expect(JSON.stringify(dump)).not.toMatch(/"crc"|overallCrc|headerCrc|rawSections|"layout"/);
});

test('arbitrary generations: sound, and their dumps make every copy again', () => {
  fc.assert(
    fc.property(arbitraryGeneration({ malformedTexts: true }), (generation) => {
      expect(rulesBroken(generation).filter(({ id }) => findingSpec(id).severity === 'error')).toEqual([]);
      const text = printed(generation);
      const again = parsed(text);
      expect(copiesOf(again)).toEqual(copiesOf(generation));
      expect(printed(again)).toBe(text);
    }),
    { numRuns: 150 },
  );
});

test('arbitrary generations are valid in each of their places', () => {
  fc.assert(
    fc.property(fc.oneof(arbitraryGeneration(), arbitraryOddLayout()), (generation) => {
      for (const place of copyPlaces(generation)) {
        const copy = encodeCopy(generation, place);
        expect(judgeSlot({ bytes: copy, gaps: [] }, 'complete').valid).toBe(true);
      }
    }),
    { numRuns: 40 },
  );
});

test('offsets, slot_bytes and noise in the directory that are not those of a v4.0 writer survive', () => {
  fc.assert(
    fc.property(arbitraryOddLayout({ entries: 40 }), (generation) => {
      const text = printed(generation);
      const again = parsed(text);
      expect(copiesOf(again)).toEqual(copiesOf(generation));
      expectToFitSchema(text);
    }),
    { numRuns: 100 },
  );
});

/** A generation with one section in place of its own. */
function withSection(
  generation: Generation,
  type: number,
  change: (bytes: Uint8Array) => { bytes: Uint8Array; recordCount?: number },
): Generation {
  const parts = partsOf(generation).map((part) =>
    part.type === type ? { ...part, ...change(part.bytes.slice()) } : part,
  );
  const made = makeGeneration(generation.header, parts, generation.headerBytes);
  if (made === null) throw new Error('does not fit');
  return made;
}

describe('what the readable form cannot say is shown raw, and still comes back', () => {
  const three = vector('three', 'spare0');
  const cases: [string, Generation, string | null][] = [
    [
      'a record crc that is wrong',
      withSection(three, SECTION.health, (b) => (b.set([1], 100), { bytes: b })),
      'HEALTH',
    ],
    [
      'a block that calls itself another',
      withSection(three, SECTION.remaps, (b) => (b.set([9], 4064 + 4), { bytes: b })),
      'REMAPS',
    ],
    [
      'a count of events that is not theirs',
      withSection(three, SECTION.events, (b) => ({ bytes: b, recordCount: 77 })),
      'EVENTS',
    ],
    [
      'a section of the wrong length',
      withSection(three, SECTION.config, (b) => ({ bytes: b.slice(0, 100) })),
      'CONFIG',
    ],
  ];
  test.each(cases)('%s', (_name, generation, section) => {
    const text = printed(generation);
    const raw = (JSON.parse(text) as { rawSections?: { section: string }[] }).rawSections;
    expect(raw?.map((one) => one.section)).toEqual([section]);
    const places = copyPlaces(three);
    expect(copiesOf(parsed(text), places)).toEqual(copiesOf(generation, places));
    expectToFitSchema(text);
  });
});

describe('odd contents that the readable form says', () => {
  const three = vector('three', 'spare0');
  const contents = contentsOf(three);

  test('an entry left behind the last one of a block', () => {
    const odd = withSection(three, SECTION.remaps, (b) => {
      // In the last block, which has 46 entries, at place 50.
      b.set([0xab], 2 * 4096 + 50 * 32);
      return { bytes: reseal(SECTION.remaps, b) };
    });
    const dump = JSON.parse(printed(odd)) as Dump;
    expect((dump.remaps[2]?.['behind'] as string[]).length).toBe(5);
    expect(copiesOf(parsed(printed(odd)))).toEqual(copiesOf(odd));
  });

  test('an event in the wrong place of the ring, and one without a serial', () => {
    const ring = contents.events.map((event) => ({
      ...event,
      serial: 0,
      timeNs: 0n,
      sector: 0n,
      kind: 0,
      device: 0,
      length: 0,
      value: 0,
    }));
    ring[5] = { ...ring[5]!, serial: 9, kind: 99 };
    ring[7] = { ...ring[7]!, sector: 1n };
    const events = encodeEvents(ring);
    const odd = withSection(three, SECTION.events, () => events);
    const dump = JSON.parse(printed(odd)) as Dump;
    expect(dump.events.map(({ serial, index, kind }) => [serial, index, kind])).toEqual([
      [0, 7, 0],
      [9, 5, 99],
    ]);
    expect(copiesOf(parsed(printed(odd)))).toEqual(copiesOf(odd));
  });

  test('a text with bytes behind its NUL, a count of tunables that is too high, values without a name', () => {
    const name = textField('x', 128);
    name[100] = 7;
    const config = encodeConfig({
      ...contents.config,
      description: name,
      tunableCount: 4000,
      sparePolicy: 200,
    });
    const odd = withSection(three, SECTION.config, () => config);
    const dump = JSON.parse(printed(odd)) as Dump;
    expect(dump.config['description']).toEqual({ hex: toHex(name) });
    expect(dump.config['tunableCount']).toBe(4000);
    expect(dump.config['sparePolicy']).toBe(200);
    expect(copiesOf(parsed(printed(odd)))).toEqual(copiesOf(odd));
  });

  test('flags without a name are one number behind the names', () => {
    const devices = encodeDevices(contents.devices.map((device) => ({ ...device, flags: 0x8009 })));
    const odd = withSection(three, SECTION.devices, () => devices);
    const dump = JSON.parse(printed(odd)) as Dump;
    expect(dump.devices[1]?.['flags']).toEqual(['PRIMARY', 0x8008]);
    expect(copiesOf(parsed(printed(odd)))).toEqual(copiesOf(odd));
  });
});

function reseal(type: number, section: Uint8Array): Uint8Array {
  sealRecords(type, section);
  return section;
}

test('the largest dump is far below the limit of a file', () => {
  const base = vector('one', 'spare0');
  const entry = {
    mainSector: (1n << 63n) - 8n,
    spareSector: (1n << 63n) - 8n,
    length: 4294967288,
    spareIndex: 7,
    reason: 1,
    flags: 0xffff,
    createdNs: (1n << 64n) - 1n,
  };
  const parts = partsOf(base).map((part) =>
    part.type === SECTION.remaps
      ? encodeRemaps(new Array<typeof entry>(MAX_ENTRIES).fill(entry), () => 1n)
      : part,
  );
  const largest = makeGeneration(base.header, parts, base.headerBytes)!;
  const text = printed(largest);
  expect(text.length).toBeGreaterThan(4_000_000);
  expect(text.length).toBeLessThan(MAX_DUMP_BYTES / 2);
  expect(copiesOf(parsed(text))).toEqual(copiesOf(largest));
});
