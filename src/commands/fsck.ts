// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-fsck: finds setups in the inputs, judges each, repairs what it may, and judges again. Options in, results
// out, one setup after the other; nothing is printed here.
import { textOf } from '../core/bytes';
import { EXIT, Fault } from '../core/faults';
import type { Finding } from '../core/findings';
import { compareFindings, finding, findingSpec } from '../core/findings';
import type { RepairNeeds } from '../core/findings';
import type { Level } from '../core/judge';
import type { Verdict } from '../core/model';
import type { Permissions, PlannedCopy, RepairPlan } from '../core/plan';
import { oneFirst } from '../core/order';
import { planRepair } from '../core/plan';
import { remapTotals } from '../core/totals';
import type { Host } from '../host/host';
import { wipedSpare } from './advice';
import type { Examined, MainDevice } from './examine';
import { examineSetup, forget, lookAtMain } from './examine';
import type { PlanRow, RepairOptions, RepairOutcome } from './repair';
import { performRepair, placeOfGroup, planRows, prepareRepair } from './repair';
import type { FoundSetup, InputReport, ScanOptions } from './scan';
import { scanInputs } from './scan';

export interface FsckOptions extends RepairOptions {
  readonly inputs: readonly string[];
  /** check: nothing is written. repair: -y, or the person is asked about every step. */
  readonly mode: 'check' | 'preen' | 'repair';
  readonly level: Level;
  readonly scan: Pick<ScanOptions, 'offset' | 'setup'>;
  readonly main: string | null;
  readonly choose: Permissions['choose'];
  readonly acceptPartial: boolean;
  readonly force: boolean;
  /** A person who is asked; null: with mode repair everything permitted is done. */
  readonly person: Person | null;
}

export interface Person {
  /** Shows what was found, before anything is asked about it. */
  show(report: SetupReport): void;
  ask(question: string): Promise<boolean>;
}

/** What became of one setup. */
export interface SetupReport {
  readonly examined: Examined;
  readonly name: string;
  readonly verdict: Verdict;
  readonly remapCount: number;
  readonly lostSectors: bigint;
  /** As found, before any repair; and what went wrong with the repair. */
  readonly findings: readonly Finding[];
  readonly kind: RepairPlan['kind'];
  readonly plan: readonly PlanRow[];
  /** The permissions that the plan makes use of, and those that it lacked. */
  readonly needs: readonly RepairNeeds[];
  readonly withheld: readonly RepairNeeds[];
  readonly refusal: string | null;
  /** What --choose could put in force, where that is what is missing. */
  readonly choices: RepairPlan['choices'];
  readonly outcome: RepairOutcome | null;
  /** A person was asked about the plan. */
  readonly asked: boolean;
  /** Errors that are left, after a repair if there was one. */
  readonly errorsLeft: readonly Finding[];
  /** Exit bits of this setup. */
  readonly exit: number;
}

export interface FsckSummary {
  readonly inputs: readonly InputReport[];
  /** About inputs without a setup. */
  readonly findings: readonly Finding[];
  readonly setupCount: number;
  readonly exit: number;
}

/**
 * Checks, and repairs as far as the options allow. `onSetup` gets each setup as it is done, in order of uuid; a report is
 * good for no longer than until `onSetup` settles.
 */
export async function fsck(
  host: Host,
  options: FsckOptions,
  onSetup: (report: SetupReport) => void | Promise<void>,
): Promise<FsckSummary> {
  const step = async (): Promise<void> => {
    await options.signals.breathe();
    if (options.signals.interrupted()) throw new Fault('INTERRUPTED');
  };
  const scan = await scanInputs(host, options.inputs, { level: options.level, ...options.scan }, step);
  const wanted = scan.setups.filter(
    ({ setupUuid }) => options.scan.setup === null || setupUuid === options.scan.setup,
  );
  requireOneChoice(options, wanted);
  let exit = scan.operational ? EXIT.operational : EXIT.fine;
  if (scan.findings.some(isError)) exit |= EXIT.errorsLeft;
  const more: Finding[] = [];
  if (wanted.length === 0 && scan.setups.length > 0) {
    exit |= EXIT.operational;
    const others = scan.setups.map(({ setupUuid }) => setupUuid).join(', ');
    more.push(finding('input-setup-missing', { setup: options.scan.setup ?? '', others }));
  }
  const main = mainOf(host, wanted.length === 0 ? null : options.main);
  if (main.fault !== null) {
    exit |= EXIT.operational;
    more.push(finding('input-unopened', { what: `--main ${main.fault.sentence}` }));
  }
  const blank = scan.findings.filter(({ id }) => id === 'input-none' || id === 'input-other');
  for (const found of wanted) {
    await step();
    const report = await treatOrTell(host, found, options, main, more);
    if (report !== null) {
      exit |= report.exit;
      const path = blank[0]?.fields['path'];
      if (path !== undefined && blank.length === 1)
        more.push(...wipedSpare(report.examined, report.name, path));
      await onSetup(report);
      forget(report.examined);
    } else exit |= EXIT.operational;
    // A finished group is never cut in two; but after it the signal ends the run.
    if (options.signals.interrupted()) throw new Fault('INTERRUPTED');
  }
  return { inputs: scan.inputs, findings: [...scan.findings, ...more], setupCount: wanted.length, exit };
}

const isError = (one: Finding): boolean => findingSpec(one.id).severity === 'error';

function requireOneChoice(options: FsckOptions, setups: readonly FoundSetup[]): void {
  if (setups.length <= 1) return;
  if (options.choose === null && options.main === null) return;
  const option = options.choose === null ? '--main' : '--choose';
  throw new Fault('USAGE', {
    what: `${option} is about one setup, but the inputs hold ${setups.length}; name one with --setup UUID`,
  });
}

/** The main device that the setup is held against, or why it can't be: that is no reason to hide the setup's report. */
interface Main {
  readonly device: MainDevice | null;
  readonly fault: Fault | null;
}

function mainOf(host: Host, path: string | null): Main {
  if (path === null) return { device: null, fault: null };
  try {
    return { device: lookAtMain(host, path), fault: null };
  } catch (error) {
    if (error instanceof Fault) return { device: null, fault: error };
    throw error;
  }
}

/** An input that goes away between the two looks at it is an operational error, not the end of the run. */
async function treatOrTell(
  host: Host,
  found: FoundSetup,
  options: FsckOptions,
  main: Main,
  lost: Finding[],
): Promise<SetupReport | null> {
  try {
    return await treatSetup(host, found, options, main);
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'INTERRUPTED' || error.code === 'USAGE') throw error;
    lost.push(finding('input-unopened', { what: error.sentence }));
    return null;
  }
}

async function treatSetup(
  host: Host,
  found: FoundSetup,
  options: FsckOptions,
  main: Main,
): Promise<SetupReport> {
  const before = examineSetup(host, found, options.level, main.device);
  const wanted = planRepair(before.decision, permissionsOf(options));
  // Whoever names main wants it compared before anything is written; without it nothing is, and nobody is asked.
  const held = main.fault !== null && wanted.copies.length > 0 && options.mode !== 'check';
  const person = held ? null : options.person;
  if (person !== null && wanted.copies.length > 0) person.show(reportOf(before, null, wanted, [], null));
  const plan = person === null ? wanted : await askAbout(wanted, person);
  let rows: PlanRow[] = [];
  let outcome: RepairOutcome | null = null;
  let after: Examined | null = null;
  try {
    const prepared = prepareRepair(host, before, plan, `dmremap-fsck ${options.tool.version}`);
    if (prepared !== null) {
      rows = planRows(host, prepared);
      if (held) throw main.fault;
      if (options.mode !== 'check') {
        outcome = await performRepair(host, before, prepared, options);
        after = examineSetup(host, found, options.level, main.device);
      }
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    outcome = { report: null, fault: error, backup: null };
  }
  const asked = person !== null && wanted.copies.length > 0;
  return { ...reportOf(before, after, plan, rows, outcome), asked };
}

function permissionsOf({ mode, choose, acceptPartial, force }: FsckOptions): Permissions {
  // A check shows the plan that -y would carry out.
  return { grant: mode === 'preen' ? 'preen' : 'yes', choose, acceptPartial, force };
}

/** Leaves only what a person agreed to. A new generation is one question: it is on all places or on none. */
async function askAbout(plan: RepairPlan, person: Person): Promise<RepairPlan> {
  if (plan.copies.length === 0) return plan;
  const agreed: PlannedCopy[] = [];
  if (plan.kind === 'commit') {
    const spares = [...new Set(plan.copies.map((copy) => copy.seat.index))].join(', ');
    const question = `Write a new generation to all copies of spare ${spares} (${plan.copies[0]?.finding ?? ''})?`;
    if (await person.ask(question)) agreed.push(...plan.copies);
  } else {
    for (const copy of plan.copies) {
      const { seat, copy: place } = copy;
      const question = `Rewrite spare ${seat.index} copy ${place.copyIndex} (${place.state}) from the winning copy?`;
      if (await person.ask(question)) agreed.push(copy);
    }
  }
  const declined = plan.copies.filter((copy) => !agreed.includes(copy)).map((copy) => copy.needs);
  const withheld = [...new Set([...plan.withheld, ...declined])];
  return { ...plan, kind: agreed.length === 0 ? 'none' : plan.kind, copies: oneFirst(agreed), withheld };
}

function reportOf(
  before: Examined,
  after: Examined | null,
  plan: RepairPlan,
  rows: readonly PlanRow[],
  outcome: RepairOutcome | null,
): SetupReport {
  const last = after ?? before;
  const errorsLeft = last.findings.filter(isError);
  const wrote = outcome?.report !== null && outcome !== null && outcome.report.done.length > 0;
  const repaired = wrote && errorsLeft.length === 0;
  const unread = last.decision.seats.some((seat) => seat.copies.some((copy) => copy.state === 'unread'));
  const failed =
    outcome !== null && (outcome.fault !== null || outcome.report === null || hasFailed(outcome));
  let exit: number = EXIT.fine;
  if (wrote) exit |= EXIT.corrected;
  if (errorsLeft.length > 0) exit |= EXIT.errorsLeft;
  if (failed || unread) exit |= EXIT.operational;
  const contents = (wrote ? last : before).decision.winner?.contents ?? null;
  return {
    examined: before,
    name: contents === null ? '' : textOf(contents.config.name),
    verdict: repaired ? 'repaired' : last.decision.verdict,
    remapCount: contents?.remaps.length ?? 0,
    lostSectors: remapTotals(contents?.remaps ?? []).lostSectors,
    findings: [...before.findings, ...troubles(outcome)].sort(compareFindings),
    kind: plan.kind,
    plan: rows,
    needs: [...new Set(plan.copies.map((copy) => copy.needs))],
    withheld: plan.withheld,
    refusal: plan.refusal,
    choices: plan.choices,
    outcome,
    asked: false,
    errorsLeft,
    exit,
  };
}

const WHY_LEFT: Readonly<Record<string, string>> = {
  interrupted: 'interrupted',
  stopped: 'an earlier copy failed',
  held: 'no new copy is whole yet, and this one may be the last',
  'no-journal': 'the undo journal can no longer be written',
};

/** What kept a repair from being done, as findings. */
function troubles(outcome: RepairOutcome | null): Finding[] {
  if (outcome === null) return [];
  const found: Finding[] = [];
  if (outcome.fault !== null) {
    const { sentence, hint } = outcome.fault;
    found.push(finding('repair-refused', { what: hint === undefined ? sentence : `${sentence} ${hint}` }));
  }
  if (outcome.report === null) return found;
  const { failed, notStarted, journalFault } = outcome.report;
  for (const { group, fault } of failed)
    found.push(finding('repair-failed', { what: fault.sentence }, placeOfGroup(group)));
  for (const { group, why } of notStarted) {
    found.push(finding('repair-left', { what: WHY_LEFT[why] ?? why }, placeOfGroup(group)));
  }
  if (journalFault !== null) found.push(finding('repair-journal', { what: journalFault.sentence }));
  return found;
}

function hasFailed({ report }: RepairOutcome): boolean {
  return report !== null && (report.failed.length > 0 || report.journalFault !== null);
}
