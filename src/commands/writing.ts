// SPDX-License-Identifier: GPL-2.0-or-later
// The one engine by which commands change images and devices: check, journal, then write, sync and read back one group
// (a copy, as a rule) after the other. What is written and in which order is the callers' plan.
import { equalBytes, firstDifference, toHex } from '../core/bytes';
import { Fault } from '../core/faults';
import type { FaultCode } from '../core/faults';
import { checkPlan, encodeJournal, encodeMarks } from '../core/journal';
import type { PlannedWrite } from '../core/journal';
import { directoryOf, inDirectory, nameOf } from '../core/paths';
import type { Tool } from '../core/tool';
import { complement } from '../core/undo';
import type { Host } from '../host/host';
import type { WriteTarget } from './targets';

export type { PlannedWrite } from '../core/journal';

/** How a long piece of work hears that it should end. CliIo is one. */
export interface Signals {
  interrupted(): boolean;
  breathe(): Promise<void>;
}

/** What every command that writes is told of the run that it is part of. */
export interface RunOptions {
  readonly tool: Tool;
  /** The words of the command line, for the journal. */
  readonly command: readonly string[];
  readonly signals?: Signals | undefined;
  /** Called after each group of writes, for a progress bar. */
  readonly progress?: ((groupsDone: number, groups: number) => void) | undefined;
}

/** Where a command puts its undo journal; null: it keeps none. Without `dir`, see journalPath. */
export type UndoOption = { readonly dir?: string | undefined } | null;

export interface WritingOptions extends RunOptions {
  /** Path for the undo journal (see journalPath), or null to keep none. */
  readonly journal: string | null;
  readonly setupUuid: string;
  /** After the first failed group begin no other. Default: the others go on. */
  readonly stopAll?: boolean;
  /** Called when the journal is durable and nothing is changed yet. A Fault from it ends the work there. */
  readonly ready?: () => void;
  /**
   * Groups over the last of something. "Never the last one" (FORMAT.md section 6): they are left out unless a group before
   * them was finished, so that a new copy is whole elsewhere.
   */
  readonly precious?: ReadonlySet<string>;
  /** Asked before each other group; false leaves it out. */
  readonly mayStart?: (
    group: string,
    soFar: { readonly done: readonly string[]; readonly failed: readonly string[] },
  ) => boolean;
  /** Called after the last write of a group was read back; what it returns or throws (a Fault) makes the group fail. */
  readonly validate?: (group: string) => Fault | null;
}

export interface FailedGroup {
  readonly group: string;
  readonly fault: Fault;
}

/**
 * interrupted: by a signal; stopped: after a failure, with stopAll; held: it is precious and nothing is finished yet, or
 * by mayStart; no-journal: the journal could no longer be written to.
 */
export interface UnstartedGroup {
  readonly group: string;
  readonly why: 'interrupted' | 'stopped' | 'held' | 'no-journal';
}

export interface WritingReport {
  /** Groups that are written, synced, read back and validated, in order. */
  readonly done: readonly string[];
  readonly failed: readonly FailedGroup[];
  readonly notStarted: readonly UnstartedGroup[];
  /** Where the journal lies; null if there is none, or nothing was changed. */
  readonly journal: string | null;
  /** Why the journal could not be kept up to date; it still undoes everything. */
  readonly journalFault: Fault | null;
}

/**
 * Carries out a plan. Every error of the devices ends in the report, per group; a Fault is thrown only while nothing
 * has been changed: CHANGED_BEFORE_WRITE, READ_FAILED (a place can no longer be read), JOURNAL_TOO_LARGE, or what
 * making the journal file says.
 *
 * One mark per write goes into the journal when its group is finished, all of a group with one append: each append
 * costs a sync of the journal's device, and a missing mark only widens what undo accepts to old or new.
 */
export async function performWrites(
  host: Host,
  targets: readonly WriteTarget[],
  writes: readonly PlannedWrite[],
  options: WritingOptions,
): Promise<WritingReport> {
  checkPlan(
    targets.map((target) => target.recorded),
    writes,
  );
  const groups = groupsOf(writes);
  const { signals } = options;
  await signals?.breathe();
  if (groups.length === 0 || signals?.interrupted() === true) {
    const notStarted = groups.map(({ name }): UnstartedGroup => ({ group: name, why: 'interrupted' }));
    return { done: [], failed: [], notStarted, journal: null, journalFault: null };
  }
  for (const write of writes) requireUnchanged(targetOf(targets, write), write);
  const journal = openJournal(host, targets, writes, options);
  try {
    options.ready?.();
  } catch (error) {
    if (error instanceof Fault) journal?.discard();
    throw error;
  }

  const done: string[] = [];
  const failed: FailedGroup[] = [];
  const notStarted: UnstartedGroup[] = [];
  let journalFault: Fault | null = null;
  let count = 0;
  for (const group of groups) {
    const why = await reasonToWait(group.name, done, failed, journalFault, options);
    if (why !== null) {
      notStarted.push({ group: group.name, why });
      continue;
    }
    const { written, fault } = writeGroup(targets, group, options);
    try {
      journal?.mark(written);
    } catch (error) {
      journalFault = asFault(error);
    }
    if (fault === null) done.push(group.name);
    else failed.push({ group: group.name, fault });
    options.progress?.(++count, groups.length);
  }
  if (done.length === 0 && failed.length === 0 && journal !== null) {
    // Nothing was begun. A journal that undoes nothing would only raise the question what it is for.
    journal.discard();
    return { done, failed, notStarted, journal: null, journalFault };
  }
  return { done, failed, notStarted, journal: journal?.path ?? null, journalFault };
}

interface Group {
  readonly name: string;
  readonly writes: readonly { readonly index: number; readonly write: PlannedWrite }[];
}

function groupsOf(writes: readonly PlannedWrite[]): Group[] {
  const groups = new Map<string, { index: number; write: PlannedWrite }[]>();
  writes.forEach((write, index) => {
    const members = groups.get(write.group);
    if (members === undefined) groups.set(write.group, [{ index, write }]);
    else members.push({ index, write });
  });
  return [...groups].map(([name, members]) => ({ name, writes: members }));
}

async function reasonToWait(
  group: string,
  done: readonly string[],
  failed: readonly FailedGroup[],
  journalFault: Fault | null,
  options: WritingOptions,
): Promise<UnstartedGroup['why'] | null> {
  // Without its journal no further byte changes: what is not journalled could not be told from a foreign change.
  if (journalFault !== null) return 'no-journal';
  if (options.stopAll === true && failed.length > 0) return 'stopped';
  await options.signals?.breathe();
  if (options.signals?.interrupted() === true) return 'interrupted';
  if (options.precious?.has(group) === true && done.length === 0) return 'held';
  const soFar = { done, failed: failed.map((one) => one.group) };
  return options.mayStart === undefined || options.mayStart(group, soFar) ? null : 'held';
}

/** Writes a group up to its first failure. `written`: indexes of the writes that are on the medium and were read back. */
function writeGroup(
  targets: readonly WriteTarget[],
  group: Group,
  options: WritingOptions,
): { written: number[]; fault: Fault | null } {
  const written: number[] = [];
  try {
    for (const { index, write } of group.writes) {
      const target = targetOf(targets, write);
      target.handle.writeAt(write.offset, write.after);
      // After every write, because the next one of a copy is its header: it must never be on the medium before the
      // blocks it vouches for (FORMAT.md section 6).
      target.handle.sync();
      requireSame(
        target,
        write.offset,
        target.handle.readAt(write.offset, write.after.length),
        write.after,
        'READ_BACK_DIFFERS',
      );
      written.push(index);
    }
    return { written, fault: options.validate?.(group.name) ?? null };
  } catch (error) {
    return { written, fault: asFault(error) };
  }
}

/** @throws Fault CHANGED_BEFORE_WRITE unless the place still holds what the plan was made from. */
function requireUnchanged(target: WriteTarget, write: PlannedWrite): void {
  for (const { start, end } of complement(write.unread ?? [], write.before.length)) {
    const offset = write.offset + BigInt(start);
    const now = target.handle.readAt(offset, end - start);
    requireSame(target, offset, now, write.before.subarray(start, end), 'CHANGED_BEFORE_WRITE');
  }
}

function requireSame(
  target: WriteTarget,
  offset: bigint,
  found: Uint8Array,
  expected: Uint8Array,
  code: FaultCode,
): void {
  if (equalBytes(found, expected)) return;
  const at = firstDifference(found, expected);
  throw new Fault(code, {
    path: target.path,
    offset: (offset + BigInt(at)).toString(),
    expected: hexByte(expected, at),
    found: hexByte(found, at),
  });
}

interface OpenJournal {
  readonly path: string;
  /** Durably marks writes as finished. */
  mark(indexes: readonly number[]): void;
  /** Takes the journal away again; only while nothing was changed. */
  discard(): void;
}

function openJournal(
  host: Host,
  targets: readonly WriteTarget[],
  writes: readonly PlannedWrite[],
  options: WritingOptions,
): OpenJournal | null {
  if (options.journal === null) return null;
  const directory = directoryOf(options.journal);
  host.makeDirs(directory);
  const path = inDirectory(host.realPath(directory), nameOf(options.journal));
  const sha256 = (...chunks: readonly Uint8Array[]): string => host.sha256(...chunks);
  const { id, chunks } = encodeJournal(
    {
      tool: options.tool,
      setupUuid: options.setupUuid,
      command: options.command,
      journal: path,
      targets: targets.map((target) => target.recorded),
      writes,
    },
    sha256,
  );
  // Readable by its owner only: it holds whatever was on the disk, a key slot perhaps.
  host.writeFileDurably(path, chunks, 0o600);
  return {
    path,
    mark: (indexes) => {
      if (indexes.length > 0) host.appendDurably(path, encodeMarks('done', indexes, id, sha256));
    },
    discard: () => {
      try {
        host.removeFile(path);
      } catch (error) {
        // It stays, and undoes nothing; that is no reason to fail.
        asFault(error);
      }
    },
  };
}

/** The Fault itself; anything else is a mistake in the program and goes on up. */
function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}

function targetOf(targets: readonly WriteTarget[], write: PlannedWrite): WriteTarget {
  const target = targets[write.target];
  if (target === undefined) throw new Error(`plan: no target ${write.target}`);
  return target;
}

function hexByte(bytes: Uint8Array, at: number): string {
  return `0x${toHex(bytes.subarray(at, at + 1))}`;
}
