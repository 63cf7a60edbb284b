// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of split.ts in fixtures/defects/.
import { SPLIT } from '../../fixtures/defects/split';
import { describeCases } from '../support/case-runner';

describeCases(SPLIT);
