// SPDX-License-Identifier: GPL-2.0-or-later
// A JSON parser for files that somebody else wrote: bounded in depth, values and string length, and strict about keys
// that are given twice. JSON.parse would take the last of two contradicting keys without a word, and a file of empty
// brackets would make it fill the memory. What the values mean is not known here.
import { decodeUtf8 } from './bytes';

/** Objects are maps: no key, `__proto__` included, has a meaning of its own. */
export type JsonNode = null | boolean | number | string | JsonNode[] | JsonMap;
export type JsonMap = Map<string, JsonNode>;

export interface JsonLimits {
  readonly depth: number;
  /** Values in all, at every depth. */
  readonly values: number;
  /** Bytes of one string as it stands in the file. */
  readonly stringBytes: number;
}

/** Where the text stops being JSON, or goes beyond a limit. Line and column count from 1, columns in bytes. */
export interface JsonProblem {
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

class Stop extends Error {
  constructor(
    readonly at: number,
    readonly problem: string,
  ) {
    super(problem);
  }
}

/** The value of a JSON text in UTF-8 (RFC 8259), or why it has none. A byte order mark at the start is passed over. */
export function parseJson(
  bytes: Uint8Array,
  limits: JsonLimits,
): { readonly ok: true; readonly value: JsonNode } | { readonly ok: false; readonly problem: JsonProblem } {
  try {
    return { ok: true, value: new Parser(bytes, limits).document() };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { ok: false, problem: { ...lineAndColumn(bytes, error.at), problem: error.problem } };
  }
}

function lineAndColumn(bytes: Uint8Array, at: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let i = bytes.indexOf(0x0a); i !== -1 && i < at; i = bytes.indexOf(0x0a, i + 1)) {
    line++;
    lineStart = i + 1;
  }
  return { line, column: at - lineStart + 1 };
}

/** Text from a file in quotes, cut to a length that a message can bear. */
export function quoted(text: string): string {
  return JSON.stringify(text.length <= 40 ? text : `${text.slice(0, 40)}...`);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
/** Longest spelling of a number that is read; the longest of any use here is far below. */
const NUMBER_BYTES = 40;

class Parser {
  private at = 0;
  private values = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: JsonLimits,
  ) {}

  document(): JsonNode {
    if (this.bytes[0] === 0xef && this.bytes[1] === 0xbb && this.bytes[2] === 0xbf) this.at = 3;
    const value = this.value(0);
    this.skipSpace();
    if (this.at < this.bytes.length) throw new Stop(this.at, 'something follows the end of the document');
    return value;
  }

  private value(depth: number): JsonNode {
    this.skipSpace();
    if (++this.values > this.limits.values) {
      throw new Stop(this.at, `more than ${this.limits.values} values; no document of this kind has so many`);
    }
    const first = this.bytes[this.at];
    switch (first) {
      case undefined:
        throw new Stop(this.at, 'the text ends where a value should be');
      case 0x7b:
        return this.object(this.deeper(depth));
      case 0x5b:
        return this.array(this.deeper(depth));
      case QUOTE:
        return this.string();
      case 0x74:
        return this.word('true', true);
      case 0x66:
        return this.word('false', false);
      case 0x6e:
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private deeper(depth: number): number {
    if (depth >= this.limits.depth) throw new Stop(this.at, `nested deeper than ${this.limits.depth} levels`);
    return depth + 1;
  }

  private object(depth: number): JsonMap {
    const out: JsonMap = new Map();
    this.at++;
    this.skipSpace();
    if (this.take(0x7d)) return out;
    for (;;) {
      this.skipSpace();
      const keyAt = this.at;
      if (this.bytes[this.at] !== QUOTE) throw new Stop(this.at, 'a key in double quotes should be here');
      const key = this.string();
      if (out.has(key)) throw new Stop(keyAt, `the key ${quoted(key)} is given twice`);
      this.skipSpace();
      if (!this.take(0x3a)) throw new Stop(this.at, "':' should be here");
      out.set(key, this.value(depth));
      this.skipSpace();
      if (this.take(0x7d)) return out;
      if (!this.take(0x2c)) throw new Stop(this.at, "',' or '}' should be here");
    }
  }

  private array(depth: number): JsonNode[] {
    const out: JsonNode[] = [];
    this.at++;
    this.skipSpace();
    if (this.take(0x5d)) return out;
    for (;;) {
      out.push(this.value(depth));
      this.skipSpace();
      if (this.take(0x5d)) return out;
      if (!this.take(0x2c)) throw new Stop(this.at, "',' or ']' should be here");
    }
  }

  private word<T extends true | false | null>(word: string, value: T): T {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw new Stop(this.at, 'no JSON value');
    }
    this.at += word.length;
    return value;
  }

  private number(): number {
    const start = this.at;
    let end = start;
    while (end - start < NUMBER_BYTES && isNumberByte(this.bytes[end])) end++;
    const text = this.ascii(start, end);
    if (!/^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/.test(text) || isNumberByte(this.bytes[end])) {
      throw new Stop(start, 'no JSON value');
    }
    this.at = end;
    return Number(text);
  }

  private string(): string {
    const open = this.at;
    const limit = open + 1 + this.limits.stringBytes;
    let out = '';
    let plainFrom = open + 1;
    let at = plainFrom;
    for (;;) {
      const byte = this.bytes[at];
      if (byte === undefined) throw new Stop(open, 'a string that is not closed');
      if (byte < 0x20) throw new Stop(at, 'a control character inside a string');
      if (at > limit) throw new Stop(open, `a string of more than ${this.limits.stringBytes} bytes`);
      if (byte !== QUOTE && byte !== BACKSLASH) {
        at++;
        continue;
      }
      out += this.plain(plainFrom, at);
      if (byte === QUOTE) {
        this.at = at + 1;
        return out;
      }
      const escape = this.escape(at);
      out += escape.text;
      at = escape.end;
      plainFrom = at;
    }
  }

  private escape(at: number): { text: string; end: number } {
    const letter = String.fromCharCode(this.bytes[at + 1] ?? 0);
    const short = SHORT_ESCAPES[letter];
    if (short !== undefined) return { text: short, end: at + 2 };
    const digits = this.ascii(at + 2, at + 6);
    if (letter !== 'u' || !/^[0-9a-fA-F]{4}$/.test(digits)) throw new Stop(at, 'not an escape of JSON');
    return { text: String.fromCharCode(parseInt(digits, 16)), end: at + 6 };
  }

  private plain(start: number, end: number): string {
    const text = decodeUtf8(this.bytes.subarray(start, end));
    if (text === null) throw new Stop(start, 'a string that is not UTF-8');
    return text;
  }

  /** One character a byte; only for text that is then checked to be ASCII. */
  private ascii(start: number, end: number): string {
    return String.fromCharCode(...this.bytes.subarray(start, end));
  }

  private take(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.at++;
    }
  }
}

function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x45 ||
    byte === 0x65
  );
}
