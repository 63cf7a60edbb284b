// SPDX-License-Identifier: GPL-2.0-or-later
// The one table of findings: what can be said about metadata, how grave it is, what it means and what mends it. Text,
// JSON, exit status, man page, `--explain` and the tests all come from here. Deciding which apply is not done here.

export type Severity = 'error' | 'warning' | 'note';

/**
 * Which permission the repair of a finding needs: `preen` -p is enough; `yes` -y or a prompt; `choose`,
 * `accept-partial` and `force` that option on top; `never` no tool repairs it.
 */
export type RepairNeeds = 'preen' | 'yes' | 'choose' | 'accept-partial' | 'force' | 'never';

type Fields = Readonly<Record<string, string>>;

export interface FindingSpec {
  readonly severity: Severity;
  readonly repair: RepairNeeds;
  /** One line; `{name}` is replaced by the field of that name. */
  readonly message: string;
  /** For --explain: what it means, how it comes about, what to do. */
  readonly meaning: string;
  readonly causes: string;
  readonly action: string;
}

const FSCK_P =
  'Run dmremap-fsck -p INPUT... to have the place rewritten from the winning copy; it can be undone.';
const FSCK_Y = 'Run dmremap-fsck -y INPUT... ; an undo journal is written first.';
const RULE_MEANS =
  'The checksums are right, so this is what was written; but it breaks a rule of the format. Such a setup is refused for writing and never repaired by itself.';
const RULE_CAUSES = 'A defect in the program that wrote the generation, or an edit by hand.';
const RULE_ACTION =
  'Keep the devices as they are. Look at it with dmremap-inspect, report it, and correct a dmremap-dump by hand if you must (dmremap-restore --force).';

function rule(message: string): FindingSpec {
  return {
    severity: 'error',
    repair: 'never',
    message,
    meaning: RULE_MEANS,
    causes: RULE_CAUSES,
    action: RULE_ACTION,
  };
}

export const FINDINGS = {
  // ── one copy ──────────────────────────────────────────────────────────────────────────────────────────────────
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
  // ── why a copy is not valid: details beside the finding above ─────────────────────────────────────────────────
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
  // ── forensic explanations ─────────────────────────────────────────────────────────────────────────────────────
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
  // ── one spare ─────────────────────────────────────────────────────────────────────────────────────────────────
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
  // ── the setup ─────────────────────────────────────────────────────────────────────────────────────────────────
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
      'First look for more copies: other spares, a dmremap-dump, a backup. Then either --accept-partial, or --choose SPARE:COPY for an older whole copy, with -y.',
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
  // ── devices against their records ─────────────────────────────────────────────────────────────────────────────
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
  // ── rules of FORMAT.md sections 3 and 7 ───────────────────────────────────────────────────────────────────────
  'rule-device-role': rule('device record {record}: role {role} index {index} does not belong at this place'),
  'rule-device-block-size': rule(
    'device record {record}: logical_block_size is {value}; only 512 and 4096 are allowed',
  ),
  'rule-device-area': rule('device record {record}: {why}'),
  'rule-device-uuid': rule('device record {record}: {why}'),
  'rule-device-sequence': rule('device record {record}: {why}'),
  'rule-collision': rule(
    'device record {record}: its data begins at sector {start}, inside the metadata (which ends at 9216)',
  ),
  'rule-config-name': rule('the name {why}'),
  'rule-config-value': rule('CONFIG field {field}: {why}'),
  'rule-config-target': rule("target_sectors is {target}, main's data_sectors is {main}"),
  'rule-remap-unit': rule('remap_unit is {value}; with blocks of {block} sectors it must be {allowed}'),
  'rule-health': rule('{field} is {value}, above 100'),
  'rule-event-place': rule('event at place {place} has serial {serial}, which belongs at place {right}'),
  'rule-event-count': rule('the directory counts {counted} events, the ring holds {used}'),
  'rule-block': rule('remap block {block}: {why}'),
  'rule-entry-count': rule('the directory counts {counted} entries, the blocks hold {held}'),
  'rule-entry-order': rule('entry {entry}: not sorted, sector {sector} comes after {before}'),
  'rule-entry-overlap': rule('entry {entry}: main sectors from {sector} overlap the entry before it'),
  'rule-entry-length': rule('entry {entry}: its length is 0'),
  'rule-entry-main': rule('entry {entry}: main sectors [{start}, {end}) are outside the mapped area'),
  'rule-entry-spare': rule('entry {entry}: {why}'),
  'rule-entry-share': rule('entries {entry} and {other} share sectors of spare {spare} from {sector}'),
  'rule-entry-reason': rule('entry {entry}: reason {value} is unknown'),
  'rule-entry-multiple': rule('entry {entry}: {field} {value} is not a multiple of {block} sectors'),
  'text-malformed': {
    severity: 'warning',
    repair: 'never',
    message: '{field}: {why}',
    meaning: 'A text field is not UTF-8 padded with NULs.',
    causes: 'A device with garbage in its identity, or a defect in the program that wrote it.',
    action: 'Nothing needs to be done; the text is shown escaped.',
  },
  // ── a repair that did not go as planned ───────────────────────────────────────────────────────────────────────
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
  // ── an input without a setup ──────────────────────────────────────────────────────────────────────────────────
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
} as const satisfies Readonly<Record<string, FindingSpec>>;

export type FindingId = keyof typeof FINDINGS;

/** One thing that was found. `byte` is absolute in the input. Field values are raw: renderers escape them. */
export interface Finding {
  readonly id: FindingId;
  readonly spare: number | null;
  readonly copy: number | null;
  readonly byte: bigint | null;
  readonly fields: Fields;
}

export function findingSpec(id: FindingId): FindingSpec {
  return FINDINGS[id];
}

export function isFindingId(text: string): text is FindingId {
  return Object.prototype.hasOwnProperty.call(FINDINGS, text);
}

/** The finding's sentence with its fields filled in. */
export function findingMessage(finding: Finding): string {
  return findingSpec(finding.id).message.replace(
    /\{(\w+)\}/g,
    (_all, name: string) => finding.fields[name] ?? '?',
  );
}

/** Makes a finding; where it belongs to no spare, copy or byte these are null. */
export function finding(
  id: FindingId,
  fields: Fields = {},
  place: { spare?: number | null; copy?: number | null; byte?: bigint | null } = {},
): Finding {
  return { id, spare: place.spare ?? null, copy: place.copy ?? null, byte: place.byte ?? null, fields };
}

/** By place (spare, copy, byte; what has none comes first), then id, then message: the order of every report. */
export function compareFindings(a: Finding, b: Finding): number {
  const place = (x: number | bigint | null, y: number | bigint | null): number =>
    x === y ? 0 : x === null ? -1 : y === null ? 1 : x < y ? -1 : 1;
  const text = (x: string, y: string): number => (x === y ? 0 : x < y ? -1 : 1);
  return (
    place(a.spare, b.spare) ||
    place(a.copy, b.copy) ||
    place(a.byte, b.byte) ||
    text(a.id, b.id) ||
    text(findingMessage(a), findingMessage(b))
  );
}
