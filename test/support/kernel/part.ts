// SPDX-License-Identifier: GPL-2.0-or-later
// A setup whose main device is a part of a disk: a partition, or a linear mapping that begins somewhere inside it.
import { runFormat } from '../../../src/commands/format';
import { formatOptions } from '../format-world';
import { SECTOR, VirtualDisk } from './disk';
import type { Lab } from './lab';
import { LAB_TIME } from './lab';
import { patternRange } from './pattern';
import { fillSpare, Scenario } from './scenario';
import { diskPath, LabHost } from './toolkit';
import { WriteLog } from './write-log';

export interface PartOptions {
  /** The disk, and which of its sectors are main. */
  readonly main: string;
  readonly part: { readonly first: number; readonly sectors: number };
  readonly spares: readonly string[];
  /** What the guest calls the part. */
  readonly path: string;
}

/** Makes it afresh on healed disks, all of the part in version 1; patterns of elsewhere around it. */
export async function makeOnPart(lab: Lab, { main, part, spares, path }: PartOptions): Promise<Scenario> {
  for (const disk of lab.rack.disks) disk.heal();
  const disk = lab.disk(main);
  disk.poke(0, patternRange(500_000, disk.sectors, 9));
  disk.poke(part.first, patternRange(0, part.sectors, 1));
  // The toolkit sees the part as a disk of its own.
  const alone = new VirtualDisk({ name: 'part', sectors: part.sectors }, 0, new WriteLog());
  for (const name of spares) lab.disk(name).load(new Uint8Array(lab.disk(name).sectors * SECTOR));
  const host = new LabHost([alone, ...spares.map((name) => lab.disk(name))], LAB_TIME);
  const made = await runFormat(host, formatOptions({ main: diskPath('part'), spares: spares.map(diskPath) }));
  host.writeBack();
  for (const name of spares) fillSpare(lab.disk(name));
  const table = made.table.replace(diskPath('part'), path);
  const setupUuid = made.setupUuid ?? '';
  return Scenario.over(lab, { name: 'data', main, spares, table, setupUuid, offset: part.first });
}
