// SPDX-License-Identifier: GPL-2.0-or-later
// Decides about one setup: puts together identity, choice, salvage, rules and the state of every copy into one
// decision with findings. Reads nothing, writes nothing, plans nothing.
import type { Evidence, NewerGeneration } from './choose';
import { allRefs, candidatesOf, contenders, evidenceOf, newerGeneration, winnerOf } from './choose';
import type { Region } from './extents';
import { eventFindings, lineageFindings, stateFindings, timeFindings } from './aspects';
import { copyVerdict } from './copies';
import type { Finding } from './findings';
import { compareFindings, finding } from './findings';
import type { Identified } from './identity';
import { identify, isEvidenceOf } from './identity';
import type { Level, SlotJudgement } from './judge';
import { judgeBeside, judgeSlot } from './judge';
import { SEQUENCE_LIMIT } from './layout';
import type { CopyRef, JudgedSpare, Seat, SetupDecision, SpareRead, Winner } from './model';
import { rulesBroken } from './rules';
import type { SalvageSource } from './salvage';
import { absentCopies, seatFindings, seatsOf, splitFindings, yardstickOf } from './seats';
import { unplacedInput } from './unplaced';
import { refusalOf, verdictOf } from './verdict';

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

  const yardstick = yardstickOf(winner, newer, best);
  const { seats, outsiders, duplicates } = seatsOf(setupUuid, spares, yardstick);
  const seated = new Set(seats.map((seat) => seat.spare?.read));
  const unplaced = identified
    .filter(({ spare, doubt }) => spare.identity === null && doubt.length === 0 && !seated.has(spare.read))
    .map(({ spare }) => unplacedInput(setupUuid, spare, seats));
  const findings = [...doubtFindings(identified), ...duplicates, ...outsiderFindings(outsiders)];
  const split = unsupported !== null ? [] : splitFindings(ordered, winner, seats, yardstick);
  const partial = newer !== null && newer.winner === null;
  if (unsupported !== null) findings.push(unsupported);
  else if (partial) findings.push(...partialFindings(newer, best));
  else if (winner === null) findings.push(finding('setup-lost', { why: 'no header is intact' }));
  else if (winner.salvage !== null) {
    const sources = winner.salvage.sources.join(', ');
    findings.push(finding('setup-salvage', { sequence: String(winner.header.sequence), sources }));
  }
  findings.push(...split);
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
  const whole = candidatesOf(ordered);
  const candidates = newer?.recovered ? [newer.recovered, ...whole] : whole;
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
  findings.push(...told.flatMap((seat) => seatFindings(seat, yardstick, unplaced)));
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
    unplaced,
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

/** Inputs whose copies say as often that they are one spare as that they are another. */
function doubtFindings(identified: readonly Identified[]): Finding[] {
  return identified
    .filter(({ doubt }) => doubt.length > 1)
    .map(({ spare, doubt }) => {
      const candidates = doubt.map((one) => `spare ${one.index} (${one.uuid})`).join(' or ');
      return finding('spare-identity', { path: spare.read.label, candidates });
    });
}

/** Inputs that know which spare they are, of which the setup does not know (any more). */
function outsiderFindings(outsiders: readonly JudgedSpare[]): Finding[] {
  return outsiders.flatMap(({ read, identity }) => {
    if (identity === null) return [];
    const fields = { path: read.label, spareIndex: String(identity.index), spareUuid: identity.uuid };
    return [finding('spare-not-member', fields)];
  });
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
    ...refs.map((ref) => ({ name: placeName(ref), region: ref.judgement.region })),
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

/** The newest generation was not recovered in full: what is missing, and what there is instead. */
function partialFindings(newer: NewerGeneration, best: Winner | null): Finding[] {
  const missing = newer.why ?? newer.report?.missing.join('; ') ?? 'nothing of it was found';
  const header = newer.recovered?.places.find(({ spare }) => spare.identity !== null);
  const between =
    newer.recovered === null
      ? ''
      : `; sequence ${newer.recovered.generation.header.sequence} was recovered in full${header === undefined ? '' : ` (its header: ${placeName(header)})`}`;
  const older =
    best === null
      ? '; no older whole copy is left either'
      : `; sequence ${best.header.sequence} is whole (${placeName(best.from)})`;
  const recovered =
    newer.report?.sections.some((section) => section.bytes !== null && section.entry.length > 0) ?? false;
  if (best === null && !recovered && between === '') return [finding('setup-lost', { why: missing })];
  return [
    finding('setup-partial', { sequence: String(newer.sequence), missing, older: `${between}${older}` }),
  ];
}

function placeName({ spare, copyIndex }: CopyRef): string {
  return `${spare.identity === null ? spare.read.label : `spare ${spare.identity.index}`} copy ${copyIndex}`;
}
