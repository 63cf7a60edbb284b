// SPDX-License-Identifier: GPL-2.0-or-later
// The other half of the mutated images: setups of two and three spares, so that copies of several devices contradict one
// another, spares are missing, diverged, given twice. The first half is one-spare.test.ts.
import { describeFuzzing, testReach } from '../support/fuzz-suite';

const MIB = 1024 * 1024;

testReach(
  describeFuzzing({ kind: 'several', share: 0.5, portions: 10, slowestMs: 2000, mostBytes: 1024 * MIB }),
);
