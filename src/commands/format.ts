// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format: makes a setup. What is looked at is in format-survey.ts, what is decided in format-plan.ts; here it is
// written by the engine (writing.ts), and judged. Nothing is printed here.
import { isZero } from '../core/bytes';
import { EXIT, Fault } from '../core/faults';
import { judgeSlot, sameGeneration } from '../core/judge';
import type { PlannedWrite } from '../core/journal';
import type { RemapEntry } from '../core/layout';
import { COPY_COUNT, SLOT_SECTORS } from '../core/layout';
import type { Geometry } from '../core/newgeometry';
import { tableLine, usedSectors } from '../core/newsetup';
import { isCopyGroup } from '../core/newwrites';
import { recogniseContent } from '../core/signatures';
import type { Host } from '../host/host';
import { prepare } from './format-plan';
import type { FormatOptions, Prepared } from './format-plan';
import { closeInputs, openInputs, refuseUnsuitable } from './format-survey';
import type { FormatInput, SpareContent } from './format-survey';
import { closeTargets, journalPath, openTargets } from './targets';
import type { WriteTarget } from './targets';
import { performWrites } from './writing';
import type { WritingReport } from './writing';

export interface FormatSpare {
  readonly input: FormatInput;
  /** Null in a dry run without --uuid: it is random. */
  readonly uuid: string | null;
  readonly dataStart: bigint;
  readonly dataSectors: bigint;
  readonly usedSectors: bigint;
  readonly content: SpareContent;
  /** Bytes in writes over something that was not all zero, or that could not be read. */
  readonly overwrittenBytes: bigint;
}

export interface FormatResult {
  readonly status: 'made' | 'would-make';
  readonly exitCode: number;
  readonly name: string;
  readonly description: string;
  /** Null in a dry run without --uuid: it is random. */
  readonly setupUuid: string | null;
  readonly mainUuid: string | null;
  readonly geometry: Geometry;
  readonly main: FormatInput;
  readonly spares: readonly FormatSpare[];
  readonly entries: readonly RemapEntry[];
  /** In order. Offsets and lengths in bytes; `group` as in the undo journal. */
  readonly writes: readonly {
    readonly path: string;
    readonly offset: bigint;
    readonly length: number;
    readonly group: string;
  }[];
  /** The undo journal; null if nothing but zeros was overwritten, or none was wanted. */
  readonly undo: string | null;
  /** For dmsetup(8): the line that opens the setup. */
  readonly table: string;
  readonly warnings: readonly string[];
}

/**
 * Makes the setup, or tells what would be done. Every Fault but FORMAT_INCOMPLETE and FORMAT_INTERRUPTED means that
 * nothing was written.
 */
export async function runFormat(host: Host, options: FormatOptions): Promise<FormatResult> {
  const inputs = openInputs(host, options.main, options.spares, options.sectorSize);
  try {
    refuseUnsuitable(host, inputs);
    const made = prepare(host, inputs, options);
    if (options.dryRun) return resultOf('would-make', made, options, null, []);
    const undo = await write(host, made, options);
    return resultOf('made', made, options, undo, leftovers(made));
  } finally {
    closeInputs(inputs);
  }
}

/** Writes and verifies. Returns the path of the undo journal, or null. */
async function write(host: Host, made: Prepared, options: FormatOptions): Promise<string | null> {
  const targets = openTargets(host, options.spares);
  try {
    let copiesBegun = false;
    const { signals } = options;
    const report = await performWrites(host, targets, made.writes, {
      journal: journalFor(host, targets, made, options),
      setupUuid: made.setup.identities.setupUuid,
      tool: options.tool,
      command: options.command,
      stopAll: true,
      // From the first copy on, finishing takes less than a second, and stopping would leave half a setup behind.
      ...(signals && {
        signals: {
          interrupted: () => !copiesBegun && signals.interrupted(),
          breathe: () => signals.breathe(),
        },
      }),
      mayStart: (group) => {
        copiesBegun ||= isCopyGroup(group);
        return true;
      },
      ...(options.progress && { progress: options.progress }),
    });
    const undo = report.journal ?? '';
    const failure = failureOf(report);
    if (failure !== null) throw new Fault('FORMAT_INCOMPLETE', { reason: failure.sentence, undo });
    if (report.notStarted.length > 0) throw new Fault('FORMAT_INTERRUPTED', { undo });
    const reason = defectOf(targets, made);
    if (reason !== null) throw new Fault('FORMAT_INCOMPLETE', { reason, undo });
    return report.journal;
  } finally {
    closeTargets(targets);
  }
}

function failureOf(report: WritingReport): Fault | null {
  return report.failed[0]?.fault ?? report.journalFault;
}

/** A journal is kept when anything else than zeros is overwritten: unrecognised bytes may be somebody's data too. */
function journalFor(
  host: Host,
  targets: readonly WriteTarget[],
  made: Prepared,
  options: FormatOptions,
): string | null {
  const [first] = targets;
  if (options.undo === null || first === undefined || !made.writes.some(overwritesSomething)) return null;
  return journalPath(host, {
    kind: first.recorded.kind,
    firstPath: first.path,
    setupUuid: made.setup.identities.setupUuid,
    dir: options.undo.dir,
  });
}

function overwritesSomething(write: PlannedWrite): boolean {
  return !isZero(write.before) || (write.unread ?? []).length > 0;
}

/** Judges all copies as they are on the devices now. Why the setup is not what it should be, or null. */
function defectOf(targets: readonly WriteTarget[], made: Prepared): string | null {
  const { generation, setup } = made;
  for (const [spareIndex, { path, handle }] of targets.entries()) {
    for (let copyIndex = 0; copyIndex < COPY_COUNT; copyIndex++) {
      const offset = (SLOT_SECTORS[copyIndex] ?? 0n) * 512n;
      const bytes = handle.readAt(offset, generation.header.slotBytes);
      const slot = judgeSlot({ bytes, gaps: [] }, 'complete');
      const header = slot.header.header;
      const inPlace =
        header?.copyIndex === copyIndex &&
        header.spareIndex === spareIndex &&
        header.spareUuid === setup.identities.spareUuids[spareIndex];
      if (slot.generation !== null && inPlace && sameGeneration(slot.generation, generation)) continue;
      return `${path}: copy ${copyIndex} does not read back as it was written`;
    }
  }
  return null;
}

/** Warnings of other content that a spare is still recognised by; there should be none after a forced format. */
function leftovers({ spares, contents }: Prepared): string[] {
  return spares.flatMap(({ path, handle }, i) => {
    if (contents[i]?.wipe.length === 0) return [];
    return recogniseContent(handle, { base: 0n, length: handle.sizeBytes }).map(
      ({ name, offset }) => `${path}: ${name} can still be recognised at byte ${offset}`,
    );
  });
}

function resultOf(
  status: FormatResult['status'],
  made: Prepared,
  options: FormatOptions,
  undo: string | null,
  warnings: readonly string[],
): FormatResult {
  const { setup, main, spares, contents, writes } = made;
  const { geometry, identities, entries } = setup;
  // A random uuid that will be another one next time would only mislead who reads the plan.
  const known = status === 'made' || options.uuid !== null;
  return {
    status,
    exitCode: EXIT.fine,
    name: setup.name,
    description: setup.description,
    setupUuid: known ? identities.setupUuid : null,
    mainUuid: known ? identities.mainUuid : null,
    geometry,
    main,
    spares: spares.map((input, i) => ({
      input,
      uuid: known ? (identities.spareUuids[i] ?? null) : null,
      dataStart: geometry.spares[i]?.dataStart ?? 0n,
      dataSectors: geometry.spares[i]?.dataSectors ?? 0n,
      usedSectors: usedSectors(entries, i),
      content: contents[i] ?? { recognised: [], wipe: [] },
      overwrittenBytes: writes
        .filter((one) => one.target === i && overwritesSomething(one))
        .reduce((sum, one) => sum + BigInt(one.after.length), 0n),
    })),
    entries,
    writes: writes.map((one) => ({
      path: spares[one.target]?.path ?? '?',
      offset: one.offset,
      length: one.after.length,
      group: one.group,
    })),
    undo,
    table: tableLine(setup),
    warnings: [...made.warnings, ...warnings],
  };
}
