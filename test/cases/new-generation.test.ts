// SPDX-License-Identifier: GPL-2.0-or-later
// What a new generation is that a repair makes (FORMAT.md section 6, "Who is in", "Number", "Repair"): which fields it
// changes, which it carries on, and that it lies in every place that was to be written.
import { ABSENT } from '../../fixtures/defects/absent';
import { PARTIAL } from '../../fixtures/defects/partial';
import { SPLIT } from '../../fixtures/defects/split';
import { ALL_COPIES, commit, RUN_B, RUN_C, slotAt, spareImage, story } from '../../fixtures/build';
import type { DefectCase, World } from '../../fixtures/case';
import { forge } from '../../fixtures/damage';
import { equalBytes, textOf } from '../../src/core/bytes';
import type { Generation } from '../../src/core/generation';
import { contentsOf, sectionBytes } from '../../src/core/generation';
import { judgeSlot, sameGeneration } from '../../src/core/judge';
import { SECTION, STATE_ACTIVE, STATE_DEGRADED } from '../../src/core/layout';
import { NOW_NS, inputPath, machineOf } from '../support/case-machine';
import { runFsck } from '../support/case-documents';
import type { FsckDocument } from '../support/case-documents';
import type { MachineOptions, MemoryHost } from '../support/memory-host';

/** The one generation that all five copies of the given spare inputs hold. */
function onAll(host: MemoryHost, world: World, inputs: readonly number[]): Generation {
  const generations = inputs.flatMap((input) => {
    const bytes = host.bytesOf(inputPath(world.inputs[input]!, input));
    return ALL_COPIES.map((copy) => {
      const { valid, generation } = judgeSlot(
        { bytes: bytes.slice(slotAt(copy), slotAt(copy) + 524288), gaps: [] },
        'integrity',
      );
      expect({ input, copy, valid }).toEqual({ input, copy, valid: true });
      return generation!;
    });
  });
  const [first] = generations;
  for (const other of generations) expect(sameGeneration(first!, other)).toBe(true);
  return first!;
}

async function repaired(
  world: World,
  words: readonly string[],
  inputs: readonly number[],
  options: MachineOptions = { nowNs: NOW_NS },
): Promise<{ made: Generation; host: MemoryHost; document: FsckDocument }> {
  const host = machineOf(world, options);
  const { document } = await runFsck(host, world, words);
  expect(document.setups[0]?.verdict).toBe('repaired');
  return { made: onAll(host, world, inputs), host, document };
}

function caseNamed(cases: readonly DefectCase[], name: string): DefectCase {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case '${name}'`);
  return found;
}

const KEPT = [SECTION.config, SECTION.health, SECTION.events, SECTION.remaps] as const;

/** The contents that a commit by a tool carries on: all but what DEVICES says of the spares that are written. */
function expectCarriedOn(made: Generation, base: Generation): void {
  for (const type of KEPT) expect(equalBytes(sectionBytes(made, type), sectionBytes(base, type))).toBe(true);
  const [before, after] = [base, made].map((one) => contentsOf(one).devices);
  const rest = { lastSequence: 0n, baseSequence: 0n, lastRun: 0n, crc: 0 };
  expect(after!.map((record) => ({ ...record, ...rest }))).toEqual(
    before!.map((record) => ({ ...record, ...rest })),
  );
  expect(after![0]).toEqual(before![0]);
  expect(made.header.createdNs).toBe(base.header.createdNs);
  expect(made.header.setupUuid).toBe(base.header.setupUuid);
}

/** last_sequence, base_sequence and whether last_run is the generation's own, spare by spare. */
function standing(made: Generation): (readonly [last: bigint, base: bigint, own: boolean])[] {
  return contentsOf(made)
    .devices.slice(1)
    .map(({ lastSequence, baseSequence, lastRun }) => [
      lastSequence,
      baseSequence,
      lastRun === made.header.runId,
    ]);
}

const TWO = story({ spares: 2 });
const DEGRADED = STATE_ACTIVE | STATE_DEGRADED;

describe('a spare that was absent is brought back', () => {
  const alone = commit(TWO.newest, { run: RUN_B, state: DEGRADED, event: 2, spares: [0] });
  const world: World = { inputs: [{ bytes: spareImage(alone, 0) }, { bytes: spareImage(TWO.newest, 1) }] };

  test('by the next sequence of a new run, with the contents of the winner', async () => {
    const { made } = await repaired(world, ['-p'], [0, 1]);
    expect(made.header).toMatchObject({
      sequence: 8n,
      parentCrc: alone.header.overallCrc,
      writtenNs: NOW_NS,
    });
    expect([0n, RUN_B, alone.header.runId, TWO.newest.header.runId]).not.toContain(made.header.runId);
    expect(textOf(made.header.writer)).toMatch(/^dmremap-fsck 1\./);
    expectCarriedOn(made, alone);
  });

  test('ACTIVE is not cleared, DEGRADED is', async () => {
    const { made } = await repaired(world, ['-p'], [0, 1]);
    expect(made.header.state).toBe(STATE_ACTIVE);
  });

  test('and every spare has what it showed as its base', async () => {
    const { made } = await repaired(world, ['-p'], [0, 1]);
    expect(standing(made)).toEqual([
      [8n, 7n, true],
      [8n, 6n, true],
    ]);
  });

  test('a spare that is missing keeps all three, and the generation is DEGRADED and skips a sequence', async () => {
    const three = story({ spares: 3 });
    const first = commit(three.newest, { run: RUN_B, state: DEGRADED, event: 2, spares: [0] });
    const inputs = [{ bytes: spareImage(first, 0) }, { bytes: spareImage(three.newest, 1) }];
    const { made } = await repaired({ inputs }, ['-p'], [0, 1]);
    expect(made.header).toMatchObject({ sequence: 9n, state: DEGRADED });
    expect(standing(made)).toEqual([
      [9n, 7n, true],
      [9n, 6n, true],
      [6n, 1n, false],
    ]);
  });

  test('a spare that was given up and is brought back keeps its flag: only a person says that it is well', async () => {
    const one = caseNamed(ABSENT, 'a spare that was absent and was given up');
    const { made } = await repaired(one.build(), ['-y'], [0, 1]);
    expect(contentsOf(made).devices.map(({ flags }) => flags)).toEqual([0, 1, 2]);
  });

  test('reserved bytes, unknown sections and minor version survive it', async () => {
    const odd = story({ spares: 2, reserved: true, unknownSection: true });
    const base = forge(
      commit(odd.newest, { run: RUN_B, state: DEGRADED, event: 2, spares: [0] }),
      (draft) => {
        draft.header = { formatMinor: 3, compat: 9n };
      },
    );
    const inputs = [{ bytes: spareImage(base, 0) }, { bytes: spareImage(odd.newest, 1) }];
    const { made } = await repaired({ inputs }, ['-p'], [0, 1]);
    expect(made.header).toMatchObject({ formatMinor: 3, compat: 9n, reserved: base.header.reserved });
    expect(
      made.sections.map(({ type, reserved, bytes }) => ({ type, reserved, length: bytes.length })),
    ).toEqual(base.sections.map(({ type, reserved, bytes }) => ({ type, reserved, length: bytes.length })));
    const unknown = (one: Generation): Uint8Array => one.sections.find(({ type }) => type > 5)!.bytes;
    expect(equalBytes(unknown(made), unknown(base))).toBe(true);
    expectCarriedOn(made, base);
  });
});

describe('its time', () => {
  const late = 4_102_444_800_000_000_000n;
  const alone = (writtenNs: bigint): Generation =>
    commit(TWO.newest, { run: RUN_B, state: DEGRADED, event: 2, spares: [0], writtenNs });
  const worldOf = (first: Generation, second: Generation): World => ({
    inputs: [{ bytes: spareImage(first, 0) }, { bytes: spareImage(second, 1) }],
  });

  test("is a nanosecond after the winner's where the clock is behind", async () => {
    const { made } = await repaired(worldOf(alone(late), TWO.newest), ['-p'], [0, 1]);
    expect(made.header.writtenNs).toBe(late + 1n);
  });

  test('is after that of the side that was given up, too', async () => {
    const other = commit(TWO.newest, { run: RUN_C, state: DEGRADED, event: 2, spares: [1] });
    const { made } = await repaired(worldOf(alone(late), other), ['-y', '--choose', '1:0'], [0, 1]);
    expect(made.header).toMatchObject({
      sequence: 8n,
      writtenNs: late + 1n,
      parentCrc: other.header.overallCrc,
    });
  });

  test('does not wrap around at the last of all times', async () => {
    const last = (1n << 64n) - 1n;
    const { made } = await repaired(worldOf(alone(last), TWO.newest), ['-p'], [0, 1]);
    expect(made.header.writtenNs).toBe(last);
  });
});

describe('a side of a split is chosen', () => {
  const left = commit(TWO.newest, { run: RUN_B, state: DEGRADED, event: 2, spares: [0] });
  const right = commit(TWO.newest, { run: RUN_C, state: DEGRADED, event: 2, spares: [1] });
  const world: World = { inputs: [{ bytes: spareImage(left, 0) }, { bytes: spareImage(right, 1) }] };

  test.each([
    ['0:4', left],
    ['1:2', right],
  ])('--choose %s: its contents on both spares', async (choose, base) => {
    const { made } = await repaired(world, ['-y', '--choose', choose], [0, 1]);
    expect(made.header).toMatchObject({
      sequence: 8n,
      parentCrc: base.header.overallCrc,
      state: STATE_ACTIVE,
    });
    expectCarriedOn(made, base);
    expect(standing(made)).toEqual([
      [8n, 7n, true],
      [8n, 7n, true],
    ]);
  });

  test('the sequence is above all that was seen, also where the chosen side is older', async () => {
    const one = caseNamed(SPLIT, 'two spares that each went on alone, one of them further');
    const { made } = await repaired(one.build(), ['-y', '--choose', '1:0'], [0, 1]);
    expect(made.header.sequence).toBe(10n);
  });
});

describe('a partial generation is accepted', () => {
  test('what is proven is kept; it descends from the generation that was recovered in part', async () => {
    const one = caseNamed(
      PARTIAL,
      'EVENTS damaged in all copies of the newest generation, an older one whole',
    );
    const { made } = await repaired(one.build(), ['-y', '--accept-partial'], [0]);
    const { newest, at } = story();
    expect(made.header).toMatchObject({ sequence: 7n, parentCrc: newest.header.overallCrc });
    for (const type of [SECTION.config, SECTION.health, SECTION.remaps] as const) {
      expect(equalBytes(sectionBytes(made, type), sectionBytes(newest, type))).toBe(true);
    }
    expect(equalBytes(sectionBytes(made, SECTION.events), sectionBytes(at(5), SECTION.events))).toBe(true);
  });

  test('older entries that contradict proven ones are left out', async () => {
    const one = caseNamed(
      PARTIAL,
      'a remap block damaged in all copies of the newest generation, an older one whole',
    );
    const { made } = await repaired(one.build(), ['-y', '--accept-partial'], [0]);
    const starts = contentsOf(made).remaps.map(({ mainSector }) => mainSector);
    expect(new Set(starts).size).toBe(starts.length);
  });
});

describe('SOURCE_DATE_EPOCH', () => {
  const alone = commit(TWO.newest, { run: RUN_B, state: DEGRADED, event: 2, spares: [0] });
  const world: World = { inputs: [{ bytes: spareImage(alone, 0) }, { bytes: spareImage(TWO.newest, 1) }] };
  const epoch: MachineOptions = { sourceDateEpochNs: 1_750_000_000_000_000_000n };

  test('makes the repair reproducible: time, run, bytes, and the plan says what will be there', async () => {
    const runs = [
      await repaired(world, ['-p'], [0, 1], epoch),
      await repaired(world, ['-p'], [0, 1], { ...epoch, seed: 99 }),
    ];
    const [first, second] = runs;
    expect(first!.made.header.writtenNs).toBe(1_750_000_000_000_000_000n);
    expect(sameGeneration(first!.made, second!.made)).toBe(true);
    expect(first!.document).toEqual(second!.document);
    const { plan } = first!.document.setups[0]!;
    expect(plan.length).toBeGreaterThan(0);
    for (const { path, offset, length, sha256After } of plan) {
      const bytes = first!.host.bytesOf(path).subarray(Number(offset), Number(offset) + Number(length));
      expect(first!.host.sha256(bytes)).toBe(sha256After);
    }
  });

  test('without it the hashes of a new generation are not known beforehand', async () => {
    const { document } = await repaired(world, ['-p'], [0, 1]);
    const { plan } = document.setups[0]!;
    expect(new Set(plan.map(({ sha256After }) => sha256After))).toEqual(new Set([null]));
  });
});
