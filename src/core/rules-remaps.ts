// SPDX-License-Identifier: GPL-2.0-or-later
// The rules of FORMAT.md sections 3 and 7 that the remap blocks and entries must keep. The rest is in rules.ts.
import type { Finding, FindingId } from './findings';
import { finding } from './findings';
import type { Contents, Generation } from './generation';
import type { DeviceRecord, RemapEntry } from './layout';
import { ENTRIES_PER_BLOCK, REMAP_BLOCK_MAGIC, REMAP_REASON, RETIRED_MAIN_SECTOR, SECTION } from './layout';

/** Of each kind of broken rule only so many are told: a hostile table has 15,494 entries to be wrong in. */
export const MOST_OF_A_KIND = 20;

export function remapRules(generation: Generation, contents: Contents, block: number): Finding[] {
  const found: Finding[] = [];
  const counts = new Map<FindingId, number>();
  const say = (id: FindingId, fields: Record<string, string>, spare: number | null = null): void => {
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    if (count <= MOST_OF_A_KIND) found.push(finding(id, fields, { spare }));
  };
  blockRules(generation, contents, say);
  const main = contents.devices[0];
  if (main !== undefined) {
    const limit = BigInt(block);
    contents.remaps.forEach((entry, i) => {
      entryRules(entry, i, contents.remaps[i - 1], main, contents.devices, limit, say);
    });
  }
  shareRules(contents.remaps, contents.devices.length - 1, say);
  return found;
}

type Say = (id: FindingId, fields: Record<string, string>, spare?: number | null) => void;

function blockRules(generation: Generation, { trailers, remaps }: Contents, say: Say): void {
  trailers.forEach((trailer, i) => {
    const complain = (why: string): void => {
      say('rule-block', { block: String(i), why });
    };
    if (trailer.magic !== REMAP_BLOCK_MAGIC)
      complain(`its magic is 0x${trailer.magic.toString(16)}, not RMB4`);
    if (trailer.blockIndex !== i) complain(`it says that it is block ${trailer.blockIndex}`);
    const last = i === trailers.length - 1;
    if (trailer.entryCount > ENTRIES_PER_BLOCK)
      complain(`it counts ${trailer.entryCount} entries, above 127`);
    else if (trailer.entryCount === 0) complain('it is empty');
    else if (!last && trailer.entryCount !== ENTRIES_PER_BLOCK) {
      complain(`it has ${trailer.entryCount} entries, but is not the last block`);
    }
    if (trailer.sequence > generation.header.sequence) {
      complain(`it was changed by sequence ${trailer.sequence}, after the generation itself`);
    }
  });
  const counted = generation.sections.find((section) => section.type === SECTION.remaps)?.recordCount ?? 0;
  if (counted !== remaps.length)
    say('rule-entry-count', { counted: String(counted), held: String(remaps.length) });
}

function entryRules(
  entry: RemapEntry,
  index: number,
  before: RemapEntry | undefined,
  main: DeviceRecord,
  devices: readonly DeviceRecord[],
  block: bigint,
  say: Say,
): void {
  const at = String(index);
  const length = BigInt(entry.length);
  const retired = entry.mainSector === RETIRED_MAIN_SECTOR;
  if (entry.length === 0) say('rule-entry-length', { entry: at });
  if (entry.reason < 1 || entry.reason >= REMAP_REASON.length)
    say('rule-entry-reason', { entry: at, value: String(entry.reason) });
  if (before !== undefined) orderRules(entry, before, at, retired, say);
  if (!retired) {
    const end = entry.mainSector + length;
    if (entry.mainSector < main.dataStart || end > main.dataStart + main.dataSectors) {
      say('rule-entry-main', { entry: at, start: String(entry.mainSector), end: String(end) });
    }
    if (entry.mainSector % block !== 0n) {
      say('rule-entry-multiple', {
        entry: at,
        field: 'main_sector',
        value: String(entry.mainSector),
        block: String(block),
      });
    }
  }
  for (const [field, value] of [
    ['spare_sector', entry.spareSector],
    ['length', length],
  ] as const) {
    if (value % block !== 0n)
      say('rule-entry-multiple', { entry: at, field, value: String(value), block: String(block) });
  }
  const spare = devices[1 + entry.spareIndex];
  if (spare === undefined) {
    say('rule-entry-spare', { entry: at, why: `spare ${entry.spareIndex} does not exist` });
  } else if (
    entry.spareSector < spare.dataStart ||
    entry.spareSector + length > spare.dataStart + spare.dataSectors
  ) {
    const range = `[${entry.spareSector}, ${entry.spareSector + length})`;
    say(
      'rule-entry-spare',
      { entry: at, why: `sectors ${range} are outside the data of spare ${entry.spareIndex}` },
      entry.spareIndex,
    );
  }
}

/** Sorted by main_sector, retired extents last by (spare_index, spare_sector), nothing overlapping on main. */
function orderRules(entry: RemapEntry, before: RemapEntry, at: string, retired: boolean, say: Say): void {
  const sorted = retired
    ? before.mainSector !== RETIRED_MAIN_SECTOR ||
      before.spareIndex < entry.spareIndex ||
      (before.spareIndex === entry.spareIndex && before.spareSector < entry.spareSector)
    : before.mainSector < entry.mainSector;
  if (!sorted) {
    say('rule-entry-order', {
      entry: at,
      sector: String(entry.mainSector),
      before: String(before.mainSector),
    });
  } else if (!retired && before.mainSector + BigInt(before.length) > entry.mainSector) {
    say('rule-entry-overlap', { entry: at, sector: String(entry.mainSector) });
  }
}

/** No two entries share a spare sector; retired extents count too. */
function shareRules(remaps: readonly RemapEntry[], spares: number, say: Say): void {
  const order = remaps.map((_entry, i) => i);
  const at = (i: number): RemapEntry | undefined => remaps[i];
  order.sort((a, b) => {
    const x = at(a);
    const y = at(b);
    if (x === undefined || y === undefined) return 0;
    if (x.spareIndex !== y.spareIndex) return x.spareIndex - y.spareIndex;
    if (x.spareSector !== y.spareSector) return x.spareSector < y.spareSector ? -1 : 1;
    return a - b;
  });
  let widest: { entry: RemapEntry; index: number; end: bigint } | undefined;
  for (const index of order) {
    const entry = at(index);
    if (entry === undefined) continue;
    if (
      widest !== undefined &&
      widest.entry.spareIndex === entry.spareIndex &&
      entry.spareSector < widest.end
    ) {
      say(
        'rule-entry-share',
        {
          entry: String(index),
          other: String(widest.index),
          spare: String(entry.spareIndex),
          sector: String(entry.spareSector),
        },
        // Entries that name a spare which does not exist can share its sectors all the same.
        entry.spareIndex < spares ? entry.spareIndex : null,
      );
    }
    const end = entry.spareSector + BigInt(entry.length);
    if (widest === undefined || widest.entry.spareIndex !== entry.spareIndex || end > widest.end) {
      widest = { entry, index, end };
    }
  }
}
