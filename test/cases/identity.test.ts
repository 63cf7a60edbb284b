// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/identity.ts.
import { IDENTITY } from '../../fixtures/defects/identity';
import { describeCases } from '../support/case-runner';

describeCases(IDENTITY);
