// SPDX-License-Identifier: GPL-2.0-or-later
// The facts about a device or image that go into device records: identifiers, sizes, names. Its contents are not
// looked at here (blkid.ts), nor who uses it (inuse.ts).
import { accessSync, constants } from 'node:fs';
import { posix } from 'node:path';
import type { DeviceFacts } from '../core/device-facts';
import { blockDevice, isReadOnly, queueNumber, sizeOf } from './block';
import type { BlockDevice } from './block';
import { examine } from './input';
import { IMAGE_BLOCK_SIZE, openForReading } from './read';
import type { SystemTree } from './system';
import { byIdPath, linksTo, udevProperties } from './udev';

/** Faults: those of opening for reading. */
export function factsOf(path: string, system: SystemTree): DeviceFacts {
  const input = examine(path);
  if (input.kind === 'image') return plainFacts(path, 'image', input.fileSize, IMAGE_BLOCK_SIZE);
  const device = blockDevice(system, input.number);
  const known = device === null ? null : deviceFacts(device, posix.resolve(path), system);
  if (known !== null) return known;
  // A container without /sys: the size is found by reading, the rest cannot be seen.
  const handle = openForReading(path, system);
  handle.close();
  return plainFacts(path, 'block', handle.sizeBytes, handle.logicalBlockSize);
}

/** Where the system tells no more than these: no identifiers, nothing unusual. */
function plainFacts(
  path: string,
  kind: DeviceFacts['kind'],
  sizeBytes: bigint,
  blockSize: number,
): DeviceFacts {
  return {
    kind,
    sizeBytes,
    logicalBlockSize: blockSize,
    physicalBlockSize: blockSize,
    wwn: null,
    serial: null,
    model: null,
    stablePath: posix.resolve(path),
    partUuid: null,
    zoned: false,
    readOnly: !isWritable(path),
  };
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The facts of a block device as sysfs and udev tell them; null if sysfs does not know its size. */
export function deviceFacts(device: BlockDevice, path: string, system: SystemTree): DeviceFacts | null {
  const sizeBytes = sizeOf(system, device);
  if (sizeBytes === null) return null;
  const udev = udevOf(device, system);
  const logicalBlockSize = queueNumber(system, device, 'logical_block_size') ?? IMAGE_BLOCK_SIZE;
  const zoned = system.text(`${device.disk}/queue/zoned`);
  return {
    kind: 'block',
    sizeBytes,
    logicalBlockSize,
    physicalBlockSize: queueNumber(system, device, 'physical_block_size') ?? logicalBlockSize,
    wwn: wwnOf(device, udev, system),
    serial: serialOf(device, udev, system),
    model: firstText(
      () => udev('ID_MODEL'),
      () => system.text(`${device.disk}/device/model`),
    ),
    stablePath: byIdPath(system, device) ?? path,
    partUuid: partUuidOf(device, udev, system),
    ...wholeDiskOf(device, system),
    zoned: zoned !== null && zoned !== 'none',
    readOnly: isReadOnly(system, device),
  };
}

function wholeDiskOf(device: BlockDevice, system: SystemTree): Pick<DeviceFacts, 'wholeDisk'> {
  const number = device.isPartition ? system.text(`${device.disk}/dev`) : null;
  return number === null ? {} : { wholeDisk: `b:${number}` };
}

type Udev = (property: string) => string | null;

/** udev's properties of the device, and what only the disk has, of its disk. */
function udevOf(device: BlockDevice, system: SystemTree): Udev {
  const own = udevProperties(system, device.number);
  const diskNumber = device.isPartition ? system.text(`${device.disk}/dev`) : null;
  const disk = diskNumber === null ? own : udevProperties(system, diskNumber);
  return (property) => own.get(property) ?? disk.get(property) ?? null;
}

/** The first source that has something other than blanks, trimmed: SCSI pads its strings with blanks. */
function firstText(...sources: readonly (() => string | null)[]): string | null {
  for (const source of sources) {
    const text = source()?.replace(/\0/g, '').trim();
    if (text !== undefined && text !== '') return text;
  }
  return null;
}

/** In udev's form ("0x5000c500a1b2c3d4", "eui.0025385b71b00a1c"), so that it is the same where there is no udev. */
function wwnOf(device: BlockDevice, udev: Udev, system: SystemTree): string | null {
  const raw = firstText(
    () => udev('ID_WWN'),
    () => system.text(`${device.disk}/wwid`), // NVMe namespaces
    () => system.text(`${device.disk}/device/wwid`), // SCSI and SATA
  );
  if (raw === null) return null;
  const naa = /^naa\.([0-9a-f]{16})/i.exec(raw)?.[1];
  if (naa !== undefined) return `0x${naa.toLowerCase()}`;
  // "t10.ATA  Model  Serial" is model and serial once more and no world-wide name.
  return /^t10\./i.test(raw) ? null : raw;
}

function serialOf(device: BlockDevice, udev: Udev, system: SystemTree): string | null {
  return firstText(
    () => udev('ID_SERIAL_SHORT'),
    () => system.text(`${device.disk}/device/serial`), // NVMe, MMC
    () => system.text(`${device.disk}/serial`), // virtio
    () => unitSerialNumber(system.bytes(`${device.disk}/device/vpd_pg80`, 260)),
    () => udev('ID_SERIAL'),
  );
}

/** The serial number in a SCSI "unit serial number" page: 4 bytes of header, of which the last two are the length. */
function unitSerialNumber(page: Uint8Array | null): string | null {
  if (page === null || page.length < 4 || page[1] !== 0x80) return null;
  const length = ((page[2] ?? 0) << 8) | (page[3] ?? 0);
  return new TextDecoder('latin1').decode(page.subarray(4, 4 + length));
}

const UUID_FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The GPT PARTUUID of a partition. An MBR partition has only "1234abcd-01", which is none. */
function partUuidOf(device: BlockDevice, udev: Udev, system: SystemTree): string | null {
  if (!device.isPartition) return null;
  const fromUevent = (): string | null =>
    /^PARTUUID=(.*)$/m.exec(system.text(`${device.directory}/uevent`) ?? '')?.[1] ?? null;
  const sources = [
    () => udev('ID_PART_ENTRY_UUID'),
    fromUevent,
    () => linksTo(system, '/dev/disk/by-partuuid', device)[0] ?? null,
  ];
  for (const source of sources) {
    const text = source()?.toLowerCase();
    if (text !== undefined && UUID_FORM.test(text)) return text;
  }
  return null;
}
