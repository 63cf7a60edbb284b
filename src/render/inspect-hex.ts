// SPDX-License-Identifier: GPL-2.0-or-later
// Hex dumps for dmremap-inspect: annotated ones of slots that show a structure, plain ones of all others.
import type * as Hexy from 'hexy';
import type { InspectedSlot } from '../commands/inspect';
import type { AnnotatedLine } from '../core/annotate';
import { annotateSlot } from '../core/annotate';
import { isZero } from '../core/bytes';
import { cName } from '../core/codec';
import { forTerminal } from '../core/escape';
import type { Region } from '../core/extents';
import { gapWithin } from '../core/extents';
import { hasTrace } from '../core/identity';
import type { Style } from './style';

/** Bytes of a slot without structure that are shown; what overwrote it shows itself at its start. */
const PLAIN_BYTES = 4096;
const LABEL_COLUMNS = 25;
/** Terminals at least this wide have room for 16 bytes a line beside names and values; narrower ones get 8. */
const WIDE_COLUMNS = 110;

/** The dump of a slot, line by line, each ending with a newline. */
export function* hexText(slot: InspectedSlot, style: Style, columns: number): Generator<string> {
  if (hasTrace(slot.region))
    for (const line of annotateSlot(slot.region)) yield `${annotated(line, style, columns)}\n`;
  else yield* plain(slot, style);
}

/** A line of the dump; one of 16 bytes may need two on a narrow terminal, and a long value a line of its own. */
function annotated(line: AnnotatedLine, style: Style, columns: number): string {
  switch (line.kind) {
    case 'title':
      return `${address(line.offset)}  ${style.bold(forTerminal(line.text))}`;
    case 'zeros':
      return style.dim('*');
    case 'bytes': {
      const perRow = columns >= WIDE_COLUMNS ? 16 : 8;
      const label = forTerminal(cName(line.label));
      const value = forTerminal(line.value);
      const margin = 10 + perRow * 3 + 2;
      const beside = `${label.padEnd(LABEL_COLUMNS)} ${value}`;
      const fits = value === '' || margin + beside.length <= columns;
      const notes = fits ? [beside] : [label, `  ${value}`];
      const rows: string[] = [];
      for (let at = 0; at < Math.max(line.hex.length, notes.length * perRow); at += perRow) {
        const hex = hexOf(line.hex.slice(at, at + perRow));
        const start = hex === '' ? ' '.repeat(8) : address(line.offset + at);
        rows.push(`${start}  ${hex.padEnd(perRow * 3)}  ${notes[at / perRow] ?? ''}`.trimEnd());
      }
      return rows.join('\n');
    }
  }
}

/** Bytes in hexadecimal with a gap after every eight. */
function hexOf(bytes: readonly string[]): string {
  const second = bytes.length > 8 ? `  ${bytes.slice(8).join(' ')}` : '';
  return bytes.slice(0, 8).join(' ') + second;
}

function address(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}

/** Bytes that nobody can name: as hexdump -C shows them. */
function* plain({ region }: InspectedSlot, style: Style): Generator<string> {
  const { bytes, gaps } = region;
  for (const { start, end, reason } of gaps) {
    yield `${address(start)}  bytes ${start} to ${end}: ${forTerminal(reason)}\n`;
  }
  if (isZero(bytes)) {
    if (gaps.length === 0) yield `${address(0)}  ${style.dim(`${bytes.length} bytes, all zero`)}\n`;
    return;
  }
  // Loaded here and not above: most runs need no plain dump and should not pay for it.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { hexy } = require('hexy') as typeof Hexy;
  const shown = bytes.subarray(0, PLAIN_BYTES);
  const text = hexy(Buffer.from(shown), { width: 16, format: 'twos', numbering: 'hex_bytes' });
  const lines = text.split('\n').filter((line) => line !== '');
  yield* collapsed(
    lines.map((line, i) => masked(line, i * 16, region)),
    style,
  );
  if (bytes.length > shown.length)
    yield style.dim(`${bytes.length - shown.length} more bytes are not shown`) + '\n';
}

/** A line of the dump with `??` for the bytes that were not read: their zeros are nobody's. */
function masked(line: string, offset: number, region: Region): string {
  if (gapWithin(region, offset, offset + 16) === undefined) return line;
  let out = line;
  for (let i = 0; i < 16; i++) {
    const at = HEX_AT + 3 * i;
    if (gapWithin(region, offset + i, offset + i + 1) !== undefined)
      out = `${out.slice(0, at)}??${out.slice(at + 2)}`;
  }
  return out;
}

/** Where in a line the bytes begin. */
const HEX_AT = '00000000: '.length;

/** Lines of zeros, but for the first, become one '*'. */
function* collapsed(lines: readonly string[], style: Style): Generator<string> {
  let zeros = 0;
  for (const line of lines) {
    zeros = /: [0 ]+ \.+$/.test(line) ? zeros + 1 : 0;
    if (zeros === 2) yield `${style.dim('*')}\n`;
    // hexy shows DEL as it is.
    if (zeros < 2) yield `${line.replace(/[^ -~]/g, '.')}\n`;
  }
}
