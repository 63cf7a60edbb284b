// SPDX-License-Identifier: GPL-2.0-or-later
// Gives the core the CRC of node:zlib, where this Node has one (20.15 and later), once there is enough to sum.
import { installCrc32 } from '../core/crc32';
import type { Crc32 } from '../core/crc32';
import { lazyZlib } from './lazy';

/** Below this, loading node:zlib costs more than its CRC saves (2 ms against 2.3 GB/s of the crc-32 package). */
const WORTH_LOADING_BYTES = 2 * 1024 * 1024;

let bytesRead = 0;
let settled = false;

/** Called with the bytes of every read of an input; installs the faster CRC when they have become many. */
export function countForCrc(bytes: number): void {
  if (settled) return;
  bytesRead += bytes;
  if (bytesRead >= WORTH_LOADING_BYTES) useZlibCrc32();
}

/** Installs zlib's CRC now. True if it is in use; false on a Node without it, where the crc-32 package stays. */
export function useZlibCrc32(): boolean {
  settled = true;
  // Typed as always there since @types/node 20; absent at run time on Node 18.
  const { crc32 } = lazyZlib() as { crc32?: (data: Uint8Array, seed?: number) => number };
  if (crc32 === undefined) return false;
  // zlib takes no bytes for the wish to begin anew, and gives 0: the section of an empty table would undo overall_crc.
  const engine: Crc32 = (bytes, seed) => (bytes.length === 0 ? seed : crc32(bytes, seed));
  return installCrc32(engine);
}
