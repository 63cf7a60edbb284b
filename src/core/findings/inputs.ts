// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about inputs: what could not be opened, is something else, or belongs to no setup.
import type { FindingRows } from './spec';

export const INPUT_FINDINGS = {
  'input-unopened': {
    severity: 'warning',
    repair: 'never',
    message: '{what}',
    meaning: 'The input could not be opened or read. It counts as an operational error (exit status 8).',
    causes: 'A wrong name, no permission, a dead device.',
    action: 'Check the name; run the command as root.',
  },
  'input-container': {
    severity: 'warning',
    repair: 'never',
    message: '{path} is not a raw image but {container}{hint}',
    meaning: 'The bytes of the disk are packed inside another format (exit status 8).',
    causes: 'The image was made by a virtual machine or an acquisition tool.',
    action: 'Convert it to a raw image and check that.',
  },
  'input-other': {
    severity: 'warning',
    repair: 'never',
    message: '{path}: no trace of dm-remap metadata; it holds {content}',
    meaning: 'None of the five slots holds a trace of metadata (exit status 8).',
    causes: 'The wrong device or the wrong partition: perhaps the main device, which carries no metadata.',
    action: 'Give the spare devices; --offset if the spare begins elsewhere.',
  },
  'input-none': {
    severity: 'warning',
    repair: 'never',
    message: '{path}: no trace of dm-remap metadata{looked}',
    meaning: 'None of the five slots holds a trace of metadata (exit status 8).',
    causes: 'The wrong device, or metadata that was wiped in all five places.',
    action:
      'Give the spare devices; look for other spares, a dmremap-dump or a backup in /var/backups/dmremap.',
  },
  'input-spare-wiped': {
    severity: 'note',
    repair: 'never',
    message:
      '{path} may be spare {spare} of setup {name}, which was not found: if it is, dmremap-dump {given} > setup.json, then dmremap-restore setup.json {order}',
    meaning: 'One input shows no metadata, and one spare of a setup among the other inputs is missing.',
    causes: 'All five copies of a spare lie in its first 4.5 MiB: one mkfs or discard takes them all.',
    action: 'Make sure that it is that spare (serial number, size); then restore it from the other spares.',
  },
  'input-setup-missing': {
    severity: 'warning',
    repair: 'never',
    message: 'setup {setup} is not among the inputs; they hold {others}',
    meaning: 'The setup named by --setup was not found (exit status 8).',
    causes: 'A wrong uuid, or the wrong devices.',
    action: 'Leave --setup out to see all setups.',
  },
  'input-twice': {
    severity: 'note',
    repair: 'never',
    message: '{path} is the same file or device as {other}; it was looked at once',
    meaning: 'One input was given twice.',
    causes: 'Two names of one device.',
    action: 'Nothing needs to be done.',
  },
  'input-tie': {
    severity: 'error',
    repair: 'never',
    message: '{path} carries equally many copies of two setups: {setups}; name one with --setup',
    meaning: 'Which setup the spare belongs to can not be told from the spare alone.',
    causes: 'The spare was taken from one setup and given to another.',
    action: 'Run the command again with --setup UUID.',
  },
  'input-too-many': {
    severity: 'warning',
    repair: 'never',
    message: '{path} was left out: more inputs than a setup can have claim setup {setupUuid}',
    meaning: 'A setup has at most eight spares (exit status 8).',
    causes: 'Many copies of the same images.',
    action: 'Give the images of one setup once.',
  },
  'partition-table': {
    severity: 'note',
    repair: 'never',
    message: '{path}: {what}',
    meaning: 'The spare was found inside a partition table, or the table is damaged.',
    causes: 'The input is a whole disk.',
    action: 'Nothing needs to be done.',
  },
} as const satisfies FindingRows;
