// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of healthy.ts in fixtures/defects/.
import { HEALTHY } from '../../fixtures/defects/healthy';
import { describeCases } from '../support/case-runner';

describeCases(HEALTHY);
