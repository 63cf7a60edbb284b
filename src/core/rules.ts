// SPDX-License-Identifier: GPL-2.0-or-later
// The meaning of a valid generation: every rule of FORMAT.md sections 3 and 7. A generation that breaks one is
// unsound. Checksums are judge.ts; comparison with actual devices is devices.ts; entries are rules-remaps.ts.
import { textDefect, textOf, ZERO_UUID } from './bytes';
import type { Finding } from './findings';
import { finding } from './findings';
import type { Contents, Generation } from './generation';
import { contentsOf, eventSerials } from './generation';
import type { DeviceRecord } from './layout';
import {
  EVENT_RING,
  MAX_NAME_BYTES,
  MAX_TUNABLES,
  METADATA_END_SECTOR,
  MIN_SPARE_SECTORS,
  SECTION,
  SPARE_POLICY,
} from './layout';
import { MOST_OF_A_KIND, remapRules } from './rules-remaps';

/** B of FORMAT.md section 7: the largest logical block size among the devices, in sectors. */
export function blockSectors(devices: readonly DeviceRecord[]): number {
  return devices.reduce((most, device) => Math.max(most, device.logicalBlockSize === 4096 ? 8 : 1), 1);
}

/** Every broken rule of a generation (severity error), and malformed texts (warning). Empty: it is sound. */
export function rulesBroken(generation: Generation, contents: Contents = contentsOf(generation)): Finding[] {
  return [
    ...deviceRules(generation, contents),
    ...configRules(generation, contents),
    ...healthRules(contents),
    ...eventRules(generation),
    ...remapRules(generation, contents, blockSectors(contents.devices)),
  ];
}

function deviceRules(generation: Generation, { devices }: Contents): Finding[] {
  const found: Finding[] = [];
  devices.forEach((device, record) => {
    const where = { record: String(record) };
    const spare = record === 0 ? null : record - 1;
    const say = (id: 'rule-device-area' | 'rule-device-uuid' | 'rule-device-sequence', why: string): void => {
      found.push(finding(id, { ...where, why }, { spare }));
    };
    if (device.role !== (record === 0 ? 0 : 1) || device.index !== (record === 0 ? 0 : record - 1)) {
      found.push(
        finding(
          'rule-device-role',
          { ...where, role: String(device.role), index: String(device.index) },
          { spare },
        ),
      );
    }
    if (device.logicalBlockSize !== 512 && device.logicalBlockSize !== 4096) {
      found.push(
        finding('rule-device-block-size', { ...where, value: String(device.logicalBlockSize) }, { spare }),
      );
    }
    if (device.dataStart + device.dataSectors > device.sizeSectors) {
      say(
        'rule-device-area',
        `its data ends at sector ${device.dataStart + device.dataSectors}, behind its end at ${device.sizeSectors}`,
      );
    }
    if (device.healthScore > 100) {
      const field = `device record ${record}: health_score`;
      found.push(finding('rule-health', { field, value: String(device.healthScore) }, { spare }));
    }
    if (spare !== null) spareRules(generation, devices, device, spare, say, found);
    found.push(...textRules(device, record, spare));
  });
  return found;
}

function spareRules(
  generation: Generation,
  devices: readonly DeviceRecord[],
  device: DeviceRecord,
  spare: number,
  say: (id: 'rule-device-area' | 'rule-device-uuid' | 'rule-device-sequence', why: string) => void,
  found: Finding[],
): void {
  if (device.dataStart < METADATA_END_SECTOR) {
    found.push(
      finding('rule-collision', { record: String(spare + 1), start: String(device.dataStart) }, { spare }),
    );
  }
  if (device.dataStart % 8n !== 0n || device.dataSectors % 8n !== 0n) {
    say(
      'rule-device-area',
      `data_start ${device.dataStart} and data_sectors ${device.dataSectors} must be multiples of 8`,
    );
  }
  if (device.sizeSectors < MIN_SPARE_SECTORS) {
    say(
      'rule-device-area',
      `a spare of ${device.sizeSectors} sectors is below the least, ${MIN_SPARE_SECTORS}`,
    );
  }
  if (device.deviceUuid === ZERO_UUID) say('rule-device-uuid', 'its uuid is zero');
  const twin = devices.findIndex(
    (other, i) => i > 0 && i < spare + 1 && other.deviceUuid === device.deviceUuid,
  );
  if (twin !== -1) say('rule-device-uuid', `its uuid is that of record ${twin} too`);
  if (device.lastSequence > generation.header.sequence) {
    say(
      'rule-device-sequence',
      `last_sequence ${device.lastSequence} is above the generation's ${generation.header.sequence}`,
    );
  }
  if (device.baseSequence > device.lastSequence) {
    say(
      'rule-device-sequence',
      `base_sequence ${device.baseSequence} is above last_sequence ${device.lastSequence}`,
    );
  }
  // A spare that this generation was put on has it as its last; else it would be taken for absent and "brought back".
  const own = generation.header.runId;
  if (device.lastSequence === generation.header.sequence && device.lastRun !== own) {
    say('rule-device-sequence', `last_sequence is the generation's own, but last_run is not its run`);
  }
}

const DEVICE_TEXTS = ['fsType', 'wwn', 'serial', 'model', 'path'] as const;

function textRules(device: DeviceRecord, record: number, spare: number | null): Finding[] {
  return DEVICE_TEXTS.flatMap((name) => {
    const why = textDefect(device[name]);
    return why === null
      ? []
      : [finding('text-malformed', { field: `device record ${record} ${name}`, why }, { spare })];
  });
}

/** Why a name can not be a device-mapper name of a setup (FORMAT.md section 3, CONFIG), or null. */
export function nameDefect(field: Uint8Array): string | null {
  const defect = textDefect(field);
  if (defect !== null) return `is malformed: ${defect}`;
  const length = field.indexOf(0);
  if (length < 1) return 'is empty';
  if (length > MAX_NAME_BYTES) return `has ${length} bytes, more than ${MAX_NAME_BYTES}`;
  const text = textOf(field);
  if (text.includes('/')) return 'contains a slash';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 'contains a control character';
  }
  return null;
}

function configRules(generation: Generation, { config, devices }: Contents): Finding[] {
  const found: Finding[] = [];
  const name = nameDefect(config.name);
  if (name !== null) found.push(finding('rule-config-name', { why: name }));
  const value = (ok: boolean, field: string, why: string): void => {
    if (!ok) found.push(finding('rule-config-value', { field, why }));
  };
  value(config.sparePolicy < SPARE_POLICY.length, 'spare_policy', `${config.sparePolicy} is unknown`);
  value(config.minCopies >= 1 && config.minCopies <= 5, 'min_copies', `${config.minCopies} is not in 1 to 5`);
  value(config.reassemblyVersion === 1, 'reassembly version', `${config.reassemblyVersion} instead of 1`);
  value(
    config.tunableCount <= MAX_TUNABLES,
    'tunable_count',
    `${config.tunableCount} is above ${MAX_TUNABLES}`,
  );
  const main = devices[0];
  if (main !== undefined && main.dataSectors !== config.targetSectors) {
    found.push(
      finding('rule-config-target', { target: String(config.targetSectors), main: String(main.dataSectors) }),
    );
  }
  const block = blockSectors(devices);
  if (config.remapUnit !== 8 && !(config.remapUnit === 1 && block === 1)) {
    found.push(
      finding('rule-remap-unit', {
        value: String(config.remapUnit),
        block: String(block),
        allowed: block === 1 ? '1 or 8' : '8',
      }),
    );
  }
  const texts: [string, Uint8Array][] = [
    ['writer', generation.header.writer],
    ['CONFIG params', config.params],
    ['CONFIG description', config.description],
  ];
  config.tunables.slice(0, config.tunableCount).forEach(({ name: text }, i) => {
    texts.push([`CONFIG tunables[${i}] name`, text]);
  });
  for (const [field, text] of texts) {
    const why = textDefect(text);
    if (why !== null) found.push(finding('text-malformed', { field, why }));
  }
  return found;
}

function healthRules({ health }: Contents): Finding[] {
  return health.score > 100
    ? [finding('rule-health', { field: 'HEALTH score', value: String(health.score) })]
    : [];
}

function eventRules(generation: Generation): Finding[] {
  const found: Finding[] = [];
  let used = 0;
  eventSerials(generation).forEach((serial, place) => {
    if (serial === 0) return;
    used++;
    const right = (serial - 1) % EVENT_RING;
    if (right !== place && found.length < MOST_OF_A_KIND) {
      found.push(
        finding('rule-event-place', { place: String(place), serial: String(serial), right: String(right) }),
      );
    }
  });
  const counted = generation.sections.find((section) => section.type === SECTION.events)?.recordCount ?? 0;
  if (counted !== used)
    found.push(finding('rule-event-count', { counted: String(counted), used: String(used) }));
  return found;
}
