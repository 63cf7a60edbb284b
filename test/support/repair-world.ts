// SPDX-License-Identifier: GPL-2.0-or-later
// A machine in memory with the spares of a setup on it, and dmremap-fsck and dmremap-undo run on it as functions, past
// the command line: for tests that run them thousands of times. Cases in words are in case-runner.ts.
import './engines';
import { fsck } from '../../src/commands/fsck';
import type { FsckOptions, FsckSummary, SetupReport } from '../../src/commands/fsck';
import { runUndo } from '../../src/commands/undo';
import type { UndoResult } from '../../src/commands/undo';
import { readRegion } from '../../src/core/extents';
import { Fault } from '../../src/core/faults';
import type { Generation } from '../../src/core/generation';
import { contentsOf } from '../../src/core/generation';
import { slotAt, SPARE_BYTES } from '../../fixtures/build';
import { COPY_INDEXES, NOW_NS } from './bench';
import { copyOf } from './histories';
import { TOOL } from './journals';
import { MemoryHost } from './memory-host';

/** Byte at which the data of the fixtures' spares begins. */
const DATA_BYTE = 10240 * 512;

export function sparePath(spare: number): string {
  return `/img/spare${spare}.img`;
}

/** A machine with empty spares: zeros, and something in their data areas. */
export function emptySpares(count: number): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  for (let spare = 0; spare < count; spare++) {
    host.addImage(sparePath(spare), SPARE_BYTES);
    host.poke(sparePath(spare), DATA_BYTE, new Uint8Array(4096).fill(0xd0 + spare));
  }
  return host;
}

/** A machine with all spares of a setup, all copies of this generation. */
export function healthySpares(generation: Generation): MemoryHost {
  const host = emptySpares(generation.header.spareCount);
  for (let spare = 0; spare < generation.header.spareCount; spare++) {
    putSpare(host, generation, spare);
  }
  return host;
}

/** Puts a copy of a generation into its own place. */
export function putCopy(host: MemoryHost, generation: Generation, spare: number, copy: number): void {
  host.poke(sparePath(spare), slotAt(copy), copyOf(generation, spare, copy));
}

/** All copies of a spare with the same generation. */
export function putSpare(host: MemoryHost, generation: Generation, spare: number): void {
  for (const copy of COPY_INDEXES) putCopy(host, generation, spare, copy);
}

/** Bytes that nobody takes for metadata, text or other content. */
export function junk(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_unused, i) => 0x80 | (i * 73));
}

/** Bytes [start, end) of a slot; zero where they cannot be read. */
export function slotBytes(
  host: MemoryHost,
  spare: number,
  copy: number,
  start: number,
  end: number,
): Uint8Array {
  const handle = host.openRead(sparePath(spare));
  return readRegion(handle, BigInt(slotAt(copy) + start), end - start).bytes;
}

/** Puts bytes into a slot. */
export function pokeSlot(host: MemoryHost, spare: number, copy: number, at: number, bytes: Uint8Array): void {
  host.poke(sparePath(spare), slotAt(copy) + at, bytes);
}

/** What a whole copy of the generation looks like in every place, against what is there: the places that differ. */
export function differingPlaces(host: MemoryHost, generation: Generation): string[] {
  const different: string[] = [];
  for (let spare = 0; spare < generation.header.spareCount; spare++) {
    for (const copy of COPY_INDEXES) {
      const wanted = copyOf(generation, spare, copy);
      const found = slotBytes(host, spare, copy, 0, wanted.length);
      if (Buffer.compare(found, wanted) !== 0) different.push(`${spare}:${copy}`);
    }
  }
  return different;
}

/** Writes since the log began that touched a spare outside the bytes that its copies of this generation use. */
export function strayWrites(host: MemoryHost, generation: Generation): string[] {
  const used = generation.header.slotBytes;
  return host.log.flatMap(({ kind, path, offset, bytes }) => {
    if (kind !== 'write' || !/spare[0-9]\.img$/.test(path)) return [];
    const end = offset + bytes.length;
    const inside = COPY_INDEXES.some((copy) => offset >= slotAt(copy) && end <= slotAt(copy) + used);
    return inside ? [] : [`${path} [${offset}, ${end})`];
  });
}

/** One hash for all spares, or for all of these files. */
export function hashOfAll(host: MemoryHost, paths: readonly string[]): string {
  return paths.map((path) => host.sha256(host.bytesOf(path))).join(' ');
}

export function pathsOf(count: number): string[] {
  return Array.from({ length: count }, (_unused, spare) => sparePath(spare));
}

export function fsckOptions(inputs: readonly string[], more: Partial<FsckOptions> = {}): FsckOptions {
  return {
    inputs,
    mode: 'repair',
    level: 'complete',
    scan: { offset: null, setup: null },
    main: null,
    choose: null,
    acceptPartial: false,
    force: false,
    person: null,
    tool: TOOL,
    command: ['dmremap-fsck'],
    undo: true,
    undoDir: undefined,
    backup: true,
    backupDir: undefined,
    signals: { interrupted: () => false, breathe: () => Promise.resolve() },
    ...more,
  };
}

export interface FsckRun extends FsckSummary {
  readonly setups: readonly SetupReport[];
}

/** As `dmremap-fsck -y` unless `more` says otherwise. */
export async function runFsck(
  host: MemoryHost,
  inputs: readonly string[],
  more: Partial<FsckOptions> = {},
): Promise<FsckRun> {
  const setups: SetupReport[] = [];
  const summary = await fsck(host, fsckOptions(inputs, more), (report) => {
    setups.push(report);
  });
  return { ...summary, setups };
}

/** The one setup that a run was about. */
export function onlySetup(run: FsckRun): SetupReport {
  const [only] = run.setups;
  if (only === undefined || run.setups.length !== 1)
    throw new Error(`${run.setups.length} setups instead of one`);
  return only;
}

/** Result of an undo; where nothing could be judged, the code of the Fault. */
export async function undoJournal(host: MemoryHost, journal: string): Promise<UndoResult | string> {
  try {
    return await runUndo(host, {
      journal,
      dryRun: false,
      force: false,
      tool: TOOL,
      command: ['dmremap-undo'],
    });
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

/** Undo journals on the machine, oldest first. */
export function journalsOf(host: MemoryHost): string[] {
  return host
    .listDir('/img')
    .filter((name) => /\.dmremap-undo-[0-9a-f]{8}-[0-9]+$/.test(name))
    .map((name) => `/img/${name}`);
}

/** What a generation says, apart from who wrote it and when: entries, settings, devices without their sequences. */
export function meaningOf(generation: Generation): string {
  const { devices, config, health, remaps, events } = contentsOf(generation);
  const own = devices.map((device) => ({
    ...device,
    lastSequence: 0n,
    baseSequence: 0n,
    lastRun: 0n,
    crc: 0,
  }));
  return JSON.stringify({ own, config, health, remaps, events }, (_key, value: unknown) =>
    typeof value === 'bigint'
      ? `${value}n`
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('latin1')
        : value,
  );
}
