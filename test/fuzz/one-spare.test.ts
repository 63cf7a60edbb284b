// SPDX-License-Identifier: GPL-2.0-or-later
// Half of the mutated images that every run has to survive: setups of one spare. The other half is several-spares.test.ts.
import { describeFuzzing, testReach } from '../support/fuzz-suite';

const MIB = 1024 * 1024;

testReach(describeFuzzing({ kind: 'one', share: 0.5, portions: 10, slowestMs: 2000, mostBytes: 1024 * MIB }));
