// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of absent.ts in fixtures/defects/.
import { ABSENT } from '../../fixtures/defects/absent';
import { describeCases } from '../support/case-runner';

describeCases(ABSENT);
