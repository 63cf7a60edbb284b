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

test('a table that is too wide is wrapped until it fits, and loses no character', () => {
  const path = `/dev/disk/by-id/${'0123456789'.repeat(12)}`;
  const text = tableText(
    ['Spare', 'Path', 'State'],
    [
      ['0', path, 'torn'],
      ['1', path, 'valid'],
    ],
    { columns: 60 },
  );
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  expect(text.replace(/\s+/g, '').split(path).length).toBe(1); // it was wrapped: states stand between its parts
  const column = text
    .split('\n')
    .slice(1)
    .map((line) => line.slice(7, 7 + 60 - 7 - 7).trim())
    .join('');
  expect(column).toBe(path + path);
});

test('a wrapped table has no colours of its own, and keeps ours closed on every line', () => {
  const wide = 'x'.repeat(100);
  expect(tableText(['A'], [[wide]], { columns: 40 })).not.toContain('\u001b');
  const painted = tableText(['A'], [[{ text: wide, paint: styleFor(true).red }]], { columns: 40 });
  for (const line of painted.split('\n').filter((one) => one.includes('x'))) {
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
