// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-restore: puts the generation of a dump back on its spares. What is looked at is in restore-survey.ts, what is
// decided in restore-plan.ts; here it is written by the engine (writing.ts), and judged. Nothing is printed here.
import { textOf } from '../core/bytes';
import { EXIT, Fault } from '../core/faults';
import type { Finding } from '../core/findings';
import type { Generation } from '../core/generation';
import { contentsOf, encodeCopy } from '../core/generation';
import { judgeSlot } from '../core/judge';
import { SLOT_SECTORS } from '../core/layout';
import type { Problem } from '../core/record-json';
import type { Host, ReadHandle } from '../host/host';
import { exitOfSetup, findSetups, inspectSetup } from './inspect';
import type { PlannedPlace, RestorePlan } from './restore-plan';
import { planExact, planNew } from './restore-plan';
import type { Objections, RestoreSpare } from './restore-survey';
import { loadDump, openSpares, surveySpare } from './restore-survey';
import { closeTargets, journalPath, openTargets } from './targets';
import type { RunOptions, UndoOption, WritingReport } from './writing';
import { performWrites } from './writing';

export interface RestoreOptions extends RunOptions {
  /** Path of the dump. */
  readonly dump: string;
  /** In order of index; null: missing. */
  readonly spares: readonly (string | null)[];
  /** Only tell what would be done; everything is opened for reading only. */
  readonly dryRun: boolean;
  /** Write to spares that do not match, and above what is newer. Overrides neither "in use" nor a size. */
  readonly force: boolean;
  readonly undo: UndoOption;
}

/** identical: it was there already. left: the generation was never put on this spare, or it is retired. */
export type PlaceAction = 'written' | 'would-write' | 'identical' | 'left' | 'failed' | 'not-started';

export interface RestoredPlace {
  readonly spare: number;
  readonly copyIndex: number;
  readonly path: string;
  /** Byte of the device at which the slot begins. */
  readonly offset: bigint;
  /** The sequence that an intact header of the setup showed there before. */
  readonly sequenceBefore: bigint | null;
  readonly action: PlaceAction;
}

/** refused: nothing was written, see fault. incomplete: some copies failed. */
export type RestoreStatus =
  'restored' | 'would-restore' | 'nothing-to-do' | 'refused' | 'incomplete' | 'interrupted';

export interface RestoreResult {
  readonly status: RestoreStatus;
  readonly exitCode: number;
  readonly dump: string;
  /** Null if the dump could not be read. */
  readonly setup: {
    readonly setupUuid: string;
    readonly name: string;
    /** Of the dump, and of what was (or would be) written. */
    readonly sequence: bigint;
    readonly writtenSequence: bigint;
  } | null;
  readonly places: readonly RestoredPlace[];
  /** What is wrong with the dump. */
  readonly problems: readonly Problem[];
  /** What --force overrode. */
  readonly overridden: readonly string[];
  /** About the setup as it is now; empty where nothing was written. */
  readonly findings: readonly Finding[];
  /** The undo journal. */
  readonly undo: string | null;
  readonly fault: Fault | null;
  readonly failed: WritingReport['failed'];
}

/**
 * Restores a dump.
 * @throws Fault if nothing could be looked at: the dump cannot be read, the number of spares is wrong (USAGE), a spare
 * cannot be opened, is in use, or given twice.
 */
export async function runRestore(host: Host, options: RestoreOptions): Promise<RestoreResult> {
  const loaded = loadDump(host, options.dump);
  if (!loaded.ok) return resultOf(options, 'refused', { problems: loaded.problems, fault: loaded.fault });
  const { generation } = loaded;
  requireAllSpares(generation, options.spares);
  const handles: ReadHandle[] = [];
  try {
    openSpares(host, options.spares, handles);
    return await restore(host, options, generation, handles);
  } catch (error) {
    // With the dump at hand, the refusal can say which setup it is about.
    if (!(error instanceof Fault) || error.exit !== EXIT.operational) throw error;
    return resultOf(options, 'refused', { fault: error, generation });
  } finally {
    for (const handle of handles) handle.close();
  }
}

function requireAllSpares(generation: Generation, spares: readonly (string | null)[]): void {
  const { spareCount } = generation.header;
  if (spares.length !== spareCount) {
    const what = `the dump is of a setup with ${spareCount} ${spareCount === 1 ? 'spare' : 'spares'}, but ${spares.length} were given; give - in the place of one that is missing`;
    throw new Fault('USAGE', { what });
  }
  if (spares.every((path) => path === null))
    throw new Fault('USAGE', { what: 'at least one spare must be given' });
}

async function restore(
  host: Host,
  options: RestoreOptions,
  generation: Generation,
  handles: readonly ReadHandle[],
): Promise<RestoreResult> {
  const objections: Objections = { list: [], newer: null };
  const spares: RestoreSpare[] = [];
  for (const [index, path] of options.spares.entries()) {
    const handle = path === null ? undefined : handles[spares.length];
    if (handle !== undefined) spares.push(surveySpare(host, generation, index, handle, objections));
  }
  const objection = objections.list[0] ?? objections.newer;
  if (objection !== null && !options.force)
    return resultOf(options, 'refused', { fault: objection, generation });
  const overridden = [...objections.list, ...(objections.newer === null ? [] : [objections.newer])].map(
    sentenceOf,
  );
  const plan =
    objections.newer === null
      ? planExact(generation, spares)
      : planNew(host, generation, spares, options.tool);
  const facts = { generation, plan, overridden };
  if (options.dryRun) {
    const status = plan.writes.length === 0 ? 'nothing-to-do' : 'would-restore';
    return resultOf(options, status, { ...facts, action: () => 'would-write' });
  }
  if (plan.writes.length === 0) return judged(host, options, resultOf(options, 'nothing-to-do', facts));
  const report = await write(host, options, plan, spares);
  const done = new Set(report.done);
  const failed = new Set(report.failed.map(({ group }) => group));
  const interrupted = report.notStarted.some(({ why }) => why === 'interrupted');
  const fault = report.failed[0]?.fault ?? report.journalFault;
  const complete = fault === null && report.notStarted.length === 0;
  const result = resultOf(options, interrupted ? 'interrupted' : complete ? 'restored' : 'incomplete', {
    ...facts,
    fault,
    report,
    action: ({ group }) => (done.has(group) ? 'written' : failed.has(group) ? 'failed' : 'not-started'),
  });
  return judged(host, options, result);
}

/** Without the promise that nothing was written, which is no longer true when the fault was overridden. */
function sentenceOf(fault: Fault): string {
  return fault.sentence.replace(/; nothing was written$/, '');
}

async function write(
  host: Host,
  options: RestoreOptions,
  plan: RestorePlan,
  spares: readonly RestoreSpare[],
): Promise<WritingReport> {
  const targets = openTargets(
    host,
    spares.map(({ handle }) => handle.path),
  );
  try {
    const [first] = targets;
    if (first === undefined) throw new Error('restore: no targets');
    const { setupUuid } = plan.generation.header;
    const place = { kind: first.recorded.kind, firstPath: first.path, setupUuid };
    return await performWrites(host, targets, plan.writes, {
      journal: options.undo === null ? null : journalPath(host, { ...place, dir: options.undo.dir }),
      setupUuid,
      tool: options.tool,
      command: options.command,
      signals: options.signals,
      progress: options.progress,
      precious: plan.precious,
      validate: (group) => validate(plan, group),
    });
  } finally {
    closeTargets(targets);
  }
}

/** What was written has been read back and is what was planned; what was planned must itself be a valid copy. */
function validate(plan: RestorePlan, group: string): Fault | null {
  const place = plan.places.find((one) => one.group === group);
  if (place === undefined) return null;
  const bytes = encodeCopy(plan.generation, {
    spareIndex: place.spare.index,
    spareUuid: place.spare.record.deviceUuid,
    copyIndex: place.slot.copyIndex,
  });
  const { valid } = judgeSlot({ bytes, gaps: [] }, 'integrity');
  return valid ? null : new Fault('INTERNAL', { what: `the copy planned for ${group} is not valid` });
}

/** The result with what fsck would say of the setup now. */
async function judged(host: Host, options: RestoreOptions, result: RestoreResult): Promise<RestoreResult> {
  const paths = options.spares.filter((path) => path !== null);
  const scan = await findSetups(host, paths, () => Promise.resolve());
  const found = scan.setups.find(({ setupUuid }) => setupUuid === result.setup?.setupUuid);
  if (found === undefined) return result;
  const setup = inspectSetup(host, found);
  return { ...result, findings: setup.findings, exitCode: result.exitCode | exitOfSetup(setup) };
}

interface Outcome {
  readonly generation?: Generation;
  readonly plan?: RestorePlan;
  /** What became of the places to be written. */
  readonly action?: (place: PlannedPlace) => PlaceAction;
  readonly problems?: readonly Problem[];
  readonly overridden?: readonly string[];
  readonly fault?: Fault | null;
  readonly report?: WritingReport;
}

function resultOf(options: RestoreOptions, status: RestoreStatus, outcome: Outcome): RestoreResult {
  const { generation, plan, report } = outcome;
  const fault = outcome.fault ?? null;
  const action = outcome.action ?? ((): PlaceAction => 'not-started');
  return {
    status,
    exitCode: status === 'interrupted' ? EXIT.interrupted : (fault?.exit ?? EXIT.fine),
    dump: options.dump,
    setup: generation === undefined ? null : setupOf(generation, plan?.generation ?? generation),
    places: (plan?.places ?? []).map((place) => ({
      spare: place.spare.index,
      copyIndex: place.slot.copyIndex,
      path: place.spare.handle.path,
      offset: (SLOT_SECTORS[place.slot.copyIndex] ?? 0n) * 512n,
      sequenceBefore: place.slot.evidence?.sequence ?? null,
      action: place.action === 'write' ? action(place) : place.action,
    })),
    problems: outcome.problems ?? [],
    overridden: outcome.overridden ?? [],
    findings: [],
    undo: report?.journal ?? null,
    fault,
    failed: report?.failed ?? [],
  };
}

function setupOf(generation: Generation, written: Generation): NonNullable<RestoreResult['setup']> {
  return {
    setupUuid: generation.header.setupUuid,
    name: textOf(contentsOf(generation).config.name),
    sequence: generation.header.sequence,
    writtenSequence: written.header.sequence,
  };
}
