// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of several-copies.ts in fixtures/defects/.
import { SEVERAL_COPIES } from '../../fixtures/defects/several-copies';
import { describeCases } from '../support/case-runner';

describeCases(SEVERAL_COPIES);
