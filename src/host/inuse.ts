// SPDX-License-Identifier: GPL-2.0-or-later
// Why an input must not be written to now: who has it mounted, held, mapped or open. Best effort, and in words; what
// cannot be seen from here is caught by O_EXCL for devices. Reading an input is never refused.
import { blockDevice, blockDeviceNamed, nodePath, partitionsOf } from './block';
import type { BlockDevice } from './block';
import type { Input } from './input';
import type { SystemTree } from './system';

/** The uuids of live dm-remap targets begin so. */
export const REMAP_UUID_PREFIX = 'REMAP-';

/** Access mode bits of open(2) flags, and the values that can write. */
const ACCESS_MODE = 0o3;
const WRITE_ONLY = 0o1;
const READ_WRITE = 0o2;

/** All reasons, in a fixed order: mounts, swap, holders, loop devices, processes. Empty: it is free. */
export function usesOf(input: Input, system: SystemTree): string[] {
  return [...standingUsesOf(input, system), ...writersOf(input, system)];
}

/** The reasons that lie in the kernel's own state, without those of processes, which take a look at every process. */
export function standingUsesOf(input: Input, system: SystemTree): string[] {
  const devices = devicesOf(input, system);
  const reasons = [
    ...mountsOf(input, devices, system),
    ...swapsOf(input, devices, system),
    ...devices.flatMap((device) => holdersOf(device, system)),
    ...loopsOn(input, system),
  ];
  return [...new Set(reasons)];
}

/**
 * The devices whose use is the use of this input: itself, its partitions, and for a partition its whole disk (a disk
 * can be mounted or held as a whole though it has a partition table). Not its sibling partitions.
 */
function devicesOf(input: Input, system: SystemTree): BlockDevice[] {
  const device = input.kind === 'block' ? blockDevice(system, input.number) : null;
  if (device === null) return [];
  const related = device.isPartition ? [diskOf(device, system)] : partitionsOf(system, device);
  return [device, ...related.filter((other) => other !== null)];
}

function diskOf(partition: BlockDevice, system: SystemTree): BlockDevice | null {
  const number = system.text(`${partition.disk}/dev`);
  return number === null ? null : blockDevice(system, number);
}

/** "/dev/sda1 is", or nothing when it is the input itself that is meant. */
const whose = (device: BlockDevice | undefined, input: Input): string =>
  device === undefined || device.number === input.number ? '' : `${nodePath(device.name)} is `;

/** Undoes the octal escapes of /proc/self/mountinfo and /proc/swaps (a blank is \040). */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

function mountsOf(input: Input, devices: readonly BlockDevice[], system: SystemTree): string[] {
  if (input.kind === 'image') return []; // an image is mounted through a loop device
  const numbers = new Map<string, BlockDevice | undefined>([[input.number, undefined]]);
  for (const device of devices) numbers.set(device.number, device);
  const names = new Map(devices.map((device) => [nodePath(device.name), device]));
  const reasons: string[] = [];
  for (const line of (system.text('/proc/self/mountinfo') ?? '').split('\n')) {
    const fields = line.split(' ');
    const [number, mountPoint] = [fields[2], fields[4]];
    if (number === undefined || mountPoint === undefined) continue;
    const source = unescapeOctal(fields[fields.indexOf('-', 6) + 2] ?? '');
    // btrfs mounts under a device number of its own, so its source counts too.
    const byName = names.get(source) ?? names.get(nodeNameBehind(source, system));
    if (!numbers.has(number) && byName === undefined) continue;
    reasons.push(`${whose(byName ?? numbers.get(number), input)}mounted at ${unescapeOctal(mountPoint)}`);
  }
  for (const uuid of system.list('/sys/fs/btrfs')) {
    for (const name of system.list(`/sys/fs/btrfs/${uuid}/devices`)) {
      const device = names.get(nodePath(name));
      if (device !== undefined) reasons.push(`${whose(device, input)}part of the mounted btrfs ${uuid}`);
    }
  }
  return reasons.sort();
}

/** /dev/mapper/x and /dev/disk/by-... as the node that they lead to. Only below /dev: elsewhere a dead server may hang us. */
function nodeNameBehind(source: string, system: SystemTree): string {
  return source.startsWith('/dev/') ? (system.link(source) ?? source) : source;
}

function swapsOf(input: Input, devices: readonly BlockDevice[], system: SystemTree): string[] {
  const reasons: string[] = [];
  for (const line of (system.text('/proc/swaps') ?? '').split('\n').slice(1)) {
    const path = unescapeOctal(line.split(/\s/)[0] ?? '');
    if (path === '') continue;
    if (input.kind === 'image') {
      if (system.inode(path) === input.number) reasons.push('used as swap');
      continue;
    }
    const number = system.blockNode(path);
    const device = devices.find((each) => each.number === number || nodePath(each.name) === path);
    if (device !== undefined || number === input.number) reasons.push(`${whose(device, input)}used as swap`);
  }
  return reasons.sort();
}

/** What the kernel says is stacked on a device: dm targets by name, md arrays, bcache. */
function holdersOf(device: BlockDevice, system: SystemTree): string[] {
  return system.list(`${device.directory}/holders`).map((holder) => {
    const stacked = blockDeviceNamed(system, holder)?.directory ?? `/sys/class/block/${holder}`;
    const name = system.text(`${stacked}/dm/name`);
    const uuid = system.text(`${stacked}/dm/uuid`) ?? '';
    if (uuid.startsWith(REMAP_UUID_PREFIX)) return `live dm-remap target ${holder} (${name ?? uuid})`;
    if (name !== null) return `held by ${holder} (${name})`;
    const level = system.text(`${stacked}/md/level`);
    return level === null ? `held by ${holder}` : `member of the md array ${holder} (${level})`;
  });
}

/** Loop devices whose backing file (or device) this is. */
function loopsOn(input: Input, system: SystemTree): string[] {
  const reasons: string[] = [];
  for (const name of system.list('/sys/block')) {
    if (!name.startsWith('loop')) continue;
    const backing = system.text(`/sys/block/${name}/loop/backing_file`);
    if (backing === null) continue;
    const same = input.kind === 'image' ? system.inode(backing) : system.blockNode(backing);
    if (same === input.number) reasons.push(`backing file of ${nodePath(name)}`);
  }
  return reasons;
}

/** Other processes that have the input open for writing, by process id. Without root only one's own are visible. */
export function writersOf(input: Input, system: SystemTree): string[] {
  const self = String(process.pid);
  const processes = system
    .list('/proc')
    .filter((name) => /^[1-9]\d*$/.test(name) && name !== self)
    .sort((a, b) => Number(a) - Number(b));
  const reasons: string[] = [];
  for (const id of processes) {
    if (!system.list(`/proc/${id}/fd`).some((fd) => writesTo(input, `/proc/${id}`, fd, system))) continue;
    reasons.push(`open for writing by process ${id} (${system.text(`/proc/${id}/comm`) ?? '?'})`);
  }
  return reasons;
}

/** Asks the cheap and harmless things first: looking up a file on a dead network server can hang for ever. */
function writesTo(input: Input, directory: string, fd: string, system: SystemTree): boolean {
  const target = system.link(`${directory}/fd/${fd}`);
  // "pipe:[7]" and its like are resolved to names below /proc, where no input can lie.
  if (target === null || target.startsWith('/proc/')) return false;
  if (input.kind === 'block' && !target.startsWith('/dev/')) return false;
  const info = system.text(`${directory}/fdinfo/${fd}`);
  const flags = /^flags:\s*([0-7]+)$/m.exec(info ?? '')?.[1];
  if (flags === undefined) return false;
  const mode = parseInt(flags, 8) & ACCESS_MODE;
  if (mode !== WRITE_ONLY && mode !== READ_WRITE) return false;
  const path = `${directory}/fd/${fd}`;
  return (input.kind === 'image' ? system.inode(path) : system.blockNode(path)) === input.number;
}
