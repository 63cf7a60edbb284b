// SPDX-License-Identifier: GPL-2.0-or-later
// The disks that crash tests cut the power of, and a recorded workload on them, with the states that its log leads to.
// Judging the states is in crash-states.ts.
import { prng } from '../prng';
import { below } from '../mutate';
import { Ledger } from './crash-ledger';
import type { Wreck } from './crash-states';
import { Workload } from './crash-workload';
import type { BootOptions } from './lab';
import { Lab } from './lab';
import { patternRange } from './pattern';
import { Replay } from './replay';
import { formatDisks } from './toolkit';

export const MAIN_SECTORS = 1024;
const SPARE_SECTORS = 24576;
const DATA_START = 10240;
export const SPARES = ['one', 'two'] as const;

/** Main and two spares; one of them keeps FUA apart from flushes, so that writes with FUA stand in the log as such. */
export async function openCrashLab(options: BootOptions = {}): Promise<Lab> {
  return await Lab.open({
    ...options,
    disks: [
      { name: 'main', sectors: MAIN_SECTORS, physicalBlockSize: 4096 },
      { name: 'one', sectors: SPARE_SECTORS },
      { name: 'two', sectors: SPARE_SECTORS, driver: 'nbd' },
    ],
  });
}

/** A setup on fresh disks, every sector of main in version 1. */
export async function makeSetup(lab: Lab): Promise<{ readonly table: string; readonly setupUuid: string }> {
  lab.disk('main').poke(0, patternRange(0, MAIN_SECTORS, 1));
  return await formatDisks(lab.rack, 'main', SPARES);
}

/** Spare sectors that can't be written, ahead of where extents will be handed out. */
export function spoilSpares(lab: Lab, random: () => number, share: number): void {
  for (const name of SPARES)
    for (let unit = 0; unit < 1500; unit++)
      if (random() % 100 < share) lab.disk(name).failWrites(DATA_START + unit * 8 + (random() % 8));
}

/** A boot may take a minute; on a busy machine a workload takes several. */
const BOOT_MS = 35_000;

export interface Recorded {
  readonly lab: Lab;
  readonly ledger: Ledger;
  readonly replay: Replay;
  readonly workload: Workload;
  readonly setupUuid: string;
  readonly table: string;
  readonly commits: number;
}

/** Boots, records a workload of at least so many commits, and ends the guest. The lab stays open. */
export async function record(lab: Lab, seed: number, commits: number): Promise<Recorded> {
  const random = prng(seed);
  const { table, setupUuid } = await makeSetup(lab);
  spoilSpares(lab, random, 4);
  let guest = await lab.boot();
  let booted = performance.now();
  const { log } = lab.rack;
  lab.rack.beginLog();
  const ledger = new Ledger(
    MAIN_SECTORS,
    () => 'v1',
    () => log.position,
  );
  const workload = new Workload({ device: 'data', main: lab.disk('main'), ledger, random });
  await guest.create('data', table);
  await guest.message('data', 'set', 'spare_policy', '1');
  await workload.look(guest);
  const first = ledger.sequenceBy(Infinity);
  while (ledger.sequenceBy(Infinity) - first < BigInt(commits)) {
    await workload.step(guest);
    if (random() % 40 === 0) {
      // A clean stop and a new run in between.
      await guest.dm('suspend', 'data');
      await guest.dm('resume', 'data');
      await workload.look(guest);
    }
    if (performance.now() - booted > BOOT_MS) {
      await guest.dm('remove', 'data');
      await lab.kill();
      guest = await lab.boot();
      booted = performance.now();
      await guest.create('data', table);
      await workload.look(guest);
    }
  }
  await workload.flush(guest);
  await guest.dm('remove', 'data');
  log.end();
  const commitsDone = Number(ledger.sequenceBy(Infinity) - first);
  await lab.kill();
  return { lab, ledger, replay: new Replay(log), workload, setupUuid, table, commits: commitsDone };
}

/** Every `stride`th prefix of the log, the first at `from`. */
export function* prefixes(replay: Replay, stride = 1, from = 0): Generator<Wreck> {
  const positions = replay.positions();
  for (let i = from; i < positions.length; i += stride) {
    const cut = positions[i] ?? 0;
    yield { name: `prefix ${cut}`, states: replay.whole(cut), cut, begun: cut };
  }
}

/** So many writes torn at a place by seed: the first sectors, the last ones, or any. */
export function* tears(replay: Replay, count: number, seed: number): Generator<Wreck> {
  const random = prng(seed);
  const behind = replay.positions().slice(1);
  const chosen = Array.from({ length: count }, () => (behind[below(random, behind.length)] ?? 1) - 1);
  for (const cut of chosen.sort((a, b) => a - b)) {
    const kind = below(random, 3);
    const sectors = 1 + below(random, 7);
    const tear =
      kind === 0 ? { first: sectors } : kind === 1 ? { last: sectors } : { seed: below(random, 1 << 30) };
    const name = `write ${cut} torn by ${JSON.stringify(tear)}`;
    yield { name, states: replay.torn(cut, tear), cut, begun: cut + 1 };
  }
}

/** Cuts at so many places, where of what was not flushed a choice by seed is left: whole writes, or single sectors. */
export function* losses(replay: Replay, count: number, seed: number): Generator<Wreck> {
  const random = prng(seed);
  const chosen = Array.from({ length: count }, () => below(random, replay.length + 1));
  for (const cut of chosen.sort((a, b) => a - b)) {
    const kind = below(random, 5);
    if (kind < 2) {
      const kept = new Set(replay.undecided(cut).filter(() => below(random, 2) === 0));
      const name = `at ${cut} the writes ${[...kept].join()} are left`;
      yield { name, states: replay.subset(cut, kept), cut, begun: cut };
    } else {
      const how = kind === 2 ? 'lost' : { seed: below(random, 1 << 30) };
      const name = `at ${cut} ${JSON.stringify(how)}`;
      yield { name, states: replay.lossy(cut, how), cut, begun: cut };
    }
  }
}
