// SPDX-License-Identifier: GPL-2.0-or-later
// Reads and judges one setup that scan.ts found: slots, decision, and its device records against the actual devices.
// For every command that has to know what a setup is; writes nothing.
import { compareFindings, finding } from '../core/findings';
import type { Finding } from '../core/findings';
import type { ActualDevice } from '../core/devices';
import { deviceFindings } from '../core/devices';
import type { Level } from '../core/judge';
import { judgeHeader } from '../core/header';
import { CONTENT_HASH_SECTORS, SECTOR_BYTES_BIG, STATE_ACTIVE } from '../core/layout';
import type { Seat, SetupDecision, SpareRead } from '../core/model';
import { decideSetup } from '../core/setup';
import type { SetupQuestion } from '../core/setup';
import { concatBytes, isZero, SECTOR_BYTES, toHex, ZERO_UUID } from '../core/bytes';
import { readRegion } from '../core/extents';
import type { Region } from '../core/extents';
import { Fault } from '../core/faults';
import type { Host } from '../host/host';
import { giveBack } from '../source/buffers';
import { unplacedFindings } from './advice';
import type { FoundSetup, Located } from './scan';
import { readSpare, readStray } from './scan';

/** A judged setup, and where its spares lie. */
export interface Examined {
  readonly found: FoundSetup;
  readonly decision: SetupDecision;
  /** decision.findings, and those about the actual devices; sorted. */
  readonly findings: readonly Finding[];
  /** Where a seat's spare lies; null if it was not given. */
  locate(seat: Seat): Located | null;
}

/** Reads and judges a setup. `main`: its main device, to be compared too. Faults: what opening its spares says. */
export function examineSetup(host: Host, found: FoundSetup, level: Level, main: MainDevice | null): Examined {
  const { places, strays } = readPlaces(host, found, level);
  const question = { setupUuid: found.setupUuid, spares: [...places.keys()], strays, level, now: host.now() };
  const first = decideSetup(question);
  const lacking = first.verdict === 'partial' || first.verdict === 'lost';
  // What is missing may lie where no header is left to say whose it is. Only looked at when it is needed: a run over
  // thousands of inputs would read the same damaged ones for every setup.
  const more = lacking && found.setupUuid !== ZERO_UUID ? found.nameless : [];
  const readMore = (): SetupQuestion['strays'] => {
    const least = longest([...places.keys()].flatMap((read) => read.slots));
    return more.map((one) => readStray(host, one, level, least));
  };
  const decision =
    more.length === 0 ? first : decideSetup({ ...question, strays: [...strays, ...readMore()] });
  const locate = (seat: Seat): Located | null =>
    seat.spare === null ? null : (places.get(seat.spare.read) ?? null);
  const extra = unplacedFindings({ decision, locate }, ({ read }) => places.get(read) ?? null);
  if (level === 'complete' || level === 'forensic') {
    extra.push(
      ...spareDevices(host, decision, locate),
      ...mainDevice(decision, main),
      ...liveness(host, decision, locate),
    );
  }
  const findings =
    extra.length === 0 ? decision.findings : [...decision.findings, ...extra].sort(compareFindings);
  return { found, decision, findings, locate };
}

/** Gives back the memory of what was read. Neither it nor what was decided from it may be looked at any more. */
export function forget({ decision }: Examined): void {
  for (const { spare } of decision.seats) for (const { bytes } of spare?.read.slots ?? []) giveBack(bytes);
}

interface Places {
  readonly places: ReadonlyMap<SpareRead, Located>;
  readonly strays: SetupQuestion['strays'];
}

/**
 * Reads all slots of a setup. Where they are of different lengths, the shorter ones are read again as far as the longest
 * header reaches: a commit that was cut leaves blocks of the new generation behind the end of the old copy, and these may
 * be the only ones left.
 */
function readPlaces(host: Host, found: FoundSetup, level: Level): Places {
  const read = (least: number): Places => ({
    places: new Map(found.spares.map((located) => [readSpare(host, located, level, least), located])),
    strays: found.strays.map((stray) => readStray(host, stray, level, least)),
  });
  const once = read(0);
  const regions = [
    ...[...once.places.keys()].flatMap(({ slots }) => slots),
    ...once.strays.map((one) => one.region),
  ];
  const lengths = new Set(regions.map(({ bytes }) => bytes.length));
  if (lengths.size <= 1) return once;
  const least = longest(regions);
  return regions.every(({ bytes }) => bytes.length >= least) ? once : read(least);
}

/** The longest slot_bytes of any usable header. */
function longest(regions: readonly Region[]): number {
  return regions.reduce((most, region) => {
    const { usable, header } = judgeHeader(region);
    return usable && header !== null ? Math.max(most, header.slotBytes) : most;
  }, 0);
}

function spareDevices(host: Host, decision: SetupDecision, locate: Examined['locate']): Finding[] {
  const contents = decision.winner?.contents;
  if (!contents) return [];
  return decision.seats.flatMap((seat) => {
    const located = locate(seat);
    const record = contents.devices[1 + seat.index];
    if (located === null || record === undefined) return [];
    const facts = located.whole ? host.facts(located.path) : null;
    return deviceFindings(
      record,
      { path: located.label, sizeBytes: located.length, facts },
      seat.index,
      contents.remaps,
    );
  });
}

/** What a main device is held against its record by. */
export interface MainDevice extends ActualDevice {
  /** Lower hex, of the sectors that content_sha256 is about; null if not all of them could be read. */
  readonly contentHash: string | null;
}

/** Looks at a main device. Faults: what opening it says. */
export function lookAtMain(host: Host, path: string): MainDevice {
  const handle = host.openRead(path);
  try {
    const sectors = CONTENT_HASH_SECTORS.map((sector) =>
      readRegion(handle, sector * SECTOR_BYTES_BIG, SECTOR_BYTES),
    );
    const complete = sectors.every((region) => region.gaps.length === 0);
    const contentHash = complete ? host.sha256(concatBytes(sectors.map((region) => region.bytes))) : null;
    return { path, sizeBytes: handle.sizeBytes, facts: host.facts(path), contentHash };
  } finally {
    handle.close();
  }
}

function mainDevice(decision: SetupDecision, main: MainDevice | null): Finding[] {
  const record = decision.winner?.contents?.devices[0];
  if (main === null || record === undefined) return [];
  const { path, contentHash } = main;
  const found = deviceFindings(record, main, null, []);
  if (contentHash !== null && !isZero(record.contentSha256) && contentHash !== toHex(record.contentSha256)) {
    found.push(finding('main-content', { path }));
  }
  return found;
}

/** ACTIVE is set: is it a crash, or is a target running at this moment? Then what was read may be changing. */
function liveness(host: Host, decision: SetupDecision, locate: Examined['locate']): Finding[] {
  if (((decision.winner?.header.state ?? 0) & STATE_ACTIVE) === 0) return [];
  return decision.seats.flatMap((seat) => {
    const located = locate(seat);
    if (located?.kind !== 'block') return [];
    const uses = usesOf(host, located.path);
    return uses.length === 0
      ? []
      : [finding('spare-in-use', { path: located.path, reason: uses.join('; ') }, { spare: seat.index })];
  });
}

function usesOf(host: Host, path: string): string[] {
  try {
    return host.inUse(path);
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}
