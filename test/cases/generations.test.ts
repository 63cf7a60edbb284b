// SPDX-License-Identifier: GPL-2.0-or-later
// Cases of fixtures/defects/generations.ts.
import { GENERATIONS } from '../../fixtures/defects/generations';
import { describeCases } from '../support/case-runner';

describeCases(GENERATIONS);
