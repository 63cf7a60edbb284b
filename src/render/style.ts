// SPDX-License-Identifier: GPL-2.0-or-later
// Colours, by chalk, for those renderers that may use them, and what else a text goes by. Whether they may is decided in
// src/cli/run.ts.
import type { Chalk } from 'chalk';

/** Each function returns its text unchanged when colours are off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
}

/** What a text for a person goes by, apart from its style. CliIo is one. */
export interface TextOptions {
  /** Width of the lines. */
  readonly columns: number;
  /** How often -v was given. */
  readonly verbose: number;
}

const same = (text: string): string => text;

const PLAIN: Style = { bold: same, dim: same, red: same, yellow: same, green: same };

/** The style for an output that may (`color`) or may not carry escape sequences. */
export function styleFor(color: boolean): Style {
  if (!color) return PLAIN;
  // Loaded here and not above: most runs write into pipes and should not pay for it.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const chalk = require('chalk') as Chalk & { Instance: new (options: { level: 0 | 1 | 2 | 3 }) => Chalk };
  // The level is given because chalk would look at the terminal itself, and disagree with --no-color.
  const forced = new chalk.Instance({ level: 1 });
  return {
    bold: (text) => forced.bold(text),
    dim: (text) => forced.dim(text),
    red: (text) => forced.red(text),
    yellow: (text) => forced.yellow(text),
    green: (text) => forced.green(text),
  };
}
