// SPDX-License-Identifier: GPL-2.0-or-later
// What people are shown of a slot: times and sizes, rows, annotated dumps that lose no byte.
import fc from 'fast-check';
import { commit, copyBytes, entriesOf, firstGeneration } from '../../fixtures/build';
import type { AnnotatedLine } from '../../src/core/annotate';
import { annotateSlot, slotHex } from '../../src/core/annotate';
import { textField, toHex } from '../../src/core/bytes';
import { encodeInto } from '../../src/core/codec';
import {
  bytesText,
  configRows,
  contentsFound,
  contentsJson,
  deviceListing,
  eventListing,
  recordRows,
  remapListing,
  sectorsText,
  timeText,
} from '../../src/core/describe';
import { remapTotals } from '../../src/core/totals';
import type { Region } from '../../src/core/extents';
import { contentsOf, encodeCopy, sealHeader } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { ENTRY, HEADER, RETIRED_MAIN_SECTOR } from '../../src/core/layout';
import { isoUtc } from '../../src/core/time';
import { hexText } from '../../src/render/inspect-hex';
import { styleFor } from '../../src/render/style';
import { arbitraryGeneration, arbitraryOddLayout, copyPlaces } from '../support/arbitrary-generation';

const region = (bytes: Uint8Array, gaps: Region['gaps'] = []): Region => ({ bytes, gaps });

describe('times and sizes', () => {
  test.each([
    [0n, '1970-01-01T00:00:00Z'],
    [1n, '1970-01-01T00:00:00.000000001Z'],
    [951_782_400_000_000_000n, '2000-02-29T00:00:00Z'],
    [4_107_542_399_999_999_999n, '2100-02-28T23:59:59.999999999Z'],
    [(1n << 64n) - 1n, '2554-07-21T23:34:33.709551615Z'],
  ])('%s ns', (ns, text) => {
    expect(isoUtc(ns)).toBe(text);
  });

  test('as Date has it, for every millisecond that it can say', () => {
    fc.assert(
      fc.property(fc.nat(18_446_744_073_709), (ms) => {
        const text = new Date(ms)
          .toISOString()
          .replace('.000Z', 'Z')
          .replace(/\.(\d{3})Z$/, '.$1000000Z');
        expect(isoUtc(BigInt(ms) * 1_000_000n)).toBe(text);
      }),
    );
  });

  test('0 is never, and listings show whole seconds', () => {
    expect([timeText(0n), timeText(1_999_999_999n)]).toEqual(['never', '1970-01-01T00:00:01Z']);
  });

  test.each([
    [0n, '0 bytes'],
    [1023n, '1023 bytes'],
    [1024n, '1 KiB'],
    [1536n, '1.5 KiB'],
    [33_554_432n, '32 MiB'],
    [(1n << 64n) * 512n, '8 ZiB'],
  ])('%s bytes', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  test('sectors come with their bytes', () => {
    expect(sectorsText(65536n)).toBe('65536 (32 MiB)');
  });
});

describe('rows and listings', () => {
  const generation = commit(firstGeneration({ spares: 2, entries: 12, lostAndRetired: true }), {
    entries: entriesOf(12, 2, true),
  });
  const contents = contentsOf(generation);

  test('remaps, retired extents and lost sectors by their names', () => {
    const { rows } = remapListing(contents.remaps);
    expect(rows).toHaveLength(14);
    expect(rows[3]).toEqual(['2096', '8', '1:10248', 'predictive', 'DATA_LOST', '2024-05-01T12:01:03Z']);
    expect(rows[13]?.[0]).toBe('retired');
    expect(remapTotals(contents.remaps)).toEqual({
      entries: 14,
      sectors: 96n,
      lostSectors: 16n,
      retiredSectors: 16n,
    });
  });

  test('values without a name are numbers', () => {
    const entry = { ...contents.remaps[0]!, reason: 77, flags: 0x11 };
    expect(remapListing([entry]).rows[0]?.slice(3, 5)).toEqual(['77', 'DATA_LOST, 0x10']);
  });

  test('devices, events and configuration', () => {
    expect(deviceListing(contents.devices).rows.map((row) => row[0])).toEqual(['main', 'spare 0', 'spare 1']);
    expect(eventListing(contents.events).rows.map((row) => row[2])).toEqual(['created', 'remapped']);
    expect(configRows(contents.config, false).find(({ label }) => label === 'spare_policy')?.value).toBe(
      'primary-first',
    );
    expect(configRows(contents.config, true).length).toBeGreaterThan(
      configRows(contents.config, false).length,
    );
  });

  test('every field of a record has its row, by its name in FORMAT.md', () => {
    const labels = recordRows(ENTRY, contents.remaps[0]!).map(({ label }) => label);
    expect(labels).toEqual([
      'main_sector',
      'spare_sector',
      'length',
      'spare_index',
      'reason',
      'flags',
      'created_ns',
    ]);
  });

  test('what stands in a slot is what the generation says', () => {
    const found = contentsFound(region(copyBytes(generation, 1, 3)));
    expect(found.remaps).toEqual(contents.remaps);
    expect(found.devices).toEqual(contents.devices);
    expect(found.unread).toEqual([]);
    expect(contentsJson(found)['header']).toMatchObject({ copyIndex: 3, spareIndex: 1, sequence: '2' });
  });
});

/** Puts the bytes of a dump back together; what it leaves out is zero. */
function undump(lines: Iterable<AnnotatedLine>, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (const line of lines) {
    if (line.kind !== 'bytes') continue;
    line.hex.forEach((digits, i) => {
      out[line.offset + i] = parseInt(digits, 16);
    });
  }
  return out;
}

describe('annotated dump', () => {
  test('no byte of a copy is lost', () => {
    fc.assert(
      fc.property(
        fc.oneof(arbitraryGeneration({ malformedTexts: true }), arbitraryOddLayout()),
        (generation) => {
          const copy = encodeCopy(generation, copyPlaces(generation)[0]!);
          expect(toHex(undump(annotateSlot(region(copy)), copy.length)) === toHex(copy)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('nor of a slot with any damage', () => {
    const copy = copyBytes(firstGeneration({ entries: 10 }), 0, 0);
    const change = fc.record({ at: fc.nat(copy.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), fc.boolean(), (changes, mended) => {
        const damaged = copy.slice();
        for (const { at, byte } of changes) damaged[at] = byte;
        if (mended) sealHeader(damaged.subarray(0, 512));
        const shown = undump(annotateSlot(region(damaged)), damaged.length);
        expect(toHex(shown) === toHex(damaged)).toBe(true);
      }),
    );
  });

  test('fields have their names and values beside their bytes', () => {
    const generation = commit(firstGeneration(), { entries: entriesOf(3, 1) });
    const lines = [...annotateSlot(region(copyBytes(generation, 0, 2)))];
    const of = (label: string): AnnotatedLine | undefined =>
      lines.find((line) => line.kind === 'bytes' && line.label === label);
    expect(of('sequence')).toMatchObject({
      offset: 0x30,
      hex: ['02', '00', '00', '00', '00', '00', '00', '00'],
      value: '2',
    });
    expect(of('directory[4].offset')).toMatchObject({ offset: 0xe4, value: '24576' });
    expect(of('mainSector')).toMatchObject({ offset: 24576, value: '2048' });
    expect(of('reason')).toMatchObject({ value: 'write error' });
    expect(lines.filter((line) => line.kind === 'title' && /entries/.test(line.text))).toHaveLength(3);
  });

  test('it follows the directory where that can be followed, else it says that it does not', () => {
    const moved = copyBytes(firstGeneration({ movedSections: true }), 0, 0);
    const titles = (bytes: Uint8Array): string[] =>
      [...annotateSlot(region(bytes))].flatMap((line) => (line.kind === 'title' ? [line.text] : []));
    expect(titles(moved)).toContain('HEALTH, bytes 4096 to 4608');
    const broken = copyBytes(firstGeneration(), 0, 0);
    encodeInto(HEADER, broken, 0, { slotBytes: 0 });
    expect(titles(broken).slice(1, 3)).toEqual([
      'the directory cannot be followed: sections where v4.0 writers put them',
      'DEVICES, bytes 4096 to 5120',
    ]);
  });

  test('bytes that were not read are ??, and have no value', () => {
    const gap = { start: 0x30, end: 0x34, kind: 'unread' as const, reason: 'EIO' };
    const lines = [
      ...annotateSlot(region(copyBytes(firstGeneration(), 0, 0), [{ ...gap, start: 4096, end: 4608 }])),
    ];
    const first = lines.find((line) => line.kind === 'bytes' && line.offset === 4096);
    expect(first).toMatchObject({ hex: ['??'], label: 'role', value: 'not read: EIO' });
    expect([...annotateSlot(region(copyBytes(firstGeneration(), 0, 0), [gap]))][0]).toMatchObject({
      text: 'header: not read',
    });
    const hex = [...slotHex(region(copyBytes(firstGeneration(), 0, 0), [gap]))].join('');
    expect(hex.slice(96, 112)).toBe('????????00000000');
  });

  test('text from a disk is harmless on a terminal', () => {
    const generation = firstGeneration({ name: 'a\u001b[2Jb\u202e' });
    const judgement = judgeSlot(region(copyBytes(generation, 0, 0)), 'complete');
    const slot = { copyIndex: 0, region: judgement.region, judgement, verdict: null };
    const text = [...hexText(slot, styleFor(false), 120)].join('');
    expect(text).toContain('name                      a\\x1b[2Jb\\u{202e}');
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });
});

describe('plain dump', () => {
  const plainOf = (bytes: Uint8Array, gaps: Region['gaps'] = []): string[] => {
    const judgement = judgeSlot(region(bytes, gaps), 'complete');
    const slot = { copyIndex: 0, region: judgement.region, judgement, verdict: null };
    return [...hexText(slot, styleFor(false), 120)].join('').trimEnd().split('\n');
  };

  test('of a slot that shows no structure', () => {
    const bytes = new Uint8Array(8192);
    bytes.set(textField('\u007fELF \\ and so on', 32));
    expect(plainOf(bytes)).toEqual([
      '00000000: 7f 45 4c 46 20 5c 20 61 6e 64 20 73 6f 20 6f 6e    .ELF \\ and so on',
      '00000010: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00    ................',
      '*',
      '4096 more bytes are not shown',
    ]);
  });

  test('of nothing but zeros', () => {
    expect(plainOf(new Uint8Array(8192))).toEqual(['00000000  8192 bytes, all zero']);
  });

  test('with ?? for what was not read', () => {
    const bytes = new Uint8Array(32).fill(0x41);
    const lines = plainOf(bytes, [{ start: 4, end: 6, kind: 'unread', reason: 'EIO' }]);
    expect(lines[0]).toBe('00000004  bytes 4 to 6: EIO');
    expect(lines[1]).toMatch(/^00000000: 41 41 41 41 \?\? \?\? 41 /);
  });
});

test('the main sector of a retired extent is shown by name', () => {
  const entry = { ...entriesOf(1, 1)[0]!, mainSector: RETIRED_MAIN_SECTOR };
  expect(recordRows(ENTRY, entry)[0]?.value).toBe('retired');
});
