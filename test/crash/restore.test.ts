// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-restore must not lose while it writes: the last whole copies of what is there already, when the power fails
// or other places cannot be written. Its plain course, cut at every step, is in test/unit/restore-crash.test.ts.
import {
  ALL_COPIES,
  RUN_A,
  RUN_B,
  RUN_C,
  commit,
  copyBytes,
  entriesOf,
  imagesOf,
  putCopy,
  slotAt,
} from '../../fixtures/build';
import { scramble } from '../../fixtures/damage';
import type { Generation } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { PATIENCE_MS } from '../support/fixed-runs';
import type { MemoryHost, PowerCutPlan } from '../support/memory-host';
import { PowerCut } from '../support/memory-host';
import { onlySetup, runFsck } from '../support/repair-world';
import {
  DUMP,
  EVERYWHERE,
  S0,
  S1,
  SECOND,
  THIRD,
  dumpOf,
  hashes,
  holding,
  machine,
  restoreJson,
  run,
} from '../support/restore-world';

jest.setTimeout(PATIENCE_MS);

const SPARES = [S0, S1] as const;
const FOURTH = commit(THIRD, { entries: entriesOf(20, 2) });
/** Two sides of a split, both of sequence 3. */
const HERE = commit(SECOND, { run: RUN_B, entries: entriesOf(11, 2) });
const THERE = commit(SECOND, { run: RUN_C, entries: entriesOf(12, 2) });
const { slotBytes } = THIRD.header;

interface Spot {
  readonly spare: number;
  readonly copy: number;
}

/** '0:1' is spare 0 copy 1. */
function spotOf(place: string): Spot {
  const [spare = 0, copy = 0] = place.split(':').map(Number);
  return { spare, copy };
}

/** Whole spares of one generation, and in the places named the copies of another. */
function images(most: Generation, other: Generation, ...places: string[]): Uint8Array[] {
  const made = imagesOf(most);
  for (const { spare, copy } of places.map(spotOf)) putCopy(made[spare]!, other, spare, copy);
  return made;
}

/** Nothing is whole but what is put there afterwards. */
function ruins(): Uint8Array[] {
  const made = imagesOf(SECOND);
  for (const image of made) for (const copy of ALL_COPIES) scramble(image, copy, 0, slotBytes);
  return made;
}

/** No place but these can be written any more. */
function allowWrites(host: MemoryHost, ...places: string[]): void {
  for (const { spare, copy } of EVERYWHERE.filter((place) => !places.includes(place)).map(spotOf))
    host.failWrites(SPARES[spare]!, BigInt(slotAt(copy)), BigInt(slotAt(copy) + slotBytes));
}

/** The sequences of which a whole copy lies somewhere. */
function wholeSequences(host: MemoryHost): Set<bigint> {
  const regions = SPARES.flatMap((path) => {
    const bytes = host.bytesOf(path);
    return ALL_COPIES.map((copy) => ({
      bytes: bytes.subarray(slotAt(copy), slotAt(copy) + 524288),
      gaps: [],
    }));
  });
  return new Set(
    regions.flatMap((region) => judgeSlot(region, 'integrity').generation?.header.sequence ?? []),
  );
}

/** Cuts the power of a restore at each of its steps after the first write to a spare; `held` looks at what is left. */
async function cutRestore(
  host: MemoryHost,
  words: readonly string[],
  held: (cut: PowerCutPlan) => Promise<void> | void,
): Promise<number> {
  const start = host.snapshot();
  host.reboot();
  expect((await run.restore(host, ...words)).status).toBe(0);
  const first = host.log.findIndex(({ kind, path }) => kind === 'write' && (path === S0 || path === S1));
  const cuts = host.log.slice(first).flatMap(({ kind }, i): PowerCutPlan[] => {
    const at = first + i;
    return kind === 'write'
      ? [
          { at, cache: 'kept' },
          { at, tear: { seed: at }, cache: { seed: at } },
        ]
      : [{ at, cache: at % 2 === 0 ? 'kept' : 'lost' }];
  });
  for (const cut of cuts) {
    host.restore(start);
    host.cutPower(cut);
    await expect(run.restore(host, ...words)).rejects.toThrow(PowerCut);
    host.reboot();
    await held(cut);
  }
  return cuts.length;
}

describe('a commit was cut, and one or two places show a newer generation than all others', () => {
  test('the only copy of it waits for the restored one, and is then written too', async () => {
    const host = machine(images(SECOND, THIRD, '0:1'), dumpOf(FOURTH));
    const document = await restoreJson(host, DUMP, S0, S1);
    expect([document.status, document.exitCode]).toEqual(['restored', 0]);
    expect(holding(host, FOURTH)).toEqual(EVERYWHERE);
  });

  test('wherever power fails, it or the restored one is whole, on each spare by itself too', async () => {
    const host = machine(images(SECOND, THIRD, '0:1', '1:1'), dumpOf(FOURTH));
    const ways = await cutRestore(host, [DUMP, S0, S1], async (cut) => {
      const whole = [THIRD, FOURTH].flatMap((one) => holding(host, one));
      expect([cut, whole.length > 0]).toEqual([cut, true]);
      for (const path of SPARES) {
        const { verdict } = onlySetup(await runFsck(host, [path], { mode: 'check' }));
        expect([cut, path, verdict]).toEqual([cut, path, expect.stringMatching(/^(clean|repairable)$/)]);
      }
    });
    expect(ways).toBeGreaterThan(50);
  });
});

describe('a split is written over', () => {
  test('wherever power fails, both sides are there or the new generation is', async () => {
    const host = machine(images(THERE, HERE, '0:1'), dumpOf(SECOND));
    const ways = await cutRestore(host, ['--force', DUMP, S0, S1], (cut) => {
      const sides = [HERE, THERE].every((side) => holding(host, side).length > 0);
      expect([cut, sides || wholeSequences(host).has(4n)]).toEqual([cut, true]);
    });
    expect(ways).toBeGreaterThan(50);
  });

  test('a side in every place: refused, for one of them would have to be the first', async () => {
    const made = imagesOf(SECOND);
    ALL_COPIES.forEach((copy) => {
      putCopy(
        made[0]!,
        commit(SECOND, { run: RUN_A + BigInt(copy), entries: entriesOf(3 + copy, 2) }),
        0,
        copy,
      );
    });
    const host = machine(made, dumpOf(SECOND));
    const before = hashes(host);
    const document = await restoreJson(host, '--force', DUMP, S0, '-');
    expect([document.status, document.exitCode, document.error?.code]).toEqual(['refused', 8, 'LAST_COPIES']);
    expect([hashes(host), host.log]).toEqual([before, []]);
  });
});

describe('no other place can be written: the last whole copy is not touched', () => {
  async function incomplete(host: MemoryHost, ...words: string[]): Promise<void> {
    allowWrites(host, '0:1');
    const document = await restoreJson(host, ...words, DUMP, S0, S1);
    expect([document.status, document.exitCode & 8]).toEqual(['incomplete', 8]);
    expect(document.copies.filter(({ action }) => action === 'not-started')).toMatchObject([
      { spare: 0, copy: 1 },
    ]);
  }

  test('of the best generation, though a header shows a newer one, of which nothing else is left', async () => {
    const made = ruins();
    putCopy(made[0]!, THIRD, 0, 1);
    made[0]!.set(copyBytes(FOURTH, 0, 3).subarray(0, 4096), slotAt(3));
    const host = machine(made, dumpOf(SECOND));
    await incomplete(host, '--force');
    expect(holding(host, THIRD)).toEqual(['0:1']);
  });

  test('and a misplaced copy of the same generation does not stand for it', async () => {
    const made = ruins();
    putCopy(made[0]!, THIRD, 0, 1);
    made[0]!.set(copyBytes(THIRD, 0, 1), slotAt(2));
    const host = machine(made, dumpOf(FOURTH));
    await incomplete(host);
    expect(holding(host, THIRD)).toEqual(['0:1']);
  });

  test('on a spare that is given as another one, too', async () => {
    const made = ruins().reverse();
    putCopy(made[0]!, THIRD, 1, 1);
    const host = machine(made, dumpOf(FOURTH));
    await incomplete(host, '--force');
    const bytes = host.bytesOf(S0).subarray(slotAt(1), slotAt(1) + slotBytes);
    expect(Buffer.compare(bytes, copyBytes(THIRD, 1, 1))).toBe(0);
  });
});

test('a block between the sections that cannot be read is written, though all that counts is there', async () => {
  const host = machine(imagesOf(SECOND), dumpOf(THIRD));
  const [start, end] = [slotAt(2) + 8192, slotAt(2) + 12288];
  host.failReads(S0, BigInt(start), BigInt(end));
  expect((await restoreJson(host, DUMP, S0, S1)).status).toBe('restored');
  const parts = host.openRead(S0).readAt(BigInt(start), end - start);
  expect(parts.map(({ kind }) => kind)).toEqual(['data']);
  expect(holding(host, THIRD)).toEqual(EVERYWHERE);
});
