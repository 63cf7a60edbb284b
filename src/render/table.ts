// SPDX-License-Identifier: GPL-2.0-or-later
// Plain text tables that fit the terminal. Cells are made harmless here; what is in them comes from the renderers.
import type CliTable from 'cli-table3';
import { forTerminal } from '../core/escape';

/** A cell: text as it is known (not escaped), and how to colour it once it is. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string };

export interface TableOptions {
  /** Characters in a line; 80 unless told otherwise. Cells are wrapped where the table would be wider. */
  readonly columns?: number;
  /** How the head is painted. */
  readonly paintHead?: (text: string) => string;
  /** Indexes of columns that are aligned to the right (numbers). */
  readonly right?: readonly number[];
  /** Spaces before each line. */
  readonly indent?: number;
}

interface Shown {
  /** On the terminal, in columns: of the whole, and of its longest word. */
  readonly width: number;
  readonly word: number;
  readonly text: string;
}

const BETWEEN = '  ';
/** cli-table3 looks at every cell of a table for each of its cells: many small tables are quicker than a large one. */
const ROWS_AT_ONCE = 50;

/**
 * The table as lines, each ending with a newline. Every row has as many cells as the head. Cells are broken at blanks
 * only: half a number or half a time is a wrong one. A table that can't be narrow enough for its lines without that is
 * not squeezed at all; so what may be a long word (a path) belongs in the last column, where it disturbs no other row.
 */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string {
  const paintHead = options.paintHead ?? ((text: string) => text);
  const top = head.map((text) => show({ text, paint: paintHead }));
  const shown = rows.map((row) => row.map(show));
  const indent = options.indent ?? 0;
  const widths = fit(top, shown, (options.columns ?? 80) - indent);
  const right = head.map((_, i) => options.right?.includes(i) === true);
  const lines: string[] = [];
  // Only rows too wide for the columns need the library, which takes 100 microseconds a row: a listing of all remaps
  // of a large setup would take seconds.
  let wide: (readonly Shown[])[] = [];
  const flush = (): void => {
    if (wide.length > 0) lines.push(...wrapped(wide, widths, right));
    wide = [];
  };
  for (const row of [top, ...shown]) {
    if (row.some(({ width }, i) => width > (widths[i] ?? 0))) wide.push(row);
    else {
      flush();
      lines.push(padded(row, widths, right));
    }
  }
  flush();
  return lines.map((line) => `${' '.repeat(indent)}${line.trimEnd()}\n`).join('');
}

function padded(row: readonly Shown[], widths: readonly number[], right: readonly boolean[]): string {
  return row
    .map(({ text, width }, i) => {
      const fill = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width));
      return right[i] === true ? fill + text : text + fill;
    })
    .join(BETWEEN);
}

/** Lines of rows with cells broken over several lines, by cli-table3. No word is wider than its column. */
function wrapped(
  rows: readonly (readonly Shown[])[],
  widths: readonly number[],
  right: readonly boolean[],
): string[] {
  // Loaded here and not above: a run that needs no such table should not pay for it.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const Table = require('cli-table3') as typeof CliTable;
  const lines: string[] = [];
  for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
    const table = new Table({
      // cli-table3 colours head and border on its own, even into a pipe, unless it is given no colours at all.
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
      chars: BORDERLESS,
      colWidths: [...widths],
      colAligns: right.map((one) => (one ? 'right' : 'left')),
      wordWrap: true,
    });
    for (const row of rows.slice(start, start + ROWS_AT_ONCE)) table.push(row.map(({ text }) => text));
    lines.push(...table.toString().split('\n'));
  }
  return lines;
}

const BORDERLESS: NonNullable<CliTable.TableConstructorOptions['chars']> = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: BETWEEN,
};

function show(cell: Cell): Shown {
  const text = forTerminal(typeof cell === 'string' ? cell : cell.text);
  const word = text.split(' ').reduce((most, part) => Math.max(most, displayWidth(part)), 0);
  return { width: displayWidth(text), word, text: typeof cell === 'string' ? text : cell.paint(text) };
}

/** Characters that take two columns of a terminal: East Asian wide ones and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/**
 * The widths of the columns. Where they are too wide together, the widest are narrowed: first those that only their head
 * makes wide, then those with cells that can be broken at a blank.
 */
function fit(head: readonly Shown[], rows: readonly (readonly Shown[])[], columns: number): number[] {
  const most = (start: readonly number[], of: 'width' | 'word'): number[] =>
    start.map((least, i) => rows.reduce((wide, row) => Math.max(wide, row[i]?.[of] ?? 0), least));
  const headWords = head.map(({ word }) => word);
  const natural = most(
    head.map(({ width }) => width),
    'width',
  );
  const cells = most(headWords, 'width');
  const words = most(headWords, 'word');
  const room = columns - BETWEEN.length * (head.length - 1);
  const sum = (widths: readonly number[]): number => widths.reduce((total, width) => total + width, 0);
  if (sum(words) > room) return natural;
  return narrowed(narrowed(natural, cells, room), words, room);
}

/** The widths with the widest narrowed, but none below its least, until they fit into the room. */
function narrowed(widths: readonly number[], least: readonly number[], room: number): number[] {
  const fitted = [...widths];
  let surplus = fitted.reduce((total, width) => total + width, 0) - room;
  for (; surplus > 0; surplus--) {
    let widest = -1;
    fitted.forEach((width, i) => {
      if (width > (least[i] ?? 0) && (widest === -1 || width > (fitted[widest] ?? 0))) widest = i;
    });
    if (widest === -1) break;
    fitted[widest] = (fitted[widest] ?? 0) - 1;
  }
  return fitted;
}
