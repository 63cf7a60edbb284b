// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of one-copy.ts in fixtures/defects/.
import { ONE_COPY } from '../../fixtures/defects/one-copy';
import { describeCases } from '../support/case-runner';

describeCases(ONE_COPY);
