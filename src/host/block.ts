// SPDX-License-Identifier: GPL-2.0-or-later
// Where a block device stands in sysfs: its name, its disk, its partitions, and the few numbers everyone needs. What
// is known of it beyond that is in device.ts, who uses it in inuse.ts.
import { posix } from 'node:path';
import type { SystemTree } from './system';

/** A block device in sysfs. `directory` and `disk` are paths below /sys; for a whole disk they are the same. */
export interface BlockDevice {
  /** "major:minor". */
  readonly number: string;
  /** The kernel's name: "sda1", "dm-3". */
  readonly name: string;
  readonly directory: string;
  readonly disk: string;
  readonly isPartition: boolean;
}

/** The device with this number, or null if sysfs does not show it (a container without /sys). */
export function blockDevice(system: SystemTree, number: string): BlockDevice | null {
  const directory = system.link(`/sys/dev/block/${number}`);
  if (directory === null) return null;
  const isPartition = system.text(`${directory}/partition`) !== null;
  return {
    number,
    name: posix.basename(directory),
    directory,
    disk: isPartition ? posix.dirname(directory) : directory,
    isPartition,
  };
}

/** The device with this kernel name ("dm-3"), or null. */
export function blockDeviceNamed(system: SystemTree, name: string): BlockDevice | null {
  const directory = system.link(`/sys/class/block/${name}`);
  const number = directory === null ? null : system.text(`${directory}/dev`);
  return number === null ? null : blockDevice(system, number);
}

/** The partitions of a whole disk in the order of their names; none for a partition. */
export function partitionsOf(system: SystemTree, device: BlockDevice): BlockDevice[] {
  if (device.isPartition) return [];
  const found: BlockDevice[] = [];
  for (const name of system.list(device.directory)) {
    // Only entries that bear the disk's name can be partitions; asking the others would be some forty reads for nothing.
    if (!name.startsWith(device.name)) continue;
    const number = system.text(`${device.directory}/${name}/dev`);
    const partition = number === null ? null : blockDevice(system, number);
    if (partition?.isPartition === true) found.push(partition);
  }
  return found;
}

/** The usual node of a device. The kernel writes a slash in a name ("cciss/c0d0") as an exclamation mark. */
export function nodePath(name: string): string {
  return `/dev/${name.replace(/!/g, '/')}`;
}

/** Size in bytes, or null if unknown. sysfs counts in 512-byte units whatever the logical block size is. */
export function sizeOf(system: SystemTree, device: BlockDevice): bigint | null {
  const text = system.text(`${device.directory}/size`);
  return text !== null && /^\d{1,16}$/.test(text) ? BigInt(text) * 512n : null;
}

/** A number from the disk's request queue ("logical_block_size"), which partitions share; null if unknown. */
export function queueNumber(system: SystemTree, device: BlockDevice, attribute: string): number | null {
  const text = system.text(`${device.disk}/queue/${attribute}`);
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** True if the kernel marks the device or its disk read-only; writes would fail one by one only after the open. */
export function isReadOnly(system: SystemTree, device: BlockDevice): boolean {
  return system.text(`${device.directory}/ro`) === '1' || system.text(`${device.disk}/ro`) === '1';
}
