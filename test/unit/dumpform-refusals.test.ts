// SPDX-License-Identifier: GPL-2.0-or-later
// How the dump form takes files that are no dumps: with the place and the reason, within bounds, without exceptions.
import fc from 'fast-check';
import { MAX_DUMP_BYTES, parseDump } from '../../src/core/dumpform';
import { encodeCopy, generationOf } from '../../src/core/generation';
import { copyPlaces } from '../support/arbitrary-generation';
import type { Dump } from '../support/dump-form';
import { bytes, copiesOf, edited, parsed, printed, problemsOf, vector } from '../support/dump-form';

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
