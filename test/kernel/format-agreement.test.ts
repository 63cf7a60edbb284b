// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's format code and the toolkit's core judge the same spares and come to the same: all defects of fixtures/, and
// mutated copies whose checksums were mended, so that what was changed gets past them.
import { ALL_CASES } from '../../fixtures';
import type { Input } from '../../fixtures/case';
import { forge } from '../../fixtures/damage';
import type { Gap } from '../../src/core/extents';
import { contentsOf } from '../../src/core/generation';
import { SLOT_ROOM_BYTES, SLOT_SECTORS } from '../../src/core/layout';
import type { RemapEntry } from '../../src/core/layout';
import { wholeSpare } from '../support/bench';
import type { BenchSpare } from '../support/bench';
import { fromEnvironment } from '../support/fixed-runs';
import { fuzzImage } from '../support/fuzz-images';
import { HISTORIES, history } from '../support/histories';
import { disagreements } from '../support/kernel-agreement';
import { describeC } from '../support/kernel-c';
import { askJudge, buildJudge } from '../support/kernel-judge';
import type { KernelDecision } from '../support/kernel-judge';
import { kernelSpare, ofSetup, placeSpares, questionOf, setupsOn } from '../support/kernel-seats';
import type { Placed } from '../support/kernel-seats';
import { removeTree, temporaryDirectory } from '../support/temporary';
import '../support/engines';

/** Mutated images that are compared. */
const IMAGES = fromEnvironment('DMREMAP_AGREE', 1600);
const PORTION = 400;
const FIRST_SEED = 5_000_000 + fromEnvironment('DMREMAP_SEED', 0) * 100_000_000;

jest.setTimeout(300_000);

const FOUR_K = history('blocks of 4096 bytes', {
  spares: 2,
  entries: 30,
  devices: { 1: { logicalBlockSize: 4096, physicalBlockSize: 4096 } },
});

/** The slots of an image that begins with a spare. */
function spareOf({ bytes, unread = [] }: Input): BenchSpare {
  const starts = SLOT_SECTORS.map((sector) => Number(sector) * 512);
  return {
    slots: starts.map((start) => bytes.subarray(start, start + SLOT_ROOM_BYTES)),
    gaps: starts.map((slot) =>
      unread.flatMap(({ start, end }): Gap[] => {
        const [from, to] = [Math.max(start - slot, 0), Math.min(end - slot, SLOT_ROOM_BYTES)];
        return from < to ? [{ start: from, end: to, kind: 'unread', reason: 'EIO: i/o error' }] : [];
      }),
    ),
  };
}

describeC('the kernel and the toolkit', () => {
  let folder = '';
  let judge = '';
  const refusals = new Map<string, number>();
  const states = new Map<string, number>();
  const rules = new Set<string>();

  beforeAll(() => {
    folder = temporaryDirectory();
    judge = buildJudge(folder);
  });
  afterAll(() => {
    removeTree(folder);
  });

  function count(kernel: KernelDecision): void {
    refusals.set(kernel.refusal, (refusals.get(kernel.refusal) ?? 0) + 1);
    if (kernel.rule !== null) rules.add(kernel.rule);
    for (const { copies } of kernel.spares)
      for (const { state } of copies) states.set(state, (states.get(state) ?? 0) + 1);
  }

  /** What differs, setup by setup, each with its name. */
  function compare(named: readonly (readonly [name: string, placed: Placed])[]): string[] {
    const answers = askJudge(
      judge,
      named.map(([, placed]) => questionOf(placed)),
    );
    expect(answers).toHaveLength(named.length);
    return named.flatMap(([name, placed], i) => {
      const kernel = answers[i] as KernelDecision;
      count(kernel);
      return disagreements(placed, kernel).map((one) => `${name}: ${one}`);
    });
  }

  test.each([...new Set(ALL_CASES.map(({ kind }) => kind))])('agree about all defects: %s', (kind) => {
    const named = ALL_CASES.filter((one) => one.kind === kind).flatMap((one) => {
      const spares = one
        .build()
        .inputs.filter(({ instead }) => instead === undefined)
        .map(spareOf);
      return setupsOn(spares).flatMap((uuid): [string, Placed][] => {
        const placed = placeSpares(uuid, ofSetup(uuid, spares));
        return placed === null ? [] : [[`${one.name}, setup ${uuid}`, placed]];
      });
    });
    expect(compare(named)).toEqual([]);
  });

  test('all defects together were several hundred setups', () => {
    const setups = [...refusals.values()].reduce((sum, n) => sum + n, 0);
    expect(setups).toBeGreaterThan(300);
  });

  test.each(Array.from({ length: Math.ceil(IMAGES / PORTION) }, (_unused, i) => FIRST_SEED + i * PORTION))(
    `agree about ${PORTION} mutated images from seed %i on`,
    (first) => {
      const named = Array.from({ length: PORTION }, (_unused, i) => first + i).flatMap(
        (seed): [string, Placed][] => {
          const { setupUuid, spares, story } = fuzzImage([...HISTORIES, FOUR_K], seed);
          const placed = placeSpares(setupUuid, ofSetup(setupUuid, spares));
          return placed === null || placed.table.length === 0
            ? []
            : [[`seed ${seed} (${story.join('; ')})`, placed]];
        },
      );
      expect(compare(named)).toEqual([]);
    },
  );

  test('agree about full tables', () => {
    const large = [
      history('full', { entries: 15_494 }),
      history('nearly full', { spares: 2, entries: 15_300 }),
    ];
    const named = Array.from({ length: 12 }, (_unused, i): [string, Placed] => {
      const { setupUuid, spares, story } = fuzzImage(large, FIRST_SEED + i);
      return [story.join('; '), placeSpares(setupUuid, ofSetup(setupUuid, spares)) as Placed];
    }).filter(([, placed]) => placed.table.length > 0);
    expect(compare(named)).toEqual([]);
  });

  test('agree about entries on devices with blocks of 4096 bytes', () => {
    const from = FOUR_K.newest;
    const one = (change: Partial<RemapEntry>): [string, Placed] => {
      const forged = forge(from, ({ entries }) => {
        entries[3] = { ...(entries[3] as RemapEntry), ...change };
      });
      const spares = [wholeSpare(forged, 0), wholeSpare(forged, 1)];
      return [JSON.stringify(Object.keys(change)), placeSpares(FOUR_K.setupUuid, spares) as Placed];
    };
    const entry = contentsOf(from).remaps[3] as RemapEntry;
    const named = [
      one({ reason: 4 }),
      one({ mainSector: entry.mainSector + 1n }),
      one({ spareSector: entry.spareSector + 1n }),
      one({ length: 7 }),
    ];
    expect(compare(named)).toEqual([]);
    const answers = askJudge(
      judge,
      named.map(([, placed]) => questionOf(placed)),
    );
    const multiple = 'rule-entry-multiple';
    expect(answers.map(({ rule }) => rule)).toEqual([null, multiple, multiple, multiple]);
  });

  test('refuses spares of other setups', () => {
    const [one, other] = [history('one', {}), history('other', { id: 3 })];
    const spare = (from: typeof one): BenchSpare => wholeSpare(from.newest, 0);
    const ask = (setupUuid: string | null, ...spares: BenchSpare[]): string =>
      askJudge(judge, [{ setupUuid, spares: spares.map(kernelSpare) }])[0]?.refusal ?? '';
    expect(ask(null, spare(one))).toBe('ok');
    expect(ask(one.setupUuid, spare(one))).toBe('ok');
    expect(ask(other.setupUuid, spare(one))).toBe('other-setup');
    expect(ask(null, spare(one), spare(other))).toBe('two-setups');
    expect(ask(one.setupUuid, spare(one), spare(other))).toBe('other-setup');
    const [a, b] = [spare(one).slots, spare(other).slots];
    const mixed = (from: readonly number[]): BenchSpare => ({
      slots: from.map((which, copy) => (which === 0 ? a : b)[copy] ?? new Uint8Array(0)),
    });
    expect(ask(null, { ...mixed([0, 0, 1, 1, 1]) })).toBe('ok');
    expect(ask(one.setupUuid, mixed([0, 0, 1, 1, 1]))).toBe('ok');
    const tied = mixed([0, 0, 1, 1, 1]);
    // Two valid copies each; an intact header more makes no difference where there are valid copies.
    const cut = tied.slots[4]?.slice() ?? new Uint8Array(0);
    cut[20480] = (cut[20480] ?? 0) ^ 1;
    tied.slots[4] = cut;
    expect(ask(null, tied)).toBe('two-setups');
    tied.slots[4] = new Uint8Array(4096);
    expect(ask(null, tied)).toBe('two-setups');
    expect(ask(other.setupUuid, tied)).toBe('ok');
    expect(ask(null, { slots: a.map(() => new Uint8Array(4096)) })).toBe('nothing');
  });

  test('every refusal, every state of a copy and most rules were reached', () => {
    expect([...refusals.keys()].sort()).toEqual(
      expect.arrayContaining([
        'blank-spare',
        'newer-lost',
        'ok',
        'spare-count',
        'split',
        'unknown-version',
        'wrong-spare',
      ]),
    );
    expect([...states.keys()].sort()).toEqual([
      'bad',
      'foreign',
      'misplaced',
      'none',
      'rival',
      'stale',
      'unknown',
      'unread',
      'whole',
    ]);
    expect(rules.size).toBeGreaterThan(18);
    console.info(
      JSON.stringify({ refusals: [...refusals].sort(), copies: [...states].sort(), rules: rules.size }),
    );
  });
});
