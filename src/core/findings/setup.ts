// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about a setup as a whole: which generation is in force, and whether anything may be written.
import type { FindingRows } from './spec';
import { FSCK_Y } from './spec';

export const SETUP_FINDINGS = {
  'setup-split': {
    severity: 'error',
    repair: 'choose',
    message: 'the setup is split: {sides}',
    meaning:
      'There are two histories. Both may hold acknowledged data, and only a person can say which one is to go on.',
    causes: 'Two halves of the setup were used without each other, or a copied disk was used.',
    action:
      'Compare the sides with dmremap-inspect --diff, then run dmremap-fsck -y --choose SPARE:COPY INPUT... with a copy of the side to keep.',
  },
  'setup-salvage': {
    severity: 'error',
    repair: 'yes',
    message: 'no whole copy of generation {sequence} is left, but all of it was recovered from {sources}',
    meaning: 'Every section was found somewhere and passes the checksums of the generation: nothing is lost.',
    causes: 'Damage to every copy, each in another place.',
    action: FSCK_Y,
  },
  'setup-partial': {
    severity: 'error',
    repair: 'accept-partial',
    message: 'generation {sequence} is the newest, but only a part of it was recovered: {missing}{older}',
    meaning: 'A newer generation existed and may have been acknowledged, but not all of it can be had.',
    causes: 'Damage to every copy of the newest generation.',
    action:
      'First look for more copies: other spares, a dmremap-dump, a backup. Then either --accept-partial, or --choose SPARE:COPY for an older generation that is whole or was recovered in full, with -y.',
  },
  'setup-lost': {
    severity: 'error',
    repair: 'never',
    message: 'there are traces of metadata, but nothing can be recovered: {why}',
    meaning: 'Not one section of any generation passes its checksums.',
    causes: 'Damage to all copies on all spares that were given.',
    action: 'Look for the other spares, for a dmremap-dump or for a backup (/var/backups/dmremap).',
  },
  'setup-unsupported': {
    severity: 'error',
    repair: 'never',
    message: 'a header at sequence {sequence} needs a newer tool: {why}; the whole setup is refused',
    meaning: 'The newest generation is of a format or with features that this version does not know.',
    causes: 'It was written by a newer version of dm-remap.',
    action: 'Use the tools of the version that wrote it. Do not write to the devices with this one.',
  },
  'feature-ro-compat': {
    severity: 'warning',
    repair: 'never',
    message: 'unknown ro_compat features {flags}: the setup may only be read by this version',
    meaning: 'Writing without knowing the feature would break it.',
    causes: 'It was written by a newer version of dm-remap.',
    action: 'Use the tools of the version that wrote it for repairs.',
  },
  'feature-compat': {
    severity: 'note',
    repair: 'never',
    message: 'unknown compat features {flags}',
    meaning: 'Features that do not matter to a reader or writer that does not know them.',
    causes: 'It was written by a newer version of dm-remap.',
    action: 'Nothing needs to be done.',
  },
  'sequence-exhausted': {
    severity: 'error',
    repair: 'never',
    message: 'the sequence is at its limit; nothing more can be committed',
    meaning: 'No generation can come after 2^63 - 1.',
    causes: 'A forged header: no setup gets there by itself.',
    action: 'Dump the setup, find the forged copy, restore by hand.',
  },
  'setup-active': {
    severity: 'note',
    repair: 'never',
    message: 'the setup was not stopped cleanly (ACTIVE is set)',
    meaning: 'A target had it open for writing when this generation was committed.',
    causes: 'A crash, power loss, or an image taken while it was in use.',
    action: 'Nothing needs to be done: every commit is whole by itself. The flag is not cleared by tools.',
  },
  'setup-degraded': {
    severity: 'note',
    repair: 'never',
    message: 'the generation was committed while a spare was missing or dead (DEGRADED is set)',
    meaning: 'Not every spare took part in the last commit.',
    causes: 'A spare was missing or failed.',
    action: 'Give all spares to dmremap-fsck -p to bring them back.',
  },
} as const satisfies FindingRows;
