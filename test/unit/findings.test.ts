// SPDX-License-Identifier: GPL-2.0-or-later
// The table of findings is put together from several files: that no row covers another, and that each can be told.
import { FINDINGS, findingSpec } from '../../src/core/findings';
import type { FindingId } from '../../src/core/findings';
import { COPY_FINDINGS } from '../../src/core/findings/copies';
import { DEVICE_FINDINGS } from '../../src/core/findings/devices';
import { FORENSIC_FINDINGS } from '../../src/core/findings/forensic';
import { INPUT_FINDINGS } from '../../src/core/findings/inputs';
import { REPAIR_FINDINGS } from '../../src/core/findings/repair';
import { RULE_FINDINGS } from '../../src/core/findings/rules';
import { SETUP_FINDINGS } from '../../src/core/findings/setup';
import { SPARE_FINDINGS } from '../../src/core/findings/spares';

const PARTS = [
  COPY_FINDINGS,
  FORENSIC_FINDINGS,
  SPARE_FINDINGS,
  SETUP_FINDINGS,
  DEVICE_FINDINGS,
  RULE_FINDINGS,
  REPAIR_FINDINGS,
  INPUT_FINDINGS,
];

test('every row of every part is in the table, once, in the order of the parts', () => {
  expect(Object.keys(FINDINGS)).toEqual(PARTS.flatMap((part) => Object.keys(part)));
});

test.each(Object.keys(FINDINGS) as FindingId[])('%s is told in whole sentences', (id) => {
  const { message, meaning, causes, action, severity, repair } = findingSpec(id);
  for (const text of [meaning, causes, action]) expect(text).toMatch(/^([A-Z]|mkfs).*[.)]$/);
  // What is no error is left as it is: a repair that changes nothing could not be told from one that was not done.
  if (severity !== 'error') expect(repair).toBe('never');
  expect(message).not.toMatch(/\{\w*[^\w}]|\s$|^\s/);
});
