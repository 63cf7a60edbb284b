// SPDX-License-Identifier: GPL-2.0-or-later
// What --accept-partial puts in force: the proven sections of the newest generation, and the best that is known for the
// rest. Only a person can decide to use it; this file only puts it together.
import { decode, encode } from './codec';
import type { SectionParts } from './assemble';
import type { Generation } from './generation';
import { encodeEvents, encodeHealth, encodeRemaps, makeGeneration } from './assemble';
import { decodeRemaps, sectionBytes } from './generation';
import { HEALTH, KNOWN_SECTIONS, RETIRED_MAIN_SECTOR, SECTION } from './layout';
import type { RemapEntry } from './layout';
import { rulesBroken } from './rules';
import { findingSpec } from './findings';
import type { SalvageReport, SectionSalvage } from './salvage';

/**
 * A sound generation made of what was recovered: proven sections as they are; DEVICES, CONFIG, HEALTH and EVENTS that
 * are missing from the older whole generation `older` (HEALTH and EVENTS begin anew without one); of REMAPS every block
 * that passes its own crc, and for blocks that are missing the older generation's entries that do not contradict.
 * Null if that does not make a sound generation: nothing is invented.
 */
export function acceptedPartial(report: SalvageReport, older: Generation | null): Generation | null {
  const parts: SectionParts[] = [];
  for (const section of report.sections) {
    const part = partOf(section, report, older);
    if (part === null) return null;
    parts.push(part);
  }
  for (const type of KNOWN_SECTIONS) if (!parts.some((part) => part.type === type)) return null;
  const { header } = report;
  const made = makeGeneration(header, parts, report.headerBytes);
  if (made === null || rulesBroken(made).some((one) => findingSpec(one.id).severity === 'error')) return null;
  // What is made from it descends from the generation that was recovered in part, not from one that was never on a disk.
  return { ...made, header: { ...made.header, overallCrc: header.overallCrc } };
}

function partOf(
  section: SectionSalvage,
  report: SalvageReport,
  older: Generation | null,
): SectionParts | null {
  const { type, recordCount, reserved } = section.entry;
  if (section.bytes !== null) return { type, recordCount, reserved, bytes: section.bytes };
  if (type === SECTION.remaps) return mergedRemaps(section, report, older);
  const substitute = older?.sections.find((one) => one.type === type);
  if (substitute !== undefined) {
    // A section of another length belongs to another number of spares; it can't stand in.
    const fits = type !== SECTION.devices || substitute.bytes.length === section.entry.length;
    return fits ? { type, recordCount: substitute.recordCount, reserved, bytes: substitute.bytes } : null;
  }
  if (type === SECTION.health) return encodeHealth(decode(HEALTH, encode(HEALTH, { score: 100 })));
  if (type === SECTION.events) return encodeEvents([]);
  return null;
}

/** Entries of the blocks that survive, then older entries that touch none of them on main or on a spare. */
function mergedRemaps(
  section: SectionSalvage,
  report: SalvageReport,
  older: Generation | null,
): SectionParts {
  const proven = section.blocks.flatMap((block) => (block === null ? [] : decodeRemaps(block).remaps));
  const before = older === null ? [] : decodeRemaps(sectionBytes(older, SECTION.remaps)).remaps;
  const kept = before.filter((entry) => !proven.some((other) => collide(entry, other)));
  const entries = [...proven, ...kept].sort((a, b) =>
    a.mainSector !== b.mainSector
      ? a.mainSector < b.mainSector
        ? -1
        : 1
      : a.spareIndex - b.spareIndex || (a.spareSector < b.spareSector ? -1 : 1),
  );
  return encodeRemaps(entries, () => report.header.sequence);
}

function collide(a: RemapEntry, b: RemapEntry): boolean {
  const overlap = (x: bigint, y: bigint): boolean => x < y + BigInt(b.length) && y < x + BigInt(a.length);
  // Retired extents have one main_sector in common and claim none; dropped for that, a bad extent would be used again.
  const live = a.mainSector !== RETIRED_MAIN_SECTOR && b.mainSector !== RETIRED_MAIN_SECTOR;
  return (
    (live && overlap(a.mainSector, b.mainSector)) ||
    (a.spareIndex === b.spareIndex && overlap(a.spareSector, b.spareSector))
  );
}
