// SPDX-License-Identifier: GPL-2.0-or-later
// Prints a result that comes in pieces, at the pace of its reader. What is in the pieces is the callers' business.
import { Fault } from '../core/faults';
import type { CliIo } from './spec';

/** Characters that are handed on at once. */
const CHUNK = 65_536;

/**
 * Prints all pieces. True: nobody reads any more (broken pipe), and the rest was left out. Fault INTERRUPTED at a signal:
 * what was printed by then is not the whole.
 */
export async function printPieces(io: CliIo, pieces: Iterable<string>): Promise<boolean> {
  let chunk = '';
  for (const piece of pieces) {
    chunk += piece;
    if (chunk.length < CHUNK) continue;
    io.out(chunk);
    chunk = '';
    if (await io.drained()) return true;
    await step(io);
  }
  io.out(chunk);
  return false;
}

/** To be awaited between steps of a long piece of work. Fault INTERRUPTED at a signal. */
export async function step(io: Pick<CliIo, 'breathe' | 'interrupted'>): Promise<void> {
  await io.breathe();
  if (io.interrupted()) throw new Fault('INTERRUPTED');
}
