// SPDX-License-Identifier: GPL-2.0-or-later
// What is read out of /sys, /proc and /run/udev: facts about devices and who uses them, on trees made for the test.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceFacts } from '../../src/core/device-facts';
import { blockDevice } from '../../src/host/block';
import { deviceFacts } from '../../src/host/device';
import { usesOf } from '../../src/host/inuse';
import type { Input } from '../../src/host/input';
import { deviceNumber, systemTree } from '../../src/host/system';
import { plantTree, removeTree, temporaryDirectory } from '../support/temporary';

let root = '';
beforeEach(() => {
  root = temporaryDirectory();
});
afterEach(() => removeTree(root));

/** sysfs of a whole disk, as the kernel lays it out. */
const disk = (name: string, number: string, more: Record<string, string> = {}): Record<string, string> => ({
  [`sys/devices/pci/${name}/dev`]: `${number}\n`,
  [`sys/devices/pci/${name}/size`]: '20480\n',
  [`sys/devices/pci/${name}/ro`]: '0\n',
  [`sys/devices/pci/${name}/queue/logical_block_size`]: '512\n',
  [`sys/devices/pci/${name}/queue/physical_block_size`]: '4096\n',
  [`sys/devices/pci/${name}/queue/zoned`]: 'none\n',
  [`sys/dev/block/${number}`]: `-> ../../devices/pci/${name}`,
  [`sys/class/block/${name}`]: `-> ../../devices/pci/${name}`,
  [`sys/block/${name}`]: `-> ../devices/pci/${name}`,
  ...Object.fromEntries(
    Object.entries(more).map(([path, text]) => [`sys/devices/pci/${name}/${path}`, text]),
  ),
});

const partition = (
  of: string,
  name: string,
  number: string,
  more: Record<string, string> = {},
): Record<string, string> => ({
  [`sys/devices/pci/${of}/${name}/dev`]: `${number}\n`,
  [`sys/devices/pci/${of}/${name}/partition`]: '1\n',
  [`sys/devices/pci/${of}/${name}/size`]: '16384\n',
  [`sys/devices/pci/${of}/${name}/ro`]: '0\n',
  [`sys/dev/block/${number}`]: `-> ../../devices/pci/${of}/${name}`,
  [`sys/class/block/${name}`]: `-> ../../devices/pci/${of}/${name}`,
  ...Object.fromEntries(
    Object.entries(more).map(([path, text]) => [`sys/devices/pci/${of}/${name}/${path}`, text]),
  ),
});

function facts(number: string, files: Record<string, string>): DeviceFacts {
  plantTree(root, files);
  const system = systemTree(root);
  const device = blockDevice(system, number);
  if (device === null) throw new Error('the planted device is not found');
  const found = deviceFacts(device, '/dev/given', system);
  if (found === null) throw new Error('the planted device has no size');
  return found;
}

const SATA_UDEV = [
  'S:disk/by-id/ata-DISK_S123',
  'E:ID_MODEL=DISK',
  'E:ID_SERIAL=DISK_S123',
  'E:ID_SERIAL_SHORT=S123',
  'E:ID_WWN=0x5000c500a1b2c3d4',
].join('\n');

describe('facts', () => {
  test('of a SATA disk, as udev knows it', () => {
    expect(
      facts('8:0', {
        ...disk('sda', '8:0', {
          'device/model': 'DISK            \n',
          'device/wwid': 'naa.0000000000000000\n',
        }),
        'run/udev/data/b8:0': SATA_UDEV,
        'dev/disk/by-id/ata-DISK_S123': '-> ../../sda',
        'dev/disk/by-id/wwn-0x5000c500a1b2c3d4': '-> ../../sda',
        'dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part1': '-> ../../sda1',
      }),
    ).toEqual({
      kind: 'block',
      sizeBytes: 20480n * 512n,
      logicalBlockSize: 512,
      physicalBlockSize: 4096,
      wwn: '0x5000c500a1b2c3d4',
      serial: 'S123',
      model: 'DISK',
      stablePath: '/dev/disk/by-id/wwn-0x5000c500a1b2c3d4',
      partUuid: null,
      zoned: false,
      readOnly: false,
    });
  });

  test('of a partition: its own size and name, its disk’s identity', () => {
    const found = facts('8:1', {
      ...disk('sda', '8:0', { ro: '1\n' }),
      ...partition('sda', 'sda1', '8:1'),
      'run/udev/data/b8:0': SATA_UDEV,
      'run/udev/data/b8:1': 'E:ID_PART_ENTRY_UUID=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n',
      'dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part1': '-> ../../sda1',
    });
    expect(found.sizeBytes).toBe(16384n * 512n);
    expect(found.wwn).toBe('0x5000c500a1b2c3d4');
    expect(found.partUuid).toBe('0fc63daf-8483-4772-8e79-3d69d8477de4');
    expect(found.stablePath).toBe('/dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part1');
    expect(found.physicalBlockSize).toBe(4096);
    expect(found.readOnly).toBe(true);
  });

  test('without udev the same wwn comes from sysfs, and the serial from the SCSI page', () => {
    const found = facts(
      '8:0',
      disk('sda', '8:0', {
        'device/wwid': 'naa.5000C500A1B2C3D4\n',
        'device/model': 'DISK            \n',
        'device/vpd_pg80': '\x00\x80\x00\x08    S123garbage',
      }),
    );
    expect([found.wwn, found.serial, found.model, found.stablePath]).toEqual([
      '0x5000c500a1b2c3d4',
      'S123',
      'DISK',
      '/dev/given',
    ]);
  });

  test('of an NVMe namespace', () => {
    const found = facts('259:0', {
      ...disk('nvme0n1', '259:0', {
        wwid: 'eui.0025385b71b00a1c\n',
        'device/serial': 'S5H9NX0N      \n',
        'device/model': 'SSD 980              \n',
        'queue/logical_block_size': '4096\n',
      }),
      'dev/disk/by-id/nvme-SSD_980_S5H9NX0N': '-> ../../nvme0n1',
      'dev/disk/by-id/nvme-eui.0025385b71b00a1c': '-> ../../nvme0n1',
    });
    expect([found.wwn, found.serial, found.model, found.logicalBlockSize, found.stablePath]).toEqual([
      'eui.0025385b71b00a1c',
      'S5H9NX0N',
      'SSD 980',
      4096,
      '/dev/disk/by-id/nvme-eui.0025385b71b00a1c',
    ]);
  });

  test('of a virtual disk that tells nothing', () => {
    const found = facts('254:0', disk('vda', '254:0', { serial: '' }));
    expect([found.wwn, found.serial, found.model, found.stablePath]).toEqual([
      null,
      null,
      null,
      '/dev/given',
    ]);
  });

  test('a wwid that only repeats model and serial is no wwn', () => {
    expect(facts('8:0', disk('sda', '8:0', { 'device/wwid': 't10.ATA     DISK   S123\n' })).wwn).toBeNull();
  });

  test('a device-mapper device is known by its uuid, never by its name', () => {
    const files = { ...disk('dm-3', '253:3'), 'dev/disk/by-id/dm-name-data': '-> ../../dm-3' };
    expect(facts('253:3', files).stablePath).toBe('/dev/given');
    plantTree(root, { 'dev/disk/by-id/dm-uuid-LVM-abc': '-> ../../dm-3' });
    const system = systemTree(root);
    expect(deviceFacts(blockDevice(system, '253:3')!, '/dev/given', system)?.stablePath).toBe(
      '/dev/disk/by-id/dm-uuid-LVM-abc',
    );
  });

  test('zoned, read-only, and names with a slash', () => {
    const found = facts('104:0', {
      ...disk('cciss!c0d0', '104:0', { ro: '1\n', 'queue/zoned': 'host-managed\n' }),
      'dev/disk/by-id/scsi-3600': '-> ../../cciss/c0d0',
    });
    expect([found.zoned, found.readOnly, found.stablePath]).toEqual([
      true,
      true,
      '/dev/disk/by-id/scsi-3600',
    ]);
  });

  test('the PARTUUID comes from the kernel or from the links where udev has none; an MBR one is none', () => {
    const base = { ...disk('sda', '8:0'), ...partition('sda', 'sda1', '8:1') };
    expect(
      facts('8:1', { ...base, 'dev/disk/by-partuuid/0fc63daf-8483-4772-8e79-3d69d8477de4': '-> ../../sda1' })
        .partUuid,
    ).toBe('0fc63daf-8483-4772-8e79-3d69d8477de4');
    plantTree(root, { 'run/udev/data/b8:1': 'E:ID_PART_ENTRY_UUID=1234abcd-01\n' });
    plantTree(root, {
      'sys/devices/pci/sda/sda1/uevent': 'PARTN=1\nPARTUUID=aaaaaaaa-8483-4772-8e79-3d69d8477de4\n',
    });
    const system = systemTree(root);
    expect(deviceFacts(blockDevice(system, '8:1')!, '/dev/sda1', system)?.partUuid).toBe(
      'aaaaaaaa-8483-4772-8e79-3d69d8477de4',
    );
  });

  test('nonsense in sysfs is nothing known', () => {
    plantTree(root, disk('sda', '8:0', { size: 'many\n' }));
    const system = systemTree(root);
    expect(deviceFacts(blockDevice(system, '8:0')!, '/dev/sda', system)).toBeNull();
    expect(blockDevice(system, '8:99')).toBeNull();
  });
});

describe('in use', () => {
  const block = (number: string): Input => ({
    path: `/dev/${number}`,
    kind: 'block',
    identity: `b:${number}`,
    number,
    fileSize: 0n,
  });
  const uses = (input: Input, files: Record<string, string>): string[] => {
    plantTree(root, files);
    return usesOf(input, systemTree(root));
  };
  const sda = {
    ...disk('sda', '8:0'),
    ...partition('sda', 'sda1', '8:1'),
    ...partition('sda', 'sda2', '8:2'),
  };
  const mounts = (...lines: string[]): Record<string, string> => ({
    'proc/self/mountinfo': `${lines.join('\n')}\n`,
  });
  const ROOT = '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw';

  test('a device of which nothing is known is free', () => {
    expect(uses(block('8:0'), { ...sda, ...mounts(ROOT) })).toEqual([]);
    expect(uses(block('9:9'), {})).toEqual([]);
  });

  test('mounted, wherever and however often, with blanks in the path', () => {
    expect(
      uses(block('8:1'), {
        ...sda,
        ...mounts(
          ROOT,
          '40 27 8:1 / /srv/b rw shared:1 master:2 - ext4 /dev/sda1 rw',
          '41 27 8:1 / /srv/a\\040b rw - ext4 /dev/sda1 rw',
        ),
      }),
    ).toEqual(['mounted at /srv/a b', 'mounted at /srv/b']);
  });

  test('a disk is in use when a partition is, a partition when the whole disk is, siblings do not matter', () => {
    const files = { ...sda, ...mounts('40 27 8:2 / /srv rw - ext4 /dev/sda2 rw') };
    expect(uses(block('8:0'), files)).toEqual(['/dev/sda2 is mounted at /srv']);
    const system = systemTree(root);
    expect(usesOf(block('8:1'), system)).toEqual([]);
    writeFileSync(join(root, 'proc/self/mountinfo'), '40 27 8:0 / /srv rw - iso9660 /dev/sda ro\n');
    expect(usesOf(block('8:1'), system)).toEqual(['/dev/sda is mounted at /srv']);
  });

  test('btrfs hides its devices behind a number of its own', () => {
    expect(
      uses(block('8:1'), {
        ...sda,
        ...mounts('40 27 0:52 /@ /srv rw - btrfs /dev/mapper/data rw'),
        'dev/mapper/data': '-> ../sda1',
        'sys/fs/btrfs/1b2c/devices/sda1': '-> ../../../../devices/pci/sda/sda1',
        'sys/fs/btrfs/1b2c/devices/sda2': '-> ../../../../devices/pci/sda/sda2',
      }),
    ).toEqual(['mounted at /srv', 'part of the mounted btrfs 1b2c']);
    expect(usesOf(block('8:2'), systemTree(root))).toEqual(['part of the mounted btrfs 1b2c']);
  });

  test('used as swap', () => {
    const swaps = 'Filename\tType\tSize\tUsed\tPriority\n/dev/sda2    partition\t1\t0\t-2\n';
    expect(uses(block('8:0'), { ...sda, 'proc/swaps': swaps })).toEqual(['/dev/sda2 is used as swap']);
    expect(usesOf(block('8:2'), systemTree(root))).toEqual(['used as swap']);
    expect(usesOf(block('8:1'), systemTree(root))).toEqual([]);
  });

  test('held by a live dm-remap target, another dm target, an md array, a cache', () => {
    const holders = ['dm-4', 'dm-3', 'md0', 'bcache0'];
    expect(
      uses(block('8:0'), {
        ...sda,
        ...disk('dm-3', '253:3', { 'dm/name': 'data\n', 'dm/uuid': 'REMAP-00112233-data\n' }),
        ...disk('dm-4', '253:4', { 'dm/name': 'vg-lv\n', 'dm/uuid': 'LVM-abc\n' }),
        ...disk('md0', '9:0', { 'md/level': 'raid1\n' }),
        ...Object.fromEntries(
          holders.map((name) => [`sys/devices/pci/sda/sda1/holders/${name}`, '-> nowhere']),
        ),
      }),
    ).toEqual([
      'held by bcache0',
      'live dm-remap target dm-3 (data)',
      'held by dm-4 (vg-lv)',
      'member of the md array md0 (raid1)',
    ]);
    expect(usesOf(block('8:2'), systemTree(root))).toEqual([]);
  });

  const image = (name: string): Input => {
    const path = join(root, name);
    writeFileSync(path, 'image');
    const { dev, ino } = statSync(path, { bigint: true });
    return { path, kind: 'image', identity: `f:${dev}:${ino}`, number: `${dev}:${ino}`, fileSize: 5n };
  };

  test('an image behind a loop device, under whatever name, or as swap', () => {
    const input = image('spare.img');
    expect(
      uses(input, {
        'sys/block/loop10/loop/backing_file': '/other.img\n',
        'sys/block/loop2/loop/backing_file': '/link.img\n',
        'sys/block/loop3/size': '0\n',
        'link.img': '-> spare.img',
        'proc/swaps': 'Filename Type\n/spare.img file 1 0 -2\n',
      }),
    ).toEqual(['used as swap', 'backing file of /dev/loop2']);
    expect(usesOf(image('other.img'), systemTree(root))).toEqual(['backing file of /dev/loop10']);
  });

  test('open for writing by other processes, in order of their ids; readers and we ourselves do not count', () => {
    const input = image('spare.img');
    const fd = (
      id: string | number,
      number: number,
      target: string,
      flags: string,
    ): Record<string, string> => ({
      [`proc/${id}/fd/${number}`]: `-> ${target}`,
      [`proc/${id}/fdinfo/${number}`]: `pos:\t0\nflags:\t${flags}\nmnt_id:\t27\n`,
      [`proc/${id}/comm`]: `name of ${id}\n`,
    });
    const spare = join(root, 'spare.img');
    expect(
      uses(input, {
        ...fd(200, 4, spare, '0100002'),
        ...fd(30, 5, spare, '0100001'),
        ...fd(30, 6, spare, '0100002'),
        ...fd(40, 3, spare, '0100000'),
        ...fd(50, 3, 'pipe:[7]', '01'),
        ...fd(60, 3, join(root, 'proc/60/comm'), '0100002'),
        ...fd(process.pid, 9, spare, '0100002'),
        'proc/70/comm': 'no descriptors to see',
      }),
    ).toEqual([
      'open for writing by process 30 (name of 30)',
      'open for writing by process 200 (name of 200)',
    ]);
  });
});

test.each([
  [0x700n, '7:0'],
  [0x801n, '8:1'],
  [0x10303n, '259:3'],
  [0x10fd2cn, '253:300'],
  [0x12300845n, '8:74565'],
  [0x1200000034507n, '74565:7'],
])('a device number is taken apart as glibc puts it together: %p', (dev, expected) => {
  expect(deviceNumber(dev)).toBe(expected);
});
