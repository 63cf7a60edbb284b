// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of versions.ts in fixtures/defects/.
import { VERSIONS } from '../../fixtures/defects/versions';
import { describeCases } from '../support/case-runner';

describeCases(VERSIONS);
