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

const FOUR_ZEROS = new Uint8Array(4);

/** CRC32 of [start, end) with the four bytes at `crcAt` (absolute in `bytes`) taken as zero: how every record is summed. */
export function crc32WithHole(bytes: Uint8Array, start: number, end: number, crcAt: number): number {
  const before = engine(bytes.subarray(start, crcAt), 0);
  const hole = engine(FOUR_ZEROS, before);
  return crcAt + 4 < end ? engine(bytes.subarray(crcAt + 4, end), hole) : hole;
}
