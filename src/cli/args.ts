// SPDX-License-Identifier: GPL-2.0-or-later
// From a command line to ParsedArgs, by yargs set up from the option table. Prints nothing; a command line that makes
// no sense is a Fault USAGE.
import yargs from 'yargs/yargs';
import { Fault } from '../core/faults';
import { allOptions, dashed } from './common';
import type { CommandSpec, OptionKind, OptionSpec, ParsedArgs } from './spec';
import { tokenize } from './tokens';

/** Everything that makes yargs guess, off. */
const NO_GUESSING = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'short-option-groups': false,
  'duplicate-arguments-array': true,
};

/** yargs's sentences in our words. Names come between {{}}, and get their dashes afterwards. */
const WORDS = {
  'Invalid values:': 'invalid value for',
  'Argument: %s, Given: %s, Choices: %s': 'option {{%s}}: %s; it can be %s',
  'Arguments %s and %s are mutually exclusive': 'options {{%s}} and {{%s}} cannot be given together',
};

/**
 * Parses `argv` (without the interpreter and the script). Operands are not counted here: --help needs none; see
 * checkOperands. Throws Fault USAGE.
 */
export function parseArgs(spec: CommandSpec, argv: readonly string[]): ParsedArgs {
  const table = allOptions(spec);
  const { options, operands } = tokenize(argv, table, spec.name);
  const usage = (what: string): Fault => new Fault('USAGE', { what, command: spec.name });

  // The empty locale keeps yargs from asking the environment for a language and looking for its file.
  const parser = yargs([])
    .help(false)
    .version(false)
    .detectLocale(false)
    .exitProcess(false)
    .parserConfiguration(NO_GUESSING)
    .updateStrings(WORDS)
    .fail((message, error) => {
      // An error here is a mistake in our table, not the user's.
      if (error instanceof Error) throw error;
      throw usage(inOurWords(message));
    });
  const named = (...kinds: readonly OptionKind[]): string[] =>
    table.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);
  // All options of a kind at once: one call for each of them takes three times as long.
  parser
    .boolean(named('flag'))
    .count(named('count'))
    .string(named('value', 'list', 'pair'))
    .array(named('list', 'pair'))
    .nargs(Object.fromEntries(named('value', 'list', 'pair').map((name) => [name, 1])))
    .alias(Object.fromEntries(table.map(({ name, aliases }) => [name, aliases ?? []])))
    .choices(Object.fromEntries(table.flatMap(({ name, choices }) => (choices ? [[name, choices]] : []))));
  for (const set of spec.exclusive ?? []) {
    for (const [i, name] of set.entries()) parser.conflicts(name, set.slice(i + 1));
  }
  const parsed = parser.parse([...options]) as Readonly<Record<string, unknown>>;

  for (const option of table) {
    const given = parsed[option.name];
    const times = Array.isArray(given) ? given.length : 1;
    if ((option.kind === 'value' && times > 1) || (option.kind === 'pair' && times > 2)) {
      throw usage(`option ${dashed(option.name)} was given more than once`);
    }
  }
  return new Parsed(table, parsed, operands);
}

/** Whether there are as many operands as the command takes. Throws Fault USAGE. */
export function checkOperands(spec: CommandSpec, args: ParsedArgs): void {
  const excused = spec.operands.some((operand) => operand.notNeededWith?.some((name) => args.given(name)));
  const min = excused ? 0 : spec.operands.reduce((sum, operand) => sum + operand.min, 0);
  const max = spec.operands.reduce((sum, operand) => sum + (operand.max ?? Infinity), 0);
  const given = args.operands.length;
  let needed = 0;
  for (const operand of spec.operands) {
    needed += operand.min;
    if (given < Math.min(needed, min)) {
      throw new Fault('USAGE', { what: `${operand.name} is missing: ${operand.help}`, command: spec.name });
    }
  }
  if (given > max) {
    const surplus = args.operands[max] ?? '';
    throw new Fault('USAGE', { what: `one argument too many: '${surplus}'`, command: spec.name });
  }
  const empty = args.operands.indexOf('');
  if (empty >= 0) {
    throw new Fault('USAGE', { what: `argument ${empty + 1} is empty`, command: spec.name });
  }
}

function inOurWords(message: string): string {
  return message.replace(/\{\{([^}]*)\}\}/g, (_, name: string) => dashed(name)).replace(/\s*\n\s*/g, ' ');
}

class Parsed implements ParsedArgs {
  readonly #kinds: ReadonlyMap<string, OptionKind>;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(
    table: readonly OptionSpec[],
    values: Readonly<Record<string, unknown>>,
    readonly operands: readonly string[],
  ) {
    this.#kinds = new Map(table.map((option) => [option.name, option.kind]));
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#get(name, 'flag') === true;
  }

  count(name: string): number {
    return Number(this.#get(name, 'count') ?? 0);
  }

  value(name: string): string | undefined {
    return this.#strings(name, 'value')[0];
  }

  list(name: string): readonly string[] {
    return this.#strings(name, 'list');
  }

  pair(name: string): readonly [string, string] | undefined {
    const [first, second] = this.#strings(name, 'pair');
    return first === undefined || second === undefined ? undefined : [first, second];
  }

  given(name: string): boolean {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new TypeError(`no option '${name}' in the table`);
    if (kind === 'count') return this.count(name) > 0;
    if (kind === 'flag') return this.flag(name);
    return this.#strings(name, kind).length > 0;
  }

  #strings(name: string, kind: OptionKind): readonly string[] {
    const value = this.#get(name, kind);
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map(String);
  }

  #get(name: string, kind: OptionKind): unknown {
    const actual = this.#kinds.get(name);
    if (actual !== kind)
      throw new TypeError(`option '${name}' is ${actual ?? 'not in the table'}, not ${kind}`);
    return this.#values[name];
  }
}
