// SPDX-License-Identifier: GPL-2.0-or-later
// Which files the build makes from the option tables, and where they go. It writes none of them itself.
import { bashCompletion, fishCompletion, zshCompletion } from './completion';
import { manPage } from './man';
import type { CommandSpec } from './spec';

/** [path in the repository, text] of everything made from `specs`. */
export function generatedFiles(specs: readonly CommandSpec[]): (readonly [string, string])[] {
  return specs.flatMap((spec) => [
    [`man/${spec.name}.8`, manPage(spec)],
    [`completions/bash/${spec.name}`, bashCompletion(spec)],
    [`completions/zsh/_${spec.name}`, zshCompletion(spec)],
    [`completions/fish/${spec.name}.fish`, fishCompletion(spec)],
  ]);
}
