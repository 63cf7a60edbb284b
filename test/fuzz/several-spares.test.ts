// SPDX-License-Identifier: GPL-2.0-or-later
// The other half of the mutated images: setups of two and three spares, so that copies of several devices contradict one
// another, spares are missing, diverged, given twice. The first half is one-spare.test.ts.
import { describeFuzzing } from '../support/fuzz-suite';

describeFuzzing('several');
