// SPDX-License-Identifier: GPL-2.0-or-later
// The one CRC of the format: IEEE/zlib CRC32 (FORMAT.md, preamble). The crc-32 package does the work unless the host
// installs a faster engine; both give the same numbers, so which one runs can't be seen in any result.
import * as crc32Package from 'crc-32';

/** Continues a CRC32 (`seed`, 0 to begin) over `bytes`; unsigned. */
export type Crc32 = (bytes: Uint8Array, seed: number) => number;

let engine: Crc32 = (bytes, seed) => crc32Package.buf(bytes, seed) >>> 0;

/** The check value of FORMAT.md: CRC32 of "123456789". */
export const CRC32_CHECK_VALUE = 0xcbf43926;

/**
 * Installs an engine of the host's (zlib's, where Node has it). One that fails the check value or a continuation
 * of it (by no bytes too) is not taken: a wrong CRC would call every healthy copy corrupt.
 */
export function installCrc32(candidate: Crc32): boolean {
  const check = Uint8Array.from([0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39]);
  const whole = candidate(check, 0);
  const continued = candidate(check.subarray(4), candidate(check.subarray(0, 4), 0));
  const byNothing = candidate(new Uint8Array(new ArrayBuffer(0)), whole);
  if (whole !== CRC32_CHECK_VALUE || continued !== CRC32_CHECK_VALUE || byNothing !== whole) return false;
  engine = candidate;
  return true;
}

/** CRC32 of `bytes`, continued from `seed`; unsigned. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return engine(bytes, seed);
}

/** The reflected polynomial of the CRC, and 1 and x in the same (reflected) representation of polynomials over GF(2). */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
const X = 0x40000000;

/** a · b modulo the polynomial of the CRC. */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= factor;
    factor = (factor & 1) !== 0 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
  }
  return product >>> 0;
}

/** x^(8 · length): what `length` further bytes do to a CRC. Few lengths occur, so they are kept. */
const shifts = new Map<number, number>();
const MOST_SHIFTS = 1024;

function shiftBy(length: number): number {
  const known = shifts.get(length);
  if (known !== undefined) return known;
  let square = X;
  for (let i = 0; i < 3; i++) square = multiply(square, square);
  let shift = ONE;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = multiply(square, shift);
    square = multiply(square, square);
  }
  if (shifts.size < MOST_SHIFTS) shifts.set(length, shift);
  return shift;
}

/**
 * A CRC32 as it would be if four of the summed bytes were zero. A CRC is linear: what they added is taken away again.
 * `value` is what they hold (little-endian), `fromEnd` how many bytes from the first of them to the end.
 */
export function crc32Without(crc: number, value: number, fromEnd: number): number {
  return (crc ^ multiply(shiftBy(fromEnd), value)) >>> 0;
}

/** CRC32 of [start, end) with the four bytes at `crcAt` (absolute in `bytes`) taken as zero: how every record is summed. */
export function crc32WithHole(bytes: Uint8Array, start: number, end: number, crcAt: number): number {
  const value = new DataView(bytes.buffer, bytes.byteOffset + crcAt, 4).getUint32(0, true);
  return crc32Without(engine(bytes.subarray(start, end), 0), value, end - crcAt);
}

/**
 * The CRC32 of A followed by B, from the CRC32 of A, the CRC32 of B and the length of B in bytes: overall_crc without
 * a second pass over the sections.
 */
export function crc32Combine(ofA: number, ofB: number, lengthOfB: number): number {
  return (multiply(shiftBy(lengthOfB), ofA) ^ ofB) >>> 0;
}
