// SPDX-License-Identifier: GPL-2.0-or-later
// Sizes and areas of a new setup: what FORMAT.md sections 1 and 7 make of the devices. Nothing about their contents.
import type { DeviceFacts } from './device-facts';
import { Fault } from './faults';
import { DEFAULT_SPARE_DATA_START, MIN_SPARE_SECTORS } from './layout';

export interface NewDevice {
  readonly path: string;
  readonly facts: DeviceFacts;
}

/** Sectors, absolute on the device. */
export interface SpareGeometry {
  readonly sizeSectors: bigint;
  readonly dataStart: bigint;
  readonly dataSectors: bigint;
}

/** Sizes in sectors (FORMAT.md section 7). */
export interface Geometry {
  /** B: the largest logical block size among the devices. */
  readonly blockSectors: bigint;
  readonly remapUnit: 1 | 8;
  readonly mainSizeSectors: bigint;
  /** The mapped length: main's size in whole blocks of B. */
  readonly mainDataSectors: bigint;
  /** Bytes at the end of main that are in no whole block and so will not be reachable. */
  readonly droppedBytes: bigint;
  readonly spares: readonly SpareGeometry[];
}

/**
 * Decides block size, unit and areas. Throws Fault BLOCK_SIZE, ZONED, TOO_SMALL or UNIT_TOO_SMALL: what FORMAT.md sections
 * 1 and 7 do not allow, whatever is forced. `remapUnit` null: by the rule of section 7.
 */
export function geometryOf(main: NewDevice, spares: readonly NewDevice[], remapUnit: 1 | 8 | null): Geometry {
  const devices = [main, ...spares];
  for (const { path, facts } of devices) {
    if (facts.logicalBlockSize !== 512 && facts.logicalBlockSize !== 4096) {
      throw new Fault('BLOCK_SIZE', { path, bytes: String(facts.logicalBlockSize) });
    }
    if (facts.zoned) throw new Fault('ZONED', { path });
  }
  const blockSectors = devices.some(({ facts }) => facts.logicalBlockSize === 4096) ? 8n : 1n;
  const largePhysical = devices.some(({ facts }) => facts.physicalBlockSize >= 4096);
  const unit = remapUnit ?? (largePhysical || blockSectors === 8n ? 8 : 1);
  if (BigInt(unit) < blockSectors) {
    const path = devices.find(({ facts }) => facts.logicalBlockSize === 4096)?.path ?? main.path;
    throw new Fault('UNIT_TOO_SMALL', { path });
  }
  const blockBytes = blockSectors * 512n;
  const mainDataSectors = (main.facts.sizeBytes / blockBytes) * blockSectors;
  if (mainDataSectors === 0n) {
    throw new Fault('TOO_SMALL', {
      path: main.path,
      sectors: String(main.facts.sizeBytes / 512n),
      needed: String(blockSectors),
    });
  }
  return {
    blockSectors,
    remapUnit: unit,
    mainSizeSectors: main.facts.sizeBytes / 512n,
    mainDataSectors,
    droppedBytes: main.facts.sizeBytes - mainDataSectors * 512n,
    spares: spares.map(spareGeometry),
  };
}

function spareGeometry({ path, facts }: NewDevice): SpareGeometry {
  const sizeSectors = facts.sizeBytes / 512n;
  const dataStart = DEFAULT_SPARE_DATA_START;
  if (sizeSectors < MIN_SPARE_SECTORS) {
    throw new Fault('TOO_SMALL', { path, sectors: String(sizeSectors), needed: String(MIN_SPARE_SECTORS) });
  }
  return { sizeSectors, dataStart, dataSectors: ((sizeSectors - dataStart) / 8n) * 8n };
}
