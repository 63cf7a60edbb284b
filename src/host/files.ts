// SPDX-License-Identifier: GPL-2.0-or-later
// The toolkit's own files (journals, backups, text it is given): durable writing, reading with a limit, directories.
// Inputs, the images and devices that are checked and repaired, are never opened here.
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  realpathSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { posix } from 'node:path';
import { concatBytes } from '../core/bytes';
import { Fault } from '../core/faults';
import { errnoName, errnoText, openFault } from './errno';

/** Owner only: journals and backups hold pieces of disks. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const failed = (path: string, doing: string, error: unknown): Fault =>
  error instanceof Fault ? error : new Fault('FILE_FAILED', { path, doing, reason: errnoText(error) });

/** True if the name is taken, by a dangling link too: a new file could not have it. Fault FILE_FAILED if it cannot be told. */
export function nameExists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoName(error))) return false;
    throw failed(path, 'look it up', error);
  }
}

/** The absolute path without symbolic links. Faults: NOT_FOUND, NO_PERMISSION, OPEN_FAILED. */
export function resolvedPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    throw openFault(path, error, 'look it up');
  }
}

/** Time of the last change of the contents, ns since the epoch. Faults: NOT_FOUND, NO_PERMISSION, OPEN_FAILED. */
export function modifiedNs(path: string): bigint {
  try {
    return statSync(path, { bigint: true }).mtimeNs;
  } catch (error) {
    throw openFault(path, error, 'look it up');
  }
}

/** Names in a directory in the order of their code units; empty when there is no such directory. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoName(error))) return [];
    throw failed(path, 'list it', error);
  }
}

/**
 * The whole of a file of at most `maxBytes`. A pipe (/dev/stdin, a process substitution) is read to its end.
 * Faults: NOT_FOUND, IS_DIRECTORY, NO_PERMISSION, NOT_A_DEVICE_OR_FILE, OPEN_FAILED, FILE_FAILED (too large, I/O error).
 */
export function readWhole(path: string, maxBytes: number): Uint8Array {
  let fd: number | undefined;
  try {
    refuseUnreadable(path);
    fd = openSync(path, constants.O_RDONLY);
    const chunks: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      // One byte more than allowed is asked for, to see that there is more: the size may say nothing (pipes, /proc).
      const chunk = new Uint8Array(
        Math.min(chunks.length === 0 ? chunkSize(fd) : 65536, maxBytes + 1 - total),
      );
      const got = readOnce(fd, chunk);
      if (got === 0) break;
      total += got;
      if (total > maxBytes) {
        throw new Fault('FILE_FAILED', {
          path,
          doing: 'read it',
          reason: `it is larger than ${maxBytes} bytes`,
        });
      }
      chunks.push(chunk.subarray(0, got));
    }
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : concatBytes(chunks);
  } catch (error) {
    if (fd === undefined) throw openFault(path, error, 'open for reading');
    throw failed(path, 'read it', error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function refuseUnreadable(path: string): void {
  const stat = statSync(path);
  if (stat.isDirectory()) throw new Fault('IS_DIRECTORY', { path });
  if (stat.isFile() || stat.isFIFO()) return;
  const what = stat.isSocket() ? 'socket' : stat.isBlockDevice() ? 'block device' : 'character device';
  throw new Fault('NOT_A_DEVICE_OR_FILE', { path, what });
}

/** A regular file in one piece: a journal can have 44 MiB, and putting pieces together would hold it twice. */
const chunkSize = (fd: number): number => Math.max(65536, fstatSync(fd).size + 1);

function readOnce(fd: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(fd, chunk, 0, chunk.length, null);
    } catch (error) {
      if (errnoName(error) !== 'EINTR') throw error;
    }
  }
}

/**
 * Makes a new file with the chunks in it; on return it is durable, name included. Never follows or replaces what has
 * the name already (Fault FILE_EXISTS). If anything fails the file is removed again (half a journal must not look
 * like one) and Fault FILE_FAILED is thrown.
 */
export function writeNewFile(path: string, chunks: Iterable<Uint8Array>, mode = FILE_MODE): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  } catch (error) {
    if (errnoName(error) === 'EEXIST') throw new Fault('FILE_EXISTS', { path });
    throw failed(path, 'make it', error);
  }
  try {
    try {
      for (const chunk of chunks) writeAll(fd, chunk);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    syncDirectory(posix.dirname(path));
  } catch (error) {
    try {
      unlinkSync(path);
    } catch {
      // The first error is the one that matters.
    }
    throw failed(path, 'write it', error);
  }
}

/** Appends to a file that exists; durable on return. Faults: NOT_FOUND, NO_PERMISSION, READ_ONLY, FILE_FAILED. */
export function appendToFile(path: string, bytes: Uint8Array): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_APPEND);
  } catch (error) {
    throw openFault(path, error, 'append to it');
  }
  try {
    writeAll(fd, bytes);
    fdatasyncSync(fd);
  } catch (error) {
    throw failed(path, 'append to it', error);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, null);
  }
}

/** Removes a file; that there is none is fine. */
export function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoName(error) !== 'ENOENT') throw failed(path, 'remove it', error);
  }
}

/** Makes a directory and those above it, new ones for the owner only, and makes their names durable. */
export function makeDirectories(path: string): void {
  const whole = posix.resolve(path);
  try {
    const first = mkdirSync(whole, { recursive: true, mode: DIRECTORY_MODE });
    if (first === undefined) return;
    for (let parent = posix.dirname(whole); ; parent = posix.dirname(parent)) {
      syncDirectory(parent);
      if (parent === posix.dirname(first)) break;
    }
  } catch (error) {
    throw failed(path, 'make the directory', error);
  }
}

/** Some file systems (FUSE ones, vfat on old kernels) cannot sync a directory; their names are durable or nothing helps. */
function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!['EINVAL', 'EOPNOTSUPP', 'ENOSYS'].includes(errnoName(error))) throw error;
  } finally {
    closeSync(fd);
  }
}
