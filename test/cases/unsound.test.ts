// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of unsound-setup.ts, unsound-entries.ts, unsound-beside.ts in fixtures/defects/.
import { UNSOUND_SETUP } from '../../fixtures/defects/unsound-setup';
import { UNSOUND_ENTRIES } from '../../fixtures/defects/unsound-entries';
import { UNSOUND_BESIDE } from '../../fixtures/defects/unsound-beside';
import { describeCases } from '../support/case-runner';

describeCases([...UNSOUND_SETUP, ...UNSOUND_ENTRIES, ...UNSOUND_BESIDE]);
