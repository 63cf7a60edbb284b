// SPDX-License-Identifier: GPL-2.0-or-later
// Mutated spares as inputs of the commands: what they print, which exit status they have, and that a repair is one.
import { describeFuzzing } from '../support/fuzz-suite';

const MIB = 1024 * 1024;

describeFuzzing({ kind: 'commands', share: 0.005, portions: 4, slowestMs: 5000, mostBytes: 500 * MIB });
