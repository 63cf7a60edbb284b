// SPDX-License-Identifier: GPL-2.0-or-later
// Between the disks of a lab and the toolkit: setups are made on them as dmremap-format does, and judged and repaired as
// dmremap-fsck does, in this process and without files. What a scenario expects of the result is its own affair.
import type { FormatResult } from '../../../src/commands/format';
import { runFormat } from '../../../src/commands/format';
import type { FormatOptions } from '../../../src/commands/format-plan';
import type { FsckOptions } from '../../../src/commands/fsck';
import { formatOptions } from '../format-world';
import { MemoryHost } from '../memory-host';
import type { PageStore } from '../page-store';
import type { FsckRun } from '../repair-world';
import { runFsck } from '../repair-world';
import type { VirtualDisk } from './disk';
import { SECTOR } from './disk';
import { LAB_TIME } from './lab';
import type { Rack } from './rack';
import type { DiskStates } from './replay';

/** A disk's path, in the guest and for the toolkit. */
export const diskPath = (name: string): string => `/dev/lab/${name}`;

/** Longer than any scenario takes by a guest's clock. */
const DAY_NS = 86_400_000_000_000n;

/** The disks of a rack as the toolkit's machine has them. Nothing that it writes goes back by itself. */
export class LabHost extends MemoryHost {
  constructor(
    private readonly disks: readonly VirtualDisk[],
    nowNs: bigint,
    states?: DiskStates,
  ) {
    super({ nowNs });
    disks.forEach((disk, index) => this.attach(disk, states?.[index] ?? disk.snapshot()));
  }

  private attach(disk: VirtualDisk, state: PageStore): void {
    const logicalBlockSize = disk.options.logicalBlockSize ?? SECTOR;
    const physicalBlockSize = Math.max(logicalBlockSize, disk.options.physicalBlockSize ?? SECTOR);
    const path = diskPath(disk.name);
    this.addBlock(path, 0, { logicalBlockSize, facts: { physicalBlockSize } });
    // The pages themselves: bytes would be a copy of the whole disk for each of thousands of states.
    const file = this.files.get(path);
    if (file !== undefined) file.content = state.clone();
  }

  /** What a disk holds now. */
  contentOf(name: string): PageStore {
    const file = this.files.get(diskPath(name));
    if (file === undefined) throw new Error(`there is no disk ${name}`);
    return file.content.clone();
  }

  /** Puts what the toolkit has written on the disks of the rack. */
  writeBack(): void {
    for (const disk of this.disks) disk.load(this.contentOf(disk.name));
  }
}

export interface MadeSetup {
  /** The line for device mapper; its devices are those of the guest. */
  readonly table: string;
  readonly setupUuid: string;
  readonly result: FormatResult;
}

/** Makes a setup of these disks, as dmremap-format would; main keeps its contents. */
export async function formatDisks(
  rack: Rack,
  main: string,
  spares: readonly string[],
  more: Partial<FormatOptions> = {},
): Promise<MadeSetup> {
  const host = new LabHost(rack.disks, LAB_TIME);
  const options = formatOptions({ main: diskPath(main), spares: spares.map(diskPath), ...more });
  const result = await runFormat(host, options);
  host.writeBack();
  return { table: result.table, setupUuid: result.setupUuid ?? '', result };
}

/** Judges spares as dmremap-fsck does: the disks as they are, or in states of a replay. Reads only, unless told else. */
export async function checkDisks(
  rack: Rack,
  spares: readonly string[],
  more: Partial<FsckOptions> = {},
  states?: DiskStates,
): Promise<FsckRun & { readonly host: LabHost }> {
  const host = new LabHost(rack.disks, LAB_TIME + DAY_NS, states);
  const options: Partial<FsckOptions> = { mode: 'check', level: 'forensic', ...more };
  return { ...(await runFsck(host, spares.map(diskPath), options)), host };
}
