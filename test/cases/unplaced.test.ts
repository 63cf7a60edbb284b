// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of unplaced.ts in fixtures/defects/.
import { UNPLACED } from '../../fixtures/defects/unplaced';
import { describeCases } from '../support/case-runner';

describeCases(UNPLACED);
