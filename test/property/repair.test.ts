// SPDX-License-Identifier: GPL-2.0-or-later
// Damage that leaves one valid copy of the newest generation is repaired to byte-identical copies, and the next run has
// nothing to do. Run as the command does, on images in memory.
import fc from 'fast-check';
import type { Generation } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { SECTION_OFFSET } from '../../src/core/layout';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';
import { copyOf, HISTORIES } from '../support/histories';
import type { History } from '../support/histories';
import type { MemoryHost } from '../support/memory-host';
import {
  differingPlaces,
  healthySpares,
  onlySetup,
  pathsOf,
  pokeSlot,
  putCopy,
  runFsck,
  slotBytes,
  sparePath,
  strayWrites,
} from '../support/repair-world';
import { slotAt } from '../../fixtures/build';

jest.setTimeout(PATIENCE_MS);

/** Damage to one place. What it does to the header is bounded, so that the spare still shows which spare it is. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero' as const), from: fc.nat(), sectors: fc.integer({ min: 1, max: 48 }) }),
  fc.record({
    kind: fc.constant('noise' as const),
    from: fc.nat(),
    length: fc.integer({ min: 1, max: 20_000 }),
  }),
  fc.record({ kind: fc.constant('stale' as const), age: fc.integer({ min: 1, max: 6 }) }),
  // A commit that was cut: so many bytes of the newest generation's blocks over an older copy, its header missing.
  fc.record({
    kind: fc.constant('cut commit' as const),
    age: fc.integer({ min: 1, max: 6 }),
    blocks: fc.nat(8),
  }),
  fc.record({ kind: fc.constant('misplaced' as const), copy: fc.nat(4), age: fc.nat(6) }),
  fc.record({
    kind: fc.constant('section' as const),
    number: fc.nat(4),
    age: fc.integer({ min: 1, max: 6 }),
  }),
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

const scene = fc.constantFrom(...HISTORIES).chain((history) =>
  fc.record({
    history: fc.constant(history),
    survivor: fc.nat(history.spares * 5 - 1),
    damages: fc.array(fc.option(fc.array(damage, { minLength: 1, maxLength: 3 }), { freq: 5 }), {
      minLength: history.spares * 5,
      maxLength: history.spares * 5,
    }),
  }),
);

function aged(history: History, age: number): Generation {
  return history.line[Math.max(0, history.line.length - 1 - age)]!;
}

/** The bytes of the header that tell which spare it is, and the magic: half-open ranges. */
const IDENTITY = [
  [0x00, 0x10],
  [0x50, 0x74],
] as const;

function inflict(host: MemoryHost, history: History, spare: number, copy: number, one: Damage): void {
  const used = copyOf(history.newest, spare, copy).length;
  const identity = IDENTITY.map(([start, end]) => ({
    start,
    bytes: slotBytes(host, spare, copy, start, end),
  }));
  switch (one.kind) {
    case 'flip': {
      const at = one.at % used;
      const [byte = 0] = slotBytes(host, spare, copy, at, at + 1);
      pokeSlot(host, spare, copy, at, Uint8Array.of(byte ^ (1 << one.bit)));
      break;
    }
    case 'zero': {
      const from = (one.from % (used / 512)) * 512;
      pokeSlot(host, spare, copy, from, new Uint8Array(Math.min(one.sectors * 512, used - from)));
      break;
    }
    case 'noise': {
      const from = one.from % used;
      const bytes = Uint8Array.from(
        { length: Math.min(one.length, used - from) },
        (_unused, i) => 0x80 | (i * 37),
      );
      pokeSlot(host, spare, copy, from, bytes);
      break;
    }
    case 'stale':
      putCopy(host, aged(history, one.age), spare, copy);
      return;
    case 'cut commit': {
      putCopy(host, aged(history, one.age), spare, copy);
      const newest = copyOf(history.newest, spare, copy);
      pokeSlot(
        host,
        spare,
        copy,
        4096,
        newest.subarray(4096, Math.min(newest.length, (1 + one.blocks) * 4096)),
      );
      return;
    }
    case 'misplaced':
      // Of another slot: no witness of which spare this is, and no evidence beyond the newest generation.
      if (one.copy !== copy) pokeSlot(host, spare, copy, 0, copyOf(aged(history, one.age), spare, one.copy));
      return;
    case 'section': {
      const from = copyOf(aged(history, one.age), spare, copy);
      const at = Object.values(SECTION_OFFSET)[one.number]!;
      pokeSlot(host, spare, copy, at, from.subarray(at, at + 4096));
      return;
    }
  }
  for (const { start, bytes } of identity) pokeSlot(host, spare, copy, start, bytes);
}

/** The damaged machine; the survivor is whole. */
function damagedSpares({
  history,
  survivor,
  damages,
}: typeof scene extends fc.Arbitrary<infer T> ? T : never): MemoryHost {
  const host = healthySpares(history.newest);
  damages.forEach((list, place) => {
    const [spare, copy] = [Math.floor(place / 5), place % 5];
    for (const one of list ?? []) inflict(host, history, spare, copy, one);
  });
  putCopy(host, history.newest, Math.floor(survivor / 5), survivor % 5);
  for (const place of differingPlaces(host, history.newest)) {
    const [spare = 0, copy = 0] = place.split(':').map(Number);
    const bytes = slotBytes(host, spare, copy, 0, copyOf(history.newest, spare, copy).length);
    const { valid, header } = judgeSlot({ bytes, gaps: [] }, 'integrity');
    // Damage to nothing but gaps is none: no reader looks at them, and no repair rewrites the copy for their sake.
    if (valid && header.header?.sequence === history.newest.header.sequence)
      putCopy(host, history.newest, spare, copy);
  }
  return host;
}

describe('one valid copy of the newest generation is left', () => {
  test('-p makes all copies of all spares byte-identical, and the next run finds nothing', async () => {
    let written = 0;
    await fc.assert(
      fc.asyncProperty(scene, async (one) => {
        const { history } = one;
        const host = damagedSpares(one);
        const paths = pathsOf(history.spares);
        const hurt = differingPlaces(host, history.newest);
        const run = await runFsck(host, paths, { mode: 'preen' });
        const setup = onlySetup(run);
        expect(differingPlaces(host, history.newest)).toEqual([]);
        expect(strayWrites(host, history.newest)).toEqual([]);
        expect([run.exit, setup.verdict]).toEqual(setup.plan.length === 0 ? [0, 'clean'] : [1, 'repaired']);
        written += hurt.length;
        const second = await runFsck(host, paths, { mode: 'check', level: 'forensic' });
        expect([second.exit, onlySetup(second).verdict]).toEqual([0, 'clean']);
        const log = host.log.length;
        await runFsck(host, paths);
        expect(host.log.length).toBe(log);
      }),
      fixedRuns(150),
    );
    expect(written).toBeGreaterThan(300);
  });

  test('what cannot be read is repaired by -y, and stays for -p', async () => {
    await fc.assert(
      fc.asyncProperty(
        scene,
        fc.array(fc.record({ slot: fc.nat(14), at: fc.nat(), sectors: fc.integer({ min: 1, max: 16 }) }), {
          minLength: 1,
          maxLength: 4,
        }),
        async (one, unread) => {
          const { history, survivor } = one;
          const host = damagedSpares(one);
          const paths = pathsOf(history.spares);
          let dead = 0;
          for (const { slot, at, sectors } of unread) {
            const place = slot % (history.spares * 5);
            if (place === survivor) continue;
            const [spare, copy] = [Math.floor(place / 5), place % 5];
            // The first sector stays readable: without a header nothing says which spare it is.
            const used = copyOf(history.newest, spare, copy).length;
            const from = slotAt(copy) + 512 + (at % (used / 512 - 1)) * 512;
            host.failReads(sparePath(spare), BigInt(from), BigInt(from + sectors * 512));
            dead++;
          }
          const check = await runFsck(host, paths, { mode: 'check' });
          expect(host.log).toEqual([]);
          const run = await runFsck(host, paths);
          expect(differingPlaces(host, history.newest)).toEqual([]);
          expect(run.exit).toBe(onlySetup(run).plan.length === 0 ? check.exit : 1);
          expect(dead === 0 || onlySetup(run).plan.length > 0 || check.exit === 0).toBe(true);
          expect((await runFsck(host, paths, { mode: 'check' })).exit).toBe(0);
        },
      ),
      fixedRuns(60),
    );
  });
});
