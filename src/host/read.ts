// SPDX-License-Identifier: GPL-2.0-or-later
// Opening an input for reading: images and block devices, their sizes, and reads as extents. Nothing here can write.
import { closeSync, constants, readSync } from 'node:fs';
import type { Extent } from '../core/extents';
import { Fault } from '../core/faults';
import type { ReadHandle } from './host';
import { blockDevice, queueNumber, sizeOf } from './block';
import { countForCrc } from './crc';
import { errnoName } from './errno';
import { examine, openExamined } from './input';
import type { Input } from './input';
import { readExtents } from './narrow';
import type { Medium, Pread } from './narrow';
import { Opened } from './opened';
import type { SystemTree } from './system';

/** An image says nothing of block sizes; 512 is the unit of the format. */
export const IMAGE_BLOCK_SIZE = 512;

/**
 * Opens an image or a block device read-only, without changing its access time where that is allowed.
 * Faults: NOT_FOUND, IS_DIRECTORY, NO_PERMISSION, EMPTY, NOT_A_DEVICE_OR_FILE, OPEN_FAILED.
 */
export function openForReading(path: string, system: SystemTree): ReadHandle {
  const input = examine(path);
  const { fd, opened } = openWithoutAtime(input);
  try {
    const { sizeBytes, blockSize } = measure(fd, opened, system);
    return new Reader(fd, opened, sizeBytes, blockSize);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openWithoutAtime(input: Input): { fd: number; opened: Input } {
  const doing = 'open for reading';
  if (input.kind === 'block') return openExamined(input, constants.O_RDONLY, doing);
  try {
    return openExamined(input, constants.O_RDONLY | constants.O_NOATIME, doing);
  } catch (error) {
    // Only the owner may leave the access time alone; to read the file is allowed to more.
    if (error instanceof Fault && error.code === 'NO_PERMISSION') {
      return openExamined(input, constants.O_RDONLY, doing);
    }
    throw error;
  }
}

/** Size and logical block size, in bytes, of what is open. Fault EMPTY for a size of 0. */
export function measure(
  fd: number,
  input: Input,
  system: SystemTree,
): { sizeBytes: bigint; blockSize: number } {
  let sizeBytes = input.fileSize;
  let blockSize = IMAGE_BLOCK_SIZE;
  if (input.kind === 'block') {
    const device = blockDevice(system, input.number);
    const known = device === null ? null : sizeOf(system, device);
    sizeBytes = known ?? sizeByReading(preadOf(fd));
    blockSize =
      (device === null ? null : queueNumber(system, device, 'logical_block_size')) ?? IMAGE_BLOCK_SIZE;
  }
  if (sizeBytes === 0n) throw new Fault('EMPTY', { path: input.path });
  return { sizeBytes, blockSize };
}

/** No device is larger: offsets are signed 64-bit numbers in the kernel. */
const LARGEST_SIZE = 1n << 62n;

/**
 * The size of a device that only tells it by ending: where single-byte reads stop giving a byte. A byte that cannot
 * be read for an I/O error is there all the same.
 */
export function sizeByReading(pread: Pread): bigint {
  const probe = new Uint8Array(1);
  const isThere = (position: bigint): boolean => {
    try {
      return pread(probe, position) > 0;
    } catch (error) {
      return !['EINVAL', 'EFBIG', 'EOVERFLOW'].includes(errnoName(error));
    }
  };
  let size = 0n; // bytes that are certainly there
  let beyond = 1n; // offset that is certainly not there, once the first loop is done
  while (beyond < LARGEST_SIZE && isThere(beyond - 1n)) {
    size = beyond;
    beyond *= 2n;
  }
  while (beyond - size > 1n) {
    const middle = (size + beyond) / 2n;
    if (isThere(middle - 1n)) size = middle;
    else beyond = middle;
  }
  return size;
}

/** pread(2) on a descriptor. */
export function preadOf(fd: number): Pread {
  return (target, position) => {
    // A number where it is exact, because that is the quicker call; a bigint above that.
    const at = position <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(position) : position;
    return readSync(fd, target, 0, target.length, at);
  };
}

class Reader extends Opened implements ReadHandle {
  readonly kind: 'image' | 'block';
  readonly identity: string;
  private readonly medium: Medium;

  constructor(
    fd: number,
    input: Input,
    sizeBytes: bigint,
    readonly logicalBlockSize: number,
  ) {
    super(fd, input, sizeBytes, logicalBlockSize);
    this.kind = input.kind;
    this.identity = input.identity;
    const pread = preadOf(fd);
    const medium = { sizeBytes, blockSize: logicalBlockSize, pread };
    const preadBlock: Pread = (target, position) =>
      this.readDirectly(target, position) ?? pread(target, position);
    this.medium = input.kind === 'block' ? { ...medium, preadBlock } : medium;
  }

  readAt(offset: bigint, length: number): Extent[] {
    this.refuseWhenClosed();
    countForCrc(length);
    return readExtents(this.medium, offset, length);
  }
}
