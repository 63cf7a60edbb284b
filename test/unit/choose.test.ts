// SPDX-License-Identifier: GPL-2.0-or-later
// Who wins (FORMAT.md section 5), with sequences small enough to follow by hand: the order of copies, what counts as
// evidence of a newer generation, when a spare has diverged, when a setup is split.
import { compareCopies, divergence } from '../../src/core/choose';
import type { Generation } from '../../src/core/generation';
import { contentsOf } from '../../src/core/generation';
import type { DeviceRecord, Header } from '../../src/core/layout';
import type { SetupDecision } from '../../src/core/model';
import { commit, RUN_A, RUN_B, RUN_C, setupUuid, story } from '../../fixtures/build';
import { decide, wholeSpare } from '../support/bench';
import type { BenchSpare } from '../support/bench';
import { copyOf } from '../support/histories';

const one = story();
const two = story({ spares: 2 });

/** A spare with copies of these generations, slot by slot; null: zeros. */
function spareOf(spare: number, generations: readonly (Generation | null)[]): BenchSpare {
  return {
    slots: generations.map((generation, copy) =>
      generation === null ? new Uint8Array(32768) : copyOf(generation, spare, copy).slice(),
    ),
  };
}

const decideAll = (...spares: BenchSpare[]): SetupDecision => decide(setupUuid(), spares);

describe('the order of copies', () => {
  const header = (change: Partial<Header>): Header => ({ ...one.newest.header, ...change });
  const base = { sequence: 5n, writtenNs: 100n, spareIndex: 1, copyIndex: 2 };

  test.each<[string, Partial<Header>]>([
    [
      'a higher sequence, even if it is older and lies elsewhere',
      { sequence: 6n, writtenNs: 1n, spareIndex: 7, copyIndex: 4 },
    ],
    ['with equal sequences the later written_ns', { writtenNs: 101n, spareIndex: 7, copyIndex: 4 }],
    ['then the lower spare_index', { spareIndex: 0, copyIndex: 4 }],
    ['then the lower copy_index', { copyIndex: 1 }],
  ])('%s wins', (_name, better) => {
    expect(compareCopies(header({ ...base, ...better }), header(base))).toBeLessThan(0);
    expect(compareCopies(header(base), header({ ...base, ...better }))).toBeGreaterThan(0);
  });

  test('sequences are compared as 64-bit numbers', () => {
    const big = { ...base, sequence: (1n << 62n) + 1n };
    expect(compareCopies(header(big), header({ ...big, sequence: 1n << 62n }))).toBeLessThan(0);
  });
});

describe('a single valid copy of the newest generation', () => {
  test.each([0, 1, 2, 3, 4])('wins from slot %i against four of the one before', (slot) => {
    const generations = [0, 1, 2, 3, 4].map((copy) => one.at(copy === slot ? 6 : 5));
    const { winner, verdict } = decideAll(spareOf(0, generations));
    expect([winner!.header.sequence, winner!.from.copyIndex, verdict]).toEqual([6n, slot, 'repairable']);
  });

  test('wins from the last slot of the last spare', () => {
    const { winner } = decideAll(
      spareOf(0, [null, null, null, null, two.at(5)]),
      spareOf(1, [null, two.at(5), null, null, two.at(6)]),
    );
    expect(winner!.header).toMatchObject({ sequence: 6n, spareIndex: 1, copyIndex: 4 });
  });
});

describe('a misplaced copy', () => {
  test('never wins, but what it shows is evidence: the newest generation is salvaged from it', () => {
    const spare = spareOf(
      0,
      [5, 5, 5, 5, 5].map((sequence) => one.at(sequence)),
    );
    // Copy 1 of the newest generation lies in slot 3.
    spare.slots[3] = copyOf(one.at(6), 0, 1).slice();
    const { winner, verdict } = decideAll(spare);
    expect(winner!.salvage).not.toBeNull();
    expect([winner!.header.sequence, verdict]).toEqual([6n, 'salvageable']);
  });

  test('of the winning generation changes nothing about who wins', () => {
    const spare = spareOf(
      0,
      [6, 6, 6, 6, 6].map((sequence) => one.at(sequence)),
    );
    spare.slots[0] = copyOf(one.at(6), 0, 4).slice();
    const { winner, seats } = decideAll(spare);
    expect([winner!.from.copyIndex, seats[0]!.copies[0]!.state]).toEqual([1, 'misplaced']);
  });
});

describe('a newer generation of which no whole copy is left', () => {
  const broken = (...places: [number, number][]): BenchSpare => {
    const spare = spareOf(
      0,
      [5, 5, 6, 5, 5].map((sequence) => one.at(sequence)),
    );
    for (const [slot, at] of places) spare.slots[slot]![at]! ^= 0xff;
    return spare;
  };

  test('is salvaged where its sections survive elsewhere', () => {
    // CONFIG did not change since, so that of sequence 5 is that of sequence 6.
    const { winner, verdict } = decideAll(broken([2, 12_300]));
    expect([winner!.header.sequence, verdict]).toEqual([6n, 'salvageable']);
  });

  test('is partial where one does not, and the older one does not win by itself', () => {
    const { winner, verdict, candidates, partial } = decideAll(broken([2, 20_500]));
    expect([winner, verdict, partial!.header.sequence]).toEqual([null, 'partial', 6n]);
    expect(candidates.map(({ generation }) => generation.header.sequence)).toEqual([5n]);
  });

  test('is forgotten where its header is bad too: nothing of it is evidence', () => {
    const { winner, verdict, highestSeen } = decideAll(broken([2, 20_500], [2, 0x140]));
    expect([winner!.header.sequence, verdict, highestSeen]).toEqual([5n, 'repairable', 5n]);
  });
});

describe('divergence: every header on a spare is known to the winner, or the spare went on by itself', () => {
  const record = (change: Partial<DeviceRecord>): DeviceRecord => ({
    ...contentsOf(one.newest).devices[1]!,
    lastSequence: 8n,
    baseSequence: 5n,
    lastRun: RUN_B,
    ...change,
  });
  /** A spare with one header of this sequence and run. */
  const showing = (sequence: bigint, run: bigint): Parameters<typeof divergence>[0] => {
    const generation = commit(one.at(4), { sequence, run });
    return decideAll(spareOf(0, [generation, null, null, null, null])).seats[0]!.spare!;
  };

  test.each<[string, bigint, bigint, boolean]>([
    ['at base_sequence, of whatever run', 5n, RUN_C, true],
    ['below it', 4n, RUN_C, true],
    ['above it, of last_run', 6n, RUN_B, true],
    ['at last_sequence, of last_run', 8n, RUN_B, true],
    ['above last_sequence, though of last_run', 9n, RUN_B, false],
    ['one above base_sequence, of another run', 6n, RUN_C, false],
    ['at last_sequence, of another run', 8n, RUN_A, false],
  ])('%s', (_name, sequence, run, consistent) => {
    const found = divergence(showing(sequence, run), record({}), setupUuid(), null);
    expect(found === null).toBe(consistent);
    if (!consistent) expect(found).toMatchObject({ sequence, runId: run });
  });

  test('one strange header among good ones is enough, even without its sections', () => {
    const spare = spareOf(
      1,
      [6, 6, 6, 6, 6].map((sequence) => two.at(sequence)),
    );
    const strange = commit(two.at(4), { sequence: 5n, run: RUN_C, spares: [1] });
    spare.slots[3] = copyOf(strange, 1, 3).slice().fill(0, 4096);
    const { verdict, seats } = decideAll(wholeSpare(two.at(6), 0), spare);
    expect([verdict, seats[1]!.standing]).toEqual(['split', 'diverged']);
  });
});

describe('how spares stand to the winner', () => {
  test('older copies of the same line: current, and stale', () => {
    const { seats, verdict } = decideAll(wholeSpare(two.at(6), 0), wholeSpare(two.at(5), 1));
    expect([verdict, seats[1]!.standing]).toEqual(['repairable', 'current']);
    expect(seats[1]!.copies.map(({ state }) => state)).toEqual(Array(5).fill('stale'));
  });

  test('a spare that the newer generations did not include: behind', () => {
    const alone = commit(two.newest, { run: RUN_B, spares: [0] });
    const { seats } = decideAll(wholeSpare(alone, 0), wholeSpare(two.newest, 1));
    expect(seats.map(({ standing }) => standing)).toEqual(['current', 'behind']);
  });

  test('not given: absent, and the next commit skips a sequence', () => {
    const decision = decideAll(wholeSpare(two.newest, 0));
    expect(decision.seats.map(({ standing }) => standing)).toEqual(['current', 'absent']);
    expect([decision.verdict, decision.uncertain]).toEqual(['clean', true]);
    expect(decideAll(wholeSpare(two.newest, 0), wholeSpare(two.newest, 1)).uncertain).toBe(false);
  });

  test('each went on without the other: a split, whichever order they are given in', () => {
    const a = wholeSpare(commit(two.newest, { run: RUN_B, spares: [0] }), 0);
    const b = wholeSpare(commit(two.newest, { run: RUN_C, spares: [1] }), 1);
    for (const decision of [decideAll(a, b), decideAll(b, a)]) {
      expect([decision.verdict, decision.winner!.header.spareIndex, decision.candidates.length]).toEqual([
        'split',
        0,
        2,
      ]);
    }
  });

  test('valid copies of the highest sequence that differ, on one spare: a split', () => {
    const a = commit(one.newest, { run: RUN_B });
    const b = commit(one.newest, { run: RUN_C, writtenNs: a.header.writtenNs + 1n });
    const { verdict, winner } = decideAll(spareOf(0, [a, a, a, a, b]));
    // The later written_ns would win, though only one copy has it.
    expect([verdict, winner!.header.runId]).toEqual(['split', RUN_C]);
  });

  test('given twice: refused, since nobody knows which is the copy', () => {
    const { verdict, refusal, findings } = decideAll(wholeSpare(one.newest, 0), wholeSpare(one.newest, 0));
    expect(verdict).toBe('inconsistent');
    expect(refusal).toMatch(/spare-duplicate/);
    expect(findings.map(({ id }) => id)).toContain('spare-duplicate');
  });
});
