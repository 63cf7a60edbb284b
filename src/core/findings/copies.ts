// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about one copy: the state that its place is in, and which checksum says so. What the forensic level adds is in
// forensic.ts.
import type { FindingRows } from './spec';
import { FSCK_P } from './spec';

export const COPY_FINDINGS = {
  'copy-corrupt': {
    severity: 'error',
    repair: 'preen',
    message: 'the copy is corrupt: {why}',
    meaning:
      'The place holds bytes that are not a whole copy of any generation. The other copies are not affected.',
    causes: 'Bad sectors that read as other data, faulty memory or cables, a stray write.',
    action: FSCK_P,
  },
  'copy-torn': {
    severity: 'error',
    repair: 'preen',
    message: 'the copy is torn: {why}',
    meaning: 'Parts of two generations lie in one place: a write of this copy was cut short.',
    causes:
      'Power loss or a crash during a commit. The format is made for it: at most one copy of a spare is in flux.',
    action: FSCK_P,
  },
  'copy-zeroed': {
    severity: 'error',
    repair: 'preen',
    message: 'the place reads as zeros',
    meaning:
      'Every byte of the copy is zero. In an image of a failing disk this can also mean that it was not read.',
    causes: 'A discard (TRIM), a wipe, or an imaging tool that put zeros where it could not read.',
    action: FSCK_P,
  },
  'copy-overwritten': {
    severity: 'error',
    repair: 'force',
    message: 'the copy was overwritten by other content: {content}',
    meaning: 'The place holds something else that can be named. It may be wanted by somebody.',
    causes: 'mkfs, a partitioning tool or a RAID was run on the spare.',
    action: 'Make sure that nobody needs the other content; then run dmremap-fsck -y --force INPUT... .',
  },
  'copy-misplaced': {
    severity: 'error',
    repair: 'preen',
    message: 'the copy belongs elsewhere: it says spare {spareIndex} copy {copyIndex} ({spareUuid})',
    meaning: 'A sound header lies in a place that is not its own. It never wins and never counts.',
    causes: 'A block written to the wrong address, or a copy made with dd.',
    action: FSCK_P,
  },
  'copy-foreign': {
    severity: 'error',
    repair: 'force',
    message: 'a copy of another setup lies here: {setupUuid}',
    meaning: 'The place holds metadata of a different setup. It is never touched without being told to.',
    causes: 'The spare was used in another setup before, or was given to two setups.',
    action: 'Find out which setup the spare belongs to; then run dmremap-fsck -y --force INPUT... .',
  },
  'copy-unread': {
    severity: 'error',
    repair: 'yes',
    message: 'the copy could not be read: {why}',
    meaning: 'The device reported an error, so nothing is known of this place.',
    causes: 'Bad sectors on the spare itself.',
    action:
      'Run dmremap-fsck -y INPUT... : writing often heals such a sector. If it does not, replace the spare soon.',
  },
  'copy-truncated': {
    severity: 'error',
    repair: 'never',
    message: 'the device or image ends inside this place',
    meaning: 'The place lies, in whole or in part, behind the end of the input.',
    causes: 'An image that was cut short, or a device that has shrunk.',
    action: 'Get a complete image (at least 4.5 MiB from the start of the spare).',
  },
  'copy-unsupported': {
    severity: 'error',
    repair: 'yes',
    message: 'the copy needs a newer tool: {why}',
    meaning: 'The header is intact but of a format or with features that this version does not know.',
    causes: 'It was written by a newer version of dm-remap.',
    action: 'Use the tools of the version that wrote it.',
  },
  'copy-stale': {
    severity: 'error',
    repair: 'preen',
    message: 'the copy is stale: sequence {sequence}, the winner has {winner}',
    meaning: 'A whole copy of an older generation. The newer one supersedes it.',
    causes: 'A commit that was cut short, or that could not reach this place.',
    action: FSCK_P,
  },
  'copy-diverged': {
    severity: 'error',
    repair: 'choose',
    message: 'the copy is of another line: sequence {sequence} of run {run}',
    meaning: 'A whole copy of a generation that the winner does not descend from.',
    causes: 'Two halves of the setup were used without each other.',
    action: 'See setup-split.',
  },
  // Why a copy is not valid: details beside the finding above.
  'header-magic': {
    severity: 'note',
    repair: 'never',
    message: 'the magic is not dm-remap-v4',
    meaning: 'The first 16 bytes of the place are not those of a copy.',
    causes: 'See the finding about the copy.',
    action: 'See the finding about the copy.',
  },
  'header-crc': {
    severity: 'note',
    repair: 'never',
    message: 'header_crc is {found}, computed {computed}',
    meaning: 'The header does not pass its own checksum.',
    causes: 'See the finding about the copy.',
    action: 'See the finding about the copy.',
  },
  'header-range': {
    severity: 'note',
    repair: 'never',
    message: 'header field {field}: {why}',
    meaning: 'A field of the header is out of its range although the checksum is right.',
    causes: 'A defect in the program that wrote it, or a forged header.',
    action: 'See the finding about the copy.',
  },
  'section-crc': {
    severity: 'note',
    repair: 'never',
    message: 'section {section}: crc {found} in the directory, computed {computed}',
    meaning: 'A section does not pass the checksum that the header has for it.',
    causes: 'See the finding about the copy.',
    action: 'See the finding about the copy.',
  },
  'record-crc': {
    severity: 'note',
    repair: 'never',
    message: 'section {section}: record {record} does not pass its own crc',
    meaning: 'A device record, CONFIG, HEALTH or a remap block does not pass its own checksum.',
    causes: 'See the finding about the copy.',
    action: 'See the finding about the copy.',
  },
  'overall-crc': {
    severity: 'note',
    repair: 'never',
    message: 'overall_crc is {found}, computed {computed}',
    meaning: 'The sections together do not pass the checksum over all of them.',
    causes: 'See the finding about the copy.',
    action: 'See the finding about the copy.',
  },
} as const satisfies FindingRows;
