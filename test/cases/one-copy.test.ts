// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/one-copy.ts.
import { ONE_COPY } from '../../fixtures/defects/one-copy';
import { describeCases } from '../support/case-runner';

describeCases(ONE_COPY);
