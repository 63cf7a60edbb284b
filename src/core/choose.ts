// SPDX-License-Identifier: GPL-2.0-or-later
// Who wins (FORMAT.md section 5): the choice among valid copies, the search for newer generations that left only a
// header, consistency, divergence and splits. States of single copies and findings in words are in setup.ts.
import { isEvidenceOf } from './identity';
import { contentsOf } from './generation';
import type { HeaderJudgement } from './header';
import { sameGenerationHeader } from './header';
import { sameGeneration } from './judge';
import type { DeviceRecord, Header } from './layout';
import type { Candidate, CopyRef, JudgedSpare, Winner } from './model';
import type { SalvageReport, SalvageSource } from './salvage';
import { salvage } from './salvage';

/** A header that is evidence of a generation of the setup, wherever it lies. */
export interface Evidence {
  readonly ref: CopyRef;
  readonly header: Header;
  readonly judgement: HeaderJudgement & { header: Header };
}

/** True if a copy lies in its own place: its per-copy fields are those of the slot and the spare. */
export function isInPlace(ref: CopyRef): boolean {
  const { header } = ref.judgement.header;
  const { identity } = ref.spare;
  return (
    header !== null &&
    identity !== null &&
    header.copyIndex === ref.copyIndex &&
    header.spareIndex === identity.index &&
    header.spareUuid === identity.uuid
  );
}

/** Highest sequence, then highest written_ns, then lowest spare_index, then lowest copy_index. */
export function compareCopies(a: Header, b: Header): number {
  if (a.sequence !== b.sequence) return a.sequence > b.sequence ? -1 : 1;
  if (a.writtenNs !== b.writtenNs) return a.writtenNs > b.writtenNs ? -1 : 1;
  return a.spareIndex - b.spareIndex || a.copyIndex - b.copyIndex;
}

/** True if both copies are of one generation, as far as the level looked. */
export function isSameGeneration(a: CopyRef, b: CopyRef): boolean {
  const x = a.judgement;
  const y = b.judgement;
  if (x.generation !== null && y.generation !== null) return sameGeneration(x.generation, y.generation);
  return sameGenerationHeader(x.header.bytes, y.header.bytes);
}

/** All slots of the spares. */
export function allRefs(spares: readonly JudgedSpare[]): CopyRef[] {
  return spares.flatMap((spare) =>
    spare.slots.map((judgement, copyIndex) => ({ spare, copyIndex, judgement })),
  );
}

/** Every header with a right header_crc of this setup, misplaced ones too. */
export function evidenceOf(refs: readonly CopyRef[], setupUuid: string): Evidence[] {
  return refs.flatMap((ref) => {
    const judgement = ref.judgement.header;
    return isEvidenceOf(judgement, setupUuid) ? [{ ref, header: judgement.header, judgement }] : [];
  });
}

/** Valid copies of the setup in their own places, best first. */
export function contenders(refs: readonly CopyRef[], setupUuid: string): (CopyRef & { header: Header })[] {
  return refs
    .flatMap((ref) =>
      ref.judgement.valid && isEvidenceOf(ref.judgement.header, setupUuid) && isInPlace(ref)
        ? [{ ...ref, header: ref.judgement.header.header }]
        : [],
    )
    .sort((a, b) => compareCopies(a.header, b.header));
}

export function winnerOf(ref: CopyRef & { header: Header }): Winner {
  const { generation } = ref.judgement;
  return {
    header: ref.header,
    generation,
    contents: generation === null ? null : contentsOf(generation),
    from: ref,
    salvage: null,
  };
}

/** What became of a newer generation of which no whole copy is left. */
export interface NewerGeneration {
  /** Set if it was recovered in full. */
  readonly winner: Winner | null;
  /** The best report, full or partial; null if no header of it is of a format that can be read. */
  readonly report: SalvageReport | null;
  readonly sequence: bigint;
  /** Why it can't be had, or null. */
  readonly why: string | null;
  /**
   * Where it can't be had in full: the next older generation that can, if that too is newer than every whole copy. It was
   * as likely acknowledged; who goes back from the newest must not fall behind this one unasked.
   */
  readonly recovered: Candidate | null;
}

/** Below the newest generation, so many others without a whole copy are looked at: a salvage may take long. */
const MOST_RECOVERED = 4;

/**
 * Looks at the newest sequence above the best valid copy. It existed and may have been acknowledged, so the older
 * one must not be chosen silently (FORMAT.md section 5).
 */
export function newerGeneration(
  evidence: readonly Evidence[],
  best: bigint,
  sources: readonly SalvageSource[],
): NewerGeneration | null {
  const above = evidence.filter(({ header }) => header.sequence > best);
  const [newest, ...between] = [...new Set(above.map(({ header }) => header.sequence))].sort((a, b) =>
    a > b ? -1 : 1,
  );
  if (newest === undefined) return null;
  const first = recover(above, newest, sources);
  if (first.winner !== null) return { ...first, recovered: null };
  for (const sequence of between.slice(0, MOST_RECOVERED)) {
    const { winner } = recover(above, sequence, sources);
    if (winner !== null) return { ...first, recovered: candidateOf(winner, above) };
  }
  return { ...first, recovered: null };
}

/** A salvaged generation can be named by every place that has its header. */
function candidateOf(
  { generation, from, salvage: report }: Winner,
  evidence: readonly Evidence[],
): Candidate | null {
  const own = from.judgement.header.bytes;
  const same = evidence.filter(({ judgement }) => sameGenerationHeader(judgement.bytes, own));
  return generation === null ? null : { generation, places: same.map(({ ref }) => ref), salvage: report };
}

/** Salvages the one generation of a sequence. With several headers that claim it nobody knows which was acknowledged. */
function recover(
  evidence: readonly Evidence[],
  sequence: bigint,
  sources: readonly SalvageSource[],
): Omit<NewerGeneration, 'recovered'> {
  const top = evidence
    .filter(({ header }) => header.sequence === sequence)
    .sort((a, b) => compareCopies(a.header, b.header));
  const distinct: Evidence[] = [];
  for (const one of top) {
    if (!distinct.some((other) => sameGenerationHeader(other.judgement.bytes, one.judgement.bytes)))
      distinct.push(one);
  }
  const readable = distinct.filter(({ judgement }) => judgement.usable);
  const reports = readable.map((one) => ({ one, report: salvage(one.judgement, sources) }));
  const full = reports.filter(({ report }) => report.generation !== null);
  const only = full[0];
  if (full.length === 1 && distinct.length === 1 && only?.report.generation) {
    const { generation } = only.report;
    const winner: Winner = {
      header: only.one.header,
      generation,
      contents: contentsOf(generation),
      from: only.one.ref,
      salvage: only.report,
    };
    return { winner, report: only.report, sequence, why: null };
  }
  const why =
    distinct.length > 1
      ? `${distinct.length} different headers claim this sequence`
      : readable.length === 0
        ? 'its header has fields out of range'
        : null;
  const fewestMissing = reports.sort((a, b) => a.report.missing.length - b.report.missing.length)[0];
  return { winner: null, report: fewestMissing?.report ?? null, sequence, why };
}

/** The highest sequence that the headers of this setup on one spare show; 0 if there is none. */
export function highestShown(spare: JudgedSpare, setupUuid: string): bigint {
  return evidenceOf(allRefs([spare]), setupUuid).reduce(
    (most, { header }) => (header.sequence > most ? header.sequence : most),
    0n,
  );
}

/**
 * The header that shows that a spare went on without the others, or null if the spare is consistent with the record
 * (FORMAT.md section 5): every intact header on it is at or below base_sequence, or of last_run and at or below
 * last_sequence. `line`: a generation that is newer than the record, of which the spare may show what its run did until then.
 */
export function divergence(
  spare: JudgedSpare,
  record: DeviceRecord,
  setupUuid: string,
  line: Header | null,
): Header | null {
  for (const { header } of evidenceOf(allRefs([spare]), setupUuid)) {
    const known =
      header.sequence <= record.baseSequence ||
      (header.runId === record.lastRun && header.sequence <= record.lastSequence) ||
      (line !== null && header.runId === line.runId && header.sequence <= line.sequence);
    if (!known) return header;
  }
  return null;
}

/** Every distinct generation of which a whole copy lies in its place, newest first: what --choose can choose. */
export function candidatesOf(ordered: readonly CopyRef[]): Candidate[] {
  const candidates: (Candidate & { places: CopyRef[] })[] = [];
  for (const ref of ordered) {
    const { generation } = ref.judgement;
    if (generation === null) continue;
    const same = candidates.find((candidate) => sameGeneration(candidate.generation, generation));
    if (same !== undefined) same.places.push(ref);
    else candidates.push({ generation, places: [ref], salvage: null });
  }
  return candidates;
}
