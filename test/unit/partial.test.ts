// SPDX-License-Identifier: GPL-2.0-or-later
// What --accept-partial makes of a generation of which REMAPS is lost in part. The rest of a repair is in test/cases.
import type { Generation } from '../../src/core/generation';
import { encodeRemaps, layOut, makeGeneration, partsOf } from '../../src/core/assemble';
import { contentsOf } from '../../src/core/generation';
import type { RemapEntry } from '../../src/core/layout';
import { ENTRIES_PER_BLOCK, RETIRED_MAIN_SECTOR } from '../../src/core/layout';
import { acceptedPartial } from '../../src/core/partial';
import type { SalvageReport } from '../../src/core/salvage';
import { newWorld } from '../model/world';

const plain = newWorld(1).gens[0]!.bytes;
const FIRST_DATA = 10240n;

function entry(mainSector: bigint, extent: bigint): RemapEntry {
  const created = { createdNs: 1_700_000_000_000_000_000n };
  return {
    mainSector,
    spareSector: FIRST_DATA + 8n * extent,
    length: 8,
    spareIndex: 0,
    reason: 1,
    flags: 0,
    ...created,
  };
}

function withEntries(entries: readonly RemapEntry[]): Generation {
  const parts = partsOf(plain).map((part) => (part.type === 5 ? encodeRemaps(entries, () => 1n) : part));
  const made = makeGeneration(plain.header, parts);
  if (made === null) throw new Error('it does not fit');
  return made;
}

/** The salvage of a generation of which these blocks of REMAPS are left, and all other sections. */
function withoutBlocks(generation: Generation, lost: readonly number[]): SalvageReport {
  const { header, headerBytes } = generation;
  const sections = layOut(partsOf(generation)).sections.map((section, i) => {
    const directory = header.directory[i]!;
    const blocks = Array.from({ length: section.bytes.length / 4096 }, (_unused, block) =>
      lost.includes(block) ? null : section.bytes.subarray(block * 4096, (block + 1) * 4096),
    );
    const whole = { entry: directory, bytes: section.bytes, pieces: [], blocks: [], why: null };
    return section.type === 5 ? { ...whole, bytes: null, blocks, why: 'lacks blocks' } : whole;
  });
  return { header, headerBytes, sections, generation: null, missing: ['REMAPS'], sources: [], pieces: [] };
}

const live = Array.from({ length: ENTRIES_PER_BLOCK }, (_unused, i) => entry(BigInt(i) * 16n, BigInt(i)));

test('an extent that was retired before stays retired, though another one was retired since', () => {
  const older = withEntries([...live, entry(RETIRED_MAIN_SECTOR, 200n)]);
  const newest = withEntries([...live, entry(RETIRED_MAIN_SECTOR, 200n), entry(RETIRED_MAIN_SECTOR, 201n)]);
  const onlyNew = withEntries([...live, entry(RETIRED_MAIN_SECTOR, 201n)]);
  const made = acceptedPartial(withoutBlocks(onlyNew, [0]), older);
  expect(made).not.toBeNull();
  expect(contentsOf(made!).remaps).toEqual(contentsOf(newest).remaps);
});

test('an older entry gives way to a proven one that has its main sectors or its extent', () => {
  const older = withEntries([entry(0n, 0n), entry(16n, 1n), entry(32n, 2n)]);
  const newest = withEntries([entry(0n, 5n), entry(48n, 1n)]);
  const made = acceptedPartial(withoutBlocks(newest, []), older);
  expect(contentsOf(made!).remaps).toEqual([entry(0n, 5n), entry(32n, 2n), entry(48n, 1n)]);
});

test('what is made of it names the generation that was recovered in part as its parent', () => {
  const newest = withEntries(live);
  const made = acceptedPartial(withoutBlocks(newest, [0]), withEntries([]));
  expect(made?.header.overallCrc).toBe(newest.header.overallCrc);
});
