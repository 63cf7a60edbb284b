// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/torn.ts.
import { TORN } from '../../fixtures/defects/torn';
import { describeCases } from '../support/case-runner';

describeCases(TORN);
