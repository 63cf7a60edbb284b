// SPDX-License-Identifier: GPL-2.0-or-later
// Printing a result that comes in pieces: few large writes however small the pieces, and an end where nobody reads or a
// signal came.
import { printPieces } from '../../src/cli/stream';
import type { CliIo } from '../../src/cli/spec';
import { Fault } from '../../src/core/faults';

const CHUNK = 65_536;

interface Reader {
  /** Chunks after which the reader goes; without it, it reads everything. */
  readonly goesAfter?: number;
  readonly interruptedAfter?: number;
}

function printer({ goesAfter = Infinity, interruptedAfter = Infinity }: Reader = {}) {
  const chunks: string[] = [];
  const io = {
    out: (text: string) => void chunks.push(text),
    drained: () => Promise.resolve(chunks.length >= goesAfter),
    breathe: () => Promise.resolve(),
    interrupted: () => chunks.length >= interruptedAfter,
  } as Partial<CliIo> as CliIo;
  return { io, chunks };
}

function* pieces(count: number, taken: { pieces: number } = { pieces: 0 }): Generator<string> {
  for (let i = 0; i < count; i++) {
    taken.pieces++;
    yield `piece ${i} `.padEnd(100, '.');
  }
}

test('small pieces leave in large chunks, all of them and in order', async () => {
  const { io, chunks } = printer();
  expect(await printPieces(io, pieces(5000))).toBe(false);
  expect(chunks.join('')).toBe([...pieces(5000)].join(''));
  expect(chunks.length).toBeLessThanOrEqual(Math.ceil(500_000 / CHUNK));
  for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBeGreaterThanOrEqual(CHUNK);
});

test('nothing more is made once nobody reads', async () => {
  const { io, chunks } = printer({ goesAfter: 2 });
  const taken = { pieces: 0 };
  expect(await printPieces(io, pieces(5000, taken))).toBe(true);
  expect([chunks.length, taken.pieces]).toEqual([2, 2 * Math.ceil(CHUNK / 100)]);
});

test('a signal ends it between chunks', async () => {
  const { io, chunks } = printer({ interruptedAfter: 3 });
  await expect(printPieces(io, pieces(5000))).rejects.toMatchObject({ code: 'INTERRUPTED' });
  await expect(printPieces(io, pieces(5000))).rejects.toBeInstanceOf(Fault);
  expect(chunks.length).toBe(4);
});

test('little text is one chunk', async () => {
  const { io, chunks } = printer();
  await printPieces(io, ['a', 'b', '\n']);
  expect(chunks).toEqual(['ab\n']);
});
