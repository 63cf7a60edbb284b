// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/overwritten.ts.
import { OVERWRITTEN } from '../../fixtures/defects/overwritten';
import { describeCases } from '../support/case-runner';

describeCases(OVERWRITTEN);
