// SPDX-License-Identifier: GPL-2.0-or-later
// The results of dmremap-inspect as text: a heading and the copies of a setup, its contents in short or in full, and
// differences. Hex dumps are in inspect-hex.ts. Every text from a disk or a path is escaped here.
import type { InspectedSetup, InspectedSlot, InspectedSpare } from '../commands/inspect';
import { contentsOfSlot } from '../commands/inspect';
import { textOf } from '../core/bytes';
import { cName } from '../core/codec';
import type { FoundContents, Listing, Row } from '../core/describe';
import { remapTotals } from '../core/totals';
import {
  configRows,
  deviceListing,
  deviceName,
  eventListing,
  headerRows,
  healthRows,
  knownAs,
  recordRows,
  remapListing,
  sectorsText,
  timeText,
  usedEvents,
} from '../core/describe';
import type { Difference, SlotDifferences } from '../core/differences';
import { forTerminal } from '../core/escape';
import { DEVICE, SECTION_NAME, SLOT_SECTORS } from '../core/layout';
import { absenceText, findingLines } from './fsck-text';
import type { Style } from './style';
import type { Cell } from './table';
import { tableText } from './table';

/** What of the contents is shown. */
export interface Selection {
  readonly devices: boolean;
  readonly config: boolean;
  readonly events: boolean;
  readonly remaps: boolean;
  /** Nothing was asked for by name: everything, in short. */
  readonly short: boolean;
}

export interface InspectTextOptions {
  readonly style: Style;
  readonly columns: number;
  readonly selection: Selection;
}

/** Entries and events that are shown in short. */
const SHORT_REMAPS = 10;
const SHORT_EVENTS = 5;
/** Rows of a table that are laid out at once, so that the largest setup streams. */
const ROWS_AT_ONCE = 500;

/** The heading of a setup: who wins, and where its copies are. */
export function* setupHeading(setup: InspectedSetup, options: InspectTextOptions): Generator<string> {
  const { style } = options;
  const { decision } = setup;
  const name = setup.name === null || setup.name === '' ? '' : `${forTerminal(setup.name)} `;
  yield `${style.bold(`Setup ${name}`)}(${setup.setupUuid})\n`;
  const rows: Row[] = [{ label: 'verdict', value: decision.verdict }];
  if (decision.winner !== null) {
    const { sequence, writtenNs, writer, spareIndex, copyIndex } = decision.winner.header;
    const how = decision.winner.salvage === null ? '' : ', put together from several copies';
    rows.push(
      { label: 'winner', value: `sequence ${sequence}, spare ${spareIndex} copy ${copyIndex}${how}` },
      { label: 'written', value: `${timeText(writtenNs)} by ${textOf(writer)}` },
    );
  }
  if (setup.contents !== null) rows.push(...totalsRows(setup.contents));
  yield rowsText(rows, options);
  yield `\n${copiesTable(setup, options)}`;
  for (const finding of setup.findings)
    yield findingLines(finding, options)
      .map((line) => `${line}\n`)
      .join('');
}

function totalsRows({ remaps }: FoundContents): Row[] {
  const { entries, sectors, lostSectors, retiredSectors } = remapTotals(remaps);
  const rows = [{ label: 'remaps', value: `${entries}, sectors: ${sectorsText(sectors)}` }];
  if (lostSectors > 0n) rows.push({ label: 'LOST', value: `sectors: ${sectorsText(lostSectors)}` });
  if (retiredSectors > 0n)
    rows.push({ label: 'retired', value: `spare sectors: ${sectorsText(retiredSectors)}` });
  return rows;
}

/** 'spare 2', or the input of which nobody knows. */
export function spareName(spare: InspectedSpare): string {
  return spare.index === null ? 'unknown spare' : `spare ${spare.index}`;
}

function copiesTable(setup: InspectedSetup, { style, columns }: InspectTextOptions): string {
  const rows: Cell[][] = setup.spares.flatMap((spare) =>
    spare.slots.length === 0
      ? [[spareName(spare), '-', '-', { text: absenceText(setup.decision), paint: style.dim }, '-', '-']]
      : spare.slots.map((slot) => copyRow(spare, slot, style)),
  );
  const places = setup.spares
    .filter((spare) => spare.located !== null)
    .map((spare) => `  ${spareName(spare)}: ${forTerminal(spare.located?.label ?? '')}\n`);
  const table = tableText(['spare', 'copy', 'sector', 'state', 'sequence', 'written'], rows, {
    columns,
    paintHead: style.bold,
    right: [2, 4],
    indent: 2,
  });
  return places.join('') + table;
}

function copyRow(spare: InspectedSpare, slot: InspectedSlot, style: Style): Cell[] {
  const { header } = slot.judgement.header;
  const good = slot.judgement.header.state === 'good' && header !== null;
  const state =
    slot.verdict?.state ?? (slot.judgement.valid ? 'valid' : `header ${slot.judgement.header.state}`);
  const errors = (slot.verdict?.findings.length ?? 0) > 0 || !slot.judgement.valid;
  return [
    spareName(spare),
    String(slot.copyIndex),
    String(SLOT_SECTORS[slot.copyIndex] ?? 0n),
    { text: state, paint: errors ? style.red : style.green },
    good ? String(header.sequence) : '-',
    good ? timeText(header.writtenNs) : '-',
  ];
}

/** What one slot says, valid or not. */
export function* slotText(
  spare: InspectedSpare,
  slot: InspectedSlot,
  options: InspectTextOptions,
): Generator<string> {
  yield `\n${slotTitle(spare, slot, options.style)}`;
  const { header, sections, overallOk } = slot.judgement;
  const rows: Row[] = [{ label: 'header', value: headerState(slot) }];
  for (const problem of header.rangeProblems) rows.push({ label: problem.field, value: problem.why });
  for (const { entry, crcOk, badRecords, gap } of sections) {
    const bad = badRecords.length === 0 ? '' : `; bad records: ${badRecords.slice(0, 10).join(', ')}`;
    const value =
      gap === undefined ? `${crcOk ? 'checksum right' : 'checksum WRONG'}${bad}` : `not read: ${gap.reason}`;
    rows.push({ label: SECTION_NAME[entry.type] ?? `section ${entry.type}`, value });
  }
  if (sections.length > 0)
    rows.push({ label: 'overall', value: overallOk ? 'checksum right' : 'checksum WRONG' });
  yield rowsText(rows, options);
  yield* contentsText(contentsOfSlot(slot), options);
}

function headerState({ judgement }: InspectedSlot): string {
  const { state, unsupported, magicOk } = judgement.header;
  if (unsupported !== null) return `intact, but needs a newer version: ${unsupported}`;
  if (state === 'good') return judgement.header.usable ? 'intact' : 'intact, but out of range';
  if (state === 'bad') return magicOk ? 'checksum WRONG' : 'no magic number';
  return state === 'unread' ? 'not read' : 'behind the end of the input';
}

/** 'spare 0 copy 3, sector 4096, /dev/sdb': the heading of anything about one slot. */
export function slotTitle(spare: InspectedSpare, slot: InspectedSlot, style: Style): string {
  const where = forTerminal(spare.located?.label ?? '');
  const sector = SLOT_SECTORS[slot.copyIndex] ?? 0n;
  return `${style.bold(`${spareName(spare)} copy ${slot.copyIndex}`)}, sector ${sector}, ${where}\n`;
}

/** The contents of a generation or of a slot, as much of them as is asked for. */
export function* contentsText(contents: FoundContents, options: InspectTextOptions): Generator<string> {
  const { selection } = options;
  if (contents.header !== null && selection.short) {
    yield title('Header', options);
    yield rowsText(headerRows(contents.header), options);
  }
  if (selection.devices || selection.short) yield* devicesText(contents, options);
  if (contents.config !== null && (selection.config || selection.short)) {
    yield title('Configuration', options);
    yield rowsText(configRows(contents.config, selection.config), options);
  }
  if (contents.health !== null && selection.short) {
    yield title('Health', options);
    yield rowsText(healthRows(contents.health), options);
  }
  if (selection.events || selection.short) yield* eventsText(contents, options);
  if (selection.remaps || selection.short) yield* remapsText(contents, options);
  if (contents.unread.length > 0) yield `\nNot read: ${contents.unread.slice(0, 20).join(', ')}\n`;
}

function title(text: string, { style }: InspectTextOptions): string {
  return `\n${style.bold(text)}\n`;
}

function* devicesText({ devices }: FoundContents, options: InspectTextOptions): Generator<string> {
  yield title('Devices', options);
  for (const device of devices) yield `  ${deviceName(device)}: ${forTerminal(knownAs(device))}\n`;
  yield* listingText(deviceListing(devices), options);
  if (!options.selection.devices) return;
  for (const device of devices) {
    yield title(`Device record: ${deviceName(device)}`, options);
    yield rowsText(recordRows(DEVICE, device), options);
  }
}

function* eventsText({ events }: FoundContents, options: InspectTextOptions): Generator<string> {
  const used = usedEvents(events);
  yield title(`Events: ${used.length}`, options);
  const shown = options.selection.events ? used : used.slice(-SHORT_EVENTS);
  if (shown.length > 0) yield* listingText(eventListing(shown), options);
  if (shown.length < used.length) yield more('the newest are shown; all of them', '--events', options);
}

function* remapsText({ remaps }: FoundContents, options: InspectTextOptions): Generator<string> {
  yield title(`Remaps: ${remaps.length}`, options);
  const shown = options.selection.remaps ? remaps : remaps.slice(0, SHORT_REMAPS);
  if (shown.length > 0) yield* listingText(remapListing(shown), options);
  if (shown.length < remaps.length) yield more('the first are shown; all of them', '--remaps', options);
}

function more(what: string, option: string, { style }: InspectTextOptions): string {
  return style.dim(`  ${what}: ${option}`) + '\n';
}

/** A table in pieces, each with its head; columns of a piece are as wide as its own cells need. */
function* listingText(
  { head, rows, right }: Listing,
  { style, columns }: InspectTextOptions,
): Generator<string> {
  for (let start = 0; start < Math.max(1, rows.length); start += ROWS_AT_ONCE) {
    yield tableText(head, rows.slice(start, start + ROWS_AT_ONCE), {
      columns,
      paintHead: style.bold,
      right,
      indent: 2,
    });
  }
}

function rowsText(rows: readonly Row[], { style }: InspectTextOptions): string {
  const width = rows.reduce((most, { label }) => Math.max(most, forTerminal(label).length), 0);
  return rows
    .map(({ label, value }) => `  ${style.dim(forTerminal(label).padEnd(width))}  ${forTerminal(value)}\n`)
    .join('');
}

/** What differs between two copies, section by section. */
export function* differencesText(
  a: string,
  b: string,
  found: SlotDifferences,
  options: InspectTextOptions,
): Generator<string> {
  const { style, columns } = options;
  yield title(`Differences between ${a} and ${b}`, options);
  if (found.fields.length === 0 && found.ranges.length === 0) yield '  none\n';
  for (const section of new Set(found.fields.map((one) => one.section))) {
    const rows = found.fields
      .filter((one) => one.section === section)
      .map((one) => differenceRow(one, style));
    // Values that can't be broken and do not fit beside each other (uuids, hashes, paths) stand beneath each other.
    const name = Math.max(...rows.map(([cell = '']) => textOfCell(cell).length));
    const room = Math.floor((columns - 2 - name - 2 * 2) / 2);
    const long = rows.filter((row) => row.slice(1).some((value) => longestWord(value) > room));
    const short = rows.filter((row) => !long.includes(row));
    yield tableText([section, a, b], short, { columns, paintHead: style.bold, indent: 2 });
    yield* long.map((row) => beneathText(row, [a, b], style));
  }
  for (const { where, start, end } of found.ranges)
    yield `  ${forTerminal(where)}: bytes ${start} to ${end} differ\n`;
  if (found.fields.some(({ perCopy }) => perCopy)) {
    yield style.dim('  (copy) these fields are different in every copy of a generation') + '\n';
  }
  if (found.omitted > 0) yield `  ${found.omitted} more differences are not listed\n`;
}

const textOfCell = (cell: Cell): string => forTerminal(typeof cell === 'string' ? cell : cell.text);

function longestWord(cell: Cell): number {
  return Math.max(
    ...textOfCell(cell)
      .split(' ')
      .map((word) => word.length),
  );
}

/** A row as three lines: its name, and each value after the copy that has it. */
function beneathText(
  [name = '', ...values]: readonly Cell[],
  copies: readonly string[],
  style: Style,
): string {
  const shown = (cell: Cell): string =>
    typeof cell === 'string' ? textOfCell(cell) : cell.paint(textOfCell(cell));
  const lines = values.map((value, i) => `    ${style.dim(forTerminal(copies[i] ?? ''))}  ${shown(value)}`);
  return [`  ${shown(name)}`, ...lines].map((line) => `${line}\n`).join('');
}

function differenceRow({ path, a, b, perCopy }: Difference, style: Style): Cell[] {
  const value = (text: string | null): Cell =>
    text === null ? { text: 'not there', paint: style.dim } : text;
  const name = cName(path);
  return [perCopy ? `${name} (copy)` : name, value(a), value(b)];
}
