// SPDX-License-Identifier: GPL-2.0-or-later
// How every JSON document of the toolkit is written: sorted keys, two spaces, the same bytes for the same value. What
// the documents contain is decided elsewhere.

/**
 * Text that is JSON already, to be put into a document as it stands. A run over thousands of inputs keeps each
 * finished setup as one string instead of a tree of objects, which would not fit the memory it is allowed.
 */
export class RawJson {
  private constructor(readonly text: string) {}

  /** `value` as it will look `depth` levels deep in a document: 2 for an element of an array in the top object. */
  static of(value: unknown, depth: number): RawJson {
    return new RawJson([...pieces(value, depth)].join(''));
  }
}

/** A whole document, ending with a newline. Bigints become strings; properties that are undefined are left out. */
export function jsonText(value: unknown): string {
  return [...jsonPieces(value)].join('');
}

/** The same document piece by piece, for one too large to be joined in memory. */
export function* jsonPieces(value: unknown): Generator<string> {
  yield* pieces(value, 0);
  yield '\n';
}

function* pieces(value: unknown, depth: number): Generator<string> {
  if (value instanceof RawJson) {
    yield value.text;
  } else if (Array.isArray(value)) {
    yield* items(value, depth);
  } else if (typeof value === 'object' && value !== null) {
    yield* members(value, depth);
  } else {
    yield scalar(value);
  }
}

function* items(list: readonly unknown[], depth: number): Generator<string> {
  if (list.length === 0) {
    yield '[]';
    return;
  }
  let before = '[\n';
  for (const item of list) {
    yield before + indent(depth + 1);
    yield* pieces(item, depth + 1);
    before = ',\n';
  }
  yield `\n${indent(depth)}]`;
}

function* members(object: object, depth: number): Generator<string> {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  if (entries.length === 0) {
    yield '{}';
    return;
  }
  // By code unit, never by locale: the order must not depend on where the program runs.
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  let before = '{\n';
  for (const [key, value] of entries) {
    yield `${before}${indent(depth + 1)}${quoted(key)}: `;
    yield* pieces(value, depth + 1);
    before = ',\n';
  }
  yield `\n${indent(depth)}}`;
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

function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSAFE, (character) => {
    let escaped = '';
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}

function indent(depth: number): string {
  return '  '.repeat(depth);
}
