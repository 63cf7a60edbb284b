// SPDX-License-Identifier: GPL-2.0-or-later
// The largest setup there can be: 8 spares, 15,494 entries, 40 copies of 512 KiB. How long a check takes, and a repair
// apart from the time that the device needs to make things durable.
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Generation } from '../src/core/generation';
import { encodeMarks } from '../src/core/journal';
import { slotOffset } from '../src/core/copies';
import { BLOCK_BYTES, MAX_ENTRIES, MAX_SPARES, SLOT_ROOM_BYTES } from '../src/core/layout';
import { command, timed } from './children';
import { COPIES, copyOf, generationOf, writeAll, writeSpare } from './setups';
import type { Bench, BenchContext } from './shape';
import { against, series } from './stats';

const TARGET_CHECK_MS = 500;
const TARGET_REPAIR_MS = 1000;

const SPARES = Array.from({ length: MAX_SPARES }, (_unused, spare) => spare);
const NAMES = SPARES.map((spare) => `spare${spare}.img`);

interface Place {
  readonly spare: number;
  readonly copy: number;
}

const ALL: readonly Place[] = SPARES.flatMap((spare) => COPIES.map((copy) => ({ spare, copy })));

const SCENARIOS: readonly { readonly name: string; readonly destroyed: readonly Place[] }[] = [
  { name: '39 of 40 copies destroyed', destroyed: ALL.slice(1) },
  {
    name: 'one copy on each spare destroyed',
    destroyed: ALL.filter(({ spare, copy }) => copy === spare % 5),
  },
];

/** Bytes that differ from place to place and cannot be stored in fewer: the worst case for the undo journal. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return bytes;
}

/** What is left of a destroyed header: enough to see whose it was, so that the spare is still known. */
const HEADER_KEPT = 0x80;

/** Destroys copies, durably: what is not yet on the disk would otherwise be written in the middle of the repair. */
function destroy(folder: string, places: readonly Place[]): void {
  for (const spare of SPARES) {
    const file = openSync(join(folder, NAMES[spare] ?? ''), 'r+');
    try {
      for (const { copy } of places.filter((place) => place.spare === spare)) {
        const bytes = noise(SLOT_ROOM_BYTES - HEADER_KEPT, 8 * copy + spare);
        writeAll(file, bytes, Number(slotOffset(copy)) + HEADER_KEPT);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

/** Everything in the folder but the images: what the repair kept beside them, with its size. */
function leftBeside(folder: string): { path: string; bytes: number }[] {
  return readdirSync(folder)
    .filter((name) => !NAMES.includes(name) && name !== CALIBRATION)
    .map((name) => ({ path: join(folder, name), bytes: statSync(join(folder, name)).size }));
}

const CALIBRATION = 'calibration';

/**
 * The time in fsync and fdatasync, in ms, that the same bytes take when they are written in the same order and made
 * durable at the same places as a repair does: the files beside (journal, backup), then each copy's blocks, its header,
 * and its marks in the journal.
 */
function syncTime(
  folder: string,
  generation: Generation,
  places: readonly Place[],
  beside: readonly number[],
): number {
  let total = 0n;
  const waited = (sync: () => void): void => {
    const begin = process.hrtime.bigint();
    sync();
    total += process.hrtime.bigint() - begin;
  };
  const directory = openSync(folder, 'r');
  const paths = beside.map((_unused, i) => join(folder, `${CALIBRATION}-${i}`));
  const images = NAMES.map((name) => openSync(join(folder, name), 'r+'));
  try {
    beside.forEach((bytes, i) => {
      const file = openSync(paths[i] ?? '', 'w');
      writeAll(file, noise(Math.ceil(bytes / 4) * 4, i), 0);
      waited(() => fsyncSync(file));
      closeSync(file);
      waited(() => fsyncSync(directory));
    });
    const journal = openSync(paths[0] ?? '', 'a');
    for (const [i, { spare, copy }] of places.entries()) {
      const file = images[spare] ?? -1;
      const bytes = copyOf(generation, spare, copy);
      const at = Number(slotOffset(copy));
      writeAll(file, bytes.subarray(BLOCK_BYTES), at + BLOCK_BYTES);
      waited(() => fsyncSync(file));
      writeAll(file, bytes.subarray(0, BLOCK_BYTES), at);
      waited(() => fsyncSync(file));
      writeSync(
        journal,
        encodeMarks('done', [2 * i, 2 * i + 1], '0'.repeat(64), () => '0'.repeat(64)),
      );
      waited(() => fdatasyncSync(journal));
    }
    closeSync(journal);
    return Number(total) / 1e6;
  } finally {
    for (const file of [directory, ...images]) closeSync(file);
    for (const path of paths) rmSync(path, { force: true });
  }
}

async function repairs(
  context: BenchContext,
  generation: Generation,
  runs: number,
): Promise<Readonly<Record<string, unknown>>> {
  const { root, folder, progress } = context;
  const cells = SCENARIOS.map((scenario) => ({
    scenario,
    repair: [] as number[],
    sync: [] as number[],
    journal: 0,
  }));
  for (let run = -1; run < runs; run++) {
    for (const cell of cells) {
      const { name, destroyed } = cell.scenario;
      await progress(`${run < 0 ? 'warming up' : `run ${run + 1} of ${runs}`}, ${name}`);
      destroy(folder, destroyed);
      const repair = timed(command(root, 'dmremap-fsck', ['-p', ...NAMES], { cwd: folder, status: 1 }));
      const beside = leftBeside(folder).sort((a, b) => b.bytes - a.bytes);
      for (const { path } of beside) rmSync(path);
      timed(command(root, 'dmremap-fsck', ['-n', ...NAMES], { cwd: folder, status: 0 }));
      destroy(folder, destroyed);
      const sync = syncTime(
        folder,
        generation,
        destroyed,
        beside.map(({ bytes }) => bytes),
      );
      if (run < 0) continue;
      cell.repair.push(repair);
      cell.sync.push(sync);
      cell.journal = beside[0]?.bytes ?? 0;
    }
  }
  return Object.fromEntries(
    cells.map(({ scenario, repair, sync, journal }) => {
      const beyond = repair.map((time, i) => time - (sync[i] ?? 0));
      return [
        scenario.name,
        {
          copiesWritten: scenario.destroyed.length,
          undoJournalBytes: journal,
          repair: series('ms', repair),
          sync: series('ms', sync),
          beyondSync: against(series('ms', beyond), { atMost: TARGET_REPAIR_MS }),
        },
      ];
    }),
  );
}

export const largest: Bench = {
  name: 'largest',
  what: 'the largest setup (8 spares, 15,494 entries, 40 copies): check and repair, as processes',
  run: async (context) => {
    const { root, folder, quick, progress } = context;
    const generation = generationOf(1, MAX_SPARES, MAX_ENTRIES);
    NAMES.forEach((name, spare) => writeSpare(join(folder, name), generation, spare));
    const runs = quick ? 3 : 15;
    const times: number[] = [];
    for (let run = -1; run < runs; run++) {
      await progress(`check, run ${run + 1} of ${runs}`);
      const time = timed(command(root, 'dmremap-fsck', ['-n', ...NAMES], { cwd: folder, status: 0 }));
      if (run >= 0) times.push(time);
    }
    return {
      entries: MAX_ENTRIES,
      copies: ALL.length,
      metadataBytes: ALL.length * generation.header.slotBytes,
      check: { wall: against(series('ms', times), { atMost: TARGET_CHECK_MS }) },
      repair: await repairs(context, generation, quick ? 2 : 7),
    };
  },
};
