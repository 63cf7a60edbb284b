// SPDX-License-Identifier: GPL-2.0-or-later
// What a path given as an input is, and opening exactly that: the checks which reading and writing share. Nothing is
// read or written here.
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { Fault } from '../core/faults';
import { openFault } from './errno';
import { deviceNumber } from './system';

/** An image file or a block device, not yet opened. */
export interface Input {
  readonly path: string;
  readonly kind: 'image' | 'block';
  /** "f:dev:ino" or "b:major:minor": the same for every name of the same thing. */
  readonly identity: string;
  /** "major:minor" of a block device, "dev:ino" of an image. */
  readonly number: string;
  /** Bytes; 0 for a block device, which stat(2) does not measure. */
  readonly fileSize: bigint;
}

/**
 * Looks at `path` without opening it: opening can hang (a fifo) or do things (a watchdog, a tape).
 * Faults: NOT_FOUND, IS_DIRECTORY, NO_PERMISSION, NOT_A_DEVICE_OR_FILE, OPEN_FAILED.
 */
export function examine(path: string): Input {
  let stat: BigIntStats;
  try {
    stat = statSync(path, { bigint: true });
  } catch (error) {
    throw openFault(path, error, 'look it up');
  }
  return classify(path, stat);
}

function classify(path: string, stat: BigIntStats): Input {
  if (stat.isFile()) {
    const number = `${stat.dev}:${stat.ino}`;
    return { path, kind: 'image', identity: `f:${number}`, number, fileSize: stat.size };
  }
  if (stat.isBlockDevice()) {
    const number = deviceNumber(stat.rdev);
    return { path, kind: 'block', identity: `b:${number}`, number, fileSize: 0n };
  }
  if (stat.isDirectory()) throw new Fault('IS_DIRECTORY', { path });
  const what = stat.isFIFO() ? 'named pipe' : stat.isSocket() ? 'socket' : 'character device';
  throw new Fault('NOT_A_DEVICE_OR_FILE', { path, what });
}

/**
 * Opens what `examine` saw, and makes sure that it is still that: the name may have been given to something else in
 * between. Returns the descriptor and the state at opening. `doing` is for the message ("open for reading").
 */
export function openExamined(input: Input, flags: number, doing: string): { fd: number; opened: Input } {
  let fd: number;
  try {
    // O_NONBLOCK does nothing to files and disks, and keeps a fifo put in their place from hanging us.
    fd = openSync(input.path, flags | constants.O_NONBLOCK);
  } catch (error) {
    throw openFault(input.path, error, doing);
  }
  try {
    const opened = classify(input.path, fstatSync(fd, { bigint: true }));
    if (opened.identity !== input.identity) {
      throw new Fault('OPEN_FAILED', {
        path: input.path,
        reason: 'it was replaced while it was being opened',
      });
    }
    return { fd, opened };
  } catch (error) {
    closeSync(fd);
    throw openFault(input.path, error, doing);
  }
}
