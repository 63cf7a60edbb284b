// SPDX-License-Identifier: GPL-2.0-or-later
// The results of dmremap-fsck as the values of its JSON document, dmremap.fsck/1 (docs/schemas/fsck.json).
import type { FsckSummary, SetupReport } from '../commands/fsck';
import type { PlanRow } from '../commands/repair';
import type { InputReport } from '../commands/scan';
import type { Finding } from '../core/findings';
import { compareFindings, findingMessage, findingSpec } from '../core/findings';
import { SLOT_SECTORS } from '../core/layout';
import type { Seat, Winner } from '../core/model';

export const FSCK_SCHEMA = 'dmremap.fsck/1';

/** How a finding looks in every document that has findings. */
export function findingJson(finding: Finding): unknown {
  return {
    id: finding.id,
    severity: findingSpec(finding.id).severity,
    spare: finding.spare,
    copy: finding.copy,
    byte: finding.byte,
    message: findingMessage(finding),
  };
}

/** The winner in short, or null. */
export function winnerJson(winner: Winner | null): unknown {
  if (winner === null) return null;
  const { sequence, writtenNs, spareIndex, copyIndex } = winner.header;
  return { sequence, writtenNs, spareIndex, copyIndex };
}

/** The spares of a setup with the states of their copies. `pathOf`: where a seat's spare lies, or null. */
export function seatsJson(seats: readonly Seat[], pathOf: (seat: Seat) => string | null): unknown {
  return seats.map((seat) => ({
    index: seat.index,
    uuid: seat.uuid,
    path: pathOf(seat),
    copies: seat.copies.map((copy) => ({
      index: copy.copyIndex,
      sector: SLOT_SECTORS[copy.copyIndex] ?? 0n,
      state: copy.state,
      sequence: copy.sequence,
      findings: [...new Set(copy.findings.map((one) => one.id))].sort(),
    })),
  }));
}

/** One element of `setups`. */
export function setupJson(report: SetupReport): unknown {
  const { decision } = report.examined;
  return {
    format: 'dmremap-v4',
    setupUuid: decision.setupUuid,
    name: report.name,
    verdict: report.verdict,
    winner: winnerJson(decision.winner),
    remapCount: report.remapCount,
    lostSectors: report.lostSectors,
    spares: seatsJson(decision.seats, (seat) => report.examined.locate(seat)?.path ?? null),
    findings: report.findings.map(findingJson),
    plan: report.plan.map(rowJson),
    undo: report.outcome?.report?.journal ?? null,
  };
}

function rowJson({ path, offset, length, finding, sha256Before, sha256After }: PlanRow): unknown {
  return { path, offset, length, finding, sha256Before, sha256After };
}

function inputJson({ path, kind, sizeBytes }: InputReport): unknown {
  return { path, kind, sizeBytes };
}

/** The whole document; `setups` are the elements in order (RawJson, so that they need not stay objects). */
export function fsckDocument(
  summary: Pick<FsckSummary, 'inputs' | 'findings' | 'exit'>,
  setups: readonly unknown[],
  facts: {
    readonly mode: string;
    readonly level: string;
    readonly tool: { readonly name: string; readonly version: string };
  },
): unknown {
  return {
    schema: FSCK_SCHEMA,
    tool: facts.tool,
    mode: facts.mode,
    level: facts.level,
    exitCode: summary.exit,
    inputs: summary.inputs.map(inputJson),
    setups,
    findings: summary.findings.slice().sort(compareFindings).map(findingJson),
  };
}
