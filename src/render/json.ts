// SPDX-License-Identifier: GPL-2.0-or-later
// How every JSON document of the toolkit is written: sorted keys, two spaces, the same bytes for the same value. What
// the documents contain is decided elsewhere.

/**
 * Text that is JSON already, to be put into a document as it stands. A run over thousands of inputs keeps each
 * finished setup as one string instead of a tree of objects, which would not fit the memory it is allowed.
 */
export class RawJson {
  /** Bytes and not a string: what was put together from many small strings stays a tree of them, many times its size. */
  private constructor(private readonly bytes: Buffer) {}

  get text(): string {
    return this.bytes.toString('utf8');
  }

  /** `value` as it will look `depth` levels deep in a document: 2 for an element of an array in the top object. */
  static of(value: unknown, depth: number): RawJson {
    return new RawJson(Buffer.from(textOf(value, depth), 'utf8'));
  }
}

/** A whole document, ending with a newline. Bigints become strings; properties that are undefined are left out. */
export function jsonText(value: unknown): string {
  return `${textOf(value, 0)}\n`;
}

/**
 * The same document in pieces, for one too large to be joined in memory: the members of the top object, and of those
 * that are lists each element.
 */
export function* jsonPieces(value: unknown): Generator<string> {
  if (!isPlainObject(value)) {
    yield jsonText(value);
    return;
  }
  let before = '{\n';
  for (const [key, member] of sortedMembers(value)) {
    yield `${before}${indent(1)}${quoted(key)}: `;
    if (Array.isArray(member) && member.length > 0) {
      let first = true;
      for (const item of member) {
        yield `${first ? '[' : ','}\n${indent(2)}${textOf(item, 2)}`;
        first = false;
      }
      yield `\n${indent(1)}]`;
    } else yield textOf(member, 1);
    before = ',\n';
  }
  yield before === '{\n' ? '{}\n' : '\n}\n';
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof RawJson);
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
  const list = Array.isArray(value);
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
