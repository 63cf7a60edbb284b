// SPDX-License-Identifier: GPL-2.0-or-later
// Block devices as sysfs shows them, as files for plantTree(). No tests here.

/** sysfs of a whole disk, as the kernel lays it out. */
export const disk = (
  name: string,
  number: string,
  more: Record<string, string> = {},
): Record<string, string> => ({
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

export const partition = (
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
