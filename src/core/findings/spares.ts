// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about a spare as a whole: whether it was given, how it stands to the others, which spare it is.
import type { FindingRows } from './spec';

export const SPARE_FINDINGS = {
  'spare-absent': {
    severity: 'note',
    repair: 'never',
    message: 'the spare with uuid {uuid} was not given{known}',
    meaning: 'The setup has a spare that is not among the inputs.',
    causes: 'It was left out of the command, or the device is missing.',
    action: 'Give all spares of a setup if you can: a newer generation may lie on the one that is missing.',
  },
  'spare-behind': {
    severity: 'error',
    repair: 'preen',
    message: 'the spare was absent: it stopped at sequence {sequence}, the setup is at {winner}',
    meaning: 'The setup went on without this spare, and the spare did not go on by itself.',
    causes: 'The spare was disconnected or failed for a while.',
    action: 'Run dmremap-fsck -p with all spares: it is brought back by a new generation on all of them.',
  },
  'spare-diverged': {
    severity: 'error',
    repair: 'choose',
    message: 'the spare went on without the others: it shows sequence {sequence} of run {run}',
    meaning: 'The spare holds a generation that the winner does not know of.',
    causes: 'Two halves of the setup were used without each other, or a copied disk was used.',
    action: 'See setup-split.',
  },
  'spare-in-use': {
    severity: 'note',
    repair: 'never',
    message: '{path} is in use: {reason}; what was read may be changing',
    meaning: 'The setup is active: the target writes to the metadata while it is being read.',
    causes: 'The setup is running.',
    action: 'Check it again when it is stopped. It is refused for writing while it is in use.',
  },
  'spare-failed': {
    severity: 'warning',
    repair: 'never',
    message: 'the spare is marked as failed',
    meaning: 'The target gave this spare up.',
    causes: 'It stopped answering or its metadata could not be written.',
    action: 'Replace it when you can.',
  },
  'spare-retired': {
    severity: 'note',
    repair: 'never',
    message: 'the spare is retired; its copies are left alone',
    meaning: 'The spare is no longer used by the setup.',
    causes: 'It was retired by a tool.',
    action: 'Nothing needs to be done.',
  },
  'spare-not-member': {
    severity: 'warning',
    repair: 'never',
    message:
      '{path} carries copies of this setup but is no member of it (any more): spare {spareIndex}, {spareUuid}',
    meaning: 'The uuid of the device does not stand in the winning generation.',
    causes: 'The spare was replaced.',
    action: 'Leave it out; wipe it if it is to be used for something else.',
  },
  'spare-duplicate': {
    severity: 'error',
    repair: 'never',
    message: '{path} and {other} both claim to be spare {spareIndex} ({spareUuid})',
    meaning:
      'Two inputs carry the identity of one spare. Which is the spare and which the copy can not be told.',
    causes: 'A disk was cloned with dd, or an image is given beside its device.',
    action: 'Give only one of the two.',
  },
  'spare-identity': {
    severity: 'error',
    repair: 'never',
    message: '{path}: its copies disagree about which spare it is: {candidates}',
    meaning: 'As many copies say one thing as another.',
    causes: 'Copies of one spare were written over those of another.',
    action: 'Give the other spares of the setup too; that often decides it.',
  },
  'spare-unplaced': {
    severity: 'warning',
    repair: 'never',
    message: '{path} has no place in this setup: {why}; {next}',
    meaning:
      'The input shows metadata of the setup, but not which spare it is. It is left alone: misplaced copies never win and never count.',
    causes:
      'An image that begins too early or too late, copies that were written to wrong places, or headers that are damaged or forged.',
    action:
      'Look at it with dmremap-inspect. Where a spare begins elsewhere in it, give that place with --offset; if it is the spare that is missing, put its copies back from the others with dmremap-dump and dmremap-restore.',
  },
} as const satisfies FindingRows;
