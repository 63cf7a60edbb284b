// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of torn.ts in fixtures/defects/.
import { TORN } from '../../fixtures/defects/torn';
import { describeCases } from '../support/case-runner';

describeCases(TORN);
