// SPDX-License-Identifier: GPL-2.0-or-later
// The result of dmremap-format as text and as the value of its JSON document (docs/schemas/format.json). Who reads the
// text wants to know what was made of which device, what was lost by it, how to take it back, and what to type next.
import { forTerminal } from '../core/escape';
import type { RemapEntry } from '../core/layout';
import { COPY_COUNT, ENTRY_DATA_LOST, REMAP_REASON } from '../core/layout';
import { shellWord } from '../core/paths';
import type { Tool } from '../core/tool';
import type { FormatResult, FormatSpare } from '../commands/format';
import type { FormatInput } from '../commands/format-survey';
import type { Style, TextOptions } from './style';
import { tableText } from './table';
import { wrap } from './wrap';

export const FORMAT_SCHEMA = 'dmremap.format/1';

/** The document of a run that succeeded; one that did not has the common form with an error. */
export function formatDocument(result: FormatResult, tool: Tool): unknown {
  const { geometry, main } = result;
  return {
    schema: FORMAT_SCHEMA,
    tool,
    exitCode: result.exitCode,
    status: result.status,
    setup: {
      uuid: result.setupUuid,
      name: result.name,
      description: result.description,
      sequence: '1',
      remapUnit: geometry.remapUnit,
      targetSectors: geometry.mainDataSectors,
    },
    main: { ...deviceDocument(main), uuid: result.mainUuid, droppedBytes: geometry.droppedBytes },
    spares: result.spares.map((spare, index) => ({
      index,
      uuid: spare.uuid,
      ...deviceDocument(spare.input),
      dataStartSector: spare.dataStart,
      dataSectors: spare.dataSectors,
      usedSectors: spare.usedSectors,
      recognised: spare.content.recognised,
      overwrittenBytes: spare.overwrittenBytes,
    })),
    remapCount: result.entries.length,
    lostSectors: lostSectors(result.entries),
    remaps: result.entries.map((entry) => ({
      mainSector: entry.mainSector,
      spareIndex: entry.spareIndex,
      spareSector: entry.spareSector,
      length: String(entry.length),
      reason: REMAP_REASON[entry.reason],
      flags: (entry.flags & ENTRY_DATA_LOST) === 0 ? [] : ['DATA_LOST'],
    })),
    writes: result.writes.map((one) => ({ ...one, length: String(one.length) })),
    undo: result.undo,
    table: result.table,
    warnings: result.warnings,
  };
}

function deviceDocument({ path, facts }: FormatInput): Record<string, unknown> {
  return {
    path,
    kind: facts.kind,
    sizeBytes: facts.sizeBytes,
    logicalBlockSize: facts.logicalBlockSize,
    physicalBlockSize: facts.physicalBlockSize,
  };
}

function lostSectors(entries: readonly RemapEntry[]): bigint {
  return entries.reduce((sum, entry) => sum + BigInt(entry.length), 0n);
}

/** Entries shown without -v. */
const ENTRIES_SHOWN = 20;

/** The text for stdout. Warnings are said on stderr besides. */
export function formatText(result: FormatResult, style: Style, options: TextOptions): string {
  const planned = result.status === 'would-make';
  const { columns } = options;
  const name = forTerminal(result.name);
  const copies = result.spares.length * COPY_COUNT;
  const verb = planned ? 'Would make' : 'Made';
  const made = `${verb} the setup ${name} (${result.setupUuid ?? 'uuid to be chosen at random'}):`;
  const parts = [
    prose(made, columns).replace(verb, (planned ? style.bold : style.green)(verb)),
    `${result.geometry.mainDataSectors} sectors, ${copies} copies of the metadata, remap unit of ${sectorsText(BigInt(result.geometry.remapUnit))}.\n\n`,
    deviceTable(result, style, columns),
    lossText(result, style, options),
    ...result.spares.map((spare, index) => overwriteText(spare, index, planned, columns)),
  ];
  if (planned || options.verbose > 0) parts.push(writesText(result, style, columns));
  parts.push('\n', nextText(result, planned));
  return parts.join('');
}

function sectorsText(sectors: bigint): string {
  return sectors === 1n ? '1 sector' : `${sectors} sectors`;
}

function deviceTable(result: FormatResult, style: Style, columns: number): string {
  const row = (role: string, { path, facts }: FormatInput, data: string): string[] => [
    role,
    String(facts.sizeBytes / 512n),
    `${facts.logicalBlockSize}/${facts.physicalBlockSize}`,
    data,
    path,
  ];
  const rows = [
    row('main', result.main, `0 + ${result.geometry.mainDataSectors}`),
    ...result.spares.map((spare, i) =>
      row(`spare ${i}`, spare.input, `${spare.dataStart} + ${spare.dataSectors}`),
    ),
  ];
  return tableText(['device', 'sectors', 'blocks', 'data at + sectors', 'path'], rows, {
    columns,
    paintHead: style.bold,
    right: [1],
    indent: 2,
  });
}

function lossText({ entries, spares, status }: FormatResult, style: Style, options: TextOptions): string {
  const room = spares.reduce((sum, spare) => sum + spare.dataSectors - spare.usedSectors, 0n);
  if (entries.length === 0) return `\nRoom for remaps: ${sectorsText(room)}.\n`;
  const lost = lostSectors(entries);
  const places = entries.length === 1 ? '1 entry' : `${entries.length} entries`;
  const text = `\n${sectorsText(lost)} of main in ${places} ${lost === 1n ? 'is' : 'are'} lost from the start.\nRoom for more remaps: ${sectorsText(room)}.\n`;
  if (status === 'made' && options.verbose === 0) return text;
  const shown = options.verbose > 0 ? entries : entries.slice(0, ENTRIES_SHOWN);
  const rows = shown.map((entry) => [
    String(entry.mainSector),
    String(entry.length),
    String(entry.spareIndex),
    String(entry.spareSector),
  ]);
  const table = tableText(['main sector', 'sectors', 'spare', 'spare sector'], rows, {
    columns: options.columns,
    paintHead: style.bold,
    right: [0, 1, 2, 3],
    indent: 2,
  });
  const more = entries.length - shown.length;
  return `${text}${table}${more > 0 ? `  and ${more} more (-v shows all)\n` : ''}`;
}

/** What is gone from a spare by it. */
function overwriteText(
  { content, overwrittenBytes }: FormatSpare,
  index: number,
  planned: boolean,
  columns: number,
): string {
  const verb = planned ? 'would be overwritten' : 'overwritten';
  const found = content.recognised.map(forTerminal);
  if (found.length === 0 && overwrittenBytes > 0n)
    found.push(`${overwrittenBytes} bytes that were not all zero, and not recognised as anything`);
  return found.map((what) => prose(`spare ${index}: ${what}: ${verb}`, columns)).join('');
}

/** A sentence, in as many lines as it takes. */
function prose(text: string, columns: number): string {
  return wrap(text, columns, 0)
    .map((line) => `${line}\n`)
    .join('');
}

function writesText(result: FormatResult, style: Style, columns: number): string {
  if (result.writes.length === 0) return '\nNothing has to be written: all of it is there already.\n';
  const rows = result.writes.map((one) => [String(one.offset), String(one.length), one.group, one.path]);
  const head = ['byte', 'length', 'part', 'path'];
  const table = tableText(head, rows, { columns, paintHead: style.bold, right: [0, 1], indent: 2 });
  return `\nWrites, in this order:\n${table}`;
}

function nextText(result: FormatResult, planned: boolean): string {
  if (planned) return 'Nothing was written. To make it, run the same command without -n.\n';
  const spares = result.spares.map(({ input }) => shellWord(input.path)).join(' ');
  const lines = [`  dmremap-fsck -n ${spares}`];
  const images = [result.main, ...result.spares.map(({ input }) => input)].some(
    ({ facts }) => facts.kind === 'image',
  );
  // A table names block devices; with the path of an image it would only fail.
  if (!images) lines.push(`  dmsetup create ${shellWord(result.name)} --table ${shellWord(result.table)}`);
  const undo = result.undo === null ? [] : [`To take it back:\n  dmremap-undo ${shellWord(result.undo)}\n`];
  const attach = images ? ['(Images must be attached with losetup before a target can use them.)\n'] : [];
  return [...undo, `Next:\n${lines.map((line) => `${forTerminal(line)}\n`).join('')}`, ...attach].join('');
}
