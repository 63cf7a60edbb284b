// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of hostile.ts and hostile-everywhere.ts in fixtures/defects/.
import { HOSTILE } from '../../fixtures/defects/hostile';
import { HOSTILE_EVERYWHERE } from '../../fixtures/defects/hostile-everywhere';
import { describeCases } from '../support/case-runner';

describeCases([...HOSTILE, ...HOSTILE_EVERYWHERE]);
