// SPDX-License-Identifier: GPL-2.0-or-later
// How every JSON document of the toolkit is written: sorted keys, two spaces, the same bytes for the same value. What
// the documents contain is decided elsewhere.
import { JsonList } from '../core/record-json';

/** Characters that are made to bytes at once. */
const CHUNK = 65_536;

/**
 * Text that is JSON already, to be put into a document as it stands. A run over thousands of inputs keeps each
 * finished setup as text instead of a tree of objects, which would not fit the memory it is allowed.
 */
export class RawJson {
  /** @param pieces The text, in pieces, each time it is asked for. */
  constructor(readonly pieces: () => Iterable<string>) {}

  get text(): string {
    return [...this.pieces()].join('');
  }

  /** `value` as it will look `depth` levels deep in a document: 2 for an element of an array in the top object. */
  static of(value: unknown, depth: number): RawJson {
    // Bytes and not strings: what was put together from many small ones stays a tree of them, many times its size.
    const chunks: Buffer[] = [];
    let text = '';
    for (const piece of piecesOf(value, depth)) {
      text += piece;
      if (text.length < CHUNK) continue;
      chunks.push(Buffer.from(text, 'utf8'));
      text = '';
    }
    if (text !== '') chunks.push(Buffer.from(text, 'utf8'));
    return new RawJson(function* () {
      for (const chunk of chunks) yield chunk.toString('utf8');
    });
  }

  /** A string that comes in pieces, none of which has a character that JSON must escape. */
  static plainString(pieces: () => Iterable<string>): RawJson {
    return new RawJson(function* () {
      yield '"';
      yield* pieces();
      yield '"';
    });
  }
}

/** A whole document, ending with a newline. Bigints become strings; properties that are undefined are left out. */
export function jsonText(value: unknown): string {
  return `${textOf(value, 0)}\n`;
}

/** The same document in pieces, for one too large to be joined in memory, or to be held as objects (JsonList). */
export function* jsonPieces(value: unknown): Generator<string> {
  yield* piecesOf(value, 0);
  yield '\n';
}

/** The text of `value` in pieces: the elements of each JsonList one by one, and all that is nowhere in one at once. */
function* piecesOf(value: unknown, depth: number): Generator<string> {
  if (value instanceof RawJson) {
    yield* value.pieces();
    return;
  }
  if (!isSplit(value, depth)) {
    yield textOf(value, depth);
    return;
  }
  const list = isList(value);
  let text = list ? '[' : '{';
  let before = '\n';
  for (const [key, member] of membersOf(value)) {
    text += `${before}${indent(depth + 1)}${key === null ? '' : `${quoted(key)}: `}`;
    before = ',\n';
    if (isSplit(member, depth + 1)) {
      yield text;
      yield* piecesOf(member, depth + 1);
      text = '';
    } else {
      text += textOf(member, depth + 1);
      if (text.length < PIECE) continue;
      yield text;
      text = '';
    }
  }
  yield `${text}${before === '\n' ? '' : `\n${indent(depth)}`}${list ? ']' : '}'}`;
}

/** Characters that are handed on at once; less only costs time. */
const PIECE = 4096;

/** Levels of a document that are always written piece by piece: its members, and of those that are lists the elements. */
const SPLIT_LEVELS = 2;

/** Whether a value is written piece by piece. */
function isSplit(value: unknown, depth: number): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (depth < SPLIT_LEVELS || value instanceof RawJson || value instanceof JsonList) return true;
  return Object.values(value).some((member) => isSplit(member, depth + 1));
}

function isList(value: object): value is Iterable<unknown> {
  return Array.isArray(value) || value instanceof JsonList;
}

/** With their keys, or null for the elements of a list. */
function* membersOf(value: object): Generator<readonly [string | null, unknown]> {
  if (isList(value)) for (const item of value) yield [null, item];
  else yield* sortedMembers(value);
}

/** By code unit, never by locale: the order must not depend on where the program runs. */
function sortedMembers(object: object): [string, unknown][] {
  return Object.entries(object)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function textOf(value: unknown, depth: number): string {
  if (value instanceof RawJson) return value.text;
  if (typeof value !== 'object' || value === null) return scalar(value);
  const list = isList(value);
  let out = '';
  if (list) for (const item of value) out += `,\n${indent(depth + 1)}${textOf(item, depth + 1)}`;
  else {
    for (const [key, member] of sortedMembers(value)) {
      out += `,\n${indent(depth + 1)}${quoted(key)}: ${textOf(member, depth + 1)}`;
    }
  }
  const [open, close] = list ? '[]' : '{}';
  return out === '' ? `${open}${close}` : `${open}${out.slice(1)}\n${indent(depth)}${close}`;
}

function scalar(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'bigint':
      return `"${value.toString()}"`;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`no JSON for the number ${value}`);
      return JSON.stringify(value);
    default:
      if (value === null) return 'null';
      throw new TypeError(`no JSON for a ${typeof value}`);
  }
}

/** Characters that JSON may contain as they are but that a terminal obeys or hides (see src/core/escape.ts). */
const UNSAFE =
  /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/** What JSON can hold as it is: nearly every text there is. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(UNSAFE, (character) => {
    let escaped = '';
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}

const INDENTS = Array.from({ length: 16 }, (_unused, depth) => '  '.repeat(depth));

function indent(depth: number): string {
  return INDENTS[depth] ?? '  '.repeat(depth);
}
