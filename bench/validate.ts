// SPDX-License-Identifier: GPL-2.0-or-later
// Validation of one copy of 24 KiB in the core, once warm: at integrity (four levels of checksums) and complete (the
// rules too), with both engines of the CRC. Each engine has processes of its own, in turn: in one process the second
// would pay for what V8 learned from the first.
import { spawnSync } from 'node:child_process';
import { useZlibCrc32 } from '../src/host/crc';
import { judgeSlot } from '../src/core/judge';
import { rulesBroken } from '../src/core/rules';
import { copyOf, generationOf } from './setups';
import type { Bench } from './shape';
import type { Series } from './stats';
import { against, series } from './stats';

const ENGINES = ['zlib', 'crc-32'] as const;
type Engine = (typeof ENGINES)[number];
const LEVELS = ['integrity', 'complete'] as const;
type Level = (typeof LEVELS)[number];

const TARGET_US = 20;
/** Different copies, judged in turn: one and the same would never leave the fastest cache. */
const COPIES = 64;
const BATCH = 2000;

/** What a child prints: microseconds for a copy, one number for each batch. */
type Batches = Readonly<Record<Level, number[]>>;

/** The child's part. Null if this Node has no such engine. */
export function validateChild(engine: Engine, batches: number): Batches | null {
  if (engine === 'zlib' && !useZlibCrc32()) return null;
  const regions = Array.from({ length: COPIES }, (_unused, id) => ({
    bytes: copyOf(generationOf(id, 1, 0), 0, id % 5),
    gaps: [],
  }));
  const found: Record<Level, number[]> = { integrity: [], complete: [] };
  const judge = { integrity: judgeIntegrity, complete: judgeComplete };
  for (const level of LEVELS) for (let i = 0; i < 2 * BATCH; i++) judge[level](regions[i % COPIES] as Region);
  for (let batch = 0; batch < batches; batch++) {
    for (const level of LEVELS) {
      const begin = process.hrtime.bigint();
      for (let i = 0; i < BATCH; i++) judge[level](regions[i % COPIES] as Region);
      found[level].push(Number(process.hrtime.bigint() - begin) / 1000 / BATCH);
    }
  }
  return found;
}

type Region = Parameters<typeof judgeSlot>[0];

function judgeIntegrity(region: Region): void {
  if (!judgeSlot(region, 'integrity').valid) throw new Error('a healthy copy was judged bad');
}

function judgeComplete(region: Region): void {
  const { generation } = judgeSlot(region, 'complete');
  if (generation === null || rulesBroken(generation).length > 0)
    throw new Error('a healthy copy was judged bad');
}

export const validate: Bench = {
  name: 'validate',
  what: 'validation of one copy of 24 KiB in the core, once warm',
  run: async ({ quick, self, progress }) => {
    const rounds = quick ? 2 : 5;
    const batches = quick ? 5 : 20;
    const all: Record<Engine, Batches[]> = { zlib: [], 'crc-32': [] };
    for (let round = 0; round < rounds; round++) {
      for (const engine of ENGINES) {
        await progress(`round ${round + 1} of ${rounds}, ${engine}`);
        const done = spawnSync(process.execPath, [self, '--child', 'validate', engine, String(batches)], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        if (done.status !== 0) throw new Error(`the child for ${engine} failed`);
        const found = JSON.parse(done.stdout) as Batches | null;
        if (found !== null) all[engine].push(found);
      }
    }
    const report = (engine: Engine): unknown => {
      if (all[engine].length === 0) return { notThere: `Node ${process.version} has no crc32 in zlib` };
      const of = (level: Level): Series =>
        series(
          'us',
          all[engine].flatMap((batch) => batch[level]),
        );
      // "valid" is what integrity finds out (FORMAT.md section 4); the rules come on top.
      return { integrity: against(of('integrity'), { atMost: TARGET_US }), complete: of('complete') };
    };
    return {
      copyBytes: 24576,
      copies: COPIES,
      ...Object.fromEntries(ENGINES.map((engine) => [engine, report(engine)])),
    };
  },
};
