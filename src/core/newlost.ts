// SPDX-License-Identifier: GPL-2.0-or-later
// Which sectors of main are lost from the start, by a list of bad blocks or a ddrescue mapfile. Reading the files is
// badblocks.ts and mapfile.ts; making entries of the areas is newentries.ts.
import type { BadExtent } from './badblocks';
import { Fault } from './faults';
import type { MapBlock, Mapfile } from './mapfile';
import type { LostArea } from './newentries';

/** For messages: what the list is called, and what main is. */
export interface ListNames {
  readonly list: string;
  readonly main: string;
}

/**
 * Areas of a bad block list (bytes of main). A block behind main's end (`mainBytes`) is Fault BAD_AREA_OUTSIDE: with the
 * wrong --block-size, good sectors would be given up and bad ones trusted.
 */
export function areasOfBadBlocks(
  extents: readonly BadExtent[],
  blockSize: number,
  mainBytes: bigint,
  names: ListNames,
): LostArea[] {
  const unit = BigInt(blockSize);
  // The last block may reach past the end of a device that is not whole blocks long.
  const limit = ((mainBytes + unit - 1n) / unit) * unit;
  const outside = extents.find((extent) => extent.end > limit);
  if (outside !== undefined) {
    throw outsideFault(outside, mainBytes, names, 'Is --block-size the one that was given to badblocks -b?');
  }
  return extents.map(toSectors);
}

/**
 * Areas of a mapfile: what is bad, and with `untriedLost` what was not tried. Everything on main that the list does not
 * cover is as good as not tried. Faults: UNTRIED_AREAS, and BAD_AREA_OUTSIDE for a bad block behind main's end.
 */
export function areasOfMapfile(
  map: Mapfile,
  mainBytes: bigint,
  untriedLost: boolean,
  names: ListNames,
): LostArea[] {
  const bad = map.blocks.filter(({ status }) => status === '-' || status === '*' || status === '/');
  const outside = bad.find((block) => block.end > mainBytes);
  if (outside !== undefined) {
    throw outsideFault(
      outside,
      mainBytes,
      names,
      'Is the mapfile that of this device, and not of a partition or another disk?',
    );
  }
  const untried = untriedOf(map.blocks, mainBytes);
  const [first] = untried;
  if (first !== undefined && !untriedLost) {
    throw new Fault('UNTRIED_AREAS', {
      list: names.list,
      areas: String(untried.length),
      bytes: String(untried.reduce((sum, area) => sum + area.end - area.start, 0n)),
      first: String(first.start),
    });
  }
  return [...bad, ...untried].map(toSectors);
}

/** Bytes of main that nobody tried to read, as the list tells or by its silence. */
function untriedOf(blocks: readonly MapBlock[], mainBytes: bigint): BadExtent[] {
  const listed = blocks.filter(({ status }) => status === '?');
  const begin = blocks[0]?.start ?? mainBytes;
  const end = blocks[blocks.length - 1]?.end ?? mainBytes;
  return [{ start: 0n, end: begin }, ...listed, { start: end, end: mainBytes }]
    .map((area) => ({ start: area.start, end: area.end < mainBytes ? area.end : mainBytes }))
    .filter((area) => area.start < area.end);
}

function toSectors({ start, end }: BadExtent): LostArea {
  return { start: start / 512n, end: (end + 511n) / 512n };
}

function outsideFault(area: BadExtent, mainBytes: bigint, names: ListNames, advice: string): Fault {
  return new Fault('BAD_AREA_OUTSIDE', {
    list: names.list,
    path: names.main,
    start: String(area.start),
    end: String(area.end),
    size: String(mainBytes),
    advice,
  });
}
