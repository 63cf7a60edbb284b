// SPDX-License-Identifier: GPL-2.0-or-later
// The dump form: what it says of a generation, that nothing is lost on the way there and back, and how it takes files
// that are no dumps.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Ajv2020 from 'ajv/dist/2020';
import fc from 'fast-check';
import { textField, toHex } from '../../src/core/bytes';
import { decode } from '../../src/core/codec';
import { DUMP_SCHEMA, dumpDocument, MAX_DUMP_BYTES, parseDump } from '../../src/core/dumpform';
import { findingSpec } from '../../src/core/findings';
import type { Generation } from '../../src/core/generation';
import {
  contentsOf,
  encodeConfig,
  encodeCopy,
  encodeDevices,
  encodeEvents,
  encodeRemaps,
  generationOf,
  makeGeneration,
  partsOf,
  sealRecords,
} from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { HEADER, MAX_ENTRIES, SECTION, SLOT_SECTORS } from '../../src/core/layout';
import { rulesBroken } from '../../src/core/rules';
import { jsonText } from '../../src/render/json';
import { arbitraryGeneration, arbitraryOddLayout, copyPlaces } from '../support/arbitrary-generation';

const root = join(__dirname, '..', '..');
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const printed = (generation: Generation): string => jsonText(dumpDocument(generation));

/** The hash of each copy of a generation, one after another. */
function copiesOf(generation: Generation, places = copyPlaces(generation)): string[] {
  return places.map((place) => sha256(encodeCopy(generation, place)));
}

function parsed(text: string): Generation {
  const result = parseDump(bytes(text));
  if (!result.ok)
    throw new Error(result.problems.map(({ path, problem }) => `${path}: ${problem}`).join('\n'));
  return result.generation;
}

/** `path: problem`, for a dump that is not taken. */
function problemsOf(text: string): string[] {
  const result = parseDump(bytes(text));
  return result.ok ? [] : result.problems.map(({ path, problem }) => `${path}: ${problem}`);
}

/** The dump of `three`, changed by `edit`. */
function edited(edit: (dump: Dump) => void): string {
  const dump = JSON.parse(printed(vector('three', 'spare0'))) as Dump;
  edit(dump);
  return JSON.stringify(dump);
}

interface Dump {
  [key: string]: unknown;
  header: Record<string, unknown>;
  devices: Record<string, unknown>[];
  config: Record<string, unknown>;
  health: Record<string, unknown>;
  events: Record<string, unknown>[];
  remaps: { [key: string]: unknown; entries: Record<string, unknown>[] }[];
  layout: Record<string, unknown>[];
}

function vector(name: string, spare: string): Generation {
  const image = gunzipSync(readFileSync(join(root, 'fixtures', 'vectors', name, `${spare}.img.gz`)));
  const judged = judgeSlot({ bytes: new Uint8Array(image.subarray(0, 524288)), gaps: [] }, 'integrity');
  if (judged.generation === null) throw new Error(`${name}/${spare}: slot 0 is not valid`);
  return judged.generation;
}

const validate = new Ajv2020({ strict: true }).compile(
  JSON.parse(readFileSync(join(root, 'docs', 'schemas', 'dump.json'), 'utf8')) as object,
);

function expectToFitSchema(text: string): void {
  validate(JSON.parse(text));
  expect(validate.errors ?? []).toEqual([]);
}

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

describe('a dump that is not right is refused, and says where', () => {
  const cases: [string, (dump: Dump) => void, string][] = [
    [
      'not decimal',
      (d) => (d.devices[2]!['sizeSectors'] = '0x10'),
      'devices[2].sizeSectors: not a decimal number',
    ],
    [
      'leading zero',
      (d) => (d.devices[2]!['sizeSectors'] = '010'),
      'devices[2].sizeSectors: not a decimal number',
    ],
    [
      'number for 64 bits',
      (d) => (d.header['sequence'] = 4097),
      'header.sequence: not a string; write "4097" (64-bit values do not fit a JSON number)',
    ],
    [
      'beyond 64 bits',
      (d) => (d.header['runId'] = '18446744073709551616'),
      'header.runId: not between 0 and 18446744073709551615',
    ],
    [
      'beyond 32 bits',
      (d) => (d.remaps[0]!.entries[3]!['length'] = '4294967296'),
      'remaps[0].entries[3].length: not between 0 and 4294967295',
    ],
    [
      'beyond 8 bits',
      (d) => (d.remaps[0]!.entries[3]!['spareIndex'] = 256),
      'remaps[0].entries[3].spareIndex: not between 0 and 255',
    ],
    ['a fraction', (d) => (d.health['score'] = 1.5), 'health.score: not an integer'],
    ['missing', (d) => delete d.devices[0]!['model'], 'devices[0].model: is missing'],
    ['missing section', (d) => delete (d as Partial<Dump>).health, 'health: is missing'],
    ['missing header', (d) => delete (d as Partial<Dump>).header, 'header: is missing'],
    ['unknown key', (d) => (d.config['Name'] = 'x'), 'config.Name: unknown key'],
    ['unknown key on top', (d) => (d['extra'] = 1), 'extra: unknown key'],
    [
      'not a uuid',
      (d) => (d.devices[1]!['deviceUuid'] = 'x'),
      'devices[1].deviceUuid: not a UUID in 8-4-4-4-12 form',
    ],
    [
      'text too long',
      (d) => (d.devices[1]!['fsType'] = 'abcdefghijklmnop'),
      'devices[1].fsType: takes 16 bytes; there is room for 15',
    ],
    ['text with a NUL', (d) => (d.config['name'] = 'a\0b'), 'config.name: has a NUL in it'],
    [
      'half a character',
      (d) => (d.config['name'] = 'a\ud800b'),
      'config.name: has half a character (a lone surrogate) in it',
    ],
    [
      'short bytes',
      (d) => (d.devices[0]!['contentSha256'] = 'abcd'),
      'devices[0].contentSha256: has 2 bytes; 32 are needed',
    ],
    [
      'no hex',
      (d) => (d.devices[0]!['contentSha256'] = 'zz'),
      'devices[0].contentSha256: not hexadecimal digits in pairs',
    ],
    [
      'unknown name',
      (d) => (d.remaps[0]!.entries[0]!['reason'] = 'bored'),
      'remaps[0].entries[0].reason: unknown name "bored"; known: write error, read error, manual, predictive',
    ],
    [
      'unknown flag',
      (d) => (d.header['state'] = ['LOST']),
      'header.state: unknown flag "LOST"; known: ACTIVE, DEGRADED, MAINTENANCE',
    ],
    [
      'too many devices',
      (d) => (d.devices = new Array<Record<string, unknown>>(10).fill(d.devices[0]!)),
      'devices: has 10 elements; 9 is the most',
    ],
    [
      'too many entries',
      (d) => d.remaps[0]!.entries.push(d.remaps[0]!.entries[0]!),
      'remaps[0].entries: has 128 elements; 127 is the most',
    ],
    ['an object for an array', (d) => (d['events'] = {} as never), 'events: is not an array'],
    ['an array for an object', (d) => (d['health'] = [] as never), 'health: is not an object'],
    [
      'two events in one place',
      (d) => (d.events = [d.events[0]!, d.events[0]!]),
      'events[1]: lies in the same place of the ring as events[0]',
    ],
    [
      'slot_bytes too small',
      (d) => (d.header['slotBytes'] = '28672'),
      'layout[4].offset: section REMAPS at byte 24576 goes beyond the 28672 bytes of the slot',
    ],
    [
      'slot_bytes not in blocks',
      (d) => (d.header['slotBytes'] = '40000'),
      'header.slotBytes: 40000 is not a multiple of 4096 from 24576 to 524288',
    ],
    [
      'a layout without a section',
      (d) => (d.layout = [{ section: 'DEVICES', offset: '4096' }]),
      'layout: section CONFIG is missing in it',
    ],
    [
      'a layout with a section too many',
      (d) => (d.layout = [{ section: 77, offset: '4096' }]),
      'layout[0].section: no (further) section of this type in the dump',
    ],
    [
      'a raw section that is readable too',
      (d) => (d['rawSections'] = [{ section: 'HEALTH', recordCount: 1, bytes: [] }]),
      'health: is there more than once (see rawSections)',
    ],
    [
      'another version',
      (d) => (d['schema'] = 'dmremap.dump/2'),
      'schema: is "dmremap.dump/2"; a dump that this version reads has "dmremap.dump/1"',
    ],
    [
      'another document',
      (d) => delete d['schema'],
      'schema: is not there; a dump that this version reads has "dmremap.dump/1"',
    ],
  ];
  test.each(cases)('%s', (_name, edit, problem) => {
    expect(problemsOf(edited(edit))).toContain(problem);
  });

  test('sections that fall on each other', () => {
    const overlapping = edited((d) => {
      d.layout = ['DEVICES', 'CONFIG', 'HEALTH', 'EVENTS', 'REMAPS'].map((section, i) => ({
        section,
        offset: String(4096 + 2048 * i),
      }));
    });
    expect(problemsOf(overlapping)).toEqual([
      'layout[1].offset: section CONFIG at byte 6144 is not at a multiple of 4096',
      'layout[2].offset: section HEALTH at byte 8192 begins before byte 10240, where the one before it ends',
      'layout[3].offset: section EVENTS at byte 10240 is not at a multiple of 4096',
      'layout[4].offset: section REMAPS at byte 12288 begins before byte 14336, where the one before it ends',
    ]);
  });

  test.each([
    ['', 'line 1, column 1: the text ends where a value should be'],
    ['{"a": 1, "a": 2}', 'line 1, column 10: the key "a" is given twice'],
    ['{\n  "a": 01\n}', 'line 2, column 8: no JSON value'],
    ['[1, 2', "line 1, column 6: ',' or ']' should be here"],
    ['{"a": tru}', 'line 1, column 7: no JSON value'],
    ['{"a": 1} x', 'line 1, column 10: something follows the end of the document'],
    ['{"a\u0001": 1}', 'line 1, column 4: a control character inside a string'],
    ['{"a": "\\x"}', 'line 1, column 8: not an escape of JSON'],
    ['{"a', 'line 1, column 2: a string that is not closed'],
    ['[[[[[[[[[', 'line 1, column 9: nested deeper than 8 levels'],
    [
      `[${'[],'.repeat(200_000)}1]`,
      'line 1, column 599999: more than 200000 values; no document of this kind has so many',
    ],
    [`"${'x'.repeat(9000)}"`, 'line 1, column 1: a string of more than 8192 bytes'],
    [' "x"', 'is not an object'],
  ])('no JSON: %#', (text, problem) => {
    expect(problemsOf(text)).toEqual([`: ${problem}`]);
  });

  test('bytes that are not UTF-8, and a file beyond the limit', () => {
    expect(parseDump(Uint8Array.from([0x22, 0xff, 0x22]))).toMatchObject({
      ok: false,
      problems: [{ path: '', problem: 'line 1, column 2: a string that is not UTF-8' }],
    });
    expect(parseDump(new Uint8Array(MAX_DUMP_BYTES + 1))).toMatchObject({ ok: false });
  });

  test('a byte order mark, and blanks of any kind, are no problem', () => {
    const text = `\ufeff\r\n\t${printed(vector('one', 'spare0'))}\r\n`;
    expect(copiesOf(parsed(text))).toEqual(copiesOf(vector('one', 'spare0')));
  });

  test('whatever is damaged, there is a generation or a problem, and no exception', () => {
    const text = bytes(printed(vector('one', 'spare0')));
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(text.length - 1), byte: fc.nat(255) }), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const damaged = text.slice();
          for (const { at, byte } of changes) damaged[at] = byte;
          const result = parseDump(damaged);
          if (!result.ok) expect(result.problems.length).toBeGreaterThan(0);
          else
            expect(
              generationOf(
                encodeCopy(result.generation, copyPlaces(result.generation)[0]!),
                result.generation.header,
              ).sections.length,
            ).toBeGreaterThan(4);
        },
      ),
      { numRuns: 300 },
    );
  });
});
