// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about actual devices held against their records.
import type { FindingRows } from './spec';

export const DEVICE_FINDINGS = {
  'device-size': {
    severity: 'warning',
    repair: 'never',
    message: '{path} has {actual} sectors, its record says {recorded}{reach}',
    meaning: 'The device or image is not of the size that it had when the setup was made.',
    causes: 'A partial image, another disk, or a device that was resized.',
    action: 'Make sure that it is the right device.',
  },
  'device-block-size': {
    severity: 'warning',
    repair: 'never',
    message: '{path} has logical blocks of {actual} bytes, its record says {recorded}',
    meaning: 'The sector size differs from what it was when the setup was made.',
    causes: 'Another disk, another enclosure or another driver. (Images count as 512.)',
    action: 'Attach the device as it was when the setup was made.',
  },
  'device-identity': {
    severity: 'warning',
    repair: 'never',
    message: '{path}: {field} is {actual}, its record says {recorded}',
    meaning: 'The device calls itself something other than when the setup was made.',
    causes: 'Another disk, a clone, or another enclosure that hides the identity.',
    action: 'Make sure that it is the right device.',
  },
  'device-unseen': {
    severity: 'note',
    repair: 'never',
    message: '{path}: {fields} cannot be seen and was not compared',
    meaning: 'The record holds an identifier that this device or image does not show.',
    causes: 'An image file, a USB enclosure, or no udev.',
    action: 'Nothing needs to be done.',
  },
  'main-content': {
    severity: 'note',
    repair: 'never',
    message: "{path}: the hash of main's first sectors is not the recorded one",
    meaning: 'Only a hint: it changes as the disk is used.',
    causes: 'The disk was used after the setup was made.',
    action: 'Nothing needs to be done.',
  },
} as const satisfies FindingRows;
