// SPDX-License-Identifier: GPL-2.0-or-later
// docs/FINDINGS.md, whole, from the table of src/core/findings.ts.
import type { FindingId, RepairNeeds } from '../../src/core/findings';
import { FINDINGS, findingSpec } from '../../src/core/findings';
import { table } from './splice';

const REPAIR: Readonly<Record<RepairNeeds, string>> = {
  preen: '`-p`',
  yes: '`-y`',
  choose: '`-y --choose`',
  'accept-partial': '`-y --accept-partial`',
  force: '`-y --force`',
  never: '',
};

const SEVERITY = {
  error: 'errors set 4 in the exit status while they are left',
  warning: 'warnings set nothing, but a person should look',
  note: 'notes explain',
} as const;

/** A message with its fields, as Markdown: `{why}` must not look like a word of the sentence. */
const message = (id: FindingId): string => findingSpec(id).message.replace(/\{(\w+)\}/g, '*$1*');

export function findingsDocument(): string {
  const ids = Object.keys(FINDINGS) as FindingId[];
  const anchor = (id: FindingId): string => `[\`${id}\`](#${id})`;
  const rows = ids.map((id) => {
    const { severity, repair } = findingSpec(id);
    return [anchor(id), severity, message(id), REPAIR[repair]];
  });
  const details = ids.flatMap((id) => {
    const { severity, meaning, causes, action, repair } = findingSpec(id);
    const mends = REPAIR[repair] === '' ? '' : `, repaired with ${REPAIR[repair]}`;
    return [
      `### ${id}`,
      '',
      `*${severity}${mends}* — ${message(id)}`,
      '',
      `- What it means: ${meaning}`,
      `- How it comes about: ${causes}`,
      `- What to do: ${action}`,
      '',
    ];
  });
  return [
    '# Findings',
    '',
    '<!-- Made by `npm run docs` from src/core/findings.ts and src/core/findings/; changes here are lost. -->',
    '',
    'Everything that `dmremap-fsck` and the other commands can say about metadata. The ids are stable: scripts may rely on',
    'them, not on the words. `dmremap-fsck --explain ID` prints what is below about one of them.',
    '',
    `There are ${ids.length}. ${capital(Object.values(SEVERITY).join('; '))}. The last column is what a repair needs; where it`,
    'is empty, no tool repairs it, or there is nothing to repair. Words in *italics* are filled in.',
    '',
    table(['id', 'severity', 'message', 'repair'], rows),
    '',
    '## Each of them',
    '',
    ...details,
  ].join('\n');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
