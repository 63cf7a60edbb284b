// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/misplaced.ts.
import { MISPLACED } from '../../fixtures/defects/misplaced';
import { describeCases } from '../support/case-runner';

describeCases(MISPLACED);
