// SPDX-License-Identifier: GPL-2.0-or-later
// Image files for the demo and the README: making them, changing bytes of them, and their hashes. What the changes mean
// is the callers' affair.
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';

export const MIB = 1024 * 1024;

/** An image of `bytes` zeros that takes no room on the disk. */
export function makeImage(path: string, bytes: number): void {
  writeFileSync(path, '');
  truncateSync(path, bytes);
}

export function readBytes(path: string, at: number, length: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const read = readSync(file, bytes, done, length - done, at + done);
      if (read === 0) throw new RangeError(`${path} ends before byte ${at + length}`);
      done += read;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Overwrites bytes in place. */
export function writeBytes(path: string, at: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  try {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(file, bytes, done, bytes.length - done, at + done);
    }
  } finally {
    closeSync(file);
  }
}

export function flipBit(path: string, at: number, bit: number): void {
  const [byte = 0] = readBytes(path, at, 1);
  writeBytes(path, at, Uint8Array.of(byte ^ (1 << bit)));
}

/** SHA-256 of a whole file, in lower-case hex. */
export function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
