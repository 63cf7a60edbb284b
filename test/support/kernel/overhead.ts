// SPDX-License-Identifier: GPL-2.0-or-later
// What the target costs where nothing is wrong: two setups over devices that answer at once, one without entries and one
// with many of them elsewhere, each beside a linear mapping of the same device. Counting instructions, a read costs the same
// in every run. What it may cost is for the test and the bench to say.
import { runFormat } from '../../../src/commands/format';
import { formatOptions } from '../format-world';
import type { KernelFiles, Series } from './environment';
import type { BenchResult, Guest } from './guest';
import { Lab, LAB_TIME } from './lab';
import { diskPath, LabHost } from './toolkit';

/** 1 GiB, the smallest that the null device can be made by its parameters. */
const MAIN_SECTORS = 2097152;
const SPARE_SECTORS = 262144;
const BLOCK = 4096;
/** Reads go to the first half; the entries are at the very end. */
const READ_SECTORS = MAIN_SECTORS / 2;

/** No host I/O is under way while it measures, but while it boots: time then jumps, and a task seems to hang. */
const QUIET_WATCHDOG = 'echo 0 > /proc/sys/kernel/hung_task_timeout_secs';

export type SetupName = 'empty' | 'full';
const SETUPS: readonly SetupName[] = ['empty', 'full'];

/** Numbers of blocks at the end of main, every second one, as badblocks prints them: no two make one entry. */
function scatteredBlocks(count: number): string {
  const first = (MAIN_SECTORS * 512) / BLOCK - 2 * count;
  return Array.from({ length: count }, (_, i) => `${first + 2 * i}\n`).join('');
}

async function formatOne(lab: Lab, name: SetupName, entries: number): Promise<string> {
  const host = new LabHost(lab.rack.disks, LAB_TIME);
  const path = '/list';
  host.addImage(path, new TextEncoder().encode(scatteredBlocks(entries)));
  const made = await runFormat(
    host,
    formatOptions({
      ...{ name, main: diskPath(`main-${name}`), spares: [diskPath(`spare-${name}`)] },
      uuid: `0b5c7a52-6f0e-4a40-9a43-00000000000${SETUPS.indexOf(name)}`,
      badList: entries === 0 ? null : { kind: 'bad-blocks', path, blockSize: BLOCK },
    }),
  );
  host.writeBack();
  return made.table.replace(diskPath(`main-${name}`), `/dev/nullb${SETUPS.indexOf(name)}`);
}

export interface OverheadOptions {
  readonly kernel: Series | KernelFiles;
  /** Of the setup "full". */
  readonly entries: number;
  /** Count instructions; else the guest's clock goes as this machine's. */
  readonly icount: boolean;
}

export interface Overhead {
  readonly lab: Lab;
  readonly guest: Guest;
  readonly tables: Readonly<Record<SetupName, string>>;
}

/** Boots a guest with both devices and no mapping yet. Close the lab. */
export async function openOverhead({ kernel, entries, icount }: OverheadOptions): Promise<Overhead> {
  const lab = await Lab.open({
    ...{ kernel, icount },
    modules: ['null_blk nr_devices=2 gb=1 bs=512 irqmode=0 queue_mode=2'],
    // The mains exist for the toolkit only: in the guest the null devices take their places.
    without: SETUPS.map((name) => `main-${name}`),
    disks: SETUPS.flatMap((name) => [
      { name: `main-${name}`, sectors: MAIN_SECTORS },
      { name: `spare-${name}`, sectors: SPARE_SECTORS },
    ]),
  });
  try {
    const tables = {
      empty: await formatOne(lab, 'empty', 0),
      full: await formatOne(lab, 'full', entries),
    };
    const guest = await lab.boot();
    if (icount) await guest.sh(QUIET_WATCHDOG);
    return { lab, guest, tables };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** Brings up a setup, and a linear mapping of the same device under "NAME-linear". */
export async function bringUp({ guest, tables }: Overhead, name: SetupName): Promise<void> {
  await guest.create(name, tables[name]);
  await guest.create(`${name}-linear`, `0 ${MAIN_SECTORS} linear /dev/nullb${SETUPS.indexOf(name)} 0`);
}

/** Random 4 KiB reads of both in turn; `ratio` is the target's part of the linear mapping's. */
export async function compareReads(guest: Guest, name: SetupName, depth: 1 | 32): Promise<BenchResult> {
  return await guest.bench(`${name}-linear`, name, { depth, sectors: READ_SECTORS, reads: 960, rounds: 5 });
}
