// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of identity.ts in fixtures/defects/.
import { IDENTITY } from '../../fixtures/defects/identity';
import { describeCases } from '../support/case-runner';

describeCases(IDENTITY);
