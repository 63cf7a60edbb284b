// SPDX-License-Identifier: GPL-2.0-or-later
// Decides about one setup: puts together identity, choice, salvage, rules and the state of every copy into one
// decision with findings. Reads nothing, writes nothing, plans nothing.
import type { Evidence, NewerGeneration } from './choose';
import { allRefs, candidatesOf, contenders, evidenceOf, newerGeneration, winnerOf } from './choose';
import type { Region } from './extents';
import { eventFindings, lineageFindings, stateFindings, timeFindings } from './aspects';
import { copyVerdict } from './copies';
import type { Finding } from './findings';
import { compareFindings, finding, findingSpec } from './findings';
import { identify, isEvidenceOf } from './identity';
import type { Level, SlotJudgement } from './judge';
import { judgeBeside, judgeSlot } from './judge';
import { SEQUENCE_LIMIT } from './layout';
import type { CopyRef, JudgedSpare, Seat, SetupDecision, SpareRead, Winner } from './model';
import { rulesBroken } from './rules';
import type { SalvageSource } from './salvage';
import { absentCopies, seatFindings, seatsOf, splitFindings, yardstickOf } from './seats';

/** What a decision is made from. */
export interface SetupQuestion {
  readonly setupUuid: string;
  /** The inputs that belong to the setup, in the order given. */
  readonly spares: readonly SpareRead[];
  /** Slots on other setups' spares that hold copies of this setup: evidence and material for salvage, nothing more. */
  readonly strays: readonly { readonly name: string; readonly region: Region }[];
  readonly level: Level;
  /** Nanoseconds; what lies after it is an implausible time. */
  readonly now: bigint;
}

/** Decides about a setup. Never throws on any input. */
export function decideSetup(question: SetupQuestion): SetupDecision {
  const { setupUuid, level } = question;
  const valid: SlotJudgement[] = [];
  const judged = question.spares.map((read) => read.slots.map((region) => judgeBeside(region, level, valid)));
  const identified = identify(question.spares, judged, setupUuid);
  const spares = identified.map(({ spare }) => spare);
  const refs = allRefs(spares);
  const strays = strayRefs(question);
  const evidence = evidenceOf([...refs, ...strays], setupUuid);
  const ordered = contenders(refs, setupUuid);
  const best = ordered[0] === undefined ? null : winnerOf(ordered[0]);
  const newer =
    level === 'basic'
      ? null
      : newerGeneration(evidence, best?.header.sequence ?? 0n, salvageSources(refs, strays));
  const winner = newer === null ? best : newer.winner;
  const unsupported = refusedBy(evidence, winner);

  const findings: Finding[] = [];
  for (const { spare, doubt } of identified) {
    if (doubt.length > 1) {
      const candidates = doubt.map((one) => `spare ${one.index} (${one.uuid})`).join(' or ');
      findings.push(finding('spare-identity', { path: spare.read.label, candidates }));
    }
  }
  const yardstick = yardstickOf(winner, newer, best);
  const { seats, outsiders, duplicates } = seatsOf(setupUuid, spares, yardstick);
  findings.push(...duplicates);
  for (const spare of outsiders) {
    if (spare.identity === null) continue;
    const { index, uuid } = spare.identity;
    findings.push(
      finding('spare-not-member', { path: spare.read.label, spareIndex: String(index), spareUuid: uuid }),
    );
  }
  const split = unsupported !== null ? [] : splitFindings(ordered, winner, seats, yardstick);
  const partial = newer !== null && newer.winner === null;
  if (unsupported !== null) findings.push(unsupported);
  else if (partial) findings.push(...partialFindings(newer, best));
  else if (winner?.salvage) {
    const sources = winner.salvage.sources.join(', ');
    findings.push(finding('setup-salvage', { sequence: String(winner.header.sequence), sources }));
  }
  findings.push(...split);
  if (winner === null && !partial && unsupported === null) {
    findings.push(finding('setup-lost', { why: 'no header is intact' }));
  }
  if (winner !== null && level !== 'basic' && level !== 'integrity') {
    if (winner.generation !== null)
      findings.push(...rulesBroken(winner.generation, winner.contents ?? undefined));
    findings.push(...stateFindings(winner), ...timeFindings(winner, question.now, level));
  }
  if (level === 'forensic') {
    findings.push(...lineageFindings(evidence));
    if (winner?.contents) findings.push(...eventFindings(winner.contents));
  }

  const known = winner ?? best;
  const candidates = candidatesOf(ordered);
  const context = { setupUuid, winner, known, level, candidates };
  const told: Seat[] = seats.map((seat) => ({
    ...seat,
    copies:
      seat.spare === null
        ? absentCopies()
        : seat.spare.slots.map((judgement, copyIndex) => {
            const spare = seat.spare as JudgedSpare;
            return copyVerdict({ spare, copyIndex, judgement }, seat, context);
          }),
  }));
  findings.push(...told.flatMap((seat) => seatFindings(seat, yardstick)));
  findings.push(...told.flatMap((seat) => seat.copies.flatMap((copy) => copy.findings)));
  const highestSeen = evidence.reduce(
    (most, { header }) => (header.sequence > most ? header.sequence : most),
    0n,
  );
  // FORMAT.md section 6, "Number": read only from there on.
  if (highestSeen === SEQUENCE_LIMIT - 1n) findings.push(finding('sequence-exhausted'));
  findings.sort(compareFindings);

  return {
    setupUuid,
    verdict: verdictOf(findings, {
      winner,
      partial,
      split: split.length > 0,
      unsupported: unsupported !== null,
    }),
    winner,
    seats: told,
    findings,
    candidates,
    // With several headers of the newest sequence, to accept the remains of one would be to choose a side unasked.
    partial: partial && newer.why === null ? newer.report : null,
    highestSeen,
    uncertain:
      told.some((seat) => seat.spare === null && seat.standing !== 'retired') ||
      refs.some(({ judgement }) => !isEvidenceOf(judgement.header, setupUuid)),
    refusal: refusalOf(findings, winner, unsupported),
  };
}

/** Copies of this setup that lie on other setups' spares. */
function strayRefs(question: SetupQuestion): CopyRef[] {
  return question.strays.map(({ name, region }) => {
    const judgement = judgeSlot(region, question.level);
    const spare: JudgedSpare = {
      read: { label: name, base: 0n, slots: [region] },
      slots: [judgement],
      identity: null,
    };
    return { spare, copyIndex: 0, judgement };
  });
}

function salvageSources(refs: readonly CopyRef[], strays: readonly CopyRef[]): SalvageSource[] {
  return [
    ...refs.map(({ spare, copyIndex, judgement }) => ({
      name: `${spare.identity === null ? spare.read.label : `spare ${spare.identity.index}`} copy ${copyIndex}`,
      region: judgement.region,
    })),
    ...strays.map(({ spare, judgement }) => ({ name: spare.read.label, region: judgement.region })),
  ];
}

/** A header that refuses the whole setup: unknown major or incompat bit at or above the winner's sequence. */
function refusedBy(evidence: readonly Evidence[], winner: Winner | null): Finding | null {
  for (const { header, judgement } of evidence) {
    if (judgement.unsupported !== null && header.sequence >= (winner?.header.sequence ?? 0n)) {
      return finding('setup-unsupported', { sequence: String(header.sequence), why: judgement.unsupported });
    }
  }
  return null;
}

function partialFindings(newer: NewerGeneration, best: Winner | null): Finding[] {
  const missing = newer.why ?? newer.report?.missing.join('; ') ?? 'nothing of it was found';
  const older =
    best === null
      ? '; no older whole copy is left either'
      : `; sequence ${best.header.sequence} is whole (spare ${best.header.spareIndex} copy ${best.header.copyIndex})`;
  const recovered =
    newer.report?.sections.some((section) => section.bytes !== null && section.entry.length > 0) ?? false;
  if (best === null && !recovered) return [finding('setup-lost', { why: missing })];
  return [finding('setup-partial', { sequence: String(newer.sequence), missing, older })];
}

/** Beside broken rules, what no repair can put right. */
const INCONSISTENT = new Set<string>(['spare-duplicate', 'spare-identity', 'sequence-exhausted']);

/** Findings that no permission makes writable. */
const REFUSING = new Set<string>([...INCONSISTENT, 'setup-unsupported', 'feature-ro-compat']);

function refusalOf(
  findings: readonly Finding[],
  winner: Winner | null,
  unsupported: Finding | null,
): string | null {
  if (unsupported !== null) return 'a newer version of dm-remap wrote it';
  if (winner !== null && winner.header.roCompat !== 0n) return 'it has features that only allow reading';
  const broken = findings.find(
    (one) => REFUSING.has(one.id) || (one.id.startsWith('rule-') && findingSpec(one.id).severity === 'error'),
  );
  return broken === undefined ? null : `of the finding ${broken.id}`;
}

function verdictOf(
  findings: readonly Finding[],
  facts: { winner: Winner | null; partial: boolean; split: boolean; unsupported: boolean },
): SetupDecision['verdict'] {
  const has = (test: (one: Finding) => boolean): boolean => findings.some(test);
  if (facts.unsupported) return 'inconsistent';
  if (has((one) => one.id === 'setup-lost')) return 'lost';
  if (facts.split) return 'split';
  if (facts.partial) return 'partial';
  if (has((one) => one.id.startsWith('rule-') || INCONSISTENT.has(one.id))) return 'inconsistent';
  if (facts.winner?.salvage) return 'salvageable';
  return has((one) => findingSpec(one.id).severity === 'error') ? 'repairable' : 'clean';
}
