// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about a repair that did not go as planned.
import type { FindingRows } from './spec';

export const REPAIR_FINDINGS = {
  'repair-refused': {
    severity: 'warning',
    repair: 'never',
    message: 'nothing was changed: {what}',
    meaning: 'The repair ended before its first write (exit status 8).',
    causes:
      'The device is in use or read-only, the undo journal or the backup cannot be written, or the place changed.',
    action: 'Remove the cause and run the command again.',
  },
  'repair-failed': {
    severity: 'warning',
    repair: 'never',
    message: 'the copy was not repaired: {what}',
    meaning:
      'A write, a sync or the reading back failed at this copy; the others were not affected (exit status 8).',
    causes: 'A bad sector that does not heal, or a device that is failing.',
    action: 'Run the command again; if it fails again, replace the spare.',
  },
  'repair-journal': {
    severity: 'warning',
    repair: 'never',
    message: 'the undo journal could not be kept up to date: {what}',
    meaning:
      'Everything that was written can still be undone, but no further copy was written (exit status 8).',
    causes: 'The file system that holds the journal is full or failing.',
    action: 'Make room, or give another place with --undo-dir, and run the command again.',
  },
  'repair-left': {
    severity: 'warning',
    repair: 'never',
    message: 'the copy was left as it was: {what}',
    meaning: 'The repair of this copy was not begun (exit status 8).',
    causes:
      'An earlier copy failed, so that this one may be the last that is whole; or the undo journal failed.',
    action: 'Remove the cause and run the command again.',
  },
} as const satisfies FindingRows;
