// SPDX-License-Identifier: GPL-2.0-or-later
// The option tables of all commands, in the order in which documentation lists them.
import { binding as dump } from '../../src/cli/dump';
import { binding as format } from '../../src/cli/format';
import { binding as fsck } from '../../src/cli/fsck';
import { binding as inspect } from '../../src/cli/inspect';
import { binding as restore } from '../../src/cli/restore';
import type { CommandSpec } from '../../src/cli/spec';
import { binding as undo } from '../../src/cli/undo';

/** What a person in need looks for first comes first. */
export const COMMAND_SPECS: readonly CommandSpec[] = [fsck, undo, inspect, dump, restore, format].map(
  ({ spec }) => spec,
);
