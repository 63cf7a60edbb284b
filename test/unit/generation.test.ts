// SPDX-License-Identifier: GPL-2.0-or-later
// How sections become a copy (FORMAT.md sections 1 and 2), and how a tool makes a new generation out of another one
// (section 6): every field that changes, and every one that must not.
import { commitFrom, laterThan, nextSequence } from '../../src/core/commit';
import type { CommitFacts } from '../../src/core/commit';
import { textOf } from '../../src/core/bytes';
import { encodeRemaps, layOut, makeGeneration, partsOf } from '../../src/core/assemble';
import { contentsOf, decodeRemaps, encodeCopy, sectionBytes, usedDirectory } from '../../src/core/generation';
import type { SectionParts } from '../../src/core/assemble';
import { judgeSlot } from '../../src/core/judge';
import { MAX_ENTRIES, SECTION, STATE_ACTIVE, STATE_DEGRADED, STATE_MAINTENANCE } from '../../src/core/layout';
import { rulesBroken } from '../../src/core/rules';
import { entriesOf, firstGeneration, story } from '../../fixtures/build';
import { placeOf } from '../support/bench';
import { copyOf } from '../support/histories';

const part = (type: number, length: number, recordCount = 1): SectionParts => ({
  type,
  recordCount,
  bytes: new Uint8Array(length),
});

describe('laying out', () => {
  const fixed = [part(1, 1024), part(2, 4096), part(3, 512), part(4, 4096)];
  const offsets = (parts: readonly SectionParts[]): [number, number][] =>
    layOut(parts).sections.map(({ type, offset }) => [type, offset]);

  test('known sections at their offsets, whatever order they come in', () => {
    const wanted = [
      [1, 4096],
      [2, 12288],
      [3, 16384],
      [4, 20480],
      [5, 24576],
    ];
    expect(offsets([...fixed, part(5, 4096)])).toEqual(wanted);
    expect(offsets([part(5, 4096), ...[...fixed].reverse()])).toEqual(wanted);
  });

  test('unknown ones follow REMAPS, each from a new block, and take from its room', () => {
    const { sections, slotBytes } = layOut([...fixed, part(5, 8192), part(77, 5000), part(99, 1)]);
    expect(sections.slice(5).map(({ type, offset }) => [type, offset])).toEqual([
      [77, 32768],
      [99, 40960],
    ]);
    expect(slotBytes).toBe(45056);
  });

  test('an empty REMAPS comes before an unknown section at the same offset', () => {
    expect(offsets([...fixed, part(77, 100), part(5, 0, 0)]).slice(4)).toEqual([
      [5, 24576],
      [77, 24576],
    ]);
  });

  test('at least 24576 bytes, at most 524288: 122 blocks fit, 122 and an unknown section do not', () => {
    const { header } = story().newest;
    expect(layOut([...fixed, part(5, 0, 0)]).slotBytes).toBe(24576);
    expect(makeGeneration(header, [...fixed, part(5, 122 * 4096, MAX_ENTRIES)])?.header.slotBytes).toBe(
      524288,
    );
    expect(makeGeneration(header, [...fixed, part(5, 123 * 4096)])).toBeNull();
    expect(makeGeneration(header, [...fixed, part(5, 122 * 4096), part(77, 1)])).toBeNull();
    expect(makeGeneration(header, [...fixed, part(5, 121 * 4096), part(77, 4096)])).not.toBeNull();
  });

  test('at most eight sections', () => {
    const { header } = story().newest;
    const unknown = [6, 7, 8, 9].map((type) => part(type, 16));
    expect(makeGeneration(header, [...fixed, part(5, 0, 0), ...unknown.slice(1)])).not.toBeNull();
    expect(makeGeneration(header, [...fixed, part(5, 0, 0), ...unknown])).toBeNull();
  });
});

describe('remap blocks', () => {
  test.each([
    [0, []],
    [1, [1]],
    [127, [127]],
    [128, [127, 1]],
    [254, [127, 127]],
    [300, [127, 127, 46]],
  ])('%i entries make blocks of %j: all full but the last, none empty', (count, blocks) => {
    const made = encodeRemaps(entriesOf(count, 1), (block) => BigInt(10 + block));
    expect(made).toMatchObject({ type: 5, recordCount: count });
    expect(made.bytes.length).toBe(blocks.length * 4096);
    const { remaps, trailers } = decodeRemaps(made.bytes);
    expect(remaps).toEqual(entriesOf(count, 1));
    expect(
      trailers.map(({ entryCount, blockIndex, sequence }) => [entryCount, blockIndex, sequence]),
    ).toEqual(blocks.map((entries, i) => [entries, i, BigInt(10 + i)]));
  });

  test('a trailer that counts more than 127 does not make the reader leave the block', () => {
    const { bytes } = encodeRemaps(entriesOf(5, 1), () => 1n);
    new DataView(bytes.buffer).setUint32(4064 + 8, 0xffffffff, true);
    expect(decodeRemaps(bytes).remaps.length).toBe(127);
  });
});

test('a copy is whole blocks, zero between the sections', () => {
  const generation = story({ spares: 2 }).newest;
  const copy = copyOf(generation, 1, 3);
  expect(copy.length).toBe(generation.header.slotBytes);
  const used = new Uint8Array(copy.length).fill(1, 0, 512);
  for (const { offset, length } of usedDirectory(generation.header)) used.fill(1, offset, offset + length);
  expect(copy.every((byte, at) => used[at] === 1 || byte === 0)).toBe(true);
});

describe('a commit by a tool', () => {
  const base = story({ spares: 3, unknownSection: true, reserved: true }).at(5);
  const facts: CommitFacts = {
    highestSeen: 9n,
    uncertain: false,
    now: base.header.writtenNs + 1000n,
    runId: 0xabcdefn,
    writer: 'dmremap-fsck 1.0.0',
    present: [
      { index: 0, highestShown: 5n },
      { index: 2, highestShown: 0n },
    ],
    degraded: true,
  };
  const made = commitFrom(base, facts)!;

  test('takes the highest sequence seen plus 1, or plus 2 where one may have been used unseen', () => {
    expect(nextSequence({ highestSeen: 9n, uncertain: false })).toBe(10n);
    expect(nextSequence({ highestSeen: 9n, uncertain: true })).toBe(11n);
    expect(made.header.sequence).toBe(10n);
    expect(commitFrom(base, { ...facts, uncertain: true })!.header.sequence).toBe(11n);
  });

  test('ends at 2^63 - 1', () => {
    const last = (1n << 63n) - 1n;
    expect(commitFrom(base, { ...facts, highestSeen: last - 1n })!.header.sequence).toBe(last);
    expect(commitFrom(base, { ...facts, highestSeen: last - 1n, uncertain: true })).toBeNull();
    expect(commitFrom(base, { ...facts, highestSeen: last })).toBeNull();
  });

  test('records for every spare that is written what it showed, and leaves the others as they are', () => {
    const before = contentsOf(base).devices;
    const after = contentsOf(made).devices;
    expect(after[1]).toMatchObject({ lastSequence: 10n, baseSequence: 5n, lastRun: 0xabcdefn });
    expect(after[3]).toMatchObject({ lastSequence: 10n, baseSequence: 0n, lastRun: 0xabcdefn });
    expect(after[2]).toEqual(before[2]);
    expect(after[0]).toEqual(before[0]);
    const unchanged = { lastSequence: 0n, baseSequence: 0n, lastRun: 0n, crc: 0 };
    expect({ ...after[1], ...unchanged }).toEqual({ ...before[1], ...unchanged });
  });

  test('has a lineage, a run and a writer of its own, and is not older than its parent', () => {
    expect(made.header).toMatchObject({
      parentCrc: base.header.overallCrc,
      runId: 0xabcdefn,
      writtenNs: base.header.writtenNs + 1000n,
      createdNs: base.header.createdNs,
      setupUuid: base.header.setupUuid,
      spareCount: 3,
    });
    expect(textOf(made.header.writer)).toBe('dmremap-fsck 1.0.0');
    const slowClock = commitFrom(base, { ...facts, now: 0n })!;
    expect(slowClock.header.writtenNs).toBe(base.header.writtenNs + 1n);
    expect([laterThan(5n, 9n), laterThan(5n, 5n), laterThan(5n, 1n)]).toEqual([9n, 6n, 6n]);
    expect(laterThan((1n << 64n) - 1n, 0n)).toBe((1n << 64n) - 1n);
  });

  test('sets and clears DEGRADED, and touches no other state', () => {
    const state = (own: number, degraded: boolean): number => {
      const from = { ...base, header: { ...base.header, state: own } };
      return commitFrom(from, { ...facts, degraded })!.header.state;
    };
    expect(state(STATE_ACTIVE, true)).toBe(STATE_ACTIVE | STATE_DEGRADED);
    expect(state(STATE_ACTIVE | STATE_DEGRADED, false)).toBe(STATE_ACTIVE);
    expect(state(STATE_MAINTENANCE, false)).toBe(STATE_MAINTENANCE);
    expect(state(0x80000000, true)).toBe(0x80000002);
  });

  test('carries everything else on: entries, settings, health, events, unknown sections, reserved bytes', () => {
    const rest = (generation: typeof base): SectionParts[] =>
      partsOf(generation).filter(({ type }) => type !== SECTION.devices);
    expect(rest(made)).toEqual(rest(base));
    expect(made.header.reserved).toEqual(base.header.reserved);
    expect(made.header.directory.map(({ reserved }) => reserved)).toEqual(
      base.header.directory.map(({ reserved }) => reserved),
    );
    // Blocks that did not change keep the sequence of the commit that changed them last.
    expect(sectionBytes(made, SECTION.remaps)).toEqual(sectionBytes(base, SECTION.remaps));
  });

  test('is valid and sound in every place', () => {
    expect(rulesBroken(made)).toEqual([]);
    for (let copy = 0; copy < 5; copy++) {
      const bytes = encodeCopy(made, placeOf(made, 2, copy));
      expect(judgeSlot({ bytes, gaps: [] }, 'integrity').valid).toBe(true);
    }
  });
});

test('the first generation has sequence 1 and no parent', () => {
  const { header } = firstGeneration({ spares: 2 });
  expect(header).toMatchObject({ sequence: 1n, parentCrc: 0, state: 0, slotBytes: 24576 });
});
