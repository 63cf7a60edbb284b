// SPDX-License-Identifier: GPL-2.0-or-later
// What udev found out about a block device: its database and its links. Nothing is interpreted beyond that.
import type { BlockDevice } from './block';
import { nodePath } from './block';
import type { SystemTree } from './system';

/** The properties ("ID_WWN", ...) in udev's database of the device "major:minor"; empty without udev. */
export function udevProperties(system: SystemTree, number: string): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  for (const line of (system.text(`/run/udev/data/b${number}`) ?? '').split('\n')) {
    const match = /^E:([A-Za-z0-9_]+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) properties.set(match[1], match[2]);
  }
  return properties;
}

/**
 * By what the links of a disk begin, best first: names that come from the disk itself and stay with it in any slot,
 * bridge or machine come before those that contain a model name or a bus.
 */
const PREFERRED = [
  /^wwn-/,
  /^nvme-(eui|uuid|nguid)\./,
  /^scsi-3/,
  /^ata-/,
  /^scsi-/,
  /^nvme-/,
  /^virtio-/,
  /^dm-uuid-/,
  /^md-uuid-/,
];

/** The best /dev/disk/by-id path of a device, the same at every call; null if it has none. */
export function byIdPath(system: SystemTree, device: BlockDevice): string | null {
  // dm-name-* and md-name-* are what somebody called it, and may be another device tomorrow.
  const names = linksTo(system, '/dev/disk/by-id', device).filter((name) => !/^(dm|md)-name-/.test(name));
  const rank = (name: string): number => {
    const found = PREFERRED.findIndex((pattern) => pattern.test(name));
    return found === -1 ? PREFERRED.length : found;
  };
  // The names arrive sorted, and sort() keeps the order of equals.
  const best = [...names].sort((a, b) => rank(a) - rank(b))[0];
  return best === undefined ? null : `/dev/disk/by-id/${best}`;
}

/** The names in a directory of links that lead to this device, sorted. */
export function linksTo(system: SystemTree, directory: string, device: BlockDevice): string[] {
  const node = nodePath(device.name);
  return system.list(directory).filter((name) => system.link(`${directory}/${name}`) === node);
}
