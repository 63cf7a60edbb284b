// SPDX-License-Identifier: GPL-2.0-or-later
// The text of --help and --version, from the option table. The man page, which says more, is man.ts.
import { allOptions, dashed, EXIT_STATUS, namesOf, takesValue } from './common';
import type { CommandSpec, OptionSpec } from './spec';
import { TOOLKIT } from './toolkit';
import { wrap } from '../render/wrap';

const WIDTH = 80;
const INDENT = 26;

export function helpText(spec: CommandSpec): string {
  const lines: string[] = [];
  for (const [i, form] of spec.usage.entries()) {
    const lead = i === 0 ? 'Usage: ' : '       ';
    const [first = '', ...rest] = wrap(form, WIDTH, lead.length + spec.name.length + 1);
    lines.push(`${lead}${spec.name} ${first.trimStart()}`, ...rest);
  }
  lines.push('', ...wrap(spec.description[0] ?? '', WIDTH, 0), '');
  for (const operand of spec.operands) lines.push(...entry(operand.name, operand.help));
  lines.push('', 'Options:');
  for (const option of allOptions(spec)) lines.push(...entry(heading(option), helpOf(option)));
  lines.push('', 'Examples:');
  for (const example of spec.examples) {
    lines.push(...wrap(example.explains, WIDTH, 2), `      ${example.command}`);
  }
  const bits = EXIT_STATUS.map(({ status, short }) => `${status} ${short}`).join(', ');
  lines.push('', ...wrap(`Exit status: ${bits}; bits are added up.`, WIDTH, 0));
  lines.push(`More: man 8 ${spec.name}`);
  return lines.map((line) => `${line}\n`).join('');
}

export function versionText(spec: CommandSpec): string {
  return `${spec.name} (${TOOLKIT.name}) ${TOOLKIT.version}\n`;
}

/** '-q, --quiet', '--undo-dir DIR'. */
export function heading(option: OptionSpec): string {
  const names = [...namesOf(option)].sort((a, b) => Number(a.length > 1) - Number(b.length > 1));
  const value = takesValue(option) ? ` ${option.value ?? ''}` : '';
  return names.map(dashed).join(', ') + value;
}

/** The help sentence, with the choices where there are some. */
function helpOf(option: OptionSpec): string {
  const choices = option.choices ? ` One of: ${option.choices.join(', ')}.` : '';
  return `${option.help}${choices}`;
}

/** A term and its explanation, side by side where the term leaves room. */
function entry(term: string, text: string): string[] {
  const lead = `  ${term}`;
  const body = wrap(text, WIDTH, INDENT);
  if (lead.length + 2 > INDENT) return [lead, ...body];
  const [first = '', ...rest] = body;
  return [lead.padEnd(INDENT) + first.trimStart(), ...rest];
}
