// SPDX-License-Identifier: GPL-2.0-or-later
// Findings about broken rules of FORMAT.md sections 3 and 7: sound checksums over contents that must not be.
import type { FindingRows, FindingSpec } from './spec';

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

export const RULE_FINDINGS = {
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
} as const satisfies FindingRows;
