// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/healthy.ts.
import { HEALTHY } from '../../fixtures/defects/healthy';
import { describeCases } from '../support/case-runner';

describeCases(HEALTHY);
