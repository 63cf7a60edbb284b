// SPDX-License-Identifier: GPL-2.0-or-later
// Runs mutated spares through the core as a repair would (judge, decide, plan, make the generation, encode it) and holds
// the results to what must be true of any input. The spares are made in fuzz-images.ts.
import { commitFrom } from '../../src/core/commit';
import { dumpDocument, parseDump } from '../../src/core/dumpform';
import { encodeUtf8 } from '../../src/core/bytes';
import { compareSlots } from '../../src/core/differences';
import { findingMessage } from '../../src/core/findings';
import type { Generation } from '../../src/core/generation';
import { encodeCopy } from '../../src/core/generation';
import { judgeSlot, sameGeneration } from '../../src/core/judge';
import type { SetupDecision } from '../../src/core/model';
import type { Permissions, RepairPlan } from '../../src/core/plan';
import { planRepair, writesOfCopy } from '../../src/core/plan';
import { jsonText } from '../../src/render/json';
import { decide, highestEvidence, isAccepted, NOW_NS, YES } from './bench';
import type { FuzzImage } from './fuzz-images';
import { fuzzImage } from './fuzz-images';
import type { History } from './histories';

/** What a run came to, as JSON. */
export interface FuzzReport {
  readonly images: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly plans: Readonly<Record<string, number>>;
  readonly findings: readonly string[];
  readonly slowestMs: number;
  readonly slowestSeed: number;
  /** Seed, what was done to the spares, and where it went wrong. */
  readonly failures: readonly string[];
  readonly rssBytes: number;
}

/** What a run has come to so far. */
export interface FuzzTotals {
  images: number;
  readonly verdicts: Map<string, number>;
  /** Plans with writes, by kind. */
  readonly plans: Map<string, number>;
  /** Distinct ids of findings. */
  readonly findings: Set<string>;
  slowestMs: number;
  slowestSeed: number;
  readonly failures: string[];
}

export function emptyTotals(): FuzzTotals {
  return {
    images: 0,
    verdicts: new Map(),
    plans: new Map(),
    findings: new Set(),
    slowestMs: 0,
    slowestSeed: 0,
    failures: [],
  };
}

/** A plan that wants more than anybody could do is as bad as an exception. */
const MOST_FINDINGS = 2500;
const MOST_FAILURES = 5;

/** Runs `count` images with seeds from `first` on; stops at the fifth failure. */
export function fuzz(histories: readonly History[], first: number, count: number, totals: FuzzTotals): void {
  for (let seed = first; seed < first + count && totals.failures.length < MOST_FAILURES; seed++) {
    const image = fuzzImage(histories, seed);
    const begin = performance.now();
    totals.images++;
    try {
      holdImage(image, seed, totals);
    } catch (error) {
      recordFailure(totals, seed, image, error);
    }
    const took = performance.now() - begin;
    if (took > totals.slowestMs) {
      totals.slowestMs = took;
      totals.slowestSeed = seed;
    }
  }
}

/** What went wrong, with all that it takes to see it again. */
export function recordFailure(totals: FuzzTotals, seed: number, image: FuzzImage, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  totals.failures.push(`seed ${seed}: ${image.story.join('; ')}\n${text}`);
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function must(ok: boolean, what: string): void {
  if (!ok) throw new Error(what);
}

function holdImage(image: FuzzImage, seed: number, totals: FuzzTotals): void {
  const level = seed % 10 === 0 ? 'forensic' : 'complete';
  const decision = decide(image.setupUuid, image.spares, level);
  count(totals.verdicts, decision.verdict);
  must(decision.findings.length <= MOST_FINDINGS, `${decision.findings.length} findings`);
  for (const finding of decision.findings) {
    totals.findings.add(finding.id);
    must(findingMessage(finding).length < 20_000, `the message of ${finding.id} is too long`);
  }
  holdDecision(image, decision);
  for (const permissions of permissionsFor(decision, seed)) holdPlan(decision, permissions, totals);
  if (seed % 128 === 0) holdRest(image, decision);
}

/** Nothing older than what is shown is accepted, and what is accepted is whole and valid. */
function holdDecision({ setupUuid, spares }: FuzzImage, decision: SetupDecision): void {
  const shown = highestEvidence(setupUuid, spares);
  must(decision.highestSeen === shown, `highestSeen ${decision.highestSeen}, but ${shown} is shown`);
  const generation = decision.winner?.generation ?? null;
  if (generation !== null) holdGeneration(generation, setupUuid);
  if (!isAccepted(decision)) return;
  must(generation !== null, `${decision.verdict} without a generation`);
  must(generation?.header.sequence === shown, `${decision.verdict} with an older generation`);
  // A broken rule is never called clean or repairable.
  const rule = decision.findings.find(({ id }) => id.startsWith('rule-'));
  must(rule === undefined, `${decision.verdict} with ${rule?.id ?? ''}`);
}

function holdGeneration(generation: Generation, setupUuid: string): void {
  const { spareIndex, spareUuid, copyIndex } = generation.header;
  const copy = encodeCopy(generation, { spareIndex, spareUuid, copyIndex });
  const judged = judgeSlot({ bytes: copy, gaps: [] }, 'integrity');
  must(judged.valid, 'the generation does not make a valid copy');
  must(judged.header.header?.setupUuid === setupUuid, 'the generation is of another setup');
}

function permissionsFor(decision: SetupDecision, seed: number): Permissions[] {
  const all: Permissions[] = [YES];
  if (seed % 3 === 0) all.push({ grant: 'preen', choose: null, acceptPartial: false, force: false });
  if (decision.verdict === 'partial') all.push({ ...YES, acceptPartial: true, force: true });
  if (decision.verdict === 'partial' || decision.verdict === 'split') {
    all.push({ ...YES, choose: { spare: seed % 3, copy: seed % 5 }, force: true });
  }
  return all;
}

function holdPlan(decision: SetupDecision, permissions: Permissions, totals: FuzzTotals): void {
  const plan = planRepair(decision, permissions);
  if (plan.kind === 'none') {
    must(plan.copies.length === 0, 'a plan of kind none has copies');
    return;
  }
  count(totals.plans, plan.kind);
  const decided = permissions.choose !== null || permissions.acceptPartial;
  must(isAccepted(decision) || decided, `a plan for the verdict ${decision.verdict}`);
  const generation = plan.kind === 'commit' ? committed(decision, plan) : plan.base;
  if (generation === null) return;
  holdGeneration(generation, decision.setupUuid);
  if (plan.kind === 'commit') {
    must(generation.header.sequence > decision.highestSeen, 'a sequence is used twice');
  }
  for (const { seat, copy } of plan.copies) {
    const place = { spareIndex: seat.index, spareUuid: seat.uuid, copyIndex: copy.copyIndex };
    const image = encodeCopy(generation, place);
    const now = seat.spare?.slots[copy.copyIndex]?.region.bytes ?? null;
    const writes = writesOfCopy(image, copy.state === 'valid' ? now : null);
    must(writes.at(-1)?.start === 0, 'the header is not written last');
    must(
      writes.every(({ start, bytes }) => start + bytes.length <= image.length && bytes.length > 0),
      'a write outside of the copy',
    );
  }
}

/** The generation that the commit makes, as src/commands/repair.ts has it made. */
function committed(decision: SetupDecision, plan: RepairPlan): Generation | null {
  if (plan.base === null) return null;
  const seats = [...new Set(plan.copies.map(({ seat }) => seat))];
  return commitFrom(plan.base, {
    highestSeen: decision.highestSeen,
    uncertain: decision.uncertain,
    now: NOW_NS,
    runId: 0x1234567890n,
    writer: 'dmremap-fsck 1.0.0',
    present: seats.map(({ index, highestShown }) => ({ index, highestShown })),
    degraded: false,
  });
}

/** What other commands do with the same bytes: compare two slots, dump the winner and read the dump back. */
function holdRest({ spares }: FuzzImage, decision: SetupDecision): void {
  const [first] = spares;
  const [a, b] = [first?.slots[0], first?.slots[1]];
  if (a !== undefined && b !== undefined) compareSlots({ bytes: a, gaps: [] }, { bytes: b, gaps: [] });
  const generation = decision.winner?.generation ?? null;
  if (generation === null) return;
  const read = parseDump(encodeUtf8(jsonText(dumpDocument(generation))));
  must(read.ok, 'the dump of a valid generation is not read back');
  if (read.ok) {
    const { spareIndex, spareUuid, copyIndex } = generation.header;
    const place = { spareIndex, spareUuid, copyIndex };
    const again = judgeSlot({ bytes: encodeCopy(read.generation, place), gaps: [] }, 'integrity').generation;
    const was = judgeSlot({ bytes: encodeCopy(generation, place), gaps: [] }, 'integrity').generation;
    must(again !== null && was !== null && sameGeneration(again, was), 'the dump is of another generation');
  }
}
