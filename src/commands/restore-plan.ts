// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-restore writes: the dump's generation byte for byte, or a new one with its contents, in commit order. All
// has been looked at before (restore-survey.ts); nothing is written here.
import { firstDifference } from '../core/bytes';
import { compareCopies } from '../core/choose';
import { commitFrom } from '../core/commit';
import { slotOffset } from '../core/copies';
import { gapWithin } from '../core/extents';
import { Fault } from '../core/faults';
import type { Generation } from '../core/generation';
import { contentsOf, encodeCopy } from '../core/generation';
import type { PlannedWrite } from '../core/journal';
import { sameGeneration } from '../core/judge';
import { DEVICE_RETIRED } from '../core/layout';
import { copyGroup, plannedWrite } from '../core/newwrites';
import type { Place, Planned } from '../core/order';
import { keeping, worthKeeping } from '../core/order';
import { writesOfCopy } from '../core/plan';
import type { Host } from '../host/host';
import { runIdFor } from './repair';
import type { PresentSlot, RestoreSpare } from './restore-survey';
import { isSeat } from './restore-survey';

/** One copy and what is to be done about it. */
export interface PlannedPlace {
  readonly spare: RestoreSpare;
  readonly slot: PresentSlot;
  /** identical: it is there already. left: the generation does not belong on this spare. */
  readonly action: 'write' | 'identical' | 'left';
  /** As in the undo journal. */
  readonly group: string;
}

export interface RestorePlan {
  /** What every written place will hold. */
  readonly generation: Generation;
  /** Made here, above everything that is there; else it is the dump's, byte for byte. */
  readonly isNew: boolean;
  /** By spare, then copy. */
  readonly places: readonly PlannedPlace[];
  /** In the order of FORMAT.md section 6. */
  readonly writes: readonly PlannedWrite[];
  /** Groups that are not to be touched until another one is written. */
  readonly precious: ReadonlySet<string>;
}

/**
 * The dump's own generation, on the spares that it was put on; copies that are there already are left alone.
 * @throws Fault LAST_COPIES
 */
export function planExact(generation: Generation, spares: readonly RestoreSpare[]): RestorePlan {
  return planOf(generation, null, spares, (spare) => spare.member);
}

/**
 * A new generation with the contents of the dump, one above the highest sequence seen (two, if one may have been used
 * where it could not be seen: FORMAT.md section 6), on all spares that were given and are not retired.
 * @throws Fault SEQUENCE_EXHAUSTED, LAST_COPIES
 */
export function planNew(
  host: Host,
  dumped: Generation,
  spares: readonly RestoreSpare[],
  tool: { readonly name: string; readonly version: string },
): RestorePlan {
  const { devices } = contentsOf(dumped);
  const wanted = spares.filter(({ record }) => (record.flags & DEVICE_RETIRED) === 0);
  const missing = devices
    .slice(1)
    .some(
      (record, index) => (record.flags & DEVICE_RETIRED) === 0 && !wanted.some((one) => one.index === index),
    );
  const present = wanted.map((spare) => ({ index: spare.index, highestShown: highest([spare]) }));
  const facts = {
    highestSeen: max(highest(spares), dumped.header.sequence),
    uncertain: missing || spares.some((spare) => spare.slots.some(({ evidence }) => evidence === null)),
    now: host.now(),
    writer: `dmremap-restore ${tool.version}`,
    present,
    degraded: missing,
  };
  const generation = commitFrom(dumped, { ...facts, runId: runIdFor(host, dumped, facts) });
  if (generation === null) throw new Fault('SEQUENCE_EXHAUSTED');
  return planOf(generation, dumped, spares, (spare) => wanted.includes(spare));
}

/** The highest sequence that the spares show of the setup; 0 if they show none. */
function highest(spares: readonly RestoreSpare[]): bigint {
  return spares
    .flatMap(({ slots }) => slots)
    .reduce((most, { evidence }) => max(most, evidence?.sequence ?? 0n), 0n);
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** `dumped`: what a new generation was made from; null where it is the dump's own. @throws Fault LAST_COPIES */
function planOf(
  generation: Generation,
  dumped: Generation | null,
  spares: readonly RestoreSpare[],
  belongsOn: (spare: RestoreSpare) => boolean,
): RestorePlan {
  const places: PlannedPlace[] = [];
  const lying: Place[] = [];
  const wanted: WantedPlace[] = [];
  for (const [target, spare] of spares.entries()) {
    for (const slot of spare.slots) {
      const group = copyGroup(spare.index, slot.copyIndex);
      const image = imageFor(generation, spare, slot);
      const action = !belongsOn(spare) ? 'left' : isThere(slot, image) ? 'identical' : 'write';
      const place = placeOf(spare, slot);
      places.push({ spare, slot, action, group });
      lying.push(place);
      if (action !== 'write') continue;
      wanted.push({ place, precious: false, writes: writesFor(place, target, group, image) });
    }
  }
  // Where a copy of the restored generation is whole already, nothing has to wait for one.
  const isWhole = places.some(({ action }) => action === 'identical');
  const whole = isWhole ? [] : wholeGenerations(lying);
  const generations = worthKeeping(whole, highest(spares), dumped ?? generation);
  const ordered = keeping(wanted, { generations, pieces: [], expendable: false });
  if (ordered.length > 0 && ordered.every(({ precious }) => precious)) throw new Fault('LAST_COPIES');
  const waiting = ordered.filter(({ precious }) => precious).map(({ place }) => place);
  return {
    generation,
    isNew: dumped !== null,
    places,
    writes: ordered.flatMap(({ writes }) => writes),
    precious: new Set(waiting.map(({ spareIndex, copyIndex }) => copyGroup(spareIndex, copyIndex))),
  };
}

interface WantedPlace extends Planned {
  readonly writes: readonly PlannedWrite[];
}

function placeOf(spare: RestoreSpare, slot: PresentSlot): Place {
  const { index: spareIndex, record } = spare;
  const { copyIndex, region, judgement, evidence } = slot;
  const isSeated = (one: PresentSlot): boolean =>
    one.evidence !== null && isSeat(one.evidence, spareIndex, record);
  return {
    spareIndex,
    copyIndex,
    region,
    whole: evidence === null ? null : judgement.generation,
    // With --force a spare may be given as another one: where no header says that it is this one, all of them count.
    inPlace: evidence?.copyIndex === copyIndex && (isSeated(slot) || !spare.slots.some(isSeated)),
  };
}

/** The distinct generations of which a whole copy lies in its place, best first. */
function wholeGenerations(places: readonly Place[]): Generation[] {
  const found: Generation[] = [];
  for (const { whole, inPlace } of places) {
    if (whole !== null && inPlace && !found.some((one) => sameGeneration(one, whole))) found.push(whole);
  }
  return found.sort((a, b) => compareCopies(a.header, b.header));
}

function imageFor(generation: Generation, spare: RestoreSpare, slot: PresentSlot): Uint8Array {
  const { index: spareIndex, record } = spare;
  return encodeCopy(generation, { spareIndex, spareUuid: record.deviceUuid, copyIndex: slot.copyIndex });
}

/** Byte for byte, all of it read. */
function isThere({ region }: PresentSlot, image: Uint8Array): boolean {
  return (
    gapWithin(region, 0, image.length) === undefined &&
    region.bytes.length >= image.length &&
    firstDifference(region.bytes, image) === -1
  );
}

function writesFor(place: Place, target: number, group: string, image: Uint8Array): PlannedWrite[] {
  const { region, whole, copyIndex } = place;
  // What could not be read is no zero: a block there is written even if it is to be zero.
  const now = whole !== null && region.gaps.length === 0 ? region.bytes : null;
  return writesOfCopy(image, now).map(({ start, bytes }) => ({
    ...plannedWrite(target, group, slotOffset(copyIndex), region, start, bytes),
    finding: 'restore',
  }));
}
