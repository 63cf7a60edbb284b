// SPDX-License-Identifier: GPL-2.0-or-later
// npm run bench:kernel: what the kernel target costs, as one JSON document with targets, like that of npm run bench:
// instructions per read beside a linear mapping, of remapped reads too; commits, loading and allocating by the clock.
// Exit status 0 even where a target is missed: see `missed`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOrThrow } from '../test/support/kernel/builds';
import { ROOT } from '../test/support/kernel/environment';
import type { Series } from '../test/support/kernel/environment';
import type { Guest } from '../test/support/kernel/guest';
import type { Overhead } from '../test/support/kernel/overhead';
import { bringUp, compareReads, openOverhead } from '../test/support/kernel/overhead';
import { parseStatus } from '../test/support/kernel/scenario';
import { diskPath } from '../test/support/kernel/toolkit';
import { machine } from './machine';
import { against, measure, median, missed, series } from './stats';

type Results = Readonly<Record<string, unknown>>;

const ENTRIES = 15_000;
/** All that a slot has room for. */
const MOST_ENTRIES = 15_494;
const DEPTHS = [1, 32] as const;
/** Sectors that are moved to see what a remapped read costs. */
const MOVED = 8192;
/** A spare that answers at once, in the guest's memory. */
const MEMORY_SPARE = 'nullbm';

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

async function withGuest<T>(
  kernel: Series,
  entries: number,
  icount: boolean,
  use: (overhead: Overhead) => Promise<T>,
): Promise<T> {
  const overhead = await openOverhead({ kernel, entries, icount });
  try {
    return await use(overhead);
  } finally {
    await overhead.lab.close();
  }
}

/** Reads that meet no entry. */
async function passing(kernel: Series, limit: number): Promise<Results> {
  return await withGuest(kernel, ENTRIES, true, async (overhead) => {
    const { guest } = overhead;
    const results: Record<string, unknown> = {};
    for (const name of ['empty', 'full'] as const) {
      await bringUp(overhead, name);
      const entries = parseStatus(await guest.status(name)).extents;
      for (const depth of DEPTHS) {
        const { a, b, ratio, min, max } = await compareReads(guest, name, depth);
        results[`entries${entries}Depth${depth}`] = {
          instructionsPerRead: { linear: a, remap: b, more: Number((b - a).toFixed(1)) },
          // All digits: the limit is a matter of the third.
          ratio: { ...measure('of linear', ratio, { atMost: limit }), value: ratio, min, max },
        };
      }
    }
    return results;
  });
}

/** Reads of what lies on a spare, beside a linear mapping of that very place. */
async function remapped(): Promise<Results> {
  return await withGuest('6.1', ENTRIES, true, async ({ lab, guest, tables }) => {
    const config = `/sys/kernel/config/nullb/${MEMORY_SPARE}`;
    const sizeMiB = lab.disk('spare-full').sectors / 2048;
    await guest.sh(
      [
        'mount -t configfs none /sys/kernel/config',
        `mkdir ${config}`,
        ...[`size ${sizeMiB}`, 'blocksize 512', 'memory_backed 1', 'irqmode 0', 'queue_mode 2', 'power 1']
          .map((each) => each.split(' '))
          .map(([file, value]) => `echo ${value} > ${config}/${file}`),
        `dd if=${diskPath('spare-full')} of=/dev/${MEMORY_SPARE} bs=1M count=6`,
      ].join(' && '),
    );
    await guest.create('full', tables.full.replace(diskPath('spare-full'), `/dev/${MEMORY_SPARE}`));
    await guest.message('full', 'remap', '0', String(MOVED));
    const [where, , sector] = (await guest.message('full', 'query', '0')).split(' ');
    const last = await guest.message('full', 'query', String(MOVED - 1));
    if (where !== 'spare' || last !== `spare 0 ${Number(sector) + MOVED - 1}`)
      throw new Error(`${MOVED} sectors are not in one piece on the spare: ${last}`);
    await guest.create('there', `0 ${MOVED} linear /dev/${MEMORY_SPARE} ${sector}`);
    const results: Record<string, unknown> = { entries: parseStatus(await guest.status('full')).extents };
    for (const depth of DEPTHS) {
      const { a, b, ratio } = await guest.bench('there', 'full', { depth, sectors: MOVED });
      results[`depth${depth}`] = { linear: a, remap: b, more: Number((b - a).toFixed(1)), ratio };
    }
    return results;
  });
}

/** Milliseconds of some runs, the line to the guest included. */
async function timed(runs: number, act: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    await act();
    took.push(performance.now() - began);
  }
  return took;
}

async function commits(guest: Guest, name: string): Promise<Results> {
  let sector = 0;
  const line = median(await timed(40, async () => await guest.message(name, 'query', '0')));
  const less = (values: readonly number[]): number[] => values.map((value) => Math.max(0, value - line));
  return {
    commit: series('ms', less(await timed(40, async () => await guest.message(name, 'commit')))),
    remapOneSector: series(
      'ms',
      less(await timed(40, async () => await guest.message(name, 'remap', String((sector += 4096))))),
    ),
    // What an answer takes that needs no work; taken off above.
    line: Number(line.toFixed(3)),
  };
}

async function byTheClock(): Promise<Results> {
  return await withGuest('6.1', MOST_ENTRIES, false, async ({ guest, tables }) => {
    const load = async (name: 'empty' | 'full'): Promise<number[]> => {
      const took: number[] = [];
      for (let run = 0; run < 7; run++) {
        took.push(...(await timed(1, async () => await guest.create(name, tables[name]))));
        const { extents } = parseStatus(await guest.status(name));
        if (extents !== (name === 'full' ? MOST_ENTRIES : 0)) throw new Error(`${extents} entries`);
        if (run < 6) await guest.dm('remove', name);
      }
      return took;
    };
    const empty = series('ms', await load('empty'));
    const full = series('ms', await load('full'));
    return {
      disks: 'emulated, one spare; all five copies are read, judged and committed',
      loadWithoutEntries: empty,
      [`loadWith${MOST_ENTRIES}Entries`]: against(full, { atMost: 1000 }),
      commits: { empty: await commits(guest, 'empty') },
    };
  });
}

/** The real allocator, in user space. */
function allocating(): Results {
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-bench-'));
  try {
    const kernel = join(ROOT, 'kernel');
    const program = join(folder, 'allocate');
    const files = ['dmr-map.c', 'test/allocate.c'].map((file) => join(kernel, file));
    runOrThrow('gcc', ['-std=gnu11', '-O2', '-I', kernel, '-o', program, ...files]);
    const { units, mean, worst, fill } = JSON.parse(runOrThrow(program, [])) as Record<string, number>;
    return {
      units,
      extentsInTheWay: MOST_ENTRIES,
      mean: measure('ns', mean ?? NaN, { atMost: 100_000 }),
      // The one that passes all of them.
      worst: measure('ns', worst ?? NaN, { atMost: 100_000 }),
      fillAtLoad: { unit: 'ns', value: fill },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const results: Record<string, Results> = {};
  const benches: readonly (readonly [name: string, run: () => Results | Promise<Results>])[] = [
    ['passing6.1', () => passing('6.1', 1.015)],
    ['passing6.12', () => passing('6.12', 1.02)],
    ['remapped', remapped],
    ['clock', byTheClock],
    ['allocate', allocating],
  ];
  for (const [name, run] of benches) {
    say(`bench:kernel: ${name}`);
    results[name] = await run();
  }
  const document = {
    schema: 'dmremap.bench-kernel/1',
    machine: machine(),
    benches: results,
    missed: missed(results),
  };
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
