// SPDX-License-Identifier: GPL-2.0-or-later
// Small pure helpers over byte arrays: UTF-8, hexadecimal, UUIDs, comparison. Nothing here knows the format.

/** A sector is 512 bytes everywhere in the format, whatever the device's logical block size. */
export const SECTOR_BYTES = 512;

/** True if every byte of [start, end) is zero. */
export function isZero(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  let at = start;
  // What a short image no longer has is no bytes at all, and so none that are not zero.
  const stop = Math.min(end, bytes.length);
  // By words where they are aligned: whole slots and megabytes before a spare's data are looked through.
  if (((bytes.byteOffset + at) & 3) === 0 && stop - at >= 16) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (stop - at) >>> 2);
    for (const word of words) if (word !== 0) return false;
    at += words.length * 4;
  }
  for (; at < stop; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Tells whether two arrays of the same length have the same contents. */
export type SameContents = (a: Uint8Array, b: Uint8Array) => boolean;

let sameContents: SameContents = (a, b) => firstDifference(a, b) === -1;

/**
 * Installs a faster comparison of the host's (memcmp, in effect); the result is the same. One that fails a plain test is
 * not taken.
 */
export function installSameContents(candidate: SameContents): boolean {
  const [a, b, c] = [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4)];
  if (!candidate(a, b) || candidate(a, c)) return false;
  sameContents = candidate;
  return true;
}

/** True if both arrays have the same length and contents. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && sameContents(a, b);
}

/** Index of the first byte that differs within the shorter length, or -1. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const HEX = Array.from({ length: 256 }, (_unused, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += HEX[byte] ?? '';
  return out;
}

/** The bytes of a hexadecimal string, or null if it is not one. */
export function fromHex(hex: string): Uint8Array | null {
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) return null;
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

/** 16 raw bytes in RFC 4122 order as lower-case 8-4-4-4-12. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** The 16 bytes of a UUID in 8-4-4-4-12 form (either case), or null if it is not one. */
export function parseUuid(text: string): Uint8Array | null {
  if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)) return null;
  return fromHex(text.replace(/-/g, ''));
}

/** UTF-8 of a string; a lone surrogate becomes U+FFFD. (TextEncoder is not there in every engine that runs the core.) */
export function encodeUtf8(text: string): Uint8Array {
  // No code unit takes more than three bytes.
  const out = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      out[at++] = code;
      continue;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
      code = text.codePointAt(i) ?? 0xfffd;
      if (code >= 0x10000) i++;
      else code = 0xfffd;
    }
    if (code < 0x800) out[at++] = 0xc0 | (code >> 6);
    else {
      if (code < 0x10000) out[at++] = 0xe0 | (code >> 12);
      else {
        out[at++] = 0xf0 | (code >> 18);
        out[at++] = 0x80 | ((code >> 12) & 0x3f);
      }
      out[at++] = 0x80 | ((code >> 6) & 0x3f);
    }
    out[at++] = 0x80 | (code & 0x3f);
  }
  return out.slice(0, at);
}

/** Code units that are turned into a string at once. */
const UNITS_AT_ONCE = 1024;

/** The string of valid UTF-8, or null where it is malformed (overlong forms and surrogates included). */
export function decodeUtf8(bytes: Uint8Array): string | null {
  let out = '';
  // Not one by one: engines keep a string that grew by single characters as a tree, 30 times the size of its text.
  let units: number[] = [];
  let i = 0;
  while (i < bytes.length) {
    if (units.length >= UNITS_AT_ONCE) {
      out += String.fromCharCode(...units);
      units = [];
    }
    const first = bytes[i++] ?? 0;
    if (first < 0x80) {
      units.push(first);
      continue;
    }
    const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || i + more > bytes.length) return null;
    let code = first & (0x3f >> more);
    for (let k = 0; k < more; k++) {
      const next = bytes[i++] ?? 0;
      if ((next & 0xc0) !== 0x80) return null;
      code = (code << 6) | (next & 0x3f);
    }
    const least = more === 1 ? 0x80 : more === 2 ? 0x800 : 0x10000;
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
    if (code < 0x10000) units.push(code);
    else units.push(0xd800 | ((code - 0x10000) >> 10), 0xdc00 | ((code - 0x10000) & 0x3ff));
  }
  return out + String.fromCharCode(...units);
}

/** Why a NUL-padded string field is not well-formed (FORMAT.md, preamble), or null if it is. */
export function textDefect(
  field: Uint8Array,
): 'no NUL at the end' | 'bytes after the NUL' | 'not UTF-8' | null {
  const nul = field.indexOf(0);
  if (nul === -1) return 'no NUL at the end';
  if (!isZero(field, nul)) return 'bytes after the NUL';
  return decodeUtf8(field.subarray(0, nul)) === null ? 'not UTF-8' : null;
}

/** What a NUL-padded string field says, up to its first NUL; bytes that are not UTF-8 appear as U+FFFD. Not escaped. */
export function textOf(field: Uint8Array): string {
  const nul = field.indexOf(0);
  const used = nul === -1 ? field : field.subarray(0, nul);
  const exact = decodeUtf8(used);
  if (exact !== null) return exact;
  let out = '';
  for (const byte of used) out += byte < 0x80 ? String.fromCharCode(byte) : '\ufffd';
  return out;
}

/** A NUL-padded field of `size` bytes, cut at a character boundary so that a NUL always remains. */
export function textField(text: string, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  for (const character of text) {
    const encoded = encodeUtf8(character);
    if (at + encoded.length >= size) break;
    out.set(encoded, at);
    at += encoded.length;
  }
  return out;
}
