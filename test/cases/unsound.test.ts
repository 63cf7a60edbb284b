// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/unsound.ts.
import { UNSOUND } from '../../fixtures/defects/unsound';
import { describeCases } from '../support/case-runner';

describeCases(UNSOUND);
