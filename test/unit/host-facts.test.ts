// SPDX-License-Identifier: GPL-2.0-or-later
// What is read out of /sys and /run/udev: facts about devices, on trees made for the test.
import type { DeviceFacts } from '../../src/core/device-facts';
import { blockDevice } from '../../src/host/block';
import { deviceFacts } from '../../src/host/device';
import { deviceNumber, systemTree } from '../../src/host/system';
import { disk, partition } from '../support/fake-sysfs';
import { plantTree, removeTree, temporaryDirectory } from '../support/temporary';

let root = '';
beforeEach(() => {
  root = temporaryDirectory();
});
afterEach(() => removeTree(root));

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
