// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/salvage.ts.
import { SALVAGE } from '../../fixtures/defects/salvage';
import { describeCases } from '../support/case-runner';

describeCases(SALVAGE);
