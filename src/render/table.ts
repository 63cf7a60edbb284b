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
  /** On the terminal, in columns. */
  readonly width: number;
  readonly text: string;
}

const BETWEEN = '  ';
/** No column is squeezed below this. */
const NARROWEST = 8;
/** cli-table3 looks at every cell of a table for each of its cells: many small tables are quicker than a large one. */
const ROWS_AT_ONCE = 50;

/** The table as lines, each ending with a newline. Every row has as many cells as the head. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions = {},
): string {
  const paintHead = options.paintHead ?? ((text: string) => text);
  const shown = [head.map((text) => show({ text, paint: paintHead })), ...rows.map((row) => row.map(show))];
  const natural = head.map((_, i) => shown.reduce((most, row) => Math.max(most, row[i]?.width ?? 0), 0));
  const indent = options.indent ?? 0;
  const widths = fit(natural, (options.columns ?? 80) - indent);
  const right = head.map((_, i) => options.right?.includes(i) === true);
  // Only a table too wide for its lines needs the library, which takes 100 microseconds a row: a listing of all
  // remaps of a large setup would take seconds.
  const wide = widths.some((width, i) => width !== natural[i]);
  const lines = wide ? wrapped(shown, widths, right) : shown.map((row) => padded(row, widths, right));
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

/** Lines of a table with cells broken over several lines, by cli-table3. */
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
      // Paths and identifiers have no blanks to break at.
      wrapOnWordBoundary: false,
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
  return { width: displayWidth(text), text: typeof cell === 'string' ? text : cell.paint(text) };
}

/** Characters that take two columns of a terminal: East Asian wide ones and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/** The widths, with the widest columns narrowed until the table fits into `columns`. */
function fit(widths: readonly number[], columns: number): number[] {
  const fitted = [...widths];
  const used = fitted.reduce((sum, width) => sum + width, 0) + BETWEEN.length * (fitted.length - 1);
  for (let surplus = used - columns; surplus > 0; surplus--) {
    const widest = Math.max(...fitted);
    if (widest <= NARROWEST) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}
