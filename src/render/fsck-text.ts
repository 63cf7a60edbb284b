// SPDX-License-Identifier: GPL-2.0-or-later
// The results of dmremap-fsck as text for a person who is afraid for their data: the verdict first, then what was found
// and where, what was done, and what to type next. Every text from a disk or a path is escaped here.
import type { FsckSummary, SetupReport } from '../commands/fsck';
import { forTerminal } from '../core/escape';
import type { Finding, FindingId, RepairNeeds } from '../core/findings';
import { findingMessage, findingSpec } from '../core/findings';
import { contentsOf } from '../core/generation';
import type { Level } from '../core/judge';
import { SLOT_SECTORS } from '../core/layout';
import type { Candidate, CopyVerdict, Seat, SetupDecision, Verdict } from '../core/model';
import { shellWord } from '../core/paths';
import { namesOfSide } from '../core/sides';
import { isoUtc } from '../core/time';
import type { Style } from './style';
import { wrap } from './wrap';

export interface FsckTextOptions {
  readonly style: Style;
  readonly columns: number;
  readonly quiet: boolean;
  readonly verbose: number;
  readonly mode: 'check' | 'preen' | 'repair';
  readonly level: Level;
  /** Questions follow: then there is no need to say what to type next. */
  readonly asking: boolean;
  /** The inputs as given, and the options that say where things are, for the next command. */
  readonly inputs: readonly string[];
  readonly carried: readonly string[];
}

/** One setup. */
export function setupText(report: SetupReport, options: FsckTextOptions): string {
  const lines = [headline(report, options)];
  const { decision } = report.examined;
  if (!options.quiet && (options.verbose > 0 || report.verdict !== 'clean')) {
    lines.push(...generationLines(report));
    for (const seat of decision.seats) lines.push(...seatLines(report, seat, options));
  }
  for (const finding of shownFindings(report, options)) lines.push(...findingLines(finding, options));
  lines.push(...doneLines(report, options));
  if (!options.quiet && !options.asking) lines.push(...nextLines(report, options));
  return lines.map((line) => `${line}\n`).join('');
}

/** What became of a setup whose findings a person has seen already, and has answered questions about. */
export function outcomeText(report: SetupReport, options: FsckTextOptions): string {
  const troubles = report.findings.filter(({ id }) => id.startsWith('repair-'));
  const lines = [
    headline(report, options),
    ...troubles.flatMap((one) => findingLines(one, options)),
    ...doneLines(report, options),
    ...(options.quiet ? [] : nextLines(report, options)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The second line of every report; README.md has the same words, with what to do. */
export const VERDICT_SAYS: Readonly<Record<Verdict, string>> = {
  clean: 'clean',
  repairable: 'damaged, can be repaired without loss',
  repaired: 'repaired',
  salvageable: 'damaged in every copy, but all of it can be recovered',
  partial: 'the newest generation can be recovered only in part',
  split: 'split: there are two histories, and a person has to choose',
  inconsistent: 'inconsistent: not repaired by itself',
  lost: 'lost: nothing can be recovered from these inputs',
};

function headline(report: SetupReport, { style, columns, level }: FsckTextOptions): string {
  const { decision } = report.examined;
  const paint = report.verdict === 'clean' || report.verdict === 'repaired' ? style.green : style.red;
  const name = report.name === '' ? 'Setup' : `Setup ${forTerminal(report.name)}`;
  const facts =
    report.verdict === 'clean' && decision.winner !== null
      ? [
          `sequence ${decision.winner.header.sequence}`,
          ...(level === 'basic' ? [] : [plural(report.remapCount, 'remap'), ...lostOf(report)]),
          copiesLine(decision.seats),
        ]
      : [];
  const beside = name.length + 2 + decision.setupUuid.length <= columns;
  return [
    `${style.bold(name)}${beside ? '' : '\n'}  ${decision.setupUuid}`,
    `  ${[paint(VERDICT_SAYS[report.verdict]), ...facts].join(', ')}`,
  ].join('\n');
}

function lostOf(report: SetupReport): string[] {
  return report.lostSectors > 0n ? [`${report.lostSectors} sectors lost`] : [];
}

function copiesLine(seats: readonly Seat[]): string {
  const given = seats.filter((seat) => seat.spare !== null);
  const good = given.flatMap((seat) => seat.copies).filter((copy) => copy.state === 'valid').length;
  return `${good} of ${given.length * 5} copies good`;
}

function generationLines(report: SetupReport): string[] {
  const { winner } = report.examined.decision;
  if (winner === null) return [];
  const { header } = winner;
  const from =
    winner.salvage === null
      ? `spare ${header.spareIndex} copy ${header.copyIndex}`
      : 'recovered from the remains of several copies';
  return [
    `  sequence ${header.sequence}, written ${isoUtc(header.writtenNs)}`,
    `  ${[plural(report.remapCount, 'remap'), ...lostOf(report)].join(', ')}; winner: ${from}`,
  ];
}

function seatLines(report: SetupReport, seat: Seat, options: FsckTextOptions): string[] {
  const located = report.examined.locate(seat);
  if (located === null) return [`  spare ${seat.index}  ${absenceText(report.examined.decision)}`];
  const lines = [`  spare ${seat.index}  ${forTerminal(located.label)}`];
  for (const copy of seat.copies) lines.push(copyLine(copy, options));
  return lines;
}

/** Of a spare without an input: one that has no place may be just that spare. */
export function absenceText({ unplaced }: SetupDecision): string {
  return unplaced.length === 0 ? 'not given' : 'not recognised';
}

function copyLine(copy: CopyVerdict, { style }: FsckTextOptions): string {
  const sector = `sector ${SLOT_SECTORS[copy.copyIndex] ?? 0n}`.padEnd(12);
  const good =
    copy.state === 'valid' && !copy.findings.some((one) => findingSpec(one.id).severity === 'error');
  const state = (good ? style.green : style.red)(copy.state.padEnd(11));
  const sequence = copy.sequence === null ? '' : `sequence ${copy.sequence}`;
  return `    copy ${copy.copyIndex}  ${sector} ${state} ${sequence}`.trimEnd();
}

/** Notes for those who ask: which checksum failed, what could not be compared. */
const DETAILS: ReadonlySet<FindingId> = new Set<FindingId>([
  'header-magic',
  'header-crc',
  'header-range',
  'section-crc',
  'record-crc',
  'overall-crc',
  'device-unseen',
]);

/** Errors and warnings always; notes unless --quiet, details among them only with --verbose or at level forensic. */
function shownFindings(report: SetupReport, options: FsckTextOptions): readonly Finding[] {
  if (options.verbose > 0) return report.findings;
  return report.findings.filter(({ id }) => {
    if (findingSpec(id).severity !== 'note') return true;
    return !options.quiet && (options.level === 'forensic' || !DETAILS.has(id));
  });
}

/** One finding, wrapped; for every command that tells of findings. */
export function findingLines(
  finding: Finding,
  { style, columns }: Pick<FsckTextOptions, 'style' | 'columns'>,
): string[] {
  const { severity } = findingSpec(finding.id);
  const paint = severity === 'error' ? style.red : severity === 'warning' ? style.yellow : style.dim;
  const place = [
    finding.spare === null ? '' : `spare ${finding.spare}`,
    finding.copy === null ? '' : `copy ${finding.copy}`,
    finding.byte === null ? '' : `byte ${finding.byte}`,
  ].filter((part) => part !== '');
  const where = place.length === 0 ? '' : `${place.join(' ')}: `;
  const text = `${where}${forTerminal(findingMessage(finding))} [${finding.id}]`;
  const [first = '', ...rest] = wrap(text, columns - 11, 0);
  return [`  ${paint(severity.padEnd(7))}  ${first}`, ...rest.map((line) => `           ${line}`)];
}

/** Notes about inputs that tell what to type next. */
const HINTS: ReadonlySet<FindingId> = new Set<FindingId>(['input-spare-wiped', 'input-twice']);

/** Findings about inputs that belong to no setup. What could not be opened is a diagnostic: see unopenedText. */
export function inputFindingsText(summary: FsckSummary, options: FsckTextOptions): string {
  return summary.findings
    .filter((one) => one.id !== 'input-unopened')
    .filter(
      ({ id }) =>
        findingSpec(id).severity !== 'note' || (!options.quiet && (options.verbose > 0 || HINTS.has(id))),
    )
    .flatMap((one) => findingLines(one, options))
    .map((line) => `${line}\n`)
    .join('');
}

/** What could not be opened, for stderr. */
export function unopenedText(summary: FsckSummary, command: string): string {
  return summary.findings
    .filter((one) => one.id === 'input-unopened')
    .map((one) => `${command}: ${forTerminal(findingMessage(one))} [${one.id}]\n`)
    .join('');
}

function doneLines(report: SetupReport, options: FsckTextOptions): string[] {
  const { outcome } = report;
  if (!outcome?.report || options.quiet) return [];
  const { done, journal } = outcome.report;
  const lines: string[] = [];
  if (done.length > 0) {
    const copies = done.length === 1 ? '1 copy was' : `${done.length} copies were`;
    lines.push(`  ${options.style.green('done')}     ${copies} written, synced and read back`);
  }
  if (outcome.backup !== null) lines.push(`  backup   ${forTerminal(outcome.backup)}`);
  if (journal !== null) lines.push(`  undo     dmremap-undo ${forTerminal(shellWord(journal))}`);
  return lines;
}

const NEEDS_SAYS: Readonly<Record<RepairNeeds, string>> = {
  preen: '-p',
  yes: '-y',
  choose: '-y --choose SPARE:COPY',
  'accept-partial': '-y --accept-partial',
  force: '-y --force',
  never: '',
};

/** What to type next. */
function nextLines(report: SetupReport, options: FsckTextOptions): string[] {
  const choices = report.choices.flatMap((side) => choiceLines(side, options));
  if (report.refusal !== null) {
    const lines = wrap(`Not repaired: ${report.refusal}.`, options.columns, 2);
    return choices.length === 0 ? lines : [...lines, '  What to type next:', ...choices];
  }
  if (report.errorsLeft.length === 0 || report.outcome?.fault) return [];
  const needed = new Set<RepairNeeds>(report.withheld);
  if (options.mode === 'check') for (const one of report.needs) needed.add(one);
  // What can be chosen is told side by side, where that is known.
  if (choices.length > 0) needed.delete('choose');
  const flags = (['preen', 'yes', 'choose', 'accept-partial', 'force'] as const).filter((one) =>
    needed.has(one),
  );
  const commands = [...flags.map((flag) => commandLine(NEEDS_SAYS[flag], options)), ...choices];
  if (commands.length === 0) commands.push(`    dmremap-fsck --explain ${report.errorsLeft[0]?.id ?? ''}`);
  return ['  What to type next:', ...commands];
}

/** However long: a command that is to be typed is never broken. */
function commandLine(flags: string, { inputs, carried }: FsckTextOptions): string {
  const typed = (words: readonly string[]): string[] => words.map((word) => forTerminal(shellWord(word)));
  const words = [...typed(carried), ...(inputs.length > 4 ? ['INPUT...'] : typed(inputs))];
  return `    dmremap-fsck ${flags} ${words.join(' ')}`;
}

/** A generation that can be chosen: what is known of it, where it lies, and the command that goes on with it. */
function choiceLines(side: Candidate, options: FsckTextOptions): string[] {
  const { header } = side.generation;
  const names = namesOfSide(side);
  const [first] = names;
  if (first === undefined) return [];
  const spares = [...new Set(names.map(({ spare }) => spare))].map((index) => {
    const copies = names.filter(({ spare }) => spare === index).map(({ copy }) => copy);
    return `spare ${index} ${copies.length === 1 ? 'copy' : 'copies'} ${copies.join(', ')}`;
  });
  const remaps = plural(contentsOf(side.generation).remaps.length, 'remap');
  const how = side.salvage === null ? '' : ', recovered in full';
  const what = `to go on with sequence ${header.sequence}, written ${isoUtc(header.writtenNs)}, ${remaps}${how} (${spares.join('; ')}):`;
  const flags = `-y --choose ${first.spare}:${first.copy}`;
  return [...wrap(what, options.columns, 4), `  ${commandLine(flags, options)}`];
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
