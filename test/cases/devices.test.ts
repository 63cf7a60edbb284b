// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of devices.ts and failing.ts in fixtures/defects/.
import { DEVICES } from '../../fixtures/defects/devices';
import { FAILING_DEVICES } from '../../fixtures/defects/failing';
import { describeCases } from '../support/case-runner';

describeCases([...DEVICES, ...FAILING_DEVICES]);
