// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/versions.ts.
import { VERSIONS } from '../../fixtures/defects/versions';
import { describeCases } from '../support/case-runner';

describeCases(VERSIONS);
