// SPDX-License-Identifier: GPL-2.0-or-later
// What makes one slot a valid copy (FORMAT.md sections 2 and 4): every range of the header, the directory, the four
// levels of checksums. Each row changes one thing in a healthy copy and mends all checksums above it.
import { encodeInto } from '../../src/core/codec';
import type { RecordOf } from '../../src/core/codec';
import { sealHeader } from '../../src/core/generation';
import { isEvidence, judgeHeader, sameGenerationHeader } from '../../src/core/header';
import { judgeSlot, nonZeroGaps, sameGeneration } from '../../src/core/judge';
import { DIRECTORY_ENTRY, HEADER, HEADER_BYTES } from '../../src/core/layout';
import type { DirectoryEntry, Header } from '../../src/core/layout';
import type { Gap } from '../../src/core/extents';
import { collide } from '../../fixtures/collide';
import { slotAt, story } from '../../fixtures/build';
import { copyOf } from '../support/histories';
import { mend } from '../support/mutate';

const healthy = story({ spares: 2, entries: 130 }).newest;
const read = (bytes: Uint8Array, gaps: readonly Gap[] = []): { bytes: Uint8Array; gaps: readonly Gap[] } => ({
  bytes,
  gaps,
});

/** A copy whose header says something else, header_crc mended. */
function withHeader(change: Partial<Header>): Uint8Array {
  const copy = copyOf(healthy, 0, 1).slice();
  encodeInto(HEADER, copy, 0, change);
  sealHeader(copy.subarray(0, HEADER_BYTES));
  return copy;
}

function withEntry(index: number, change: Partial<DirectoryEntry>): Uint8Array {
  const copy = copyOf(healthy, 0, 1).slice();
  encodeInto(DIRECTORY_ENTRY, copy, 0x80 + index * 24, change as Partial<RecordOf<typeof DIRECTORY_ENTRY>>);
  sealHeader(copy.subarray(0, HEADER_BYTES));
  return copy;
}

function problemsOf(copy: Uint8Array): string[] {
  return judgeHeader(read(copy)).rangeProblems.map(({ field }) => field);
}

describe('the ranges of the header', () => {
  test('a healthy one has none out of range', () => {
    const judged = judgeHeader(read(copyOf(healthy, 0, 1)));
    expect(judged).toMatchObject({ state: 'good', usable: true, unsupported: null, rangeProblems: [] });
  });

  test.each<[string, Partial<Header>, string[]]>([
    ['header_bytes 511', { headerBytes: 511 }, ['header_bytes']],
    ['sequence 0', { sequence: 0n }, ['sequence']],
    ['sequence 1', { sequence: 1n }, []],
    ['sequence 2^63 - 1', { sequence: (1n << 63n) - 1n }, []],
    ['sequence 2^63', { sequence: 1n << 63n }, ['sequence']],
    ['sequence 2^64 - 1', { sequence: (1n << 64n) - 1n }, ['sequence']],
    ['copy_index 4', { copyIndex: 4 }, []],
    ['copy_index 5', { copyIndex: 5 }, ['copy_index']],
    ['copy_count 4', { copyCount: 4 }, ['copy_count']],
    ['spare_count 0', { spareCount: 0 }, ['spare_count', 'spare_index']],
    ['spare_count 9', { spareCount: 9 }, ['spare_count']],
    ['spare_index beyond spare_count', { spareIndex: 2 }, ['spare_index']],
    ['run_id 0', { runId: 0n }, ['run_id']],
    ['something in the last four bytes', { tail: 0xaa55 }, ['the last four bytes']],
    ['slot_bytes 20480', { slotBytes: 20480 }, ['slot_bytes']],
    ['slot_bytes no multiple of 4096', { slotBytes: 33000 }, ['slot_bytes']],
    ['slot_bytes 524288', { slotBytes: 524288 }, []],
    ['slot_bytes 528384', { slotBytes: 528384 }, ['slot_bytes']],
    ['slot_bytes 2^32 - 4096', { slotBytes: 4294963200 }, ['slot_bytes']],
    ['a later minor version', { formatMinor: 7 }, []],
    ['unknown compat features', { compat: 1n }, []],
    ['unknown ro_compat features', { roCompat: 1n }, []],
    ['a time in the far future', { writtenNs: (1n << 64n) - 1n }, []],
    ['a time long before the format', { writtenNs: 0n, createdNs: 0n }, []],
    ['unknown state bits', { state: 0xffffffff }, []],
  ])('%s', (_name, change, problems) => {
    expect(problemsOf(withHeader(change))).toEqual(problems);
    // Times, minor versions and compat features never make a copy invalid. (slot_bytes reaches beyond these bytes.)
    if (problems.length === 0) expect(judgeSlot(read(withHeader(change)), 'integrity').valid).toBe(true);
  });

  test.each<[string, Partial<Header>, string]>([
    ['format 5.0', { formatMajor: 5 }, 'format 5.0'],
    ['format 3.9', { formatMajor: 3, formatMinor: 9 }, 'format 3.9'],
    ['an incompat feature', { incompat: 1n << 40n }, 'incompat features 0x10000000000'],
  ])('%s needs another tool, and nothing else in it is judged', (_name, change, unsupported) => {
    const judged = judgeHeader(read(withHeader({ ...change, slotBytes: 1 })));
    expect(judged).toMatchObject({ state: 'good', usable: false, unsupported, rangeProblems: [] });
    expect(isEvidence(judged)).toBe(true);
  });
});

describe('the directory', () => {
  const [devices, config, health, events, remaps, unused] = [0, 1, 2, 3, 4, 5];

  test.each<[string, Uint8Array, string[]]>([
    ['two sections that overlap', withEntry(config, { offset: 4096 }), ['directory[1]']],
    ['sections out of order', withEntry(devices, { offset: 16384 }), ['directory[1]', 'directory[2]']],
    ['an offset inside the header block', withEntry(devices, { offset: 0 }), ['directory[0]']],
    ['an offset that is not aligned', withEntry(health, { offset: 16896 }), ['directory[2]']],
    ['an offset past the slot', withEntry(remaps, { offset: 524288 }), ['directory[4]', 'directory[4]']],
    [
      'offset and length that overflow 32 bits',
      withEntry(remaps, { offset: 4294963200, length: 8192 }),
      ['directory[4]', 'directory[4]'],
    ],
    [
      'DEVICES for another number of spares',
      withEntry(devices, { length: 1024, recordCount: 2 }),
      ['directory[0]'],
    ],
    ['DEVICES with a count that is not its length', withEntry(devices, { recordCount: 4 }), ['directory[0]']],
    ['CONFIG of half its length', withEntry(config, { length: 2048 }), ['directory[1]']],
    ['129 events', withEntry(events, { recordCount: 129 }), ['directory[3]']],
    ['128 events', withEntry(events, { recordCount: 128 }), []],
    ['REMAPS elsewhere', withEntry(remaps, { offset: 28672 }), ['directory[4]', 'directory[4]']],
    ['a count that needs another block', withEntry(remaps, { recordCount: 255 }), ['directory[4]']],
    ['a count that the blocks could hold', withEntry(remaps, { recordCount: 254 }), []],
    [
      'a known section twice',
      withEntry(unused, { type: 2, offset: 32768, length: 4096, recordCount: 1 }),
      ['directory[5]', 'directory'],
    ],
    ['a section that is missing', withEntry(health, { type: 77 }), ['directory']],
    ['an entry in use after an unused one', withEntry(6, { type: 99 }), ['directory[6]']],
    ['an unknown section of no bytes', withEntry(unused, { type: 99, offset: 32768 }), []],
  ])('%s', (_name, copy, fields) => {
    expect(problemsOf(copy)).toEqual(fields);
  });

  test('122 blocks fill a slot, and there is no room for another', () => {
    const blocks = (count: number): string[] =>
      problemsOf(
        (() => {
          const copy = withEntry(remaps, { length: count * 4096, recordCount: count * 127 });
          encodeInto(HEADER, copy, 0, { slotBytes: Math.min(524288, 24576 + count * 4096) });
          sealHeader(copy.subarray(0, HEADER_BYTES));
          return copy;
        })(),
      );
    expect(blocks(122)).toEqual([]);
    expect(blocks(123)).toEqual(['directory[4]', 'directory[4]']);
  });

  test('no REMAPS is length 0, count 0 at 24576', () => {
    const empty = copyOf(story({ entries: 0 }).newest, 0, 0);
    const judged = judgeSlot(read(empty), 'integrity');
    expect(judged.valid).toBe(true);
    expect(judged.header.header!.directory[4]).toMatchObject({
      type: 5,
      offset: 24576,
      length: 0,
      recordCount: 0,
      crc: 0,
    });
    expect(judged.header.header!.slotBytes).toBe(24576);
  });
});

describe('what a header is evidence of', () => {
  test.each<[string, Uint8Array, boolean]>([
    ['a right header', withHeader({}), true],
    ['of a copy whose sections are gone', withHeader({}).fill(0, 4096), true],
    ['out of range, but intact', withHeader({ slotBytes: 1 }), true],
    ['of another format', withHeader({ formatMajor: 9 }), true],
    ['with sequence 0', withHeader({ sequence: 0n }), false],
    ['with sequence 2^63', withHeader({ sequence: 1n << 63n }), false],
    ['with a wrong checksum', withHeader({}).fill(1, 0x160, 0x161), false],
    [
      'with another magic',
      (() => {
        const copy = withHeader({});
        copy[10] = 0x33;
        sealHeader(copy.subarray(0, 512));
        return copy;
      })(),
      false,
    ],
    ['cut short', withHeader({}).slice(0, 511), false],
  ])('%s', (_name, copy, evidence) => {
    expect(isEvidence(judgeHeader(read(copy)))).toBe(evidence);
  });

  test('nothing, where any byte of it was not read', () => {
    const gap: Gap = { start: 511, end: 512, kind: 'unread', reason: 'EIO' };
    expect(judgeHeader(read(withHeader({}), [gap]))).toMatchObject({ state: 'unread', header: null });
    expect(judgeHeader(read(withHeader({}), [{ ...gap, start: 512, end: 1024 }])).state).toBe('good');
    expect(judgeHeader(read(withHeader({}), [{ ...gap, kind: 'beyond-end' }])).state).toBe('beyond-end');
  });
});

describe('the four levels', () => {
  /** A healthy copy with one bit wrong. */
  function damaged(at: number): Uint8Array {
    const copy = copyOf(healthy, 0, 1).slice();
    copy[at]! ^= 0x10;
    return copy;
  }

  test('one wrong byte in a record: record, section and overall show it, the header does not', () => {
    const judged = judgeSlot(read(damaged(4096 + 512 + 20)), 'integrity');
    expect(judged).toMatchObject({ valid: false, overallOk: false, generation: null });
    expect(judged.header.usable).toBe(true);
    expect(judged.sections[0]).toMatchObject({ crcOk: false, badRecords: [1] });
    expect(judged.sections.slice(1).every(({ crcOk, badRecords }) => crcOk && badRecords.length === 0)).toBe(
      true,
    );
  });

  test('every level mended: the copy is valid, whatever it says', () => {
    const copy = damaged(4096 + 512 + 20);
    mend(copy);
    expect(judgeSlot(read(copy), 'integrity').valid).toBe(true);
  });

  test('a wrong overall_crc alone is enough', () => {
    const judged = judgeSlot(read(withHeader({ overallCrc: 1 })), 'integrity');
    expect(judged.sections.every(({ crcOk }) => crcOk)).toBe(true);
    expect(judged.valid).toBe(false);
  });

  test('a section that was not read, or lies beyond the end, is not valid; an unread gap between sections does not matter', () => {
    const copy = copyOf(healthy, 0, 1);
    const gap = (start: number, end: number): Gap => ({ start, end, kind: 'unread', reason: 'EIO' });
    expect(judgeSlot(read(copy, [gap(12288, 12289)]), 'integrity').valid).toBe(false);
    expect(judgeSlot(read(copy, [gap(512, 4096)]), 'integrity').valid).toBe(true);
    expect(judgeSlot(read(copy.slice(0, copy.length - 1)), 'integrity').valid).toBe(false);
  });

  test('at level basic the header is all that is looked at', () => {
    expect(judgeSlot(read(copyOf(healthy, 0, 1).slice(0, 4096)), 'basic')).toMatchObject({
      valid: true,
      generation: null,
    });
  });

  test('bytes between the sections are ignored, and told', () => {
    const copy = copyOf(healthy, 0, 1).slice();
    copy[600] = 7;
    copy.fill(9, 16384 + 512, 16384 + 520);
    const judged = judgeSlot(read(copy), 'integrity');
    expect(judged.valid).toBe(true);
    expect(nonZeroGaps(judged.generation!, judged.region)).toEqual([
      { start: 512, end: 4096 },
      { start: 16896, end: 20480 },
    ]);
  });
});

describe('two copies of one generation', () => {
  test('differ in the per-copy fields of the header and nowhere else', () => {
    const [a, b] = [copyOf(healthy, 0, 1), copyOf(healthy, 1, 4)];
    const different = Array.from(a, (_byte, at) => at).filter((at) => a[at] !== b[at]);
    // spare_uuid, copy_index, spare_index, header_crc.
    expect(
      different.every((at) => (at >= 0x60 && at < 0x71) || at === 0x72 || (at >= 0x1f8 && at < 0x1fc)),
    ).toBe(true);
    expect(sameGenerationHeader(a.subarray(0, 512), b.subarray(0, 512))).toBe(true);
  });

  test.each([0x30, 0x38, 0x48, 0x4c, 0x50, 0x71, 0x73, 0x78, 0x160, 0x1f3])(
    'a difference in byte %i makes two generations',
    (at) => {
      const a = copyOf(healthy, 0, 1).subarray(0, 512);
      const b = a.slice();
      b[at]! ^= 1;
      expect(sameGenerationHeader(a, b)).toBe(false);
    },
  );

  test('equal checksums do not make them one: the bytes are compared', () => {
    const a = judgeSlot(read(copyOf(healthy, 0, 1)), 'integrity').generation!;
    const sections = a.sections.map((section) => ({ ...section, bytes: section.bytes.slice() }));
    collide(sections[3]!.bytes, 100);
    expect(sameGeneration(a, { ...a, sections })).toBe(false);
    expect(sameGeneration(a, { ...a })).toBe(true);
  });
});

test('the slots lie where FORMAT.md says', () => {
  expect([0, 1, 2, 3, 4].map(slotAt)).toEqual([0, 524288, 1048576, 2097152, 4194304]);
});
