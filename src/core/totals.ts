// SPDX-License-Identifier: GPL-2.0-or-later
// Sums over a table of remaps. How they are shown is up to the renderers.
import type { RemapEntry } from './layout';
import { ENTRY_DATA_LOST, RETIRED_MAIN_SECTOR } from './layout';

/** 8 entries, 3 of them lost, ...: sums over a table of remaps. */
export interface RemapTotals {
  readonly entries: number;
  readonly sectors: bigint;
  readonly lostSectors: bigint;
  readonly retiredSectors: bigint;
}

/** Sectors; entries that retire a spare extent map nothing and lose nothing. */
export function remapTotals(remaps: readonly RemapEntry[]): RemapTotals {
  let sectors = 0n;
  let lostSectors = 0n;
  let retiredSectors = 0n;
  for (const { mainSector, length, flags } of remaps) {
    if (mainSector === RETIRED_MAIN_SECTOR) {
      retiredSectors += BigInt(length);
      continue;
    }
    sectors += BigInt(length);
    if ((flags & ENTRY_DATA_LOST) !== 0) lostSectors += BigInt(length);
  }
  return { entries: remaps.length, sectors, lostSectors, retiredSectors };
}
