// SPDX-License-Identifier: GPL-2.0-or-later
// Man pages, from the option tables. Pure text to text: who writes the files is scripts/build.mjs.
import { allOptions, COMMANDS, EXIT_STATUS, namesOf, dashed, takesValue } from './common';
import type { CommandSpec, OptionSpec } from './spec';
import { TOOLKIT } from './toolkit';

const SECTION = 8;

/** The page as roff source with the man macros. No date: the same tables give the same page. */
export function manPage(spec: CommandSpec): string {
  return [
    '.\\" SPDX-License-Identifier: GPL-2.0-or-later',
    `.\\" Made from the option table in src/cli/${spec.name.replace('dmremap-', '')}.ts; changes here are lost.`,
    `.TH ${quoted(spec.name.toUpperCase())} ${SECTION} "" ${quoted(`${TOOLKIT.name} ${TOOLKIT.version}`)} "dm-remap"`,
    // Identifiers and paths must come out as they are typed: no hyphenation, no stretched lines.
    '.nh',
    '.ad l',
    '.SH NAME',
    `${roff(spec.name)} \\- ${roff(spec.summary)}`,
    '.SH SYNOPSIS',
    ...spec.usage.flatMap((form, i) => [...(i > 0 ? ['.br'] : []), `.B ${roff(spec.name)}`, synopsis(form)]),
    '.SH DESCRIPTION',
    ...paragraphs(spec.description),
    ...spec.operands.flatMap((operand) => ['.TP', `\\fI${roff(operand.name)}\\fR`, prose(operand.help)]),
    '.SH OPTIONS',
    ...allOptions(spec).flatMap(optionEntry),
    '.SH "EXIT STATUS"',
    prose('The exit status is the sum of these, as with fsck(8):'),
    ...EXIT_STATUS.flatMap(({ status, meaning }) => ['.TP', `.B ${status}`, prose(meaning)]),
    '.SH ENVIRONMENT',
    '.TP',
    '.B NO_COLOR',
    prose('When set and not empty, no colours are used.'),
    '.TP',
    '.B SOURCE_DATE_EPOCH',
    prose('Seconds since 1970: the time that is written into metadata instead of the present.'),
    ...files(spec),
    '.SH EXAMPLES',
    ...spec.examples.flatMap(({ command, explains }) => ['.TP', `.B ${roff(command)}`, prose(explains)]),
    '.SH "SEE ALSO"',
    seeAlso(spec),
    '',
  ].join('\n');
}

function optionEntry(option: OptionSpec): string[] {
  const value = takesValue(option) ? ` \\fI${roff(option.value ?? '')}\\fR` : '';
  const names = [...namesOf(option)].sort((a, b) => Number(a.length > 1) - Number(b.length > 1));
  const term = names.map((name) => `\\fB${roff(dashed(name))}\\fR${value}`).join(', ');
  const choices = option.choices ? [prose(`One of: ${option.choices.join(', ')}.`)] : [];
  const repeat =
    option.kind === 'list' ? [prose('Can be given several times, with one value each time.')] : [];
  return [
    '.TP',
    term,
    prose(option.help),
    ...choices,
    ...repeat,
    ...(option.more ?? []).flatMap((text) => ['.IP', prose(text)]),
  ];
}

function files(spec: CommandSpec): string[] {
  if (spec.files === undefined || spec.files.length === 0) return [];
  return [
    '.SH FILES',
    ...spec.files.flatMap(({ path, explains }) => ['.TP', `.I ${roff(path)}`, prose(explains)]),
  ];
}

function seeAlso(spec: CommandSpec): string {
  const pages = [
    ...COMMANDS.filter((name) => name !== spec.name).map((name) => `${name}(${SECTION})`),
    ...(spec.seeAlso ?? []),
  ];
  return pages.sort().map(reference).join(',\n');
}

/** 'fsck(8)' -> bold name, roman section. */
function reference(page: string): string {
  const match = /^([^(]+)(\(.+\))$/.exec(page);
  return match ? `\\fB${roff(match[1] ?? '')}\\fR${roff(match[2] ?? '')}` : roff(page);
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, i) => [...(i > 0 ? ['.PP'] : []), prose(text)]);
}

/** What follows the name in the synopsis: options bold, placeholders in italics. */
function synopsis(form: string): string {
  return form
    .split(/(--?[A-Za-z][\w-]*|\b[A-Z][A-Z]+\b)/)
    .map((part, i) => (i % 2 === 0 ? roff(part) : `\\f${part.startsWith('-') ? 'B' : 'I'}${roff(part)}\\fR`))
    .join('');
}

/** A paragraph of running text, with the options in it in bold. */
function prose(text: string): string {
  const body = text
    .split(/((?<=^|[\s(])--?[A-Za-z][\w-]*)/)
    .map((part, i) => (i % 2 === 0 ? roff(part) : `\\fB${roff(part)}\\fR`))
    .join('');
  return body.startsWith('.') || body.startsWith("'") ? `\\&${body}` : body;
}

/** An argument of a macro. */
function quoted(text: string): string {
  return `"${roff(text)}"`;
}

const ROFF: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  '"': '\\(dq',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** Text so that roff prints exactly these characters, pure ASCII. */
function roff(text: string): string {
  let out = '';
  for (const character of text.replace(/\s+/g, ' ')) {
    const code = character.codePointAt(0) ?? 0;
    if (code > 0x7e) out += `\\[u${code.toString(16).toUpperCase().padStart(4, '0')}]`;
    else out += ROFF[character] ?? character;
  }
  return out;
}
