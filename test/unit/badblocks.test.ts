// SPDX-License-Identifier: GPL-2.0-or-later
// The parser of badblocks(8) output: decimal numbers become merged extents, and nothing else is let through.
import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { type BadExtent, parseBadBlocks } from '../../src/core/badblocks';
import { runTool, testWith, withFile } from '../support/tools';

function parse(text: string, blockSize = 1024): ReturnType<typeof parseBadBlocks> {
  return parseBadBlocks(
    Uint8Array.from(text, (character) => character.charCodeAt(0)),
    blockSize,
  );
}

function extents(text: string, blockSize = 1024): [bigint, bigint][] {
  const result = parse(text, blockSize);
  if ('reason' in result) throw new Error(`refused: line ${result.line}: ${result.reason}`);
  return result.extents.map(({ start, end }) => [start, end]);
}

describe('accepted', () => {
  test('neighbours merge, in bytes', () => {
    expect(extents('100\n101\n102\n500\n')).toEqual([
      [102400n, 105472n],
      [512000n, 513024n],
    ]);
    expect(extents('3\n4\n', 4096)).toEqual([[12288n, 20480n]]);
  });

  test('any order, and numbers given twice', () => {
    expect(extents('9\n1\n3\n2\n9\n2\n', 512)).toEqual([
      [512n, 2048n],
      [4608n, 5120n],
    ]);
  });

  test.each([
    ['an empty file', ''],
    ['blank lines', '\n \n\t\n'],
    ['comments', '# made by badblocks\n   # indented\n'],
  ])('%s holds nothing', (_, text) => {
    expect(extents(text)).toEqual([]);
  });

  test('CR LF, blanks around a number, leading zeros, no newline at the end', () => {
    expect(extents(' 7 \r\n\t0008\r\n9', 1)).toEqual([[7n, 10n]]);
  });

  test('block numbers up to the end of a 64-bit device', () => {
    expect(extents(`${(1n << 55n) - 1n}`, 512)).toEqual([[(1n << 64n) - 512n, 1n << 64n]]);
  });
});

describe('refused, with the line', () => {
  test.each([
    ['text', '1\nbad\n', 2],
    ['two numbers in a line', '1 2\n', 1],
    ['a range', '5-9\n', 1],
    ['a negative number', '1\n2\n-3\n', 3],
    ['a hexadecimal number', '0x10\n', 1],
    ['a fraction', '1.5\n', 1],
    ['a comment behind a number', '7 # seven\n', 1],
    ['a NUL', '7\n\0\n', 2],
    ['21 digits', '100000000000000000000\n'.padStart(23, '1'), 1],
    ['a block past 2^64 bytes', `1\n${1n << 55n}\n`, 2],
  ])('%s', (_, text, line) => {
    expect(parse(text, 512)).toEqual({ line, reason: expect.any(String) as unknown });
  });

  test.each([0, -512, 1.5, NaN, Infinity])('a block size of %d', (blockSize) => {
    expect(parse('1\n', blockSize)).toEqual({
      line: 0,
      reason: expect.stringContaining('block size') as unknown,
    });
  });

  test('more areas than memory should hold, and a file that is too large', () => {
    const lines = Array.from({ length: 1_000_001 }, (_, i) => String(2 * i)).join('\n');
    expect(parse(lines)).toEqual({
      line: 1_000_001,
      reason: expect.stringContaining('separate areas') as unknown,
    });
    expect(parseBadBlocks(new Uint8Array(64 * 1024 * 1024 + 1), 512)).toEqual({
      line: 0,
      reason: expect.stringContaining('larger') as unknown,
    });
  });
});

describe('properties', () => {
  test('the extents cover exactly the blocks, are sorted and do not touch', () => {
    const blocks = fc.array(fc.nat(60), { maxLength: 60 });
    fc.assert(
      fc.property(blocks, fc.constantFrom(512, 1024, 4096), (numbers, blockSize) => {
        const result = parse(numbers.join('\n'), blockSize);
        const found: readonly BadExtent[] = 'extents' in result ? result.extents : [];
        const covered = new Set<number>();
        found.forEach(({ start, end }, i) => {
          expect(start < end && (i === 0 || start > (found[i - 1]?.end ?? 0n))).toBe(true);
          for (let at = start; at < end; at += BigInt(blockSize)) covered.add(Number(at) / blockSize);
        });
        expect([...covered].sort((a, b) => a - b)).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      }),
    );
  });

  test('any text gives extents or an error', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer(), (text, blockSize) => {
        const result = parse(text, blockSize);
        expect('extents' in result || result.line >= 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

testWith('badblocks')('what badblocks writes is read (a good image has no bad block)', () => {
  withFile(1024 * 1024, (path) => {
    expect(runTool('badblocks', ['-b', '1024', '-o', `${path}.out`, path]).status).toBe(0);
    expect(extents(readFileSync(`${path}.out`, 'latin1'))).toEqual([]);
  });
});

testWith('mke2fs', 'dumpe2fs')('mke2fs -l takes the same blocks from the same list', () => {
  withFile(8 * 1024 * 1024, (path) => {
    const list = '# from another run\n\n 5000\n5001\n7000\n';
    writeFileSync(`${path}.bad`, list);
    expect(runTool('mke2fs', ['-q', '-F', '-b', '1024', '-l', `${path}.bad`, path]).status).toBe(0);
    const listed = runTool('dumpe2fs', ['-b', path]).stdout;
    expect(extents(list)).toEqual(extents(listed));
    expect(extents(listed)).toHaveLength(2);
  });
});
