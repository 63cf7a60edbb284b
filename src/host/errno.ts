// SPDX-License-Identifier: GPL-2.0-or-later
// What a failed system call means: its errno name, a sentence, and the Fault for a failed open. No calls are made here.
import { getSystemErrorMap } from 'node:util';
import { Fault } from '../core/faults';

/** Errors of block devices: the words of the kernel's block layer where libuv has none or vaguer ones. */
const OWN_WORDS: ReadonlyMap<number, readonly [string, string]> = new Map([
  [52, ['EBADE', 'reservation conflict']],
  [61, ['ENODATA', 'medium error']],
  [62, ['ETIME', 'device timeout']],
  [67, ['ENOLINK', 'transport error']],
  [74, ['EBADMSG', 'checksum error in the file system']],
  [84, ['EILSEQ', 'protection information error']],
  [117, ['EUCLEAN', 'the file system needs cleaning']],
  [121, ['EREMOTEIO', 'target error']],
  [123, ['ENOMEDIUM', 'no medium in the drive']],
]);

interface SystemError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly message?: unknown;
}

const describe = (error: unknown): SystemError => (typeof error === 'object' && error !== null ? error : {});

/** "EIO", "ENODATA", ...; "unknown" for what was not a system error. */
export function errnoName(error: unknown): string {
  const { code, errno } = describe(error);
  const own = typeof errno === 'number' ? OWN_WORDS.get(Math.abs(errno)) : undefined;
  if (own !== undefined) return own[0];
  // libuv calls a number that it does not know "Unknown system error -NNN".
  if (typeof code === 'string' && /^E[A-Z0-9_]+$/.test(code)) return code;
  return typeof errno === 'number' ? `errno ${Math.abs(errno)}` : 'unknown';
}

/** "EIO: i/o error": the name and what it means, without the path and the call, which the Fault has as fields. */
export function errnoText(error: unknown): string {
  const name = errnoName(error);
  const { errno, message } = describe(error);
  if (typeof errno === 'number') {
    const words = OWN_WORDS.get(Math.abs(errno))?.[1] ?? getSystemErrorMap().get(errno)?.[1];
    return words === undefined ? name : `${name}: ${words}`;
  }
  return typeof message === 'string' ? message : name;
}

/** The Fault for an open (or stat) of `path` that failed; `doing`: 'open for writing', ... */
export function openFault(path: string, error: unknown, doing: string): Fault {
  if (error instanceof Fault) return error;
  switch (errnoName(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new Fault('NOT_FOUND', { path });
    case 'EACCES':
    case 'EPERM':
      return new Fault('NO_PERMISSION', { path, doing });
    case 'EISDIR':
      return new Fault('IS_DIRECTORY', { path });
    case 'EROFS':
      return new Fault('READ_ONLY', { path, reason: 'it lies on a read-only file system' });
    case 'EBUSY':
    case 'ETXTBSY':
      return new Fault('IN_USE', { path, reason: 'something else has it open exclusively' });
    default:
      return new Fault('OPEN_FAILED', { path, reason: errnoText(error) });
  }
}
