// SPDX-License-Identifier: GPL-2.0-or-later
// The undo journal as bytes: what is written is read back exactly, marks included, and what could not be undone is not
// taken. Damaged and hostile journals are in journal-hostile.test.ts.
import * as fc from 'fast-check';
import { concatBytes } from '../../src/core/bytes';
import { Fault } from '../../src/core/faults';
import { encodeJournal, encodeMarks, JOURNAL_LIMITS, MARK_BYTES } from '../../src/core/journal';
import type { JournalPlan, PlannedWrite } from '../../src/core/journal';
import { newBytes, oldBytes, parseJournal } from '../../src/core/journal-parse';
import type { Journal } from '../../src/core/journal-parse';
import {
  journalFile,
  manifestOf,
  noise,
  plans,
  sha256,
  smallPlan,
  journalVerdict,
} from '../support/journals';

const parse = (file: Uint8Array): Journal => parseJournal(file, '/j', sha256);

describe('making and reading', () => {
  test('reading gives back what was planned', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const journal = parse(journalFile(plan));
        expect(journal.targets).toEqual(plan.targets);
        expect([journal.tool, journal.setupUuid, journal.command, journal.journal]).toEqual([
          plan.tool,
          plan.setupUuid,
          plan.command,
          plan.journal,
        ]);
        expect(journal.writes).toHaveLength(plan.writes.length);
        plan.writes.forEach((write, i) => {
          const read = journal.writes[i]!;
          expect([read.target, read.offset, read.length, read.finding, read.group, read.unread]).toEqual([
            write.target,
            write.offset,
            write.after.length,
            write.finding,
            write.group,
            write.unread,
          ]);
          expect(Buffer.compare(oldBytes(journal, read), write.before)).toBe(0);
          expect(Buffer.compare(newBytes(journal, read), write.after)).toBe(0);
          expect([read.sha256Before, read.sha256After]).toEqual([sha256(write.before), sha256(write.after)]);
        });
        expect([journal.finished.size, journal.undoBegun, journal.padding]).toEqual([0, false, 0]);
      }),
      { numRuns: 80 },
    );
  });

  test('the same plan gives the same bytes', () => {
    expect(Buffer.compare(journalFile(smallPlan()), journalFile(smallPlan()))).toBe(0);
  });

  test('the manifest has its keys in order, so that the file is the same for every maker', () => {
    const file = journalFile(smallPlan());
    const check = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      if (!Array.isArray(value)) expect(Object.keys(value)).toEqual(Object.keys(value).sort());
      Object.values(value).forEach(check);
    };
    check(manifestOf(file));
  });

  test('39 copies of the largest generation take the room of little more than one', () => {
    const size = 512 * 1024;
    const body = noise(1, size - 4096);
    const writes: PlannedWrite[] = [];
    for (let copy = 0; copy < 39; copy++) {
      const group = `copy${copy}`;
      const offset = BigInt(copy * size);
      const place = { target: 0, finding: 'X', group };
      writes.push({
        ...place,
        offset: offset + 4096n,
        before: new Uint8Array(body.length),
        after: body.slice(),
      });
      writes.push({ ...place, offset, before: new Uint8Array(4096), after: noise(100 + copy, 4096) });
    }
    const targets = [{ ...smallPlan().targets[0]!, sizeBytes: BigInt(40 * size) }];
    const file = journalFile({ ...smallPlan(), targets, writes });
    expect(file.length).toBeLessThan(size + 39 * 4096 + 100_000);
    expect(Buffer.compare(newBytes(parse(file), parse(file).writes[76]!), body)).toBe(0);
  });

  test('a command line of 10,000 inputs is cut, and says so', () => {
    const command = ['dmremap-fsck', ...Array.from({ length: 10_000 }, (_, i) => `/images/spare-${i}.img`)];
    const read = parse(journalFile({ ...smallPlan(), command })).command;
    expect(read.length).toBeLessThan(1000);
    expect(read.slice(0, 2)).toEqual(command.slice(0, 2));
    expect(read.at(-1)).toBe('...');
    expect(parse(journalFile({ ...smallPlan(), command: ['x'.repeat(5000)] })).command).toEqual(['...']);
  });
});

describe('a plan that no journal could undo is refused', () => {
  const [first, second, third] = smallPlan().writes as [PlannedWrite, PlannedWrite, PlannedWrite];
  const targets = smallPlan().targets;
  const cases: [string, Partial<JournalPlan>, RegExp][] = [
    [
      'overlapping writes',
      { writes: [first, { ...second, offset: 8192n }] },
      /two writes touch the same bytes/,
    ],
    ['a write beyond the end', { writes: [{ ...second, offset: 65536n }] }, /ends beyond the 65536 bytes/],
    ['a negative offset', { writes: [{ ...second, offset: -512n }] }, /does not begin with a sector/],
    ['an offset within a sector', { writes: [{ ...second, offset: 100n }] }, /does not begin with a sector/],
    [
      'half a sector',
      { writes: [{ ...second, before: new Uint8Array(256), after: new Uint8Array(256) }] },
      /not whole sectors/,
    ],
    [
      'nothing',
      { writes: [{ ...second, before: new Uint8Array(0), after: new Uint8Array(0) }] },
      /not whole sectors/,
    ],
    [
      'old and new of different length',
      { writes: [{ ...second, before: new Uint8Array(1024) }] },
      /differ in length/,
    ],
    ['an unknown target', { writes: [{ ...second, target: 2 }] }, /no target 2/],
    ['a group in two pieces', { writes: [first, third, second] }, /copy1 do not follow one another/],
    [
      'unread bytes that are not zero',
      { writes: [{ ...second, unread: [{ start: 0, end: 512 }] }] },
      /must be zero/,
    ],
    [
      'an unread range within a sector',
      { writes: [{ ...second, unread: [{ start: 0, end: 5 }] }] },
      /wrong range/,
    ],
    ['one file twice', { targets: [targets[0]!, { ...targets[1]!, identity: 'f:1:1' }] }, /stands twice/],
  ];
  test.each(cases)('%s', (_, change, message) => {
    let thrown: unknown;
    try {
      journalFile({ ...smallPlan(), ...change });
    } catch (error) {
      thrown = error;
    }
    // A mistake in the program, not of the user: no Fault.
    expect(thrown).toBeInstanceOf(Error);
    expect(thrown).not.toBeInstanceOf(Fault);
    expect((thrown as Error).message).toMatch(message);
  });

  const tooLarge = (change: Partial<JournalPlan>): string => {
    try {
      journalFile({ ...smallPlan(), ...change });
      return 'accepted';
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return `${error.code}: ${error.fields['what']}`;
    }
  };

  test('more bytes than a journal may hold', () => {
    const huge = new Uint8Array(JOURNAL_LIMITS.writtenBytes + 512);
    const target = { ...targets[0]!, sizeBytes: 1n << 30n };
    expect(tooLarge({ targets: [target], writes: [{ ...second, before: huge, after: huge }] })).toBe(
      'JOURNAL_TOO_LARGE: bytes to be changed',
    );
  });

  test('more writes than a journal may hold', () => {
    const target = { ...targets[0]!, sizeBytes: 1n << 30n };
    const writes = Array.from({ length: JOURNAL_LIMITS.writes + 1 }, (_, i) => ({
      ...second,
      offset: BigInt(i * 512),
    }));
    expect(tooLarge({ targets: [target], writes })).toBe('JOURNAL_TOO_LARGE: list of writes');
  });

  test('a manifest longer than it may be', () => {
    const path = `/${'x'.repeat(JOURNAL_LIMITS.manifestBytes)}`;
    expect(tooLarge({ targets: [{ ...targets[0]!, path }], writes: [] })).toBe('JOURNAL_TOO_LARGE: manifest');
  });
});

describe('marks', () => {
  const file = journalFile(smallPlan());
  const { id } = parse(file);
  const marks = (kind: 'done' | 'undo', ...indexes: number[]): Uint8Array =>
    encodeMarks(kind, indexes, id, sha256);
  const read = (...tail: Uint8Array[]): [number[], boolean, number] => {
    const journal = parse(concatBytes([file, ...tail]));
    return [[...journal.finished], journal.undoBegun, journal.padding];
  };

  test('are read in whatever order they came', () => {
    expect(read(marks('done', 2), marks('done', 0, 1))).toEqual([[2, 0, 1], false, 0]);
    expect(read(marks('done', 0), marks('undo', 0))).toEqual([[0], true, 0]);
    expect(marks('done', 0, 1)).toHaveLength(2 * MARK_BYTES);
  });

  test('of which an append left a part do not count, at every length', () => {
    const whole = marks('done', 0, 1);
    for (let length = 0; length < whole.length; length++) {
      const [finished, , padding] = read(whole.subarray(0, length));
      expect(finished).toEqual(length >= MARK_BYTES ? [0] : []);
      // With the padding, a mark appended later is read, and the torn one is not mended by it.
      const padded = concatBytes([whole.subarray(0, length), new Uint8Array(padding).fill(0x20)]);
      expect(read(padded, marks('undo', 0))).toEqual([finished, true, 0]);
    }
  });

  test("that are damaged or somebody else's do not count", () => {
    const mark = marks('done', 1);
    for (let at = 0; at < MARK_BYTES; at++) {
      const damaged = mark.slice();
      damaged[at]! ^= 1;
      expect(read(damaged)).toEqual([[], false, 0]);
    }
    expect(read(encodeMarks('done', [1], sha256(), sha256))).toEqual([[], false, 0]);
    expect(read(new Uint8Array(4 * MARK_BYTES), noise(1, 5 * MARK_BYTES), mark)).toEqual([[1], false, 0]);
  });

  test('of writes that are not there do not count', () => {
    expect(read(marks('done', 3), marks('undo', 7))).toEqual([[], false, 0]);
  });

  test('are not looked for in an endless file', () => {
    expect(journalVerdict(concatBytes([file, new Uint8Array(JOURNAL_LIMITS.markBytes + 1)]))).toBe(
      'JOURNAL_INVALID: too much follows the contents',
    );
  });
});

test('the pool of an encoded journal does not copy what was planned', () => {
  const plan = smallPlan();
  const { chunks } = encodeJournal(plan, sha256);
  expect(chunks.some((chunk) => chunk.buffer === plan.writes[0]!.after.buffer)).toBe(true);
});
