// SPDX-License-Identifier: GPL-2.0-or-later
// No file, however made, gets anything past the reader of journals or out of it but the defined faults.
import * as fc from 'fast-check';
import { concatBytes, encodeUtf8 } from '../../src/core/bytes';
import { encodeMarks, JOURNAL_LIMITS, MAX_JOURNAL_BYTES } from '../../src/core/journal';
import { parseJournal } from '../../src/core/journal-parse';
import type { Journal } from '../../src/core/journal-parse';
import {
  forge,
  forgeText,
  journalFile,
  manifestOf,
  noise,
  poolOf,
  sha256,
  smallPlan,
  journalVerdict,
} from '../support/journals';

const parse = (file: Uint8Array): Journal => parseJournal(file, '/j', sha256);
const JOURNAL_FAULT = /^JOURNAL_(INVALID|INCOMPLETE|UNSUPPORTED): ./;

describe('a damaged journal', () => {
  const file = journalFile(smallPlan());

  /** Every byte of the first line and the manifest, and some of each sector of the contents. */
  const places = Array.from({ length: file.length }, (_, at) => at).filter(
    (at) => at < file.length - poolOf(file).length || at % 101 === 0 || at > file.length - 3,
  );

  test('that ends early, wherever, is incomplete', () => {
    const verdicts = new Set(places.map((length) => journalVerdict(file.subarray(0, length))));
    expect([...verdicts].sort()).toEqual([
      'JOURNAL_INCOMPLETE: it ends within its contents',
      'JOURNAL_INCOMPLETE: it ends within its first line',
      'JOURNAL_INCOMPLETE: it ends within its manifest',
      'JOURNAL_INCOMPLETE: it is empty',
    ]);
    expect(journalVerdict(file)).toBe('accepted');
  });

  test('of which the tail never reached the disk is refused, wherever that begins', () => {
    for (const length of places) {
      const zeroed = file.slice().fill(0, length);
      // The last block of the contents ends with zeros anyway.
      if (Buffer.compare(zeroed, file) === 0) break;
      expect(journalVerdict(zeroed)).toMatch(JOURNAL_FAULT);
    }
  });

  test('with one bit wrong is refused, and among the marks only the marks change', () => {
    const marked = concatBytes([file, encodeMarks('done', [0, 1, 2], parse(file).id, sha256)]);
    const verdicts = new Set<string>();
    for (let at = 0; at < marked.length; at++) {
      if (at < file.length && !places.includes(at)) continue;
      const damaged = marked.slice();
      damaged[at]! ^= 1 << (at % 8);
      if (at < file.length) verdicts.add(journalVerdict(damaged));
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
    expect(journalVerdict(bytes)).toBe(expected);
  });

  test('a file larger than any journal is not even looked at', () => {
    const bytes = new Uint8Array(0);
    Object.defineProperty(bytes, 'length', { value: MAX_JOURNAL_BYTES + 1 });
    expect(journalVerdict(bytes)).toMatch(/^JOURNAL_INVALID: it is larger than any journal/);
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
    expect(journalVerdict(forge(manifestOf(file), pool))).toBe('accepted');
    expect(Buffer.compare(forge(manifestOf(file), pool), file)).toBe(0);
    expect(journalVerdict(withValue('added later', 5))).toBe('accepted');
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
    expect(journalVerdict(withValue(path, value))).toBe(`JOURNAL_INVALID: ${expected}`);
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
    expect(journalVerdict(forge(manifest, pool))).toBe('JOURNAL_INVALID: the writes are too long together');
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
      expect(journalVerdict(forgeText(text, pool))).toBe(`JOURNAL_INVALID: ${expected}`);
    },
  );

  test('a manifest that is no UTF-8', () => {
    const bytes = Uint8Array.of(0x7b, 0xff, 0x7d);
    const head = encodeUtf8(`dmremap.undo/1 00000003 ${sha256(bytes)}\n`);
    expect(journalVerdict(concatBytes([head, bytes, Uint8Array.of(0x0a)]))).toBe(
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
        expect(journalVerdict(withValue(path, value))).toMatch(
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
        expect(journalVerdict(mixed)).toMatch(/^accepted$|^JOURNAL_/);
      }),
      { numRuns: 800 },
    );
  });
});
