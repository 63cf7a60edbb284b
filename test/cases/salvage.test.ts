// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of salvage.ts and partial.ts in fixtures/defects/.
import { SALVAGE } from '../../fixtures/defects/salvage';
import { PARTIAL } from '../../fixtures/defects/partial';
import { describeCases } from '../support/case-runner';

describeCases([...SALVAGE, ...PARTIAL]);
