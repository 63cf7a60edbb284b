// SPDX-License-Identifier: GPL-2.0-or-later
// The ddrescue mapfile parser accepts what ddrescue accepts and refuses what would be read wrongly.
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { type Mapfile, type ParseError, parseMapfile } from '../../src/core/mapfile';
import { runTool, testWith, withFile } from '../support/tools';

const HEAD = '0x00120000     ?               1\n';

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function parse(text: string): Mapfile | ParseError {
  return parseMapfile(bytesOf(text));
}

function accepted(text: string): Mapfile {
  const result = parse(text);
  if ('reason' in result) throw new Error(`refused: line ${result.line}: ${result.reason}`);
  return result;
}

const MANUAL = `# Mapfile. Created by GNU ddrescue version 1.27
# Command line: ddrescue -d -c18 /dev/fd0 fdimage mapfile
# Start time:   2015-07-21 09:37:44
# current_pos  current_status  current_pass
0x00120000     ?               1
#      pos        size  status
0x00000000  0x00117000  +
0x00117000  0x00000200  -
0x00117200  0x00001000  /
0x00118200  0x00007E00  *
0x00120000  0x00048000  ?
`;

test('the example of the manual', () => {
  expect(accepted(MANUAL)).toEqual({
    currentStatus: '?',
    blocks: [
      { start: 0n, end: 0x117000n, status: '+' },
      { start: 0x117000n, end: 0x117200n, status: '-' },
      { start: 0x117200n, end: 0x118200n, status: '/' },
      { start: 0x118200n, end: 0x120000n, status: '*' },
      { start: 0x120000n, end: 0x168000n, status: '?' },
    ],
    notes: [{ code: 'unfinished', text: 'the rescue was not finished' }],
  });
});

const ONE = [{ start: 0n, end: 512n, status: '+' }];

describe('accepted', () => {
  test.each([
    ['decimal', `${HEAD}0 512 +\n`],
    ['octal', `${HEAD}00 01000 +\n`],
    ['lower-case hexadecimal', `${HEAD}0x0 0x200 +\n`],
    ['upper-case hexadecimal', `${HEAD}0X0 0X200 +\n`],
    ['tabs and leading blanks', `0x0\t?\t1\n \t0\t512\t+\n`],
    ['CR LF', '0 ? 1\r\n0 512 +\r\n'],
    ['a trailing comment', `0 ? 1 # now\n0 512 + # rescued\n`],
    ['an indented comment', `0 ? 1\n    # indented\n0 512 +\n`],
    ['blank lines', `\n\n0 ? 1\n\n0 512 +\n\n`],
    ['no newline at the end', `${HEAD}0 512 +`],
    ['no pass, as old versions wrote it', '0x0 ?\n0 512 +\n'],
    ['a carriage return inside a comment', `# a\rb\n${HEAD}0 512 + # c\rd\n`],
    ['bytes that are not ASCII in a comment', `# \xff\x00\x80 caf\xe9\n${HEAD}0 512 +\n`],
  ])('%s', (_, text) => {
    expect(accepted(text).blocks).toEqual(ONE);
  });

  test('neighbours of equal status, and a list that starts later', () => {
    expect(accepted(`${HEAD}512 512 +\n1024 1 +\n`).blocks).toEqual([
      { start: 512n, end: 1024n, status: '+' },
      { start: 1024n, end: 1025n, status: '+' },
    ]);
  });

  test.each([
    ['an empty file', '', null],
    ['comments only', '# nothing\n   # here\n', null],
    ['blank lines only', '\n \n\t\n', null],
    ['a status line only', '0 + 1\n', '+'],
  ])('%s, with a note', (_, text, status) => {
    expect(accepted(text)).toEqual({
      currentStatus: status,
      blocks: [],
      notes: [{ code: 'empty', text: 'the mapfile lists no block' }],
    });
  });

  test('sizes up to 2^64', () => {
    for (const size of [0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn, 1n << 64n]) {
      expect(accepted(`${HEAD}0 ${size} -\n`).blocks).toEqual([{ start: 0n, end: size, status: '-' }]);
    }
  });

  test('every current status', () => {
    for (const status of ['?', '*', '/', '-', 'F', 'G', '+']) {
      expect(accepted(`0 ${status} 1\n0 512 +\n`).currentStatus).toBe(status);
    }
    expect(accepted('0 F 1\n0 512 +\n').notes.map(({ code }) => code)).toEqual(['fill-mode']);
    expect(accepted('0 + 1\n0 512 +\n').notes).toEqual([]);
  });

  test.each(['-i 0x100', '-i4096', '-o 512', '-di1024', '--input-position=5', '--output-position 9'])(
    'a command line with %s: positions may differ from the image, once noted',
    (option) => {
      const line = `# Command line: ddrescue ${option} /dev/sdb image map\n`;
      const notes = accepted(`${line}${line}0 + 1\n0 512 +\n`).notes;
      expect(notes.map(({ code }) => code)).toEqual(['positions-moved']);
    },
  );

  test('other options, and file names that look like them, are no note', () => {
    const line = '# Command line: ddrescue -d -c18 -r3 --no-scrape disk-i2.img out-o5 map\n';
    expect(accepted(`${line}0 + 1\n0 512 +\n`).notes).toEqual([]);
  });
});

describe('refused, with the line', () => {
  test.each([
    ['a gap', '0 512 +\n1024 512 +\n', 3, 'contiguous'],
    ['an overlap', '0 512 +\n256 512 +\n', 3, 'contiguous'],
    ['blocks out of order', '512 512 +\n0 512 +\n', 3, 'contiguous'],
    ['a block of size 0', '0 0 +\n', 2, 'size 0'],
    ['an unknown status', '0 512 x\n', 2, 'unknown status'],
    ['a current status as block status', '0 512 F\n', 2, 'unknown status'],
    ['two status characters', '0 512 ++\n', 2, 'unknown status'],
    ['a comment stuck to the status', '0 512 +#c\n', 2, 'unknown status'],
    ['a missing status', '0 512\n', 2, 'unknown status'],
    ['a negative position', '-1 512 +\n', 2, 'not a number'],
    ['a suffix', '0 4k +\n', 2, 'not a number'],
    ['a bad octal number', '0 0800 +\n', 2, 'not a number'],
    ['0x without digits', '0 0x +\n', 2, 'not a number'],
    ['a number of 41 digits', `0 ${'1'.repeat(41)} +\n`, 2, 'not a number'],
    ['an end past 2^64', `1 ${1n << 64n} +\n`, 2, '2^64'],
    ['a fourth field', '0 512 + 5\n', 2, 'too many'],
    ['a long line', `0 512 ${' '.repeat(300)}+ ${'x'.repeat(300)}\n`, 2, 'too long'],
    ['a second status line', '0 ? 1\n', 2, 'not a number'],
  ])('%s', (_, list, line, reason) => {
    expect(parse(`0 ? 1\n${list}`)).toEqual({ line, reason: expect.stringContaining(reason) as unknown });
  });

  test.each([
    ['no status line', '0 512 +\n'],
    ['an unknown current status', '0 X 1\n'],
    ['pass 0', '0 ? 0\n'],
    ['a negative pass', '0 ? -1\n'],
    ['a hexadecimal pass', '0 ? 0x2\n'],
    ['something behind the pass', '0 ? 1 2\n'],
    ['a position that is no number', 'zero ? 1\n'],
  ])('%s', (_, text) => {
    expect(parse(text)).toEqual({ line: 1, reason: expect.stringContaining('status line') as unknown });
  });

  test('too many blocks, and too many bytes', () => {
    const lines = Array.from({ length: 1_000_001 }, (_, i) => `${i} 1 +`).join('\n');
    expect(parse(`0 + 1\n${lines}\n`)).toEqual({ line: 1_000_002, reason: 'more than 1000000 blocks' });
    const huge = new Uint8Array(64 * 1024 * 1024 + 1);
    expect(parseMapfile(huge)).toEqual({ line: 0, reason: expect.stringContaining('larger') as unknown });
  });
});

describe('properties', () => {
  const list = fc.array(
    fc.tuple(fc.bigInt({ min: 1n, max: 1n << 40n }), fc.constantFrom('?', '*', '/', '-', '+')),
    {
      minLength: 1,
      maxLength: 40,
    },
  );

  test('what is written is read back, in every notation', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 1n << 40n }),
        list,
        fc.constantFrom(8, 10, 16),
        (from, blocks, base) => {
          const prefix = { 8: '0', 10: '', 16: '0x' }[base];
          let at = from;
          const expected = blocks.map(([size, status]) => {
            const start = at;
            at += size;
            return { start, end: at, status };
          });
          const lines = expected.map(
            ({ start, end, status }) =>
              `${prefix}${start.toString(base)} ${prefix}${(end - start).toString(base)} ${status}`,
          );
          expect(accepted(`0 ? 1\n${lines.join('\n')}\n`).blocks).toEqual(expected);
        },
      ),
    );
  });

  test('any bytes give a result or an error with a line, and whatever is accepted is contiguous', () => {
    const pieces = fc.array(
      fc.constantFrom('0', '512', '0x', ' ', '\n', '+', '-', '?', '#', 'F', '\r', '08', '\0', 'é'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          pieces.map((all) => all.join('')),
          fc.string(),
        ),
        (text) => {
          const result = parse(`0 ? 1\n${text}`);
          if ('reason' in result) expect(result.line).toBeGreaterThan(0);
          else {
            result.blocks.forEach((block, i) => {
              expect(block.end > block.start).toBe(true);
              if (i > 0) expect(block.start).toBe(result.blocks[i - 1]?.end);
            });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('against ddrescuelog', () => {
  testWith('ddrescuelog')(
    'it reads the same, and refuses what is refused here for its numbers or order',
    () => {
      const good = [
        MANUAL,
        '',
        '# x\n',
        '0 ?\n0 512 +\n',
        '0 ? 1\r\n0 512 +',
        '0 ? 1\n512 512 + # c\n1024 01000 -\n',
      ];
      const bad = [
        '0 ? 1\n0 512 +\n1024 512 +\n',
        '0 ? 0\n',
        '0 X 1\n',
        '0 ? 1\n0 4k +\n',
        '0 ? 1\n-1 512 +\n',
        '0 512 +\n',
      ];
      for (const text of [...good, ...bad]) {
        const status = withFile(0, (path) => {
          writeFileSync(path, text, 'latin1');
          return runTool('ddrescuelog', ['-t', path]).status;
        });
        expect([text, status]).toEqual([text, 'reason' in parse(text) ? 2 : 0]);
        expect('reason' in parse(text)).toBe(bad.includes(text));
      }
    },
  );
});
