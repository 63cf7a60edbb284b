// SPDX-License-Identifier: GPL-2.0-or-later
// The CRC of the format: its check value, and which engines of a host are taken for it.
import { crc32 as zlibCrc32 } from 'node:zlib';
import { CRC32_CHECK_VALUE, crc32, crc32Combine, crc32WithHole, installCrc32 } from '../../src/core/crc32';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('the check value of FORMAT.md', () => {
  expect(CRC32_CHECK_VALUE).toBe(0xcbf43926);
  expect(crc32(text('123456789'))).toBe(0xcbf43926);
});

test('of nothing it is 0, and continuing by nothing changes nothing', () => {
  expect(crc32(new Uint8Array(0))).toBe(0);
  expect(crc32(new Uint8Array(0), 0xcbf43926)).toBe(0xcbf43926);
});

test('continued piece by piece it is that of the whole', () => {
  expect(crc32(text('6789'), crc32(text('12345')))).toBe(0xcbf43926);
  expect(crc32Combine(crc32(text('12345')), crc32(text('6789')), 4)).toBe(0xcbf43926);
  expect(crc32Combine(0xcbf43926, 0, 0)).toBe(0xcbf43926);
});

test('a field of its own counts as zero', () => {
  const record = text('12345678----abcdefgh');
  const zeroed = text('12345678\0\0\0\0abcdefgh');
  expect(crc32WithHole(record, 0, 20, 8)).toBe(crc32(zeroed));
  expect(crc32WithHole(record, 4, 12, 8)).toBe(crc32(zeroed.subarray(4, 12)));
});

test('an engine that does not pass the check value, or cannot go on, is not taken', () => {
  const one = (bytes: Uint8Array): number => (bytes.length === 9 ? 0xcbf43926 : 0);
  expect(installCrc32(() => 0)).toBe(false);
  expect(installCrc32(one)).toBe(false);
  // zlib takes no bytes for the wish to begin anew: the empty REMAPS of a setup would undo its overall_crc.
  expect(installCrc32((bytes, seed) => (bytes.length === 0 ? 0 : zlibCrc32(bytes, seed)))).toBe(false);
  expect(crc32(text('123456789'))).toBe(0xcbf43926);
  expect(installCrc32((bytes, seed) => (bytes.length === 0 ? seed : zlibCrc32(bytes, seed)))).toBe(true);
  expect(crc32(text('123456789'))).toBe(0xcbf43926);
});
