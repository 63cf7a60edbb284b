// SPDX-License-Identifier: GPL-2.0-or-later
// Who uses a device or an image, as /sys and /proc tell it, on trees made for the test.
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { usesOf } from '../../src/host/inuse';
import type { Input } from '../../src/host/input';
import { systemTree } from '../../src/host/system';
import { disk, partition } from '../support/fake-sysfs';
import { plantTree, removeTree, temporaryDirectory } from '../support/temporary';

let root = '';
beforeEach(() => {
  root = temporaryDirectory();
});
afterEach(() => removeTree(root));

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
        ...fd(45, 3, spare, '02101'),
        ...fd(50, 3, 'pipe:[7]', '01'),
        ...fd(60, 3, join(root, 'proc/60/comm'), '0100002'),
        ...fd(process.pid, 9, spare, '0100002'),
        'proc/70/comm': 'no descriptors to see',
      }),
    ).toEqual([
      'open for writing by process 30 (name of 30)',
      'open for writing by process 45 (name of 45)',
      'open for writing by process 200 (name of 200)',
    ]);
  });
});
