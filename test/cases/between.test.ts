// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of between.ts in fixtures/defects/.
import { BETWEEN } from '../../fixtures/defects/between';
import { describeCases } from '../support/case-runner';

describeCases(BETWEEN);
