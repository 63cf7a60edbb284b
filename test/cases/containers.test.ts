// SPDX-License-Identifier: GPL-2.0-or-later
// The cases of containers.ts and partitions.ts in fixtures/defects/.
import { CONTAINED } from '../../fixtures/defects/containers';
import { PARTITIONED } from '../../fixtures/defects/partitions';
import { describeCases } from '../support/case-runner';

describeCases([...CONTAINED, ...PARTITIONED]);
