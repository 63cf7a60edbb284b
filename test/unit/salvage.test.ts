// SPDX-License-Identifier: GPL-2.0-or-later
// Salvage by the letter of FORMAT.md section 5: which pieces may be used, that two different matches are no match, how many
// combinations of blocks are tried. That it succeeds whenever it can is a property (test/property/salvage.test.ts).
import type { Generation } from '../../src/core/generation';
import { encodeRemaps, makeGeneration, partsOf } from '../../src/core/assemble';
import { sealRecords } from '../../src/core/generation';
import { judgeHeader } from '../../src/core/header';
import { sameGeneration } from '../../src/core/judge';
import type { HeaderJudgement } from '../../src/core/header';
import { SECTION, TRAILER_AT } from '../../src/core/layout';
import type { Header } from '../../src/core/layout';
import { MAX_COMBINATIONS, salvage } from '../../src/core/salvage';
import type { SalvageReport, SalvageSource } from '../../src/core/salvage';
import { commit, entriesOf, story } from '../../fixtures/build';
import { collide } from '../../fixtures/collide';
import { copyOf } from '../support/histories';

const one = story({ entries: 300 });
const newest = one.newest;

function source(name: string, bytes: Uint8Array, gaps: SalvageSource['region']['gaps'] = []): SalvageSource {
  return { name, region: { bytes, gaps } };
}

function headerOf(generation: Generation): HeaderJudgement & { header: Header } {
  const judged = judgeHeader({ bytes: copyOf(generation, 0, 0), gaps: [] });
  return { ...judged, header: judged.header! };
}

/** A copy of which only [start, end) is left, and nothing else. */
function only(generation: Generation, start: number, end: number): Uint8Array {
  const copy = copyOf(generation, 0, 0);
  return new Uint8Array(copy.length)
    .fill(0xee)
    .map((byte, at) => (at >= start && at < end ? copy[at]! : byte));
}

const why = (report: SalvageReport, type: number): string | null =>
  report.sections.find(({ entry }) => entry.type === type)!.why;

/** Everything but REMAPS. */
const rest = source('rest', only(newest, 4096, 24576));
/** Block n of REMAPS and nothing else. */
const block = (generation: Generation, n: number): SalvageSource =>
  source(`block ${n}`, only(generation, 24576 + n * 4096, 28672 + n * 4096));

test('section by section, block by block, each from another place', () => {
  const report = salvage(headerOf(newest), [
    source('DEVICES', only(newest, 4096, 8192)),
    source('CONFIG', only(newest, 12288, 16384)),
    source('HEALTH and EVENTS', only(newest, 16384, 24576)),
    block(newest, 2),
    block(newest, 0),
    block(newest, 1),
  ]);
  expect(report.missing).toEqual([]);
  expect(sameGeneration(report.generation!, newest)).toBe(true);
  expect(report.sources.length).toBe(6);
});

test('what is missing is told; of REMAPS, which blocks', () => {
  const report = salvage(headerOf(newest), [source('CONFIG', only(newest, 12288, 16384)), block(newest, 1)]);
  expect(report.generation).toBeNull();
  expect(report.missing).toEqual([
    'DEVICES was found nowhere',
    'HEALTH was found nowhere',
    'EVENTS was found nowhere',
    'REMAPS lacks 2 of 3 blocks (0, 2)',
  ]);
});

test('bytes that were not read are no bytes', () => {
  const gap = { start: 12300, end: 12301, kind: 'unread', reason: 'EIO' } as const;
  const report = salvage(headerOf(newest), [source('all', copyOf(newest, 0, 0), [gap])]);
  expect(report.missing).toEqual(['CONFIG was found nowhere']);
});

test('a section is found where the own header of a place has it', () => {
  // The same sections in another order, and so at other offsets.
  const other = story({ entries: 140, movedSections: true });
  const plain = story({ entries: 140 });
  const config = plain.newest.sections.find(({ type }) => type === SECTION.config)!;
  const health = other.newest.sections.find(({ type }) => type === SECTION.health)!;
  expect([config.offset, health.offset]).toEqual([12288, 4096]);
  const report = salvage(headerOf(plain.newest), [source('moved', copyOf(other.newest, 0, 0))]);
  expect(report.sections.find(({ entry }) => entry.type === SECTION.health)!.bytes).not.toBeNull();
});

describe('two different matches are no match', () => {
  /** The same section with other bytes and the same CRC32, its records mended too. */
  function forged(type: number, at: number): SalvageSource {
    const copy = copyOf(newest, 0, 0).slice();
    collide(copy, newest.sections.find((section) => section.type === type)!.offset + at);
    return source('forged', copy);
  }

  test('for a section', () => {
    // EVENTS has no record crcs that would give the forgery away.
    const report = salvage(headerOf(newest), [
      source('true', copyOf(newest, 0, 0)),
      forged(SECTION.events, 40),
    ]);
    expect(report.generation).toBeNull();
    expect(why(report, SECTION.events)).toBe('was found with two different contents that both match');
    expect(
      salvage(headerOf(newest), [source('a', copyOf(newest, 0, 0)), source('b', copyOf(newest, 0, 0))])
        .generation,
    ).not.toBeNull();
  });

  test('for REMAPS as a whole', () => {
    // The polynomial added to bytes of an entry leaves the crc of its block right as well.
    const report = salvage(headerOf(newest), [
      source('true', copyOf(newest, 0, 0)),
      forged(SECTION.remaps, 24),
    ]);
    expect(why(report, SECTION.remaps)).toBe('was found with two different contents that both match');
  });
});

describe('a remap block may be used', () => {
  /** Block 1 of the newest generation with another trailer, its own crc right. */
  function altered(change: (view: DataView) => void): SalvageSource {
    const copy = only(newest, 28672, 32768);
    const bytes = copy.subarray(28672, 32768);
    change(new DataView(copy.buffer, 28672 + TRAILER_AT, 32));
    sealRecords(SECTION.remaps, bytes);
    return source('altered', copy);
  }
  const found = (one: SalvageSource): boolean =>
    salvage(headerOf(newest), [rest, block(newest, 0), block(newest, 2), one]).sections.find(
      ({ entry }) => entry.type === SECTION.remaps,
    )!.blocks[1] !== null;

  test('if it passes its own crc', () => {
    expect(found(block(newest, 1))).toBe(true);
    const copy = only(newest, 28672, 32768);
    copy[28680]! ^= 1;
    expect(found(source('flipped', copy))).toBe(false);
  });

  test('if it has the right magic, index and count', () => {
    expect(found(altered(() => undefined))).toBe(true);
    expect(found(altered((view) => view.setUint32(0, 0x12345678, true)))).toBe(false);
    expect(found(altered((view) => view.setUint32(4, 0, true)))).toBe(false);
    expect(found(altered((view) => view.setUint32(8, 126, true)))).toBe(false);
  });

  test('if its sequence is at or below that of the generation', () => {
    const { sequence } = newest.header;
    expect(found(altered((view) => view.setBigUint64(16, sequence, true)))).toBe(true);
    expect(found(altered((view) => view.setBigUint64(16, sequence + 1n, true)))).toBe(false);
  });
});

describe('combinations of blocks', () => {
  /** A generation of 12 blocks, of each of which an older version is about: 2^12 = 4096 combinations. */
  const blocks = 12;
  const base = story({ entries: 127 * blocks }).at(5);
  const withAge = (age: (block: number) => bigint): Generation => {
    const remaps = encodeRemaps(entriesOf(127 * blocks, 1), age);
    const parts = partsOf(base).map((part) => (part.type === SECTION.remaps ? remaps : part));
    return makeGeneration(base.header, parts, base.headerBytes)!;
  };
  const older = withAge(() => 3n);
  const newer = withAge(() => 5n);
  const each = (generation: Generation): SalvageSource[] =>
    Array.from({ length: blocks }, (_unused, n) => block(generation, n));

  test('the newest of every block is tried first', () => {
    const rest = source('rest', only(newer, 4096, 24576));
    // A third version of each would make 3^12; the first combination is the right one all the same.
    const report = salvage(headerOf(newer), [
      rest,
      ...each(older),
      ...each(withAge(() => 4n)),
      ...each(newer),
    ]);
    expect(report.missing).toEqual([]);
  });

  test(`${MAX_COMBINATIONS} are tried: the very last of 2^12 is found`, () => {
    expect(MAX_COMBINATIONS).toBe(4096);
    // Wanted is the older version of every block: the combination that is tried last.
    const rest = source('rest', only(older, 4096, 24576));
    expect(salvage(headerOf(older), [rest, ...each(older), ...each(newer)]).missing).toEqual([]);
  });

  test('and no more: with a third version of the first block it is not reached', () => {
    const rest = source('rest', only(older, 4096, 24576));
    const third = block(
      withAge(() => 4n),
      0,
    );
    expect(salvage(headerOf(older), [rest, ...each(older), ...each(newer), third]).missing).toEqual([
      'REMAPS was found, but no combination of its blocks passes the crc in the header',
    ]);
  });
});

test('an empty section needs no place, but its crc must be that of no bytes', () => {
  const empty = story({ entries: 0 }).newest;
  const headers = headerOf(empty);
  expect(salvage(headers, [source('rest', only(empty, 4096, 24576))]).missing).toEqual([]);
  const directory = headers.header.directory.map((entry) =>
    entry.type === SECTION.remaps ? { ...entry, crc: 1 } : entry,
  );
  const strange = { ...headers, header: { ...headers.header, directory } };
  expect(salvage(strange, [source('rest', only(empty, 4096, 24576))]).missing).toEqual([
    'REMAPS is empty, but its crc in the header is not that of no bytes',
  ]);
});

test('all sections found, and together they are not what the header sums up', () => {
  const headers = headerOf(newest);
  const strange = { ...headers, header: { ...headers.header, overallCrc: 1 } };
  const report = salvage(strange, [source('all', copyOf(newest, 0, 0))]);
  expect(report.missing).toEqual(['the sections together do not pass overall_crc']);
  expect(report.generation).toBeNull();
});

test('a later commit that left a block alone: the block of the older generation is the block of the newer', () => {
  const later = commit(newest, { entries: entriesOf(301, 1) });
  const report = salvage(headerOf(later), [
    source('rest', only(later, 4096, 24576)),
    block(newest, 0),
    block(newest, 1),
    block(later, 2),
  ]);
  expect(report.missing).toEqual([]);
  expect(report.sources).toEqual(['rest', 'block 0', 'block 1', 'block 2']);
});
