// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of misplaced.ts in fixtures/defects/.
import { MISPLACED } from '../../fixtures/defects/misplaced';
import { describeCases } from '../support/case-runner';

describeCases(MISPLACED);
