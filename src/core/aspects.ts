// SPDX-License-Identifier: GPL-2.0-or-later
// Notes about the winning generation that are no errors: its state flags, unknown features, implausible times, its
// lineage, and events that contradict the table. Rules are in rules.ts.
import type { Evidence } from './choose';
import type { Finding } from './findings';
import { finding } from './findings';
import type { Contents } from './generation';
import type { Level } from './judge';
import { ENTRY_DATA_LOST, EVENT_KIND, STATE_ACTIVE, STATE_DEGRADED } from './layout';
import type { EventRecord, RemapEntry } from './layout';
import type { Winner } from './model';
import { isoUtc } from './time';

/** State flags and feature flags of the winner. */
export function stateFindings({ header }: Winner): Finding[] {
  const found: Finding[] = [];
  if ((header.state & STATE_ACTIVE) !== 0) found.push(finding('setup-active'));
  if ((header.state & STATE_DEGRADED) !== 0) found.push(finding('setup-degraded'));
  if (header.compat !== 0n)
    found.push(finding('feature-compat', { flags: `0x${header.compat.toString(16)}` }));
  if (header.roCompat !== 0n)
    found.push(finding('feature-ro-compat', { flags: `0x${header.roCompat.toString(16)}` }));
  return found;
}

/** 2022-01-01, before which no setup of this format was made. */
const FIRST_PLAUSIBLE_NS = 1_640_995_200_000_000_000n;
/** A clock may be a day ahead before it counts as wrong. */
const TOLERANCE_NS = 86_400_000_000_000n;
const MOST_TIMES = 8;

/** Times before 2022 or in the future: findings, never a reason to reject a copy (FORMAT.md section 4). */
export function timeFindings({ header, contents }: Winner, now: bigint, level: Level): Finding[] {
  const times: [string, bigint][] = [
    ['written_ns', header.writtenNs],
    ['created_ns', header.createdNs],
  ];
  if (level === 'forensic' && contents !== null) {
    contents.remaps.forEach((entry, i) => times.push([`created_ns of entry ${i}`, entry.createdNs]));
    for (const event of contents.events)
      if (event.serial !== 0) times.push([`time of event ${event.serial}`, event.timeNs]);
  }
  const wrong = times.filter(([, time]) => time < FIRST_PLAUSIBLE_NS || time > now + TOLERANCE_NS);
  return wrong
    .slice(0, MOST_TIMES)
    .map(([field, time]) => finding('time-implausible', { field, time: isoUtc(time) }));
}

/** How the generations that were seen descend from each other, newest first. */
export function lineageFindings(evidence: readonly Evidence[]): Finding[] {
  const generations = new Map<string, Evidence['header']>();
  for (const { header } of evidence)
    generations.set(`${header.sequence} ${header.runId} ${header.overallCrc}`, header);
  const newestFirst = [...generations.values()].sort((a, b) =>
    a.sequence === b.sequence ? 0 : a.sequence > b.sequence ? -1 : 1,
  );
  const run = (header: Evidence['header']): string =>
    `sequence ${header.sequence} (run ${header.runId.toString(16)})`;
  return newestFirst.slice(0, 16).map((header) => {
    if (header.parentCrc === 0)
      return finding('lineage', { what: `${run(header)} has no parent: it is the first` });
    const parent = newestFirst.find(
      (other) => other.overallCrc === header.parentCrc && other.sequence < header.sequence,
    );
    const what = parent === undefined ? 'a generation that was not seen' : run(parent);
    return finding('lineage', { what: `${run(header)} was made from ${what}` });
  });
}

const KIND_REMAPPED = 4;
const KIND_DATA_LOST = 14;
const KIND_DATA_REWRITTEN = 15;

/**
 * Events about main sectors, held against the entry that covers the first of them now; not those after which a later one
 * covers that sector too, for several sectors that were lost one by one may be rewritten at once.
 */
export function eventFindings(contents: Contents): Finding[] {
  const told = contents.events
    .filter(({ serial, device }) => serial !== 0 && device === 0)
    .filter(({ kind }) => [KIND_REMAPPED, KIND_DATA_LOST, KIND_DATA_REWRITTEN].includes(kind))
    .sort((a, b) => a.serial - b.serial);
  return told.flatMap((event, index) => {
    if (told.slice(index + 1).some((later) => covers(later, event.sector))) return [];
    const why = contradiction(event, covering(contents.remaps, event.sector));
    const kind = EVENT_KIND[event.kind] ?? String(event.kind);
    return why === null ? [] : [finding('event-contradicts', { serial: String(event.serial), kind, why })];
  });
}

/** An event of length 0 is about its sector all the same. */
function covers({ sector, length }: EventRecord, at: bigint): boolean {
  return at === sector || (sector < at && at < sector + BigInt(length));
}

function contradiction(event: EventRecord, entry: RemapEntry | undefined): string | null {
  if (entry === undefined) return `no entry covers main sector ${event.sector}`;
  const lost = (entry.flags & ENTRY_DATA_LOST) !== 0;
  if (event.kind === KIND_DATA_LOST && !lost) return `the entry for main sector ${event.sector} is live`;
  if (event.kind === KIND_DATA_REWRITTEN && lost)
    return `the entry for main sector ${event.sector} is still marked lost`;
  return null;
}

function covering(remaps: readonly RemapEntry[], sector: bigint): RemapEntry | undefined {
  return remaps.find(
    (entry) => entry.mainSector <= sector && sector < entry.mainSector + BigInt(entry.length),
  );
}
