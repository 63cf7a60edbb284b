// SPDX-License-Identifier: GPL-2.0-or-later
// The healthy setups that an independent implementation made: every copy is valid, is clean at every level, says what
// truth.json says, and is encoded to the very same bytes.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  encodeConfig,
  encodeDevices,
  encodeEvents,
  encodeHealth,
  encodeRemaps,
  makeGeneration,
} from '../../src/core/assemble';
import { contentsOf, encodeCopy } from '../../src/core/generation';
import { judgeSlot, nonZeroGaps } from '../../src/core/judge';
import type { Level } from '../../src/core/judge';
import { rulesBroken } from '../../src/core/rules';
import { COPY_INDEXES, decide } from '../support/bench';
import type { BenchSpare } from '../support/bench';
import { slotAt } from '../../fixtures/build';

interface Truth {
  readonly setup_uuid: string;
  readonly spare_uuids: readonly string[];
  readonly sequence: number;
  readonly remaps: number;
}

function vector(name: string): { truth: Truth; spares: BenchSpare[] } {
  const folder = join(__dirname, '..', '..', 'fixtures', 'vectors', name);
  const truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as Truth;
  const images = readdirSync(folder)
    .filter((file) => file.startsWith('spare'))
    .sort();
  const spares = images.map((file) => {
    const image = new Uint8Array(gunzipSync(readFileSync(join(folder, file))));
    return { slots: COPY_INDEXES.map((copy) => image.slice(slotAt(copy), slotAt(copy) + 524288)) };
  });
  return { truth, spares };
}

const NAMES = ['empty', 'one', 'three'];

test('there are 25 copies', () => {
  expect(NAMES.flatMap((name) => vector(name).spares.flatMap(({ slots }) => slots)).length).toBe(25);
});

describe.each(NAMES)('%s', (name) => {
  const { truth, spares } = vector(name);

  test('every copy is valid, sound, in its place, and encoded to the same bytes', () => {
    spares.forEach(({ slots }, spareIndex) => {
      slots.forEach((bytes, copyIndex) => {
        const judged = judgeSlot({ bytes, gaps: [] }, 'integrity');
        expect([spareIndex, copyIndex, judged.valid]).toEqual([spareIndex, copyIndex, true]);
        const generation = judged.generation!;
        const place = { spareIndex, copyIndex, spareUuid: truth.spare_uuids[spareIndex]! };
        expect(generation.header).toMatchObject({ ...place, setupUuid: truth.setup_uuid });
        expect(rulesBroken(generation)).toEqual([]);
        expect(nonZeroGaps(generation, judged.region)).toEqual([]);
        const again = encodeCopy(generation, place);
        expect(Buffer.compare(again, bytes.subarray(0, again.length))).toBe(0);
      });
    });
  });

  test('the contents, encoded anew from their values, make the same generation', () => {
    const { generation } = judgeSlot({ bytes: spares[0]!.slots[0]!, gaps: [] }, 'integrity');
    const { devices, config, health, events, remaps, trailers } = contentsOf(generation!);
    const made = makeGeneration(generation!.header, [
      encodeDevices(devices),
      encodeConfig(config),
      encodeHealth(health),
      encodeEvents(events),
      encodeRemaps(remaps, (block) => trailers[block]!.sequence),
    ])!;
    const place = { spareIndex: 0, copyIndex: 0, spareUuid: truth.spare_uuids[0]! };
    expect(Buffer.compare(encodeCopy(made, place), encodeCopy(generation!, place))).toBe(0);
  });

  test.each<Level>(['basic', 'integrity', 'complete', 'forensic'])('clean at level %s', (level) => {
    const decision = decide(truth.setup_uuid, spares, level);
    expect(decision.verdict).toBe('clean');
    expect(decision.winner!.header.sequence).toBe(BigInt(truth.sequence));
    if (level !== 'basic') expect(decision.winner!.contents!.remaps.length).toBe(truth.remaps);
    expect(decision.seats.map(({ uuid }) => uuid)).toEqual(truth.spare_uuids);
    expect(decision.findings.filter(({ id }) => id !== 'lineage')).toEqual([]);
  });
});
