// SPDX-License-Identifier: GPL-2.0-or-later
// Device records held against the actual devices. What is known of a device is gathered in src/host.
import { formatUuid, parseUuid, textOf, ZERO_UUID } from './bytes';
import type { DeviceFacts } from './device-facts';
import type { Finding } from './findings';
import { finding } from './findings';
import type { DeviceRecord, RemapEntry } from './layout';
import { SECTOR_BYTES_BIG } from './layout';

/** An actual device or image. `facts` is null where only its size is known (a part of an input). */
export interface ActualDevice {
  readonly path: string;
  readonly sizeBytes: bigint;
  readonly facts: DeviceFacts | null;
}

/**
 * How a device differs from its record: size and block size and identity are warnings, what cannot be seen is a note.
 * `spare` is null for main; `remaps` the entries of the setup (for a spare that has become too small to hold them).
 */
export function deviceFindings(
  record: DeviceRecord,
  actual: ActualDevice,
  spare: number | null,
  remaps: readonly RemapEntry[],
): Finding[] {
  const { path, facts } = actual;
  const found: Finding[] = [];
  const sectors = actual.sizeBytes / SECTOR_BYTES_BIG;
  if (sectors !== record.sizeSectors) {
    const recorded = String(record.sizeSectors);
    found.push(
      finding(
        'device-size',
        { path, actual: String(sectors), recorded, reach: outOfReach(sectors, spare, remaps) },
        { spare },
      ),
    );
  }
  if (facts === null) return found;
  // An image has no blocks of its own; 512 is an assumption, not an observation.
  if (facts.kind === 'block' && facts.logicalBlockSize !== record.logicalBlockSize) {
    const fields = {
      path,
      actual: String(facts.logicalBlockSize),
      recorded: String(record.logicalBlockSize),
    };
    found.push(finding('device-block-size', fields, { spare }));
  }
  const unseen: string[] = [];
  for (const [field, recorded, seen] of identifiers(record, facts)) {
    if (recorded === '') continue;
    if (seen === null) unseen.push(field);
    else if (seen !== recorded)
      found.push(finding('device-identity', { path, field, actual: seen, recorded }, { spare }));
  }
  if (unseen.length > 0) found.push(finding('device-unseen', { path, fields: unseen.join(', ') }, { spare }));
  return found;
}

function identifiers(record: DeviceRecord, facts: DeviceFacts): [string, string, string | null][] {
  const part = record.partUuid === ZERO_UUID ? '' : record.partUuid;
  const seenPart = facts.partUuid === null ? null : parseUuid(facts.partUuid);
  return [
    ['wwn', textOf(record.wwn), facts.wwn],
    ['serial', textOf(record.serial), facts.serial],
    ['model', textOf(record.model), facts.model],
    ['partition uuid', part, seenPart === null ? null : formatUuid(seenPart)],
  ];
}

/** How many entries have their data behind the end of a spare that is too small. */
function outOfReach(sectors: bigint, spare: number | null, remaps: readonly RemapEntry[]): string {
  if (spare === null) return '';
  const lost = remaps.filter(
    (entry) => entry.spareIndex === spare && entry.spareSector + BigInt(entry.length) > sectors,
  );
  return lost.length === 0 ? '' : `; the data of ${lost.length} entries lies behind its end`;
}
