// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of unread.ts in fixtures/defects/.
import { UNREAD_AND_TRUNCATED } from '../../fixtures/defects/unread';
import { describeCases } from '../support/case-runner';

describeCases(UNREAD_AND_TRUNCATED);
