// SPDX-License-Identifier: GPL-2.0-or-later
// The one place where an input is opened for writing. Journals and backups, which are new files, are in files.ts.
import { closeSync, constants, fsyncSync, readSync, writeSync } from 'node:fs';
import { Fault } from '../core/faults';
import type { WriteHandle } from './host';
import { blockDevice, isReadOnly } from './block';
import { errnoName, errnoText } from './errno';
import { examine, openExamined } from './input';
import type { Input } from './input';
import { standingUsesOf, usesOf, writersOf } from './inuse';
import { Opened } from './opened';
import { measure } from './read';
import type { SystemTree } from './system';

/** Direct reads of a file are in units that suit any disk beneath its file system. */
const FILE_ALIGNMENT = 4096;

/**
 * Opens an image or a block device for writing, a device exclusively (O_EXCL): without it the kernel lets us write
 * to a mounted disk. Faults: those of reading, and IN_USE, READ_ONLY, NO_PERMISSION.
 */
export function openForWriting(path: string, system: SystemTree): WriteHandle {
  const input = examine(path);
  refuseIfUsed(input, input.kind === 'block' ? usesOf(input, system) : standingUsesOf(input, system));
  const device = input.kind === 'block' ? blockDevice(system, input.number) : null;
  // Opening such a device for writing succeeds on some kernels; only the writes fail, when half a plan may be done.
  if (device !== null && isReadOnly(system, device)) {
    throw new Fault('READ_ONLY', {
      path,
      reason: 'the kernel has it marked read-only (blockdev --setrw clears that)',
    });
  }
  const exclusive = input.kind === 'block' ? constants.O_EXCL : 0;
  const { fd, opened } = openExamined(input, constants.O_RDWR | exclusive, 'open for writing');
  try {
    // An image has no O_EXCL. Looking for its writers after the open, and not before, keeps two repairs that start
    // together from both finding it free: the one that opens later sees the other.
    if (input.kind === 'image') refuseIfUsed(opened, writersOf(opened, system));
    const { sizeBytes, blockSize } = measure(fd, opened, system);
    return new Writer(fd, opened, sizeBytes, blockSize);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function refuseIfUsed({ path }: Input, uses: readonly string[]): void {
  if (uses.length > 0) throw new Fault('IN_USE', { path, reason: uses.join('; ') });
}

class Writer extends Opened implements WriteHandle {
  constructor(fd: number, input: Input, sizeBytes: bigint, blockSize: number) {
    super(fd, input, sizeBytes, input.kind === 'block' ? blockSize : FILE_ALIGNMENT);
  }

  readAt(offset: bigint, length: number): Uint8Array {
    this.refuseWhenClosed();
    const fail = (reason: string): Fault =>
      new Fault('READ_FAILED', { path: this.path, offset: `${offset}`, length: `${length}`, reason });
    if (!this.contains(offset, length)) throw fail('it would go past the end');
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      let got: number;
      try {
        got = this.readSome(bytes.subarray(done), offset + BigInt(done));
      } catch (error) {
        if (errnoName(error) === 'EINTR') continue;
        throw fail(errnoText(error));
      }
      if (got === 0) throw fail('it ends before that');
      done += got;
    }
    return bytes;
  }

  writeAt(offset: bigint, bytes: Uint8Array): void {
    this.refuseWhenClosed();
    const fail = (reason: string): Fault =>
      new Fault('WRITE_FAILED', { path: this.path, offset: `${offset}`, length: `${bytes.length}`, reason });
    // An image would grow by it, and then no longer be an image of the same device.
    if (!this.contains(offset, bytes.length)) throw fail('it would go past the end');
    for (let done = 0; done < bytes.length;) {
      let put: number;
      try {
        put = writeAtPosition(this.fd, bytes.subarray(done), offset + BigInt(done));
      } catch (error) {
        throw fail(errnoText(error));
      }
      if (put === 0) throw fail('nothing was written');
      done += put;
    }
  }

  sync(): void {
    this.refuseWhenClosed();
    try {
      fsyncSync(this.fd);
    } catch (error) {
      throw new Fault('SYNC_FAILED', { path: this.path, reason: errnoText(error) });
    }
  }

  /** From the medium where the system can be made to: the page cache would only repeat what we wrote into it. */
  private readSome(target: Uint8Array, position: bigint): number {
    return this.readDirectly(target, position) ?? readSync(this.fd, target, 0, target.length, position);
  }

  private contains(offset: bigint, length: number): boolean {
    return offset >= 0n && offset + BigInt(length) <= this.sizeBytes;
  }
}

/** Positions of writeSync are numbers: above 2^53 bytes (8 PiB) they would be rounded, and the write misplaced. */
function writeAtPosition(fd: number, bytes: Uint8Array, position: bigint): number {
  if (position > BigInt(Number.MAX_SAFE_INTEGER))
    throw new RangeError('offsets above 2^53 bytes cannot be written to');
  return writeSync(fd, bytes, 0, bytes.length, Number(position));
}
