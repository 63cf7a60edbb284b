// SPDX-License-Identifier: GPL-2.0-or-later
// Reads GNU ddrescue mapfiles: which bytes of a medium were rescued and which could not be read. What follows from a
// block's status is decided by the caller.

/** `?` non-tried, `*` failed non-trimmed, `/` failed non-scraped, `-` bad sectors, `+` finished. */
export type BlockStatus = '?' | '*' | '/' | '-' | '+';

/** `?` copying, `*` trimming, `/` scraping, `-` retrying, `F` filling, `G` generating, `+` finished. */
export type CurrentStatus = BlockStatus | 'F' | 'G';

/** Bytes of the medium that was read (ddrescue's input file), half-open. */
export interface MapBlock {
  readonly start: bigint;
  readonly end: bigint;
  readonly status: BlockStatus;
}

export interface MapNote {
  readonly code: 'empty' | 'positions-moved' | 'fill-mode' | 'unfinished';
  readonly text: string;
}

export interface Mapfile {
  /** Null in a file without a status line. */
  readonly currentStatus: CurrentStatus | null;
  /** Contiguous and in order. Bytes before the first and after the last block are as good as non-tried. */
  readonly blocks: readonly MapBlock[];
  readonly notes: readonly MapNote[];
}

/** Why a line was refused; lines count from 1 (0: the file as a whole). */
export interface ParseError {
  readonly line: number;
  readonly reason: string;
}

export const MAX_MAPFILE_BYTES = 64 * 1024 * 1024;
const MAX_BLOCKS = 1_000_000;
/** Longest line that is no comment; comments hold command lines and may be longer. */
const MAX_LINE = 256;
/** Characters of a line that are looked at: more than any command line has. */
const MAX_TEXT = 65536;
const LIMIT = 1n << 64n;

const BLOCK_STATUS = '?*/-+';
const CURRENT_STATUS = '?*/-FG+';

/** Text of [start, end): bytes as characters, which is all that these formats need. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  let out = '';
  for (let i = start; i < end; i++) out += String.fromCharCode(bytes[i] ?? 0);
  return out;
}

/** Lines of a file of text (their first 64 KiB), without their ends (LF or CR LF), numbered from 1. */
export function* linesOf(bytes: Uint8Array): Generator<{ number: number; text: string }> {
  let start = 0;
  for (let number = 1; start < bytes.length; number++) {
    const found = bytes.indexOf(0x0a, start);
    const stop = found === -1 ? bytes.length : found;
    const end = stop > start && bytes[stop - 1] === 0x0d ? stop - 1 : stop;
    yield { number, text: textOf(bytes, start, Math.min(end, start + MAX_TEXT)) };
    start = stop + 1;
  }
}

/** Decimal, 0x hexadecimal or 0-prefixed octal, as ddrescue reads them; null if it is none of them. */
function parseInteger(text: string): bigint | null {
  if (text.length > 40) return null;
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return BigInt(text);
  if (/^0[0-7]+$/.test(text)) return BigInt(`0o${text.slice(1)}`);
  return /^(0|[1-9][0-9]*)$/.test(text) ? BigInt(text) : null;
}

function isBlockStatus(text: string): text is BlockStatus {
  return text.length === 1 && BLOCK_STATUS.includes(text);
}

function isCurrentStatus(text: string): text is CurrentStatus {
  return text.length === 1 && CURRENT_STATUS.includes(text);
}

/** The status line's current status, or what is wrong with the line. */
function parseStatusLine(fields: readonly string[]): CurrentStatus | { readonly reason: string } {
  const [position = '', status = '', pass, ...rest] = fields;
  if (parseInteger(position) === null) return { reason: 'bad or missing status line: no position' };
  if (!isCurrentStatus(status)) return { reason: 'bad or missing status line: no status' };
  // Old versions wrote no pass; where there is one it is a positive decimal number.
  if (pass !== undefined && !/^[1-9][0-9]{0,17}$/.test(pass))
    return { reason: 'bad status line: bad pass number' };
  if (rest.length > 0) return { reason: 'bad status line: too many fields' };
  return status;
}

function parseBlock(fields: readonly string[]): MapBlock | { readonly reason: string } {
  const [position = '', size = '', status = '', ...rest] = fields;
  const start = parseInteger(position);
  const length = parseInteger(size);
  if (start === null || length === null) return { reason: 'bad block line: not a number' };
  if (!isBlockStatus(status)) return { reason: 'bad block line: unknown status' };
  if (rest.length > 0) return { reason: 'bad block line: too many fields' };
  if (length === 0n) return { reason: 'bad block line: a block of size 0' };
  if (start + length > LIMIT) return { reason: 'bad block line: ends past 2^64' };
  return { start, end: start + length, status };
}

/**
 * Parses a ddrescue mapfile. The list must be contiguous, as ddrescue demands; a gap could as well be read as "all
 * is fine there". An empty file and one of comments only are accepted, with a note.
 */
export function parseMapfile(bytes: Uint8Array): Mapfile | ParseError {
  if (bytes.length > MAX_MAPFILE_BYTES) return { line: 0, reason: `larger than ${MAX_MAPFILE_BYTES} bytes` };
  const notes: MapNote[] = [];
  const blocks: MapBlock[] = [];
  let currentStatus: CurrentStatus | null = null;
  for (const { number, text } of linesOf(bytes)) {
    // A comment begins at the start of a line or after white space.
    const comment = /(^|\s)#[^]*$/.exec(text);
    const data = (comment === null ? text : text.slice(0, comment.index)).trim();
    if (comment !== null) noteCommandLine(comment[0], notes);
    if (data === '') continue;
    if (data.length > MAX_LINE) return { line: number, reason: 'the line is too long' };
    const fields = data.split(/\s+/);
    if (currentStatus === null) {
      const status = parseStatusLine(fields);
      if (typeof status === 'object') return { line: number, ...status };
      currentStatus = status;
      continue;
    }
    const block = parseBlock(fields);
    if ('reason' in block) return { line: number, ...block };
    const previous = blocks[blocks.length - 1];
    if (previous !== undefined && previous.end !== block.start)
      return { line: number, reason: 'blocks are not contiguous' };
    if (blocks.length === MAX_BLOCKS) return { line: number, reason: `more than ${MAX_BLOCKS} blocks` };
    blocks.push(block);
  }
  if (blocks.length === 0) notes.push({ code: 'empty', text: 'the mapfile lists no block' });
  if (currentStatus === 'F') {
    notes.push({ code: 'fill-mode', text: 'made in fill mode: bad areas of the image hold a pattern' });
  } else if (currentStatus !== null && currentStatus !== '+') {
    notes.push({ code: 'unfinished', text: 'the rescue was not finished' });
  }
  return { currentStatus, blocks, notes };
}

/** Positions count bytes of the input; -i and -o (or -O, --same...) move them against the image. */
function noteCommandLine(comment: string, notes: MapNote[]): void {
  if (!/#\s*Command line:/.test(comment) || notes.some(({ code }) => code === 'positions-moved')) return;
  if (/\s(-[a-zA-Z]*[io]\s?[0-9]|--(input|output)-position)/.test(comment)) {
    notes.push({
      code: 'positions-moved',
      text: 'the recorded command line has -i or -o: positions in the map and in the image may differ',
    });
  }
}
