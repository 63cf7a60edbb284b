// SPDX-License-Identifier: GPL-2.0-or-later
// From a command line to ParsedArgs, by yargs set up from the option table. Prints nothing; a command line that makes
// no sense is a Fault USAGE.
import { Parser } from 'yargs/helpers';
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

/**
 * Parses `argv` (without the interpreter and the script). Operands are not counted here: --help needs none; see
 * checkOperands. Throws Fault USAGE.
 *
 * Of yargs only its parser runs. All of it would take 5 ms of every start, a tenth of what Node itself takes, for
 * help, messages and translations that this toolkit has from its own tables.
 */
export function parseArgs(spec: CommandSpec, argv: readonly string[]): ParsedArgs {
  const table = allOptions(spec);
  const { options, operands } = tokenize(argv, table, spec.name);
  const named = (...kinds: readonly OptionKind[]): string[] =>
    table.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);

  const { argv: values, error } = Parser.detailed([...options], {
    alias: Object.fromEntries(table.map(({ name, aliases }) => [name, [...(aliases ?? [])]])),
    boolean: named('flag'),
    count: named('count'),
    string: named('value', 'list', 'pair'),
    array: named('list', 'pair'),
    narg: Object.fromEntries(named('value', 'list', 'pair').map((name) => [name, 1])),
    configuration: NO_GUESSING,
  });
  // The tokens leave it nothing to object to; if it does, that is a mistake of ours.
  if (error instanceof Error) throw error;
  const parsed = new Parsed(table, values, operands, argv);
  checkOptions(spec, table, parsed);
  return parsed;
}

/** What an option table says besides names and kinds: once, one of these, not together. */
function checkOptions(spec: CommandSpec, table: readonly OptionSpec[], parsed: Parsed): void {
  const usage = (what: string): Fault => new Fault('USAGE', { what, command: spec.name });
  for (const option of table) {
    const strings = parsed.strings(option.name);
    const allowed = option.kind === 'pair' ? 2 : option.kind === 'value' ? 1 : Infinity;
    if (strings.length > allowed) throw usage(`option ${dashed(option.name)} was given more than once`);
    const wrong = strings.find((value) => option.choices?.includes(value) === false);
    if (wrong !== undefined) {
      const choices = option.choices?.join(', ') ?? '';
      throw usage(`option ${dashed(option.name)} cannot be '${wrong}'; it can be ${choices}`);
    }
  }
  for (const set of spec.exclusive ?? []) {
    const [first, second] = set.filter((name) => parsed.given(name)).map(dashed);
    if (first !== undefined && second !== undefined) {
      throw usage(`options ${first} and ${second} cannot be given together`);
    }
  }
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

class Parsed implements ParsedArgs {
  readonly #kinds: ReadonlyMap<string, OptionKind>;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(
    table: readonly OptionSpec[],
    values: Readonly<Record<string, unknown>>,
    readonly operands: readonly string[],
    readonly words: readonly string[],
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
    this.#get(name, 'value');
    return this.strings(name)[0];
  }

  list(name: string): readonly string[] {
    this.#get(name, 'list');
    return this.strings(name);
  }

  pair(name: string): readonly [string, string] | undefined {
    this.#get(name, 'pair');
    const [first, second] = this.strings(name);
    return first === undefined || second === undefined ? undefined : [first, second];
  }

  given(name: string): boolean {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new TypeError(`no option '${name}' in the table`);
    if (kind === 'count') return this.count(name) > 0;
    if (kind === 'flag') return this.flag(name);
    return this.strings(name).length > 0;
  }

  /** The values that were given to an option that takes some, in their order; else none. */
  strings(name: string): readonly string[] {
    const value = this.#values[name];
    if (typeof value === 'string') return [value];
    return Array.isArray(value) ? value.map(String) : [];
  }

  #get(name: string, kind: OptionKind): unknown {
    const actual = this.#kinds.get(name);
    if (actual !== kind)
      throw new TypeError(`option '${name}' is ${actual ?? 'not in the table'}, not ${kind}`);
    return this.#values[name];
  }
}
