// SPDX-License-Identifier: GPL-2.0-or-later
// Findings of the forensic level: explanations of a damage, lineage, and what nothing else looks at. None of them is an
// error.
import type { FindingRows } from './spec';

export const FORENSIC_FINDINGS = {
  'bit-flip': {
    severity: 'note',
    repair: 'never',
    message: '{count} flipped: {bits}',
    meaning: 'The place differs from what belongs there in single bits.',
    causes: 'Faulty memory, a failing controller, ageing flash.',
    action: 'Repair the copy and test the memory and the device.',
  },
  'damaged-range': {
    severity: 'note',
    repair: 'never',
    message: 'bytes {start} to {end} of the place differ from what belongs there ({where}): {what}',
    meaning: 'A run of bytes differs from the generation that belongs in this place.',
    causes: 'A stray write, an overwritten or a zeroed range.',
    action: 'See the finding about the copy.',
  },
  'torn-at': {
    severity: 'note',
    repair: 'never',
    message: 'the write was cut: {what}',
    meaning: 'Where the parts of the two generations meet.',
    causes: 'Power loss or a crash during a commit.',
    action: 'See copy-torn.',
  },
  'stray-content': {
    severity: 'note',
    repair: 'never',
    message: 'other content inside the place: {content}',
    meaning: 'A signature of something else lies in the place.',
    causes: 'mkfs, a partitioning tool or a RAID was run on the spare.',
    action: 'See the finding about the copy.',
  },
  'gap-nonzero': {
    severity: 'note',
    repair: 'never',
    message: 'bytes {start} to {end} of the place, between the sections, are not zero',
    meaning: 'Bytes that no checksum covers and no reader uses should be zero. The copy itself is valid.',
    causes: 'Left from something that was there before, or hidden there.',
    action: 'Look at them with dmremap-inspect --hex; nothing needs to be done.',
  },
  'misplaced-from': {
    severity: 'note',
    repair: 'never',
    message: 'the misplaced copy is {what}',
    meaning: 'Where the contents of a misplaced copy come from.',
    causes: 'See copy-misplaced.',
    action: 'See copy-misplaced.',
  },
  lineage: {
    severity: 'note',
    repair: 'never',
    message: '{what}',
    meaning: 'How the generations that were seen descend from each other, by parent_crc.',
    causes: 'Every commit names the generation that it was made from.',
    action: 'Nothing needs to be done.',
  },
  'event-contradicts': {
    severity: 'note',
    repair: 'never',
    message: 'event {serial} ({kind}) contradicts the table: {why}',
    meaning: 'The event ring tells of something that the remap table does not show.',
    causes: 'A later change whose event has left the ring, a defect, or tampering.',
    action: 'An analyst may want to know; nothing needs to be repaired.',
  },
  'time-implausible': {
    severity: 'note',
    repair: 'never',
    message: '{field} is {time}, which is implausible',
    meaning: 'A time lies before 2022 or in the future. A clock that was wrong is no corruption.',
    causes: 'A machine without a battery-backed clock.',
    action: 'Set the clock before the setup is used again.',
  },
} as const satisfies FindingRows;
