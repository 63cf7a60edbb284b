// SPDX-License-Identifier: GPL-2.0-or-later
// The shorter ways to look at a header, each held against the whole one: the first glance, and judging beside a copy of
// the same generation. What a header has to be is in judge.test.ts.
import { encodeInto } from '../../src/core/codec';
import type { Gap, Region } from '../../src/core/extents';
import { sealHeader } from '../../src/core/generation';
import { glanceAtHeader, isEvidence, judgeHeader } from '../../src/core/header';
import type { SlotJudgement } from '../../src/core/judge';
import { judgeBeside, judgeSlot } from '../../src/core/judge';
import type { Header } from '../../src/core/layout';
import { HEADER, HEADER_BYTES } from '../../src/core/layout';
import { story } from '../../fixtures/build';
import { copyOf } from '../support/histories';

const healthy = story({ spares: 2, entries: 130 }).newest;
const ofSpare1 = copyOf(healthy, 1, 4);

const region = (bytes: Uint8Array, gaps: readonly Gap[] = []): Region => ({ bytes, gaps });
const unread = (start: number, end: number): Gap => ({ start, end, kind: 'unread', reason: 'EIO' });

function withHeader(change: Partial<Header>, seal = true): Uint8Array {
  const copy = ofSpare1.slice();
  encodeInto(HEADER, copy, 0, change);
  if (seal) sealHeader(copy.subarray(0, HEADER_BYTES));
  return copy;
}

const REGIONS: readonly (readonly [string, Region])[] = [
  ['a healthy copy', region(ofSpare1)],
  ['another magic', region(withHeader({ magic: new Uint8Array(16) }))],
  ['a wrong header_crc', region(withHeader({ headerCrc: 1 }, false))],
  ['a changed field that the crc does not know of', region(withHeader({ writtenNs: 7n }, false))],
  ['a changed per-copy field that the crc does not know of', region(withHeader({ copyIndex: 3 }, false))],
  ['sequence 0', region(withHeader({ sequence: 0n }))],
  ['sequence 2^63', region(withHeader({ sequence: 1n << 63n }))],
  ['another setup', region(withHeader({ setupUuid: '01234567-89ab-cdef-0123-456789abcdef' }))],
  ['copy_index 5', region(withHeader({ copyIndex: 5 }))],
  ['spare_index 7 of two spares', region(withHeader({ spareIndex: 7 }))],
  ['an unknown incompat feature', region(withHeader({ incompat: 4n }))],
  ['a header that was not read', region(ofSpare1, [unread(0, 4096)])],
  ['sections that were not read', region(ofSpare1, [unread(4096, 8192)])],
  ['an image that ends in it', region(ofSpare1.subarray(0, 500))],
  ['zeros', region(new Uint8Array(32768))],
];

test.each(REGIONS)('the first glance says what judging says: %s', (_name, one) => {
  const judged = judgeHeader(one);
  const evidence = isEvidence(judged)
    ? { setupUuid: judged.header.setupUuid, copyIndex: judged.header.copyIndex }
    : null;
  expect(glanceAtHeader(one)).toEqual({ state: judged.state, evidence });
});

test.each(REGIONS)('beside a copy of its generation it is judged as by itself: %s', (_name, one) => {
  const known: SlotJudgement[] = [];
  judgeBeside(region(copyOf(healthy, 0, 1)), 'complete', known);
  expect(known).toHaveLength(1);
  const alone = judgeSlot(one, 'complete');
  const beside = judgeBeside(one, 'complete', known);
  // Of a valid copy the generation is that of the first one found, to the byte the same but for the per-copy fields.
  expect({ ...beside, generation: null }).toEqual({ ...alone, generation: null });
  expect(beside.generation?.sections).toEqual(alone.generation?.sections);
});
