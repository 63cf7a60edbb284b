// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/split.ts.
import { SPLIT } from '../../fixtures/defects/split';
import { describeCases } from '../support/case-runner';

describeCases(SPLIT);
