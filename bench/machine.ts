// SPDX-License-Identifier: GPL-2.0-or-later
// The machine that a bench ran on, as far as it explains the numbers.
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { crc32 } from '../src/core/crc32';
import { useZlibCrc32 } from '../src/host/crc';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly node: string;
  readonly kernel: string;
  /** Whether this Node has a CRC32 of its own. */
  readonly zlibCrc32: boolean;
  /** Processes that wanted to run in the last minute, before the bench began: above 1 or so, absolute times say little. */
  readonly loadBefore: number;
}

export function machine(): Machine {
  const before = loadavg()[0] ?? 0;
  const all = cpus();
  const zlibCrc32 = useZlibCrc32();
  if (crc32(Uint8Array.of(0)) !== 0xd202ef8d) throw new Error('the CRC is wrong');
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 1048576),
    node: process.version,
    kernel: `${type()} ${release()}`,
    zlibCrc32,
    loadBefore: Math.round(before * 100) / 100,
  };
}
