// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of remarks.ts in fixtures/defects/.
import { REMARKS } from '../../fixtures/defects/remarks';
import { describeCases } from '../support/case-runner';

describeCases(REMARKS);
