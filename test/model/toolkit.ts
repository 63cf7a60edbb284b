// SPDX-License-Identifier: GPL-2.0-or-later
// The toolkit at work on the model: src/core decides, plans and prepares on real bytes; its writes are then carried out
// on the symbols, in the order and with the exceptions of commands/writing.ts, and the power may go before any step.
import type { Examined } from '../../src/commands/examine';
import { prepareRepair } from '../../src/commands/repair';
import type { PreparedRepair } from '../../src/commands/repair';
import type { Located } from '../../src/commands/scan';
import { equalBytes } from '../../src/core/bytes';
import { slotOffset } from '../../src/core/copies';
import type { Generation } from '../../src/core/generation';
import { encodeCopy } from '../../src/core/generation';
import { BLOCK_BYTES } from '../../src/core/layout';
import type { SetupDecision, SpareRead } from '../../src/core/model';
import { planRepair } from '../../src/core/plan';
import type { Permissions, RepairPlan } from '../../src/core/plan';
import { decideSetup } from '../../src/core/setup';
import { MemoryHost } from '../support/memory-host';
import { Gen, NOW_NS, recordsIn, SETUP_UUID, spareUuid } from './generations';
import { decide } from './reference';
import type { Slot, World } from './world';
import { COPIES, keyOf, overlook, readOf, regionOf, shownOn, slotAt, writePart } from './world';

const SPARE_BYTES = 8 * 1024 * 1024;

const decisions = new Map<string, SetupDecision>();
const MOST_DECISIONS = 500;

/** The toolkit's decision about the spares given. */
export function examine(world: World, given: readonly number[]): SetupDecision {
  const key = `${world.slots.length} ${given.join(',')} ${keyOf(world, given)}`;
  let decision = decisions.get(key);
  if (decision === undefined) {
    if (decisions.size >= MOST_DECISIONS) decisions.clear();
    const spares = given.map((spare) => readOf(world, spare));
    decision = decideSetup({ setupUuid: SETUP_UUID, spares, strays: [], level: 'complete', now: NOW_NS });
    decisions.set(key, decision);
  }
  return decision;
}

/** What a decision comes to, by what tells generations apart in any world. */
export interface Summary {
  readonly verdict: string;
  readonly highest: bigint;
  readonly uncertain: boolean;
  readonly winner: { readonly run: bigint; readonly sequence: bigint } | null;
  readonly standings: readonly (readonly [spare: number, standing: string])[];
}

const summaries = new Map<string, Summary>();

/** As examine(), in short, and so kept for every state that ever was. */
export function summarise(world: World, given: readonly number[]): Summary {
  const key = `${world.slots.length} ${given.join(',')} ${keyOf(world, given)}`;
  const known = summaries.get(key);
  if (known !== undefined) return known;
  const { verdict, highestSeen, uncertain, winner, seats } = examine(world, given);
  const header = winner?.header;
  const summary: Summary = {
    ...{ verdict, highest: highestSeen, uncertain },
    winner: header === undefined ? null : { run: header.runId, sequence: header.sequence },
    standings: seats.map(({ index, standing }) => [index, standing]),
  };
  summaries.set(key, summary);
  return summary;
}

/** How many states the toolkit has decided about. */
export const decided = (): number => summaries.size;

export const PREEN: Permissions = { grant: 'preen', choose: null, acceptPartial: false, force: false };
export const YES: Permissions = { ...PREEN, grant: 'yes' };

/** The model's generation that a decision's winner is, or null. */
export function winnerOf(world: World, decision: SetupDecision): Gen | null {
  const header = decision.winner?.header;
  if (header === undefined) return null;
  const gen = world.gens.find((one) => one.run === header.runId && one.sequence === header.sequence);
  if (gen === undefined) throw new Error(`sequence ${header.sequence} of run ${header.runId} never was`);
  return gen;
}

/** A repair with its writes, ready to be carried out any number of times on worlds that look the same. */
export interface PlannedRepair {
  readonly given: readonly number[];
  readonly before: SetupDecision;
  readonly plan: RepairPlan;
  /** Null if nothing is to be written. */
  readonly prepared: PreparedRepair | null;
  /** The generation that is put back or made. */
  readonly gen: Gen | null;
}

/** What dmremap-fsck would do to the spares given. */
export function planOf(world: World, given: readonly number[], permissions: Permissions): PlannedRepair {
  const before = examine(world, given);
  const plan = planRepair(before, permissions);
  const prepared = plan.kind === 'none' ? null : prepare(world, given, before, plan);
  if (prepared === null) return { given, before, plan, prepared, gen: null };
  const gen =
    plan.kind === 'restore' ? winnerOf(world, before) : adopt(world, given, plan, prepared.generation);
  if (gen === null) throw new Error('a repair without a generation');
  for (const place of groupsOf(prepared))
    requireBytes(prepared, gen, place, slotAt(world, place.spare, place.copy));
  return { given, before, plan, prepared, gen };
}

export interface Outcome {
  readonly cut: boolean;
  /** Groups that an error of the device ended. */
  readonly failed: number;
  /** Groups that were not begun, lest the last whole copy be lost. */
  readonly held: number;
  /** Steps that were done. */
  readonly steps: number;
}

export interface Cut {
  /** Steps that still happen before the power goes. */
  readonly after: number;
  /** The header block that is cut is neither the old nor the new one. */
  readonly tears: boolean;
}

const NOTHING_DONE: Outcome = { cut: false, failed: 0, held: 0, steps: 0 };

/** Carries a repair out, on the world it was planned for or one that looks the same. */
export function carryOut(world: World, planned: PlannedRepair, cut: Cut | null = null): Outcome {
  const { prepared, gen, plan, given } = planned;
  if (prepared === null || gen === null) return NOTHING_DONE;
  if (plan.kind === 'commit') {
    world.gens.push(gen);
    overlook(world, given);
  }
  return write(world, prepared, gen, cut);
}

/** dmremap-fsck with these permissions. */
export function repair(
  world: World,
  given: readonly number[],
  permissions: Permissions,
  cut: Cut | null = null,
): PlannedRepair & Outcome {
  const planned = planOf(world, given, permissions);
  return { ...planned, ...carryOut(world, planned, cut) };
}

function prepare(
  world: World,
  given: readonly number[],
  decision: SetupDecision,
  plan: RepairPlan,
): PreparedRepair | null {
  const host = new MemoryHost({ nowNs: NOW_NS, seed: Number(++world.run) });
  for (const spare of given) {
    const path = `/s${spare}`;
    host.addBlock(path, SPARE_BYTES);
    for (const copy of COPIES) {
      const { bytes, gaps } = regionOf(slotAt(world, spare, copy), spare, copy);
      const start = slotOffset(copy);
      host.poke(path, Number(start), bytes);
      if (gaps.length > 0) host.failReads(path, start, start + BigInt(bytes.length));
    }
  }
  const located = ({ label }: SpareRead): Located => {
    const whole = { base: 0n, length: BigInt(SPARE_BYTES), whole: true, logicalBlockSize: 512 };
    return { path: label, kind: 'block', label, ...whole };
  };
  const examined: Examined = {
    found: { setupUuid: SETUP_UUID, spares: [], strays: [], nameless: [] },
    decision,
    findings: decision.findings,
    locate: (seat) => (seat.spare === null ? null : located(seat.spare.read)),
  };
  return prepareRepair(host, examined, plan, 'model-fsck');
}

/** Takes up the new generation that the toolkit made. */
function adopt(world: World, given: readonly number[], plan: RepairPlan, bytes: Generation): Gen {
  const base = plan.base?.header;
  const parent = world.gens.find((one) => one.run === base?.runId && one.sequence === base.sequence);
  if (parent === undefined) throw new Error('a commit from a generation that never was');
  const { runId: run, sequence } = bytes.header;
  if (world.gens.some((one) => one.run === run)) throw new Error(`run ${run} is used twice`);
  requireCommit(world, given, plan, parent, bytes);
  const { value, minCopies } = parent;
  const seen = shownOn(world, given);
  return new Gen({ run, sequence, parent, records: recordsIn(bytes), value, minCopies, seen }, bytes);
}

/** Number, lineage and records of a commit, as FORMAT.md section 6 has them. */
function requireCommit(
  world: World,
  given: readonly number[],
  plan: RepairPlan,
  parent: Gen,
  { header, sections }: Generation,
): void {
  const { highest, uncertain } = decide(world, given);
  const written = new Set(plan.copies.map((copy) => copy.seat.index));
  const records = parent.records.map((record, spare) => {
    if (!written.has(spare)) return record;
    const shown = shownOn(world, [spare]).map((gen) => gen.sequence);
    return { last: header.sequence, base: shown.reduce((a, b) => (a > b ? a : b), 0n), run: header.runId };
  });
  expect({
    sequence: header.sequence,
    isLater: header.writtenNs > parent.writtenNs,
    isOfParent: header.parentCrc === parent.bytes.header.overallCrc,
    records: recordsIn({ header, headerBytes: new Uint8Array(0), sections }).map(({ last, base, run }) => ({
      last,
      base,
      run,
    })),
  }).toEqual({
    sequence: highest + (uncertain ? 2n : 1n),
    isLater: true,
    isOfParent: true,
    records: records.map(({ last, base, run }) => ({ last, base, run })),
  });
}

class PowerLost extends Error {}

function write(world: World, prepared: PreparedRepair, gen: Gen, cut: Cut | null): Outcome {
  const done: string[] = [];
  const outcome = { ...NOTHING_DONE };
  const step = (slot: Slot, apply: () => void): boolean => {
    if (cut !== null && outcome.steps >= cut.after) throw new PowerLost();
    outcome.steps++;
    return writePart(slot, apply);
  };
  try {
    for (const { group, spare, copy } of groupsOf(prepared)) {
      if (prepared.precious.has(group) && done.length === 0) {
        outcome.held++;
        continue;
      }
      const slot = slotAt(world, spare, copy);
      const body = step(slot, () => (slot.devices = gen)) && step(slot, () => (slot.remaps = gen.remapsOf));
      if (body && cut?.tears === true && outcome.steps === cut.after) slot.header = null;
      if (body && step(slot, () => Object.assign(slot, { header: gen, place: { spare, copy } })))
        done.push(group);
      else outcome.failed++;
    }
  } catch (error) {
    if (!(error instanceof PowerLost)) throw error;
    outcome.cut = true;
  }
  return outcome;
}

interface Group {
  readonly group: string;
  readonly spare: number;
  readonly copy: number;
}

function groupsOf({ writes }: PreparedRepair): Group[] {
  return [...new Set(writes.map((write) => write.group))].map((group) => {
    const match = /^spare(\d)\/copy(\d)$/.exec(group);
    if (match === null) throw new Error(`what is ${group}?`);
    return { group, spare: Number(match[1]), copy: Number(match[2]) };
  });
}

/** The writes of a copy must make it whole, with the header block last. */
function requireBytes({ paths, writes }: PreparedRepair, gen: Gen, place: Group, slot: Slot): void {
  const { group, spare, copy } = place;
  const wanted = encodeCopy(gen.bytes, { spareIndex: spare, spareUuid: spareUuid(spare), copyIndex: copy });
  const result = regionOf(slot, spare, copy).bytes.slice();
  const own = writes.filter((write) => write.group === group);
  own.forEach((write, i) => {
    const start = Number(write.offset - slotOffset(copy));
    const isHeader = start === 0 && write.after.length === BLOCK_BYTES;
    const isOwn = paths[write.target] === `/s${spare}` && start >= 0;
    if (!isOwn || isHeader !== (i === own.length - 1)) throw new Error(`a wrong write for ${group}`);
    result.set(write.after, start);
  });
  if (!equalBytes(result, wanted)) throw new Error(`the writes for ${group} do not make it whole`);
}
