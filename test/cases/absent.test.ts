// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/absent.ts.
import { ABSENT } from '../../fixtures/defects/absent';
import { describeCases } from '../support/case-runner';

describeCases(ABSENT);
