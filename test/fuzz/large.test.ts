// SPDX-License-Identifier: GPL-2.0-or-later
// Mutated setups with 15,494 entries on three spares: hostile counts and lengths where they cost the most.
import { describeFuzzing } from '../support/fuzz-suite';

const MIB = 1024 * 1024;

describeFuzzing({ kind: 'large', share: 0.0005, portions: 2, slowestMs: 20000, mostBytes: 900 * MIB });
