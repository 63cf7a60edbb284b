// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of generations.ts in fixtures/defects/.
import { GENERATIONS } from '../../fixtures/defects/generations';
import { describeCases } from '../support/case-runner';

describeCases(GENERATIONS);
