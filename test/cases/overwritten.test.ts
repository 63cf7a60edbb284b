// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of overwritten.ts in fixtures/defects/.
import { OVERWRITTEN } from '../../fixtures/defects/overwritten';
import { describeCases } from '../support/case-runner';

describeCases(OVERWRITTEN);
