// SPDX-License-Identifier: GPL-2.0-or-later
// Half of the mutated images that every run has to survive: setups of one spare. The other half is several-spares.test.ts.
import { describeFuzzing } from '../support/fuzz-suite';

describeFuzzing('one');
