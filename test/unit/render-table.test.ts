// SPDX-License-Identifier: GPL-2.0-or-later
// Tables and colours: what fits, what is wrapped, and that neither lets a name from a disk reach the terminal raw.
import { styleFor } from '../../src/render/style';
import { tableText } from '../../src/render/table';

test('columns are as wide as their widest cell, numbers to the right, no blanks at line ends', () => {
  expect(
    tableText(
      ['Sector', 'Name'],
      [
        ['8', 'a'],
        ['123456789', 'bc'],
      ],
      { right: [0], indent: 2 },
    ),
  ).toBe('     Sector  Name\n          8  a\n  123456789  bc\n');
});

test('without rows only the head is printed', () => {
  expect(tableText(['A', 'B'], [])).toBe('A  B\n');
});

test('cells are escaped, painted or not', () => {
  const red = styleFor(true).red;
  const text = tableText(['A'], [['x\u001b[2J'], [{ text: 'y\u009b', paint: red }]]);
  expect(text).toBe('A\nx\\x1b[2J\n\u001b[31my\\x9b\u001b[39m\n');
});

test('colour does not count as width, and wide characters count double', () => {
  const red = styleFor(true).red;
  const lines = tableText(
    ['A', 'B'],
    [
      [{ text: 'abcd', paint: red }, '1'],
      ['東京', '2'],
      ['ab', '3'],
    ],
  ).split('\n');
  expect(lines).toEqual(['A     B', '\u001b[31mabcd\u001b[39m  1', '東京  2', 'ab    3', '']);
});

/** The lines of a table whose last column is as wide as need be, without the newline at its end. */
const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');

test('a table that is too wide is wrapped until it fits, at blanks only', () => {
  const rows = [
    ['0', '2026-01-02T03:04:05Z', 'a few words of which no line has room for all', 'torn'],
    ['1', '2026-01-02T03:04:06Z', 'short', 'valid'],
  ];
  const text = tableText(['Spare', 'Time', 'Words', 'State'], rows, { columns: 50 });
  expect(linesOf(text)).toEqual([
    'Spare  Time                  Words           State',
    '0      2026-01-02T03:04:05Z  a few words of  torn',
    '                             which no line',
    '                             has room for',
    '                             all',
    '1      2026-01-02T03:04:06Z  short           valid',
  ]);
});

test('a head that is wider than its column is broken before any cell is', () => {
  const rows = [['1234567', '2026-01-02T03:04:05Z', 'write error']];
  const text = tableText(['main sector', 'time', 'why'], rows, { columns: 42, right: [0] });
  expect(linesOf(text)).toEqual([
    '   main  time                  why',
    ' sector',
    '1234567  2026-01-02T03:04:05Z  write error',
  ]);
});

test('a word that no narrowing makes room for is left whole, and disturbs no other row', () => {
  const path = `/dev/disk/by-id/${'0123456789'.repeat(12)}`;
  const text = tableText(
    ['Spare', 'State', 'Path'],
    [
      ['0', 'torn apart', path],
      ['1', 'valid', '/dev/sdb'],
    ],
    { columns: 60 },
  );
  expect(linesOf(text)).toEqual([
    'Spare  State       Path',
    `0      torn apart  ${path}`,
    '1      valid       /dev/sdb',
  ]);
});

test('no width breaks a word or loses one', () => {
  const head = ['main sector', 'spare:sector', 'reason', 'created'];
  const rows = [
    ['7814037168', '0:7814037168', 'write error', '2026-01-02T03:04:05Z'],
    ['retired', '7:10240', 'read error, twice', 'never'],
  ];
  const words = [...head, ...rows.flat()].flatMap((cell) => cell.split(' ')).sort();
  for (let columns = 1; columns < 90; columns++) {
    const text = tableText(head, rows, { columns, right: [0, 1] });
    expect(
      text
        .split(/\s+/)
        .filter((word) => word !== '')
        .sort(),
    ).toEqual(words);
  }
});

test('a wrapped table has no colours of its own, and keeps ours closed on every line', () => {
  const wide = 'xx '.repeat(40).trim();
  expect(tableText(['A'], [[wide]], { columns: 40 })).not.toContain('\u001b');
  const painted = tableText(['A'], [[{ text: wide, paint: styleFor(true).red }]], { columns: 40 });
  const lines = painted.split('\n').filter((one) => one.includes('x'));
  expect(lines).toHaveLength(4);
  for (const line of lines) {
    expect(line.startsWith('\u001b[31m')).toBe(true);
    expect(line.endsWith('\u001b[39m')).toBe(true);
  }
});

test('many rows in few milliseconds each, also when they are wrapped', () => {
  const rows = Array.from({ length: 300 }, (_, i) => [String(i), 'word '.repeat(30)]);
  const text = tableText(['N', 'Text'], rows, { columns: 80 });
  expect(text.match(/word/g)).toHaveLength(9000);
  expect(text.match(/^N {2,}Text$/gm)).toHaveLength(1);
});

test('without colour a style changes nothing; with colour it adds escapes whatever the terminal is', () => {
  const plain = styleFor(false);
  const colored = styleFor(true);
  for (const name of ['bold', 'dim', 'red', 'yellow', 'green'] as const) {
    expect(plain[name]('x')).toBe('x');
    expect(colored[name]('x')).toMatch(/^\u001b\[\d+mx\u001b\[\d+m$/);
  }
});
