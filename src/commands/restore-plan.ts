// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-restore writes: the dump's generation byte for byte, or a new one with its contents, in commit order. All
// has been looked at before (restore-survey.ts); nothing is written here.
import { firstDifference } from '../core/bytes';
import { commitFrom } from '../core/commit';
import { slotOffset } from '../core/copies';
import { gapWithin } from '../core/extents';
import { Fault } from '../core/faults';
import type { Generation } from '../core/generation';
import { contentsOf, encodeCopy } from '../core/generation';
import type { PlannedWrite } from '../core/journal';
import { DEVICE_RETIRED } from '../core/layout';
import { COMMIT_ORDER, copyGroup, plannedWrite } from '../core/newwrites';
import { writesOfCopy } from '../core/plan';
import type { Host } from '../host/host';
import { runIdFor } from './repair';
import type { PresentSlot, RestoreSpare } from './restore-survey';

/** One copy and what is to be done about it. */
export interface PlannedPlace {
  readonly spare: RestoreSpare;
  readonly slot: PresentSlot;
  /** identical: it is there already. left: the generation does not belong on this spare. */
  readonly action: 'write' | 'identical' | 'left';
  /** As in the undo journal. */
  readonly group: string;
  /** A whole copy of the highest sequence there is: not to be touched while no new one is whole elsewhere. */
  readonly precious: boolean;
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
}

/** The dump's own generation, on the spares that it was put on; copies that are there already are left alone. */
export function planExact(generation: Generation, spares: readonly RestoreSpare[]): RestorePlan {
  return planOf(generation, false, spares, (spare) => spare.member);
}

/**
 * A new generation with the contents of the dump, one above the highest sequence seen (two, if one may have been used
 * where it could not be seen: FORMAT.md section 6), on all spares that were given and are not retired.
 * @throws Fault SEQUENCE_EXHAUSTED
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
  return planOf(generation, true, spares, (spare) => wanted.includes(spare));
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

function planOf(
  generation: Generation,
  isNew: boolean,
  spares: readonly RestoreSpare[],
  belongsOn: (spare: RestoreSpare) => boolean,
): RestorePlan {
  const newest = highest(spares);
  const places: PlannedPlace[] = [];
  const writes = new Map<PlannedPlace, PlannedWrite[]>();
  for (const [target, spare] of spares.entries()) {
    for (const slot of spare.slots) {
      const group = copyGroup(spare.index, slot.copyIndex);
      const image = imageFor(generation, spare, slot);
      const action = !belongsOn(spare) ? 'left' : isThere(slot, image) ? 'identical' : 'write';
      const precious = isWhole(slot) && slot.evidence?.sequence === newest;
      const place: PlannedPlace = { spare, slot, action, group, precious };
      places.push(place);
      if (action === 'write') writes.set(place, writesFor(place, target, image));
    }
  }
  const ordered = places.filter(({ action }) => action === 'write').sort(byCommitOrder);
  return { generation, isNew, places, writes: ordered.flatMap((place) => writes.get(place) ?? []) };
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

/** A whole copy of some generation of the setup. */
function isWhole({ judgement, evidence }: PresentSlot): boolean {
  return judgement.valid && evidence !== null;
}

function writesFor({ slot, group }: PlannedPlace, target: number, image: Uint8Array): PlannedWrite[] {
  const offset = slotOffset(slot.copyIndex);
  return writesOfCopy(image, isWhole(slot) ? slot.region.bytes : null).map(({ start, bytes }) => ({
    ...plannedWrite(target, group, offset, slot.region, start, bytes),
    finding: 'restore',
  }));
}

/** Places without a whole copy first, and among equals slots 1, 2, 3, 4 and last 0, the spares taking turns. */
function byCommitOrder(a: PlannedPlace, b: PlannedPlace): number {
  const rank = ({ slot }: PlannedPlace): number => COMMIT_ORDER.findIndex((copy) => copy === slot.copyIndex);
  return (
    Number(isWhole(a.slot)) - Number(isWhole(b.slot)) || rank(a) - rank(b) || a.spare.index - b.spare.index
  );
}
