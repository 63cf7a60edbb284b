// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-undo: puts back what a journal says was there before, if what is there now is what the journal's command left
// (or was leaving). The rule is in src/core/undo.ts; nothing is printed here.
import { toHex } from '../core/bytes';
import { EXIT, Fault } from '../core/faults';
import { readRegion } from '../core/extents';
import { MAX_JOURNAL_BYTES, encodeMarks } from '../core/journal';
import type { JournalTarget, PlannedWrite } from '../core/journal';
import { newBytes, oldBytes, parseJournal } from '../core/journal-parse';
import type { Journal } from '../core/journal-parse';
import { directoryOf, inDirectory, nameOf } from '../core/paths';
import type { Tool } from '../core/tool';
import { judgePlace, putBack } from '../core/undo';
import type { PlaceState } from '../core/undo';
import type { Host, ReadHandle } from '../host/host';
import { closeTargets, journalPath, openTargets } from './targets';
import { performWrites } from './writing';
import type { RunOptions, WritingReport } from './writing';

export interface UndoOptions extends RunOptions {
  /** Path of the journal. */
  readonly journal: string;
  /** Only tell what would be done; everything is opened for reading only. */
  readonly dryRun: boolean;
  /** Put the old bytes back even where something else is there now. Overrides neither "in use" nor a wrong size. */
  readonly force: boolean;
}

/** A file or device of the journal, as it was found now. */
export interface UndoTarget {
  readonly path: string;
  /** Where the journal says that it was. */
  readonly recordedPath: string;
  /** Not at its recorded path: the file of that name beside the journal is taken. */
  readonly besideJournal: boolean;
  /** The very file or device that was written to, as far as the system can tell (a copy has another identity). */
  readonly sameIdentity: boolean;
  readonly kind: 'image' | 'block';
  readonly sizeBytes: bigint;
}

export type UndoAction = 'put-back' | 'none' | 'failed' | 'not-started';

/** One write of the journal. Offsets and lengths in bytes. */
export interface UndoPlaceResult {
  readonly path: string;
  readonly offset: bigint;
  readonly length: number;
  readonly group: string;
  /** Why the journal's command wrote there. */
  readonly finding: string;
  /** The journal shows it as finished. */
  readonly finished: boolean;
  /** What was there when the undo began. */
  readonly state: PlaceState;
  /** For a dry run, what would be done. */
  readonly action: UndoAction;
  /** Bytes of it that could not be read before the journal's command wrote, and so can't be put back. */
  readonly unknownBytes: number;
}

/** would-undo: dry run. incomplete: some groups failed or were not begun. */
export type UndoStatus = 'undone' | 'would-undo' | 'nothing-to-do' | 'refused' | 'incomplete' | 'interrupted';

export interface UndoResult {
  readonly status: UndoStatus;
  readonly exitCode: number;
  readonly journal: string;
  readonly setupUuid: string;
  readonly madeBy: Tool & { readonly command: readonly string[] };
  readonly targets: readonly UndoTarget[];
  /** In the order of the journal; they are put back from the last to the first. */
  readonly places: readonly UndoPlaceResult[];
  /** The journal of this undo: what to give to dmremap-undo to have it the other way round again. */
  readonly redoJournal: string | null;
  /**
   * False if the journal could not be marked (it lies on a read-only medium, say). Should power fail during the undo,
   * the next one will need --force.
   */
  readonly marked: boolean;
  /** Why nothing was written (status refused), or the first thing that went wrong (incomplete). */
  readonly fault: Fault | null;
  readonly failed: WritingReport['failed'];
}

interface FoundTarget {
  readonly recorded: JournalTarget;
  readonly handle: ReadHandle;
  readonly besideJournal: boolean;
}

interface JudgedPlace {
  readonly result: Omit<UndoPlaceResult, 'action'>;
  readonly writes: readonly PlannedWrite[];
  /** Why this place forbids the undo without --force. */
  readonly objection: Fault | null;
}

/**
 * Undoes a journal. Running it again is harmless: what is old already is left alone.
 * @throws Fault if nothing could be judged at all: JOURNAL_*, TARGET_*, or what opening the files says.
 */
export async function runUndo(host: Host, options: UndoOptions): Promise<UndoResult> {
  const bytes = host.readFile(options.journal, MAX_JOURNAL_BYTES);
  const journal = parseJournal(bytes, options.journal, (...chunks) => host.sha256(...chunks));
  const found = findTargets(host, options.journal, journal);
  let places: JudgedPlace[];
  try {
    places = journal.writes.map((_, index) => judge(journal, index, found));
  } finally {
    for (const { handle } of found) handle.close();
  }
  const common = {
    journal: options.journal,
    setupUuid: journal.setupUuid,
    madeBy: { ...journal.tool, command: journal.command },
    targets: found.map(({ recorded, handle, besideJournal }) => ({
      path: handle.path,
      recordedPath: recorded.path,
      besideJournal,
      sameIdentity: handle.identity === recorded.identity,
      kind: handle.kind,
      sizeBytes: handle.sizeBytes,
    })),
  };
  const finish = (
    status: UndoStatus,
    fault: Fault | null,
    action: (place: JudgedPlace) => UndoAction,
    rest: Partial<Pick<UndoResult, 'redoJournal' | 'marked' | 'failed'>> = {},
  ): UndoResult => ({
    ...common,
    status,
    exitCode: status === 'interrupted' ? EXIT.interrupted : (fault?.exit ?? EXIT.fine),
    fault,
    places: places.map((place) => ({
      ...place.result,
      action: place.writes.length === 0 ? 'none' : action(place),
    })),
    redoJournal: null,
    marked: true,
    failed: [],
    ...rest,
  });

  if (places.every((place) => place.writes.length === 0)) return finish('nothing-to-do', null, () => 'none');
  const objection = inUse(host, found) ?? (options.force ? null : firstObjection(places));
  if (objection !== null) return finish('refused', objection, () => 'not-started');
  if (options.dryRun) return finish('would-undo', null, () => 'put-back');

  const { report, marked } = await write(host, options, journal, found, places);
  const failed = new Set(report.failed.map(({ group }) => group));
  const done = new Set(report.done);
  const interrupted = report.notStarted.some(({ why }) => why === 'interrupted');
  const fault = report.failed[0]?.fault ?? report.journalFault;
  return finish(
    interrupted ? 'interrupted' : fault === null ? 'undone' : 'incomplete',
    fault,
    ({ result: { group } }) => (done.has(group) ? 'put-back' : failed.has(group) ? 'failed' : 'not-started'),
    { redoJournal: report.journal, marked, failed: report.failed },
  );
}

/**
 * Backwards, as an undo is. For a copy that means its header first, and that is wanted: should power fail in between, a
 * right header of a generation whose blocks are gone must not remain and claim that this generation was lost.
 */
async function write(
  host: Host,
  options: UndoOptions,
  journal: Journal,
  found: readonly FoundTarget[],
  places: readonly JudgedPlace[],
): Promise<{ report: WritingReport; marked: boolean }> {
  const first = found[0];
  if (first === undefined) throw new Error('undo: no targets');
  let marked = true;
  const targets = openTargets(
    host,
    found.map(({ handle }) => handle.path),
  );
  try {
    const report = await performWrites(
      host,
      targets,
      [...places].reverse().flatMap((place) => place.writes),
      {
        journal: journalPath(host, {
          kind: first.handle.kind,
          firstPath: first.handle.path,
          setupUuid: journal.setupUuid,
          // Where the first journal could be written to, the second can most likely be, and that is where it is looked for.
          dir: directoryOf(host.realPath(options.journal)),
        }),
        setupUuid: journal.setupUuid,
        tool: options.tool,
        command: options.command,
        ready: () => {
          marked = markBegun(host, options.journal, journal);
        },
        signals: options.signals,
        progress: options.progress,
      },
    );
    return { report, marked };
  } finally {
    closeTargets(targets);
  }
}

/** Says in the journal that an undo was begun (see src/core/undo.ts); false if it can't be written to. */
function markBegun(host: Host, path: string, journal: Journal): boolean {
  if (journal.undoBegun) return true;
  const mark = encodeMarks('undo', [0], journal.id, (...chunks) => host.sha256(...chunks));
  const bytes = new Uint8Array(journal.padding + mark.length).fill(0x20);
  bytes.set(mark, journal.padding);
  try {
    host.appendDurably(path, bytes);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** Opens all targets of a journal for reading, or none. */
function findTargets(host: Host, path: string, journal: Journal): FoundTarget[] {
  const found: FoundTarget[] = [];
  try {
    for (const recorded of journal.targets) {
      const { at, besideJournal } = locate(host, path, journal, recorded);
      const handle = host.openRead(at);
      found.push({ recorded, handle, besideJournal });
      const twin = found.find(
        (other) => other.handle !== handle && other.handle.identity === handle.identity,
      );
      if (twin !== undefined) throw new Fault('TARGET_TWICE', { path: at, other: twin.handle.path });
      if (handle.sizeBytes !== recorded.sizeBytes) {
        throw new Fault('TARGET_SIZE', {
          path: at,
          found: handle.sizeBytes.toString(),
          expected: recorded.sizeBytes.toString(),
        });
      }
    }
    return found;
  } catch (error) {
    for (const { handle } of found) handle.close();
    throw error;
  }
}

/**
 * The recorded path; if there is nothing, the same name beside the journal. A journal that was copied together with its
 * image into another directory could mean either, and undoing the original while working on the copy would be the worst
 * of mistakes: so that is refused.
 */
function locate(
  host: Host,
  path: string,
  journal: Journal,
  recorded: JournalTarget,
): { at: string; besideJournal: boolean } {
  const real = host.realPath(path);
  const beside = inDirectory(directoryOf(real), nameOf(recorded.path));
  const there = [recorded.stablePath, recorded.path].find((one) => one !== null && host.exists(one));
  if (there === undefined || there === null) {
    if (!host.exists(beside)) throw new Fault('TARGET_MISSING', { path: recorded.path, beside });
    return { at: beside, besideJournal: true };
  }
  if (real !== journal.journal && host.exists(beside) && host.realPath(beside) !== host.realPath(there)) {
    throw new Fault('TARGET_AMBIGUOUS', { path: there, beside, journal: journal.journal });
  }
  return { at: there, besideJournal: false };
}

function judge(journal: Journal, index: number, found: readonly FoundTarget[]): JudgedPlace {
  const write = journal.writes[index];
  const target = write && found[write.target];
  if (write === undefined || target === undefined) throw new Error(`undo: no write ${index}`);
  const finished = journal.finished.has(index);
  const place = {
    old: oldBytes(journal, write),
    new: newBytes(journal, write),
    unread: write.unread,
    whole: finished && !journal.undoBegun,
  };
  const current = readRegion(target.handle, write.offset, write.length);
  const { state, at } = judgePlace(place, current);
  const { path } = target.handle;
  const byte = at ?? 0;
  const hex = (bytes: Uint8Array): string => `0x${toHex(bytes.subarray(byte, byte + 1))}`;
  let objection: Fault | null = null;
  if (state === 'changed') {
    objection = new Fault('CHANGED_SINCE', {
      path,
      offset: (write.offset + BigInt(byte)).toString(),
      group: write.group,
      // A finished write that is old in part: there, the old byte is what is found, and not what is expected.
      expected: `${hex(place.new)} (as written)${hex(place.old) === hex(current.bytes) ? '' : ` or ${hex(place.old)} (as before)`}`,
      found: hex(current.bytes),
    });
  } else if (state === 'unread') {
    const reason = current.gaps[0]?.reason ?? 'not read';
    objection = new Fault('READ_FAILED', {
      path,
      offset: (write.offset + BigInt(byte)).toString(),
      length: '512',
      reason,
    });
  }
  return {
    result: {
      path,
      offset: write.offset,
      length: write.length,
      group: write.group,
      finding: write.finding,
      finished,
      state,
      unknownBytes: write.unread.reduce((sum, { start, end }) => sum + end - start, 0),
    },
    writes: putBack(place, current, state, {
      target: write.target,
      offset: write.offset,
      group: write.group,
    }),
    objection,
  };
}

/** Asked beforehand so that a dry run tells it too; openWrite refuses such a target in any case. */
function inUse(host: Host, found: readonly FoundTarget[]): Fault | null {
  for (const { handle } of found) {
    const reasons = host.inUse(handle.path);
    if (reasons.length > 0) return new Fault('IN_USE', { path: handle.path, reason: reasons.join('; ') });
  }
  return null;
}

function firstObjection(places: readonly JudgedPlace[]): Fault | null {
  return places.find((place) => place.objection !== null)?.objection ?? null;
}
