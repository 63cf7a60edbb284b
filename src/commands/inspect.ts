// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-inspect: everything that is in the slots of a setup, valid or not, and what is different between two of them.
// Opens for reading only; prints nothing.
import { textOf } from '../core/bytes';
import type { FoundContents } from '../core/describe';
import { contentsFound, contentsOfGeneration } from '../core/describe';
import type { SlotDifferences } from '../core/differences';
import { compareSlots } from '../core/differences';
import type { Region } from '../core/extents';
import { EXIT, Fault } from '../core/faults';
import type { Finding } from '../core/findings';
import { findingSpec } from '../core/findings';
import type { SlotJudgement } from '../core/judge';
import { judgeSlot } from '../core/judge';
import type { CopyVerdict, SetupDecision } from '../core/model';
import type { Host } from '../host/host';
import type { Examined } from './examine';
import { examineSetup } from './examine';
import type { FoundSetup, Located, ScanResult } from './scan';
import { readSpare, scanInputs } from './scan';

/** A place in a setup: a spare's index and one of its five copies. */
export interface CopyPlaceName {
  readonly spare: number;
  readonly copy: number;
}

/** One slot, whatever is in it. */
export interface InspectedSlot {
  readonly copyIndex: number;
  readonly region: Region;
  readonly judgement: SlotJudgement;
  /** How it stands in its setup; null on an input of which nobody knows which spare it is. */
  readonly verdict: CopyVerdict | null;
}

/** An input (or a partition of one) with slots of the setup, or a spare that was not given. */
export interface InspectedSpare {
  /** Null: unknown. */
  readonly index: number | null;
  readonly uuid: string | null;
  readonly located: Located | null;
  /** By copy index; empty if the spare was not given. */
  readonly slots: readonly InspectedSlot[];
}

export interface InspectedSetup {
  readonly setupUuid: string;
  /** Not escaped. Null if no configuration survives. */
  readonly name: string | null;
  readonly decision: SetupDecision;
  readonly findings: readonly Finding[];
  /** By index; those of unknown index come last. */
  readonly spares: readonly InspectedSpare[];
  /** Of the winner; null without one. */
  readonly contents: FoundContents | null;
}

/** Looks for setups in the inputs. Never throws for an input: what is wrong with one is a finding. */
export function findSetups(
  host: Host,
  inputs: readonly string[],
  step: (done: number) => Promise<void>,
): Promise<ScanResult> {
  return scanInputs(host, inputs, { level: 'complete', offset: null, setup: null }, step);
}

/** Reads and judges one setup. Faults: what opening its inputs says. */
export function inspectSetup(host: Host, found: FoundSetup): InspectedSetup {
  const examined = examineSetup(host, found, 'complete', null);
  const { decision } = examined;
  const winner = decision.winner;
  const config = winner?.contents?.config;
  return {
    setupUuid: found.setupUuid,
    name: config === undefined ? null : textOf(config.name),
    decision,
    findings: examined.findings,
    spares: [...seated(examined), ...unseated(host, examined)],
    contents: winner?.contents ? contentsOfGeneration(winner.header, winner.contents) : null,
  };
}

function seated(examined: Examined): InspectedSpare[] {
  return examined.decision.seats.map((seat) => ({
    index: seat.index,
    uuid: seat.uuid,
    located: examined.locate(seat),
    slots: (seat.spare?.slots ?? []).map((judgement, copyIndex) => ({
      copyIndex,
      region: judgement.region,
      judgement,
      verdict: seat.copies[copyIndex] ?? null,
    })),
  }));
}

/** Inputs that have no seat: their copies contradict each other, or say nothing, or belong to nobody. */
function unseated(host: Host, examined: Examined): InspectedSpare[] {
  const taken = new Set(examined.decision.seats.map((seat) => examined.locate(seat)));
  return examined.found.spares
    .filter((located) => !taken.has(located))
    .map((located) => ({
      index: null,
      uuid: null,
      located,
      slots: readSpare(host, located, 'complete').slots.map((region, copyIndex) => ({
        copyIndex,
        region,
        judgement: judgeSlot(region, 'complete'),
        verdict: null,
      })),
    }));
}

/** What stands in a slot, valid or not. */
export function contentsOfSlot(slot: InspectedSlot): FoundContents {
  return contentsFound(slot.region);
}

/** Compares two slots of a setup. Fault NO_SUCH_COPY if a spare was not given. */
export function differencesIn(setup: InspectedSetup, a: CopyPlaceName, b: CopyPlaceName): SlotDifferences {
  return compareSlots(regionAt(setup, a), regionAt(setup, b));
}

function regionAt(setup: InspectedSetup, place: CopyPlaceName): Region {
  const spare = setup.spares.find((one) => one.index === place.spare);
  const region = spare?.slots[place.copy]?.region;
  if (region === undefined) {
    throw new Fault('NO_SUCH_COPY', { spare: String(place.spare), copy: String(place.copy) });
  }
  return region;
}

/** The exit status bits of looking at inputs. */
export function exitOfScan(scan: ScanResult): number {
  return exitOfFindings(scan.findings) | (scan.operational ? EXIT.operational : EXIT.fine);
}

/** The exit status bits of one setup: errors that are left, slots that could not be read. */
export function exitOfSetup({ findings, decision }: InspectedSetup): number {
  const unread = decision.seats.some((seat) => seat.copies.some((copy) => copy.state === 'unread'));
  return exitOfFindings(findings) | (unread ? EXIT.operational : EXIT.fine);
}

function exitOfFindings(findings: readonly Finding[]): number {
  return findings.some(({ id }) => findingSpec(id).severity === 'error') ? EXIT.errorsLeft : EXIT.fine;
}
