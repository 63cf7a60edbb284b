// SPDX-License-Identifier: GPL-2.0-or-later
// The undo journal as bytes: what is written is read back exactly, and no file, however made, gets anything past the
// reader or out of it but the defined faults.
import * as fc from 'fast-check';
import { concatBytes, encodeUtf8 } from '../../src/core/bytes';
import { Fault } from '../../src/core/faults';
import {
  encodeJournal,
  encodeMarks,
  JOURNAL_LIMITS,
  MARK_BYTES,
  MAX_JOURNAL_BYTES,
} from '../../src/core/journal';
import type { JournalPlan, PlannedWrite } from '../../src/core/journal';
import { newBytes, oldBytes, parseJournal } from '../../src/core/journal-parse';
import type { Journal } from '../../src/core/journal-parse';
import {
  forge,
  forgeText,
  journalFile,
  manifestOf,
  noise,
  plans,
  poolOf,
  sha256,
  smallPlan,
} from '../support/journals';

const parse = (file: Uint8Array): Journal => parseJournal(file, '/j', sha256);

/** 'CODE: what' of the Fault, or 'accepted'. Any other exception fails the test. */
function verdict(file: Uint8Array): string {
  try {
    parse(file);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return `${error.code}: ${error.fields['what'] ?? error.fields['version']}`;
  }
}

const JOURNAL_FAULT = /^JOURNAL_(INVALID|INCOMPLETE|UNSUPPORTED): ./;

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
    expect(verdict(concatBytes([file, new Uint8Array(JOURNAL_LIMITS.markBytes + 1)]))).toBe(
      'JOURNAL_INVALID: too much follows the contents',
    );
  });
});

describe('a damaged journal', () => {
  const file = journalFile(smallPlan());

  /** Every byte of the first line and the manifest, and some of each sector of the contents. */
  const places = Array.from({ length: file.length }, (_, at) => at).filter(
    (at) => at < file.length - poolOf(file).length || at % 101 === 0 || at > file.length - 3,
  );

  test('that ends early, wherever, is incomplete', () => {
    const verdicts = new Set(places.map((length) => verdict(file.subarray(0, length))));
    expect([...verdicts].sort()).toEqual([
      'JOURNAL_INCOMPLETE: it ends within its contents',
      'JOURNAL_INCOMPLETE: it ends within its first line',
      'JOURNAL_INCOMPLETE: it ends within its manifest',
      'JOURNAL_INCOMPLETE: it is empty',
    ]);
    expect(verdict(file)).toBe('accepted');
  });

  test('of which the tail never reached the disk is refused, wherever that begins', () => {
    for (const length of places) {
      const zeroed = file.slice().fill(0, length);
      // The last block of the contents ends with zeros anyway.
      if (Buffer.compare(zeroed, file) === 0) break;
      expect(verdict(zeroed)).toMatch(JOURNAL_FAULT);
    }
  });

  test('with one bit wrong is refused, and among the marks only the marks change', () => {
    const marked = concatBytes([file, encodeMarks('done', [0, 1, 2], parse(file).id, sha256)]);
    const verdicts = new Set<string>();
    for (let at = 0; at < marked.length; at++) {
      if (at < file.length && !places.includes(at)) continue;
      const damaged = marked.slice();
      damaged[at]! ^= 1 << (at % 8);
      if (at < file.length) verdicts.add(verdict(damaged));
      else expect(parse(damaged).finished.size).toBe(2);
    }
    expect([...verdicts].filter((one) => !JOURNAL_FAULT.test(one))).toEqual([]);
    expect(verdicts).toContain('JOURNAL_INVALID: the manifest does not match its checksum');
    expect(verdicts).toContain('JOURNAL_INVALID: the contents do not match their checksum');
  });

  test.each([
    ['an empty file', new Uint8Array(0), 'JOURNAL_INCOMPLETE: it is empty'],
    ['zeros', new Uint8Array(100_000), 'JOURNAL_INCOMPLETE: it is empty'],
    ['some text', encodeUtf8('Dear diary,\n'), 'JOURNAL_INVALID: it does not begin as one'],
    ['noise', noise(1, 10_000), 'JOURNAL_INVALID: it does not begin as one'],
    ['the next version', encodeUtf8(`dmremap.undo/2 ${'x'.repeat(200)}`), 'JOURNAL_UNSUPPORTED: 2'],
    ['version 10', encodeUtf8(`dmremap.undo/10 ${'x'.repeat(200)}`), 'JOURNAL_UNSUPPORTED: 10'],
    ['no version', encodeUtf8(`dmremap.undo/ ${'x'.repeat(200)}`), 'JOURNAL_UNSUPPORTED: ?'],
    [
      'a first line of other shape',
      encodeUtf8(`dmremap.undo/1 ${'x'.repeat(200)}`),
      'JOURNAL_INVALID: its first line is damaged',
    ],
    [
      'a manifest of 99,999,999 bytes',
      encodeUtf8(`dmremap.undo/1 99999999 ${'a'.repeat(64)}\n`),
      'JOURNAL_INVALID: its first line is damaged',
    ],
    [
      'a manifest that is longer than the file',
      encodeUtf8(`dmremap.undo/1 02000000 ${'a'.repeat(64)}\n{}`),
      'JOURNAL_INCOMPLETE: it ends within its manifest',
    ],
  ])('%s', (_, bytes, expected) => {
    expect(verdict(bytes)).toBe(expected);
  });

  test('a file larger than any journal is not even looked at', () => {
    const bytes = new Uint8Array(0);
    Object.defineProperty(bytes, 'length', { value: MAX_JOURNAL_BYTES + 1 });
    expect(verdict(bytes)).toMatch(/^JOURNAL_INVALID: it is larger than any journal/);
  });
});

describe('a hostile journal, with every checksum right', () => {
  const file = journalFile(smallPlan());
  const pool = poolOf(file);

  /** The manifest with one value replaced: 'writes.0.offset'. */
  function withValue(path: string, value: unknown): Uint8Array {
    const manifest = manifestOf(file);
    const keys = path.split('.');
    const last = keys.pop()!;
    let at: Record<string, unknown> = manifest;
    for (const key of keys) at = at[key] as Record<string, unknown>;
    at[last] = value;
    return forge(manifest, pool);
  }

  test('the forger works', () => {
    expect(verdict(forge(manifestOf(file), pool))).toBe('accepted');
    expect(Buffer.compare(forge(manifestOf(file), pool), file)).toBe(0);
    expect(verdict(withValue('added later', 5))).toBe('accepted');
  });

  test.each([
    ['schema', 'dmremap.undo/2', 'the manifest is of another schema'],
    ['blockBytes', 8192, 'blockBytes is not 4096'],
    ['blockCount', -1, 'blockCount is missing or wrong'],
    ['blockCount', 1.5, 'blockCount is missing or wrong'],
    ['blockCount', '5', 'blockCount is missing or wrong'],
    ['blockCount', 2 ** 53, 'blockCount is out of range'],
    ['blockCount', 11_265, 'blockCount is out of range'],
    ['blockCount', 2, 'write 0: before is out of range'],
    ['poolSha256', '0'.repeat(64), 'the contents do not match their checksum'],
    ['poolSha256', 'x', 'poolSha256 is wrong'],
    ['tool', null, 'tool is missing or wrong'],
    ['tool', [], 'tool is missing or wrong'],
    ['tool.name', 5, 'tool.name is missing or wrong'],
    ['setupUuid', '1A2B3C4D-0000-4000-8000-00000000000F', 'setupUuid is wrong'],
    ['setupUuid', '../../../../etc/passwd', 'setupUuid is wrong'],
    ['command', 'dmremap-fsck', 'command is missing or wrong'],
    ['command', [5], 'command is missing or wrong'],
    ['command', ['x'.repeat(5000)], 'command is too long'],
    ['journal', 'relative', 'journal is not an absolute path'],
    ['targets', {}, 'targets is missing or wrong'],
    ['targets', Array(65).fill(null), 'targets is too long'],
    ['targets.0', 7, 'target 0 is missing or wrong'],
    ['targets.0.path', 'a.img', 'target 0: path is not an absolute path'],
    ['targets.0.path', '/etc/passwd\0.img', 'target 0: path is not an absolute path'],
    ['targets.0.path', undefined, 'target 0: path is missing or wrong'],
    ['targets.0.stablePath', 'x', 'target 0: stablePath is not an absolute path'],
    ['targets.0.kind', 'tape', 'target 0: kind is wrong'],
    ['targets.0.sizeBytes', 65536, 'target 0: sizeBytes is missing or wrong'],
    ['targets.0.sizeBytes', '-1', 'target 0: sizeBytes is wrong'],
    ['targets.0.sizeBytes', '1e3', 'target 0: sizeBytes is wrong'],
    ['targets.0.sizeBytes', '9223372036854775808', 'target 0: sizeBytes is out of range'],
    ['targets.0.sizeBytes', '99999999999999999999', 'target 0: sizeBytes is wrong'],
    ['targets.0.sizeBytes', '8192', 'write 0: it ends beyond the 8192 bytes of the target'],
    ['writes', null, 'writes is missing or wrong'],
    ['writes', Array(2049).fill(null), 'writes is too long'],
    ['writes.1', 'x', 'write 1 is missing or wrong'],
    ['writes.0.target', 2, 'write 0: target is out of range'],
    ['writes.0.target', -1, 'write 0: target is missing or wrong'],
    ['writes.0.offset', '1', 'write 0: it does not begin with a sector'],
    ['writes.0.offset', '0', 'two writes touch the same bytes, at byte 0'],
    ['writes.1.offset', '8192', 'two writes touch the same bytes, at byte 8192'],
    ['writes.0.offset', '9223372036854775296', 'write 0: it ends beyond the 65536 bytes of the target'],
    ['writes.0.length', '0', 'write 0: a length of 0 bytes is not whole sectors'],
    ['writes.0.length', '700', 'write 0: a length of 700 bytes is not whole sectors'],
    ['writes.0.length', '9223372036854775296', 'write 0: length is too large'],
    ['writes.0.length', '4096', 'write 0: before is too long'],
    ['writes.0.length', '8704', 'write 0: before has 2 blocks instead of 3'],
    ['writes.0.length', '4096.0', 'write 0: length is wrong'],
    ['writes.0.before', [0, 999], 'write 0: before is out of range'],
    ['writes.0.before', [0, -1], 'write 0: before is missing or wrong'],
    ['writes.0.before', [0, 0.5], 'write 0: before is missing or wrong'],
    ['writes.0.before', [0, 1], 'the old bytes of write 0 do not match their checksum'],
    ['writes.0.after', [0], 'write 0: after has 1 blocks instead of 2'],
    ['writes.0.after', [2, 3], 'the new bytes of write 0 do not match their checksum'],
    ['writes.0.sha256After', 'f'.repeat(64), 'the new bytes of write 0 do not match their checksum'],
    ['writes.0.finding', 5, 'write 0: finding is missing or wrong'],
    ['writes.0.group', 'copy2', 'the writes of a group do not follow one another'],
    ['writes.0.unread', [[0, 5]], 'write 0: a wrong range of unread bytes'],
    [
      'writes.0.unread',
      [
        [0, 512],
        [0, 512],
      ],
      'write 0: a wrong range of unread bytes',
    ],
    ['writes.0.unread', [[512, 512]], 'write 0: a wrong range of unread bytes'],
    ['writes.0.unread', [[0, 5120]], 'write 0: unread is out of range'],
    ['writes.0.unread', [[0]], 'write 0: unread is missing or wrong'],
    ['writes.0.unread', [0], 'write 0: unread is missing or wrong'],
    ['writes.0.unread', Array(10).fill([0, 512]), 'write 0: unread is too long'],
  ])('%s = %j', (path, value, expected) => {
    expect(verdict(withValue(path, value))).toBe(`JOURNAL_INVALID: ${expected}`);
  });

  test('writes that are too long together', () => {
    const manifest = manifestOf(file) as {
      targets: { sizeBytes: string }[];
      writes: unknown[];
      blockCount: number;
    };
    const blocks = JOURNAL_LIMITS.writtenBytes / 4096 / 2 + 1;
    const [first] = manifest.writes as Record<string, unknown>[];
    const long = {
      ...first,
      length: String(blocks * 4096),
      before: Array(blocks).fill(0),
      after: Array(blocks).fill(0),
    };
    manifest.targets[0]!.sizeBytes = String(1 << 30);
    manifest.writes = [
      { ...long, offset: '0' },
      { ...long, offset: String(blocks * 4096) },
    ];
    expect(verdict(forge(manifest, pool))).toBe('JOURNAL_INVALID: the writes are too long together');
  });

  const shapes: [string, string][] = [
    ['null', 'manifest is missing or wrong'],
    ['[]', 'manifest is missing or wrong'],
    ['', 'the manifest is not JSON'],
    ['{', 'the manifest is not JSON'],
    ['['.repeat(500_000), 'the manifest is not JSON'],
    [`${'['.repeat(500_000)}${']'.repeat(500_000)}`, 'manifest is missing or wrong'],
    ['{"__proto__":{"schema":"dmremap.undo/1"}}', 'the manifest is of another schema'],
  ];
  test.each(shapes.map(([text, expected]) => ({ text, expected, shown: text.slice(0, 20) })))(
    'a manifest that is $shown',
    ({ text, expected }) => {
      expect(verdict(forgeText(text, pool))).toBe(`JOURNAL_INVALID: ${expected}`);
    },
  );

  test('a manifest that is no UTF-8', () => {
    const bytes = Uint8Array.of(0x7b, 0xff, 0x7d);
    const head = encodeUtf8(`dmremap.undo/1 00000003 ${sha256(bytes)}\n`);
    expect(verdict(concatBytes([head, bytes, Uint8Array.of(0x0a)]))).toBe(
      'JOURNAL_INVALID: the manifest is not UTF-8',
    );
  });

  test('any value anywhere: accepted or refused, never an exception of another kind', () => {
    const paths: string[] = [];
    const walk = (value: unknown, path: string): void => {
      if (path !== '') paths.push(path);
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`);
    };
    walk(manifestOf(file), '');
    const hostile = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.integer(),
      fc.double(),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.constantFrom(
        '9223372036854775807',
        '18446744073709551615',
        4294967296,
        -0,
        null,
        true,
        '/',
        '\0',
        '..',
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), hostile, (path, value) => {
        expect(verdict(withValue(path, value))).toMatch(
          /^accepted$|^JOURNAL_INVALID: |^JOURNAL_INCOMPLETE: /,
        );
      }),
      { numRuns: 800 },
    );
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(file.length), fc.boolean(), (bytes, at, over) => {
        const mixed = over
          ? concatBytes([
              file.subarray(0, at),
              bytes,
              file.subarray(Math.min(file.length, at + bytes.length)),
            ])
          : concatBytes([file.subarray(0, at), bytes, file.subarray(at)]);
        expect(verdict(mixed)).toMatch(/^accepted$|^JOURNAL_/);
      }),
      { numRuns: 800 },
    );
  });
});

test('the pool of an encoded journal does not copy what was planned', () => {
  const plan = smallPlan();
  const { chunks } = encodeJournal(plan, sha256);
  expect(chunks.some((chunk) => chunk.buffer === plan.writes[0]!.after.buffer)).toBe(true);
});
