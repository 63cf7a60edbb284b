// SPDX-License-Identifier: GPL-2.0-or-later
// Turns a repair plan (core/plan.ts) into writes and has them carried out with backup and undo journal. The plan's
// permissions were settled before; nothing is asked here.
import { encodeUtf8, equalBytes, textOf, toHex } from '../core/bytes';
import type { CommitFacts } from '../core/commit';
import { commitFrom, laterThan, nextSequence } from '../core/commit';
import { slotOffset } from '../core/copies';
import { dumpDocument } from '../core/dumpform';
import { gapWithin, readRegion } from '../core/extents';
import type { Region } from '../core/extents';
import { Fault } from '../core/faults';
import type { Generation } from '../core/generation';
import { contentsOf, encodeCopy } from '../core/generation';
import { judgeSlot } from '../core/judge';
import { copyGroup, plannedWrite } from '../core/newwrites';
import type { PlannedCopy, RepairPlan } from '../core/plan';
import { writesOfCopy } from '../core/plan';
import type { Host } from '../host/host';
import { jsonText } from '../render/json';
import { backupDirectory, writeBackup } from './backup';
import type { Examined } from './examine';
import type { Located } from './scan';
import { sourceOf } from './scan';
import { closeTargets, journalPath, openTargets } from './targets';
import type { PlannedWrite, RunOptions, Signals, WritingReport } from './writing';
import { performWrites } from './writing';

/** Everything about how to write, apart from what. */
export interface RepairOptions extends RunOptions {
  /** False: no undo journal. */
  readonly undo: boolean;
  readonly undoDir: string | undefined;
  /** False: no text backup. */
  readonly backup: boolean;
  readonly backupDir: string | undefined;
  readonly signals: Signals;
}

/** A plan with its bytes. */
export interface PreparedRepair {
  /** What will lie in every planned place. */
  readonly generation: Generation;
  /** Distinct, in the order of the writes' target numbers. */
  readonly paths: readonly string[];
  readonly writes: readonly PlannedWrite[];
  readonly precious: ReadonlySet<string>;
  /** False: a new generation whose time and run are only known when it is written. */
  readonly reproducible: boolean;
}

/** One row of the machine-readable plan. */
export interface PlanRow {
  readonly path: string;
  readonly offset: bigint;
  readonly length: bigint;
  readonly finding: string;
  readonly sha256Before: string;
  /** Null where it is not known before it is written (a new generation has a time and a random run of its own). */
  readonly sha256After: string | null;
}

export interface RepairOutcome {
  readonly report: WritingReport | null;
  /** What kept anything from being written, or null. */
  readonly fault: Fault | null;
  readonly backup: string | null;
}

const groupOf = ({ place }: PlannedCopy): string => copyGroup(place.spareIndex, place.copyIndex);

/** The place that a group of writes is about. */
export function placeOfGroup(group: string): { spare: number; copy: number } {
  const match = /^spare(\d)\/copy(\d)$/.exec(group);
  return { spare: Number(match?.[1] ?? 0), copy: Number(match?.[2] ?? 0) };
}

/**
 * Reads what the planned places hold now and encodes what they are to hold.
 * Fault CHANGED_BEFORE_WRITE if a place is no longer as it was judged.
 */
export function prepareRepair(
  host: Host,
  examined: Examined,
  plan: RepairPlan,
  writer: string,
): PreparedRepair | null {
  const generation = plan.kind === 'commit' ? newGeneration(host, examined, plan, writer) : plan.base;
  if (generation === null || plan.kind === 'none') return null;
  requireValid(generation);
  const paths: string[] = [];
  const writes: PlannedWrite[] = [];
  for (const copy of plan.copies) {
    const located = examined.locate(copy.seat);
    if (located === null) continue;
    let target = paths.indexOf(located.path);
    if (target === -1) target = paths.push(located.path) - 1;
    writes.push(...copyWrites(host, copy, located, target, generation));
  }
  const precious = new Set(plan.copies.filter((copy) => copy.precious).map(groupOf));
  const reproducible = plan.kind === 'restore' || host.sourceDateEpoch() !== null;
  return { generation, paths, writes, precious, reproducible };
}

/** Every write is read back and compared with what was planned; so what was planned must be valid itself. */
function requireValid(generation: Generation): void {
  const { spareIndex, spareUuid } = generation.header;
  const copy = encodeCopy(generation, { copyIndex: 0, spareIndex, spareUuid });
  if (!judgeSlot({ bytes: copy, gaps: [] }, 'integrity').valid) {
    throw new Fault('INTERNAL', { what: 'the planned generation does not pass its own checks' });
  }
}

function newGeneration(host: Host, examined: Examined, plan: RepairPlan, writer: string): Generation | null {
  if (plan.base === null) return null;
  const { decision } = examined;
  const seats = [...new Set(plan.copies.map((copy) => copy.seat))];
  // Newer than the side that is given up too, even if its clock ran ahead.
  const newest = (decision.winner ?? decision.partial)?.header.writtenNs ?? 0n;
  const facts = {
    highestSeen: decision.highestSeen,
    uncertain: decision.uncertain,
    now: laterThan(newest, host.now()),
    writer,
    present: seats.map(({ index, highestShown }) => ({ index, highestShown })),
    degraded: decision.seats.some((seat) => seat.standing !== 'retired' && !seats.includes(seat)),
  };
  return commitFrom(plan.base, { ...facts, runId: runIdFor(host, plan.base, facts) });
}

/**
 * A new run. Random; where SOURCE_DATE_EPOCH asks for reproducible output, a hash of all that the new generation is made
 * from, so that two commits of which a single byte differs never share one.
 */
export function runIdFor(host: Host, base: Generation, facts: Omit<CommitFacts, 'runId'>): bigint {
  let bytes = host.random(8);
  if (host.sourceDateEpoch() !== null) {
    const whole = encodeCopy(base, { copyIndex: 0, spareIndex: 0, spareUuid: base.header.spareUuid });
    const who = facts.present.map(({ index, highestShown }) => `${index}:${highestShown}`).join(',');
    const what = [nextSequence(facts), facts.now, facts.writer, facts.degraded, who].map(String).join('\n');
    const hash = host.sha256(whole, encodeUtf8(what));
    bytes = Uint8Array.from({ length: 8 }, (_unused, i) => parseInt(hash.slice(2 * i, 2 * i + 2), 16));
  }
  const runId = BigInt(`0x${toHex(bytes)}`);
  return runId === 0n ? 1n : runId;
}

function copyWrites(
  host: Host,
  copy: PlannedCopy,
  located: Located,
  target: number,
  generation: Generation,
): PlannedWrite[] {
  const { copyIndex } = copy.copy;
  const image = encodeCopy(generation, { copyIndex, spareIndex: copy.seat.index, spareUuid: copy.seat.uuid });
  const now = readPlace(host, located, copyIndex, image.length);
  requireAsJudged(copy, located, now);
  // It ends behind the device: there is nothing to write to.
  if (now.gaps.some((gap) => gap.kind === 'beyond-end')) return [];
  const good = copy.copy.state === 'valid' && now.gaps.length === 0;
  const place = located.base + slotOffset(copyIndex);
  return writesOfCopy(image, good ? now.bytes : null).map(({ start, bytes }) => ({
    ...plannedWrite(target, groupOf(copy), place, now, start, bytes),
    finding: copy.finding,
  }));
}

function readPlace(host: Host, located: Located, copyIndex: number, length: number): Region {
  const handle = host.openRead(located.path);
  try {
    return readRegion(sourceOf(handle, located), slotOffset(copyIndex), length);
  } finally {
    handle.close();
  }
}

/** A plan made from bytes that have changed since would be a plan for something else. */
function requireAsJudged(copy: PlannedCopy, located: Located, now: Region): void {
  const judged = copy.seat.spare?.slots[copy.copy.copyIndex]?.region;
  if (judged === undefined) return;
  const length = Math.min(judged.bytes.length, now.bytes.length);
  if (equalBytes(judged.bytes.subarray(0, length), now.bytes.subarray(0, length))) return;
  for (let at = 0; at < length; at++) {
    if (judged.bytes[at] === now.bytes[at]) continue;
    // Medium errors come and go; only bytes that were read both times can have changed.
    if (gapWithin(judged, at, at + 1) !== undefined || gapWithin(now, at, at + 1) !== undefined) continue;
    const offset = located.base + slotOffset(copy.copy.copyIndex) + BigInt(at);
    const hex = (byte: number | undefined): string => `0x${(byte ?? 0).toString(16).padStart(2, '0')}`;
    throw new Fault('CHANGED_BEFORE_WRITE', {
      path: located.path,
      offset: String(offset),
      expected: hex(judged.bytes[at]),
      found: hex(now.bytes[at]),
    });
  }
}

/** The rows of the plan, in the order in which they are written. */
export function planRows(host: Host, prepared: PreparedRepair): PlanRow[] {
  return prepared.writes.map((write) => ({
    path: prepared.paths[write.target] ?? '',
    offset: write.offset,
    length: BigInt(write.after.length),
    finding: write.finding,
    sha256Before: host.sha256(write.before),
    sha256After: prepared.reproducible ? host.sha256(write.after) : null,
  }));
}

/** Carries a prepared repair out: backup and journal first, then copy by copy. Never throws a Fault. */
export async function performRepair(
  host: Host,
  examined: Examined,
  prepared: PreparedRepair,
  options: RepairOptions,
): Promise<RepairOutcome> {
  let backup: string | null = null;
  try {
    const targets = openTargets(host, prepared.paths);
    try {
      const kind = targets.some((target) => target.recorded.kind === 'block') ? 'block' : 'image';
      const place = { kind, firstPath: prepared.paths[0] ?? '', dir: options.undoDir } as const;
      const { setupUuid } = examined.decision;
      const journal = options.undo ? journalPath(host, { ...place, setupUuid }) : null;
      const report = await performWrites(host, targets, prepared.writes, {
        journal,
        setupUuid,
        tool: options.tool,
        command: options.command,
        signals: options.signals,
        ready: () => {
          if (options.backup)
            backup = backUp(host, examined, options.backupDir ?? backupDirectory(host, place));
        },
        precious: prepared.precious,
        progress: options.progress,
      });
      return { report, fault: null, backup };
    } finally {
      closeTargets(targets);
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { report: null, fault: error, backup };
  }
}

/** Writes the generation that was found, as text. Null where there is none. */
function backUp(host: Host, { decision }: Examined, directory: string): string | null {
  const generation = decision.winner?.generation ?? decision.candidates[0]?.generation ?? null;
  if (generation === null) return null;
  const result = writeBackup(host, {
    directory,
    setupName: textOf(contentsOf(generation).config.name),
    setupUuid: decision.setupUuid,
    sequence: generation.header.sequence,
    text: jsonText(dumpDocument(generation)),
  });
  return result.path;
}
