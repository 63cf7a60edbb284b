// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests of dmremap-format share: usual options, and looking at what was made as fsck would. No tests here.
import { readRegion } from '../../src/core/extents';
import type { ByteSource } from '../../src/core/extents';
import { isEvidence } from '../../src/core/header';
import { judgeSlot } from '../../src/core/judge';
import { SLOT_ROOM_BYTES, SLOT_SECTORS } from '../../src/core/layout';
import type { SetupDecision } from '../../src/core/model';
import { DEFAULT_POLICY } from '../../src/core/newsetup';
import { decideSetup } from '../../src/core/setup';
import { contentsOf } from '../../src/core/generation';
import type { Contents } from '../../src/core/generation';
import { runFormat } from '../../src/commands/format';
import type { FormatResult } from '../../src/commands/format';
import type { FormatOptions } from '../../src/commands/format-plan';
import { runUndo } from '../../src/commands/undo';
import type { Host } from '../../src/host/host';
import { TOOL } from './journals';
import { MemoryHost } from './memory-host';

export const MIB = 1024 * 1024;
export const MAIN = '/img/main.img';
export const SPARES = ['/img/spare0.img', '/img/spare1.img'] as const;
/** Of an older setup. */
export const OTHER_UUID = 'c0ffee00-0000-4000-8000-000000000001';
export const SETUP_UUID = '0b5c7a52-6f0e-4a40-9a43-1d9a43f0c9e1';
/** Byte where the data of a spare begins. */
export const DATA_BYTE = 10240 * 512;
export const NOW = 1_760_000_000_000_000_000n;

export function formatOptions(more: Partial<FormatOptions> = {}): FormatOptions {
  return {
    name: 'data',
    description: '',
    main: MAIN,
    spares: SPARES,
    uuid: SETUP_UUID,
    policy: DEFAULT_POLICY,
    tunables: [],
    remapUnit: null,
    sectorSize: null,
    badList: null,
    dryRun: false,
    force: false,
    undo: {},
    tool: TOOL,
    command: ['dmremap-format'],
    ...more,
  };
}

/** Main of 4 MiB with something on it, two empty spares of 8 MiB. */
export function formatWorld(): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW });
  host.addImage(MAIN, 4 * MIB);
  host.poke(MAIN, 0, new TextEncoder().encode('what main holds'));
  for (const path of SPARES) host.addImage(path, 8 * MIB);
  return host;
}

export async function format(host: Host, more: Partial<FormatOptions> = {}): Promise<FormatResult> {
  return runFormat(host, formatOptions(more));
}

/** The five slots of a spare, judged. */
export function slotsOf(source: ByteSource): ReturnType<typeof judgeSlot>[] {
  return SLOT_SECTORS.map((sector) =>
    judgeSlot(readRegion(source, sector * 512n, SLOT_ROOM_BYTES), 'complete'),
  );
}

/** Setup uuids with the number of whole copies that a spare has of each; those that have none, but a header, with 0. */
export function setupsOn(host: Host, path: string): Map<string, number> {
  const handle = host.openRead(path);
  const found = new Map<string, number>();
  for (const slot of slotsOf(handle)) {
    if (!isEvidence(slot.header)) continue;
    const { setupUuid } = slot.header.header;
    found.set(setupUuid, (found.get(setupUuid) ?? 0) + (slot.valid ? 1 : 0));
  }
  handle.close();
  return found;
}

/** What fsck decides at its deepest level. */
export function decide(host: Host, setupUuid: string, paths: readonly string[] = SPARES): SetupDecision {
  const spares = paths.map((label) => {
    const handle = host.openRead(label);
    const slots = SLOT_SECTORS.map((sector) => readRegion(handle, sector * 512n, SLOT_ROOM_BYTES));
    handle.close();
    return { label, base: 0n, slots };
  });
  return decideSetup({ setupUuid, spares, strays: [], level: 'forensic', now: host.now() + 1n });
}

/** What the first copy on a spare says. */
export function contentsOn(host: Host, path: string): Contents {
  const handle = host.openRead(path);
  const generation = slotsOf(handle)[0]?.generation ?? null;
  handle.close();
  if (generation === null) throw new Error(`${path}: the first copy is not whole`);
  return contentsOf(generation);
}

/** Status of an undo of this journal. */
export async function undo(host: Host, journal: string): Promise<string> {
  const options = { journal, dryRun: false, force: false, tool: TOOL, command: ['dmremap-undo'] };
  return (await runUndo(host, options)).status;
}

/** One hash over the bytes of several files. */
export function hashOf(host: MemoryHost, paths: readonly string[] = SPARES): string {
  return paths.map((path) => host.sha256(host.bytesOf(path))).join(' ');
}
