// SPDX-License-Identifier: GPL-2.0-or-later
// A small machine for tests of writing and undoing: two images, and a plan that writes three copies to them, each a body
// and then a header. And the loop that cuts its power at every point.
import { closeTargets, journalPath, openTargets } from '../../src/commands/targets';
import { performWrites } from '../../src/commands/writing';
import type { PlannedWrite, WritingOptions, WritingReport } from '../../src/commands/writing';
import { runUndo } from '../../src/commands/undo';
import type { UndoOptions, UndoResult } from '../../src/commands/undo';
import { Fault } from '../../src/core/faults';
import { MemoryHost, PowerCut } from './memory-host';
import type { PowerCutPlan } from './memory-host';
import { noise, TOOL, UUID } from './journals';

export const A = '/img/a.img';
export const B = '/img/b.img';
export const FIRST_JOURNAL = '/img/a.img.dmremap-undo-1a2b3c4d-001';
export const IMAGE_BYTES = 16384;

export function world(): MemoryHost {
  const host = new MemoryHost();
  host.addImage(A, noise(11, IMAGE_BYTES));
  host.addImage(B, noise(12, IMAGE_BYTES));
  return host;
}

/** Header of two sectors at `slot`, body of four behind it; the body first. One sector of it is the same before and after. */
function copy(host: MemoryHost, target: number, slot: number, group: string, seed: number): PlannedWrite[] {
  const image = host.bytesOf(target === 0 ? A : B);
  const piece = (start: number, length: number): PlannedWrite => {
    const before = image.slice(start, start + length);
    const after = noise(seed + start, length);
    if (length > 1024) after.set(before.subarray(512, 1024), 512);
    return { target, offset: BigInt(start), before, after, finding: 'COPY_BAD', group };
  };
  return [piece(slot + 1024, 2048), piece(slot, 1024)];
}

export function planFor(host: MemoryHost): PlannedWrite[] {
  return [
    ...copy(host, 0, 0, 'spare0/copy1', 100),
    ...copy(host, 0, 8192, 'spare0/copy0', 200),
    ...copy(host, 1, 4096, 'spare1/copy0', 300),
  ];
}

/** Opens the images, carries out the plan, closes them. */
export async function write(
  host: MemoryHost,
  plan: readonly PlannedWrite[],
  options: Partial<WritingOptions> = {},
): Promise<WritingReport> {
  const targets = openTargets(host, [A, B]);
  try {
    return await performWrites(host, targets, plan, {
      journal: journalPath(host, { kind: 'image', firstPath: A, setupUuid: UUID }),
      setupUuid: UUID,
      tool: TOOL,
      command: ['dmremap-fsck', '-y', A, B],
      ...options,
    });
  } finally {
    closeTargets(targets);
  }
}

export async function undo(
  host: MemoryHost,
  journal = FIRST_JOURNAL,
  options: Partial<UndoOptions> = {},
): Promise<UndoResult> {
  return runUndo(host, {
    journal,
    dryRun: false,
    force: false,
    tool: TOOL,
    command: ['dmremap-undo', journal],
    ...options,
  });
}

export function images(host: MemoryHost): string {
  return `${host.sha256(host.bytesOf(A))} ${host.sha256(host.bytesOf(B))}`;
}

/** What the images hold once the plan is carried out. */
export function imagesAfter(host: MemoryHost, plan: readonly PlannedWrite[]): string {
  const bytes = [host.bytesOf(A), host.bytesOf(B)];
  for (const one of plan) bytes[one.target]!.set(one.after, Number(one.offset));
  return bytes.map((image) => host.sha256(image)).join(' ');
}

export function journals(host: MemoryHost): string[] {
  return host
    .listDir('/img')
    .filter((name) => name.includes('.dmremap-undo-'))
    .map((name) => `/img/${name}`);
}

/** The code of the Fault that `call` throws, 'none' if it throws nothing; any other exception goes on up. */
export async function faultOf(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'none';
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

/**
 * Every way in which power can fail while `run` is at work on a machine in the state that `host` is in now: before each
 * mutation with its cache kept, lost, or kept in part, and within each write after every sector and with some random
 * ones. Calls `after` for each with the machine rebooted. The number of ways.
 */
export async function everyCut(
  host: MemoryHost,
  run: () => Promise<unknown>,
  after: (plan: PowerCutPlan) => Promise<void>,
): Promise<number> {
  const start = host.snapshot();
  // The log begins anew: the plans count from here.
  host.reboot();
  await run();
  const plans = host.log.flatMap(({ kind, bytes, offset }, at): PowerCutPlan[] => {
    const caches: PowerCutPlan[] = [
      { at, cache: 'kept' },
      { at, cache: 'lost' },
    ];
    for (let seed = 1; seed <= 2; seed++) caches.push({ at, cache: { seed: 100 * at + seed } });
    if (kind !== 'write') return caches;
    const sectors = Math.ceil((offset + bytes.length) / 512) - Math.floor(offset / 512);
    const torn: PowerCutPlan[] = [];
    for (let count = 1; count <= sectors; count++) torn.push({ at, tear: { sectors: count } });
    for (let seed = 1; seed <= 3; seed++) {
      torn.push({ at, tear: { seed: 100 * at + seed }, cache: seed === 1 ? 'lost' : { seed } });
    }
    return [...caches, ...torn];
  });
  for (const plan of plans) {
    host.restore(start);
    host.cutPower(plan);
    await expectCut(run);
    host.reboot();
    await after(plan);
  }
  host.restore(start);
  return plans.length;
}

async function expectCut(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof PowerCut) return;
    throw error;
  }
  throw new Error('the power was not cut');
}

export const SECOND_JOURNAL = '/img/a.img.dmremap-undo-1a2b3c4d-002';

export interface Repaired {
  readonly host: MemoryHost;
  readonly plan: readonly PlannedWrite[];
  readonly original: string;
  readonly repaired: string;
}

export async function repairedWorld(): Promise<Repaired> {
  const host = world();
  const plan = planFor(host);
  const original = images(host);
  await write(host, plan);
  return { host, plan, original, repaired: images(host) };
}

/** Of a repair whose power failed at a mutation; the journal is complete. */
export async function cutWorld(at: number, sectors?: number): Promise<Repaired> {
  const host = world();
  const plan = planFor(host);
  const original = images(host);
  host.cutPower({ at, ...(sectors === undefined ? {} : { tear: { sectors } }) });
  await expectCut(() => write(host, plan));
  host.reboot();
  return { host, plan, original, repaired: images(host) };
}

/** The mutations of a whole repair: its indexes are what cutWorld takes. */
export async function steps(): Promise<MemoryHost['log']> {
  const { host } = await repairedWorld();
  return host.log;
}
