// SPDX-License-Identifier: GPL-2.0-or-later
// The value of --offset, the same for every command that has it.
import { Fault } from '../core/faults';

const UNIT: Readonly<Record<string, bigint>> = { '': 1n, B: 1n, s: 512n, K: 1024n, M: 1048576n };

/** Bytes of `N[s|B|K|M]` (decimal; bytes without a unit), or null if it was not given. Faults: USAGE. */
export function parseOffset(text: string | undefined, command: string): bigint | null {
  if (text === undefined) return null;
  const match = /^([0-9]{1,19})([sBKM]?)$/.exec(text);
  const bytes = match === null ? null : BigInt(match[1] ?? '0') * (UNIT[match[2] ?? ''] ?? 1n);
  if (bytes === null || bytes % 512n !== 0n || bytes >= 1n << 63n) {
    const what = `--offset ${text}: N[s|B|K|M] is needed, a multiple of 512 bytes, like 2048s or 1M`;
    throw new Fault('USAGE', { what, command });
  }
  return bytes;
}
