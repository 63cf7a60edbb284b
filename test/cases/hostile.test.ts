// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/hostile.ts.
import { HOSTILE } from '../../fixtures/defects/hostile';
import { describeCases } from '../support/case-runner';

describeCases(HOSTILE);
