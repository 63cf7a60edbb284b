// SPDX-License-Identifier: GPL-2.0-or-later
// The edges of the rules of FORMAT.md sections 3 and 7: the last value that is allowed, and the first that is not. That
// every broken rule is found and refused is told by the cases of fixtures/defects/unsound*.ts.
import { textField } from '../../src/core/bytes';
import { contentsOf } from '../../src/core/generation';
import type { Generation } from '../../src/core/generation';
import { RETIRED_MAIN_SECTOR } from '../../src/core/layout';
import { blockSectors, nameDefect, rulesBroken } from '../../src/core/rules';
import { MOST_OF_A_KIND } from '../../src/core/rules-remaps';
import { story } from '../../fixtures/build';
import { forge } from '../../fixtures/damage';
import type { Draft } from '../../fixtures/damage';

const { newest } = story({ entries: 6 });
const { newest: two } = story({ spares: 2, entries: 6 });

const idsOf = (generation: Generation): string[] => rulesBroken(generation).map(({ id }) => id);
const broken = (change: (draft: Draft) => void, base = newest): string[] => [
  ...new Set(idsOf(forge(base, change))),
];

test('a healthy generation breaks none', () => {
  expect(idsOf(newest)).toEqual([]);
  expect(
    idsOf(
      story({ spares: 8, entries: 300, lostAndRetired: true, unknownSection: true, reserved: true }).newest,
    ),
  ).toEqual([]);
});

describe.each<[string, string, (draft: Draft) => void, (draft: Draft) => void]>([
  [
    'data_start of a spare: 9216, not 9208',
    'rule-collision',
    (draft) => (draft.devices[1]!.dataStart = 9216n),
    (draft) => (draft.devices[1]!.dataStart = 9208n),
  ],
  [
    'the size of a spare: 16384 sectors, not 16383',
    'rule-device-area',
    (draft) => Object.assign(draft.devices[1]!, { sizeSectors: 16384n }),
    (draft) => Object.assign(draft.devices[1]!, { sizeSectors: 16383n, dataSectors: 6136n }),
  ],
  [
    'data_sectors of a spare: a multiple of 8',
    'rule-device-area',
    (draft) => (draft.devices[1]!.dataSectors = 6136n),
    (draft) => (draft.devices[1]!.dataSectors = 6140n),
  ],
  [
    'the data area: up to the end of the device, not beyond',
    'rule-device-area',
    (draft) => (draft.devices[1]!.dataSectors = 6144n),
    (draft) => (draft.devices[1]!.dataSectors = 6152n),
  ],
  [
    'blocks: 4096 bytes, not 2048',
    'rule-device-block-size',
    (draft) => Object.assign(draft.devices[0]!, { logicalBlockSize: 4096 }),
    (draft) => Object.assign(draft.devices[0]!, { logicalBlockSize: 2048 }),
  ],
  [
    'last_sequence: the own one, not the next',
    'rule-device-sequence',
    (draft) => (draft.devices[1]!.lastSequence = 6n),
    (draft) => (draft.devices[1]!.lastSequence = 7n),
  ],
  [
    'base_sequence: at last_sequence, not above',
    'rule-device-sequence',
    (draft) => (draft.devices[1]!.baseSequence = 6n),
    (draft) => (draft.devices[1]!.baseSequence = 7n),
  ],
  [
    'last_run: any for an older last_sequence, the own run for the own',
    'rule-device-sequence',
    (draft) => Object.assign(draft.devices[1]!, { lastSequence: 5n, baseSequence: 0n, lastRun: 0x77n }),
    (draft) => Object.assign(draft.devices[1]!, { lastSequence: 6n, lastRun: 0x77n }),
  ],
  [
    'min_copies: 5, not 6',
    'rule-config-value',
    (draft) => (draft.config.minCopies = 5),
    (draft) => (draft.config.minCopies = 6),
  ],
  [
    'min_copies: 1, not 0',
    'rule-config-value',
    (draft) => (draft.config.minCopies = 1),
    (draft) => (draft.config.minCopies = 0),
  ],
  [
    'spare_policy: 3, not 4',
    'rule-config-value',
    (draft) => (draft.config.sparePolicy = 3),
    (draft) => (draft.config.sparePolicy = 4),
  ],
  [
    'tunables: 32, not 33',
    'rule-config-value',
    (draft) => (draft.config.tunableCount = 32),
    (draft) => (draft.config.tunableCount = 33),
  ],
  [
    'remap_unit: 1 or 8 with blocks of 512 bytes, nothing between',
    'rule-remap-unit',
    (draft) => (draft.config.remapUnit = 1),
    (draft) => (draft.config.remapUnit = 4),
  ],
  [
    'the health score: 100, not 101',
    'rule-health',
    (draft) => (draft.health.score = 100),
    (draft) => (draft.health.score = 101),
  ],
  [
    'the first sector of an entry: the first of main, not before',
    'rule-entry-main',
    (draft) => {
      draft.devices[0]!.dataStart = 2048n;
      draft.devices[0]!.dataSectors = draft.config.targetSectors = 2095104n;
    },
    (draft) => {
      draft.devices[0]!.dataStart = 2056n;
      draft.devices[0]!.dataSectors = draft.config.targetSectors = 2095096n;
    },
  ],
  [
    'the last sector of an entry: the last of main, not behind',
    'rule-entry-main',
    (draft) => (draft.entries[5]!.mainSector = 2097144n),
    (draft) => (draft.entries[5]!.mainSector = 2097145n),
  ],
  [
    'an entry that adjoins the one before, and one that overlaps it by a sector',
    'rule-entry-overlap',
    (draft) => (draft.entries[1]!.mainSector = draft.entries[0]!.mainSector + 8n),
    (draft) => (draft.entries[1]!.mainSector = draft.entries[0]!.mainSector + 7n),
  ],
  [
    'an extent at the end of a spare, and one that passes it',
    'rule-entry-spare',
    (draft) => (draft.entries[5]!.spareSector = 16376n),
    (draft) => (draft.entries[5]!.spareSector = 16377n),
  ],
  [
    'extents that adjoin on a spare, and that share a sector',
    'rule-entry-share',
    (draft) => (draft.entries[5]!.spareSector = draft.entries[4]!.spareSector + 8n),
    (draft) => (draft.entries[5]!.spareSector = draft.entries[4]!.spareSector + 7n),
  ],
  [
    'reasons: 4, not 5',
    'rule-entry-reason',
    (draft) => (draft.entries[0]!.reason = 4),
    (draft) => (draft.entries[0]!.reason = 5),
  ],
  [
    'lengths: 1, not 0',
    'rule-entry-length',
    (draft) => (draft.entries[0]!.length = 1),
    (draft) => (draft.entries[0]!.length = 0),
  ],
])('%s', (_name, id, allowed, forbidden) => {
  test('allowed', () => {
    expect(broken(allowed)).toEqual([]);
  });

  test('not allowed', () => {
    expect(broken(forbidden)).toContain(id);
  });
});

describe('retired extents', () => {
  const retire = (draft: Draft, places: readonly (readonly [number, bigint])[]): void => {
    for (const [spareIndex, spareSector] of places) {
      draft.entries.push({ ...draft.entries[0]!, mainSector: RETIRED_MAIN_SECTOR, spareIndex, spareSector });
    }
  };

  test('come last, by spare and then by sector', () => {
    expect(
      broken(
        (draft) =>
          retire(draft, [
            [0, 12000n],
            [0, 12008n],
            [1, 11000n],
          ]),
        two,
      ),
    ).toEqual([]);
    expect(
      broken(
        (draft) =>
          retire(draft, [
            [1, 11000n],
            [0, 12000n],
          ]),
        two,
      ),
    ).toEqual(['rule-entry-order']);
    expect(
      broken(
        (draft) =>
          retire(draft, [
            [0, 12008n],
            [0, 12000n],
          ]),
        two,
      ),
    ).toEqual(['rule-entry-order']);
    expect(
      broken((draft) => {
        retire(draft, [[0, 12000n]]);
        draft.entries.push({ ...draft.entries[0]!, mainSector: 900000n, spareSector: 12100n });
      }, two),
    ).toContain('rule-entry-order');
  });

  test('take up their sectors: no other entry may have one', () => {
    expect(broken((draft) => retire(draft, [[0, draft.entries[0]!.spareSector]]))).toEqual([
      'rule-entry-share',
    ]);
  });
});

describe('with one device of 4096-byte blocks everything comes in eights', () => {
  const large = (draft: Draft): void => {
    draft.devices[1]!.logicalBlockSize = 4096;
  };

  test('which the entries of these fixtures do', () => {
    expect(broken(large)).toEqual([]);
  });

  test.each<[string, (draft: Draft) => void, string]>([
    ['main_sector', (draft) => (draft.entries[5]!.mainSector += 4n), 'rule-entry-multiple'],
    ['spare_sector', (draft) => (draft.entries[5]!.spareSector += 4n), 'rule-entry-multiple'],
    ['length', (draft) => (draft.entries[5]!.length = 4), 'rule-entry-multiple'],
    ['remap_unit', (draft) => (draft.config.remapUnit = 1), 'rule-remap-unit'],
  ])('%s', (_name, change, id) => {
    expect(broken(change)).toEqual([]);
    expect(
      broken((draft) => {
        large(draft);
        change(draft);
      }),
    ).toEqual([id]);
  });

  test('whichever device it is', () => {
    const [main, spare] = contentsOf(newest).devices;
    const largest = (a: number, b: number): number =>
      blockSectors([
        { ...main!, logicalBlockSize: a },
        { ...spare!, logicalBlockSize: b },
      ]);
    expect([largest(512, 512), largest(4096, 512), largest(512, 4096)]).toEqual([1, 8, 8]);
  });
});

describe('names', () => {
  const defect = (name: string | Uint8Array): string | null =>
    nameDefect(typeof name === 'string' ? textField(name, 128) : name);

  test.each(['a', 'x'.repeat(89), 'with blanks and.dots-', 'größe', '💾'])('%s is allowed', (name) => {
    expect(defect(name)).toBeNull();
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['nothing', '', /is empty/],
    ['90 bytes', 'x'.repeat(90), /90 bytes, more than 89/],
    ['90 bytes of fewer characters', 'ü'.repeat(45), /90 bytes/],
    ['a slash', 'a/b', /slash/],
    ['an escape', 'a\x1bb', /control character/],
    ['a delete', 'a\x7fb', /control character/],
    ['a control character beyond ASCII', 'a\u0085b', /control character/],
    ['no NUL at the end', new Uint8Array(128).fill(0x61), /malformed/],
    [
      'bytes behind the NUL',
      Uint8Array.from({ length: 128 }, (_unused, i) => (i === 1 ? 0 : 0x61)),
      /malformed/,
    ],
    ['no UTF-8', Uint8Array.from({ length: 128 }, (_unused, i) => (i === 0 ? 0xff : 0)), /malformed/],
  ])('%s is not', (_name, name, why) => {
    expect(defect(name)).toMatch(why);
  });
});

test('of each kind of broken rule only so many are told, however many there are', () => {
  const base = story({ entries: 500 }).newest;
  const found = idsOf(forge(base, (draft) => draft.entries.forEach((entry) => (entry.reason = 99))));
  expect(found).toEqual(Array(MOST_OF_A_KIND).fill('rule-entry-reason'));
});
