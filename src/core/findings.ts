// SPDX-License-Identifier: GPL-2.0-or-later
// The one table of findings: what can be said about metadata, how grave it is, what it means and what mends it. Text,
// JSON, exit status, man page, `--explain` and the tests all come from here. The rows are in findings/, by what they are
// about; deciding which apply is done in neither.
import { COPY_FINDINGS } from './findings/copies';
import { DEVICE_FINDINGS } from './findings/devices';
import { FORENSIC_FINDINGS } from './findings/forensic';
import { INPUT_FINDINGS } from './findings/inputs';
import { REPAIR_FINDINGS } from './findings/repair';
import { RULE_FINDINGS } from './findings/rules';
import { SETUP_FINDINGS } from './findings/setup';
import { SPARE_FINDINGS } from './findings/spares';
import type { FindingSpec } from './findings/spec';

export type { FindingSpec, RepairNeeds, Severity } from './findings/spec';

/** In the order in which documentation lists them: the small first, then what they add up to, then the rest. */
export const FINDINGS = {
  ...COPY_FINDINGS,
  ...FORENSIC_FINDINGS,
  ...SPARE_FINDINGS,
  ...SETUP_FINDINGS,
  ...DEVICE_FINDINGS,
  ...RULE_FINDINGS,
  ...REPAIR_FINDINGS,
  ...INPUT_FINDINGS,
} as const satisfies Readonly<Record<string, FindingSpec>>;

type Fields = Readonly<Record<string, string>>;

export type FindingId = keyof typeof FINDINGS;

/** One thing that was found. `byte` is absolute in the input. Field values are raw: renderers escape them. */
export interface Finding {
  readonly id: FindingId;
  readonly spare: number | null;
  readonly copy: number | null;
  readonly byte: bigint | null;
  readonly fields: Fields;
}

export function findingSpec(id: FindingId): FindingSpec {
  return FINDINGS[id];
}

export function isFindingId(text: string): text is FindingId {
  return Object.prototype.hasOwnProperty.call(FINDINGS, text);
}

/** The finding's sentence with its fields filled in. */
export function findingMessage(finding: Finding): string {
  return findingSpec(finding.id).message.replace(
    /\{(\w+)\}/g,
    (_all, name: string) => finding.fields[name] ?? '?',
  );
}

/** Makes a finding; where it belongs to no spare, copy or byte these are null. */
export function finding(
  id: FindingId,
  fields: Fields = {},
  place: { spare?: number | null; copy?: number | null; byte?: bigint | null } = {},
): Finding {
  return { id, spare: place.spare ?? null, copy: place.copy ?? null, byte: place.byte ?? null, fields };
}

/** By place (spare, copy, byte; what has none comes first), then id, then message: the order of every report. */
export function compareFindings(a: Finding, b: Finding): number {
  const place = (x: number | bigint | null, y: number | bigint | null): number =>
    x === y ? 0 : x === null ? -1 : y === null ? 1 : x < y ? -1 : 1;
  const text = (x: string, y: string): number => (x === y ? 0 : x < y ? -1 : 1);
  return (
    place(a.spare, b.spare) ||
    place(a.copy, b.copy) ||
    place(a.byte, b.byte) ||
    text(a.id, b.id) ||
    text(findingMessage(a), findingMessage(b))
  );
}
