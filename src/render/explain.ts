// SPDX-License-Identifier: GPL-2.0-or-later
// What `--explain ID` shows: the table of findings, one row of it, in full.
import type { FindingId, RepairNeeds } from '../core/findings';
import { findingSpec } from '../core/findings';
import type { Style } from './style';
import { wrap } from './wrap';

const REPAIR_SAYS: Readonly<Record<RepairNeeds, string>> = {
  preen: 'dmremap-fsck -p or -y',
  yes: 'dmremap-fsck -y',
  choose: 'dmremap-fsck -y --choose SPARE:COPY',
  'accept-partial': 'dmremap-fsck -y --accept-partial (or --choose)',
  force: 'dmremap-fsck -y --force',
  never: 'none',
};

/** The explanation of a finding for a person. */
export function explainFinding(id: FindingId, style: Style, columns: number): string {
  const spec = findingSpec(id);
  const message = spec.message.replace(/\{(\w+)\}/g, (_all, name: string) => name.toUpperCase());
  const part = (label: string, text: string): string[] => [style.bold(label), ...wrap(text, columns, 2), ''];
  return [
    `${style.bold(id)} (${spec.severity})`,
    ...wrap(message, columns, 2),
    '',
    ...part('What it means', spec.meaning),
    ...part('How it comes about', spec.causes),
    ...part('What to do', spec.action),
    ...part('Repaired by', REPAIR_SAYS[spec.repair]),
  ]
    .slice(0, -1)
    .map((line) => `${line}\n`)
    .join('');
}

/** The same as the value of a JSON document, dmremap.explain/1. */
export function explainJson(
  id: FindingId,
  tool: { readonly name: string; readonly version: string },
): unknown {
  const { severity, repair, message, meaning, causes, action } = findingSpec(id);
  return {
    schema: 'dmremap.explain/1',
    tool,
    exitCode: 0,
    id,
    severity,
    repair,
    message,
    meaning,
    causes,
    action,
  };
}
