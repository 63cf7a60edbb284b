// SPDX-License-Identifier: GPL-2.0-or-later
// Puts a command line into the one form that yargs cannot misread: every option as --name or --name=value, operands
// apart. yargs by itself takes the file named "true" for the value of the flag before it, reads -n5 as "not -n",
// strips quotes that belong to a name, and treats -1e3 as letters. What the options mean is args.ts's business.
import { Fault } from '../core/faults';
import { dashed, namesOf, takesValue } from './common';
import type { OptionSpec } from './spec';

export interface Tokens {
  /** '--n', '--level=basic'; a pair gives two of them. Names as typed, so that aliases are still to be resolved. */
  readonly options: readonly string[];
  /** As typed. */
  readonly operands: readonly string[];
}

/** Splits argv. Throws Fault USAGE for an unknown option, a missing value, or a value where none belongs. */
export function tokenize(argv: readonly string[], table: readonly OptionSpec[], command: string): Tokens {
  const byName = new Map<string, OptionSpec>();
  for (const option of table) for (const name of namesOf(option)) byName.set(name, option);
  const usage = (what: string): Fault => new Fault('USAGE', { what, command });

  const options: string[] = [];
  const operands: string[] = [];
  let next = 0;

  /** The option `name` with its value(s), the first of them attached or in the arguments that follow. */
  const take = (name: string, option: OptionSpec, attached: string | undefined): void => {
    if (!takesValue(option)) {
      if (attached !== undefined) throw usage(`option ${dashed(name)} takes no value`);
      options.push(`--${name}`);
      return;
    }
    const wanted = option.kind === 'pair' ? 2 : 1;
    for (let have = 0; have < wanted; have++) {
      const value = have === 0 && attached !== undefined ? attached : argv[next++];
      // An option in the place of a value is a forgotten value far more often than a strange name;
      // --dir=-x says that it is meant.
      if (value === undefined || (value !== attached && looksLikeOption(value))) {
        throw usage(
          `option ${dashed(name)} needs ${wanted === 2 ? 'two values' : 'a value'}: ${option.value ?? ''}`,
        );
      }
      // From the values of arrays, and only from those, yargs takes off one pair of quotes: so it gets one too many.
      options.push(option.kind === 'value' ? `--${name}=${value}` : `--${name}="${value}"`);
    }
  };

  while (next < argv.length) {
    const argument = argv[next++] ?? '';
    if (argument === '--') {
      operands.push(...argv.slice(next));
      break;
    }
    if (!looksLikeOption(argument)) {
      operands.push(argument);
    } else if (argument.startsWith('--')) {
      const equals = argument.indexOf('=');
      const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
      const option = name.length > 1 ? byName.get(name) : undefined;
      if (option === undefined) throw usage(`unknown option --${name}`);
      take(name, option, equals < 0 ? undefined : argument.slice(equals + 1));
    } else {
      const letters = argument.slice(1);
      for (let i = 0; i < letters.length; i++) {
        const letter = letters.charAt(i);
        const option = byName.get(letter);
        if (option === undefined) {
          throw usage(`unknown option -${letter}${letters.length > 1 ? ` in ${argument}` : ''}`);
        }
        const rest = letters.slice(i + 1);
        if (takesValue(option)) {
          take(letter, option, rest === '' ? undefined : rest.replace(/^=/, ''));
          break;
        }
        if (rest.startsWith('=')) throw usage(`option -${letter} takes no value`);
        take(letter, option, undefined);
      }
    }
  }
  return { options, operands };
}

/** '-' alone and negative numbers are no options. */
function looksLikeOption(argument: string): boolean {
  return /^-[^0-9.]/.test(argument);
}
