// SPDX-License-Identifier: GPL-2.0-or-later
// What holds for the writes of every repair, whatever the case: read from the log of the machine that it ran on.
import type { DefectCase, World } from '../../fixtures/case';
import { SLOT_SECTORS } from '../../src/core/layout';
import type { SetupDocument } from './case-documents';
import { givenPaths } from './case-machine';
import type { MemoryHost, Mutation } from './memory-host';

const SLOT_STARTS = SLOT_SECTORS.map((sector) => Number(sector) * 512);

/**
 * Journal and backup are durable before the first byte of an input changes; writes are whole 4 KiB blocks, each synced
 * before the next; of each copy the header block comes last, and the copy is not touched again (FORMAT.md section 6).
 */
export function holdWriteOrder(log: readonly Mutation[], one: DefectCase, world: World): void {
  const paths = new Set(givenPaths(world));
  const isInput = ({ path }: Mutation): boolean => paths.has(path);
  const first = log.findIndex((step) => step.kind === 'write' && isInput(step));
  if (first === -1) return;
  holdJournalFirst(log.slice(0, first));
  // Where writes fail, one may end early and the sync behind it is left out.
  if (world.inputs.some((input) => input.failsWrites !== undefined || input.unread !== undefined)) return;
  const mine = log.filter(isInput);
  const finished = new Set<string>();
  mine.forEach(({ kind, path, offset, bytes }, i) => {
    if (kind !== 'write') return;
    expect({ offset: offset % 4096, length: bytes.length % 4096 }).toEqual({ offset: 0, length: 0 });
    expect(mine[i + 1]).toMatchObject({ kind: 'sync', path });
    // Where the spare begins elsewhere its slots do, too.
    if (one.kind === 'containers and partitions') return;
    const slot = SLOT_STARTS.filter((start) => start <= offset).length - 1;
    const place = `${path} slot ${slot}`;
    expect(finished).not.toContain(place);
    if (offset !== SLOT_STARTS[slot]) return;
    expect(bytes.length).toBe(4096);
    finished.add(place);
  });
}

/**
 * The plan in the document is what was written: the same places in the same order, with the bytes that its hashes say, and
 * nothing else. `before`: the bytes of the inputs when the run began.
 */
export function holdPlan(
  log: readonly Mutation[],
  setups: readonly SetupDocument[],
  host: MemoryHost,
  before: ReadonlyMap<string, Uint8Array>,
): void {
  const writes = log.filter(({ kind, path }) => kind === 'write' && before.has(path));
  const plan = setups.flatMap((setup) => setup.plan);
  expect(writes.map(({ path, offset, bytes }) => [path, `${offset}`, `${bytes.length}`])).toEqual(
    plan.map(({ path, offset, length }) => [path, offset, length]),
  );
  writes.forEach(({ path, offset, bytes }, i) => {
    const old = before.get(path)?.subarray(offset, offset + bytes.length) ?? new Uint8Array(0);
    expect(plan[i]?.sha256Before).toBe(host.sha256(old));
    expect([null, host.sha256(bytes)]).toContain(plan[i]?.sha256After);
  });
}

function holdJournalFirst(before: readonly Mutation[]): void {
  const made = before.filter(({ kind }) => kind === 'create').map(({ path }) => path);
  expect(made).toContainEqual(expect.stringContaining('.dmremap-undo-'));
  for (const path of made) {
    const steps = before.filter((step) => step.path === path).map(({ kind }) => kind);
    expect({ path, steps: steps.slice(-2) }).toEqual({ path, steps: ['sync', 'sync-name'] });
  }
}
