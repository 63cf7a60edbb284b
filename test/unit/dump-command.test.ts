// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-dump from words to output: what is dumped, from where, and what is refused because it is in doubt.
import {
  ALL_COPIES,
  RUN_A,
  RUN_B,
  commit,
  firstGeneration,
  imagesOf,
  putCopy,
  setupUuid,
  spareImage,
} from '../../fixtures/build';
import { flip, forgeHeader, scramble, wipe } from '../../fixtures/damage';
import {
  FIRST,
  S0,
  S1,
  SECOND,
  THIRD,
  dumpOf,
  isDump,
  machine,
  noSpare,
  run,
} from '../support/restore-world';

describe('dmremap-dump', () => {
  test('a healthy setup: the dump of its generation, exit 0, nothing said, nothing changed', async () => {
    const host = machine(imagesOf(THIRD));
    expect(await run.dump(host, S0, S1)).toEqual({ status: 0, out: dumpOf(THIRD), err: '' });
    expect(await run.dump(host, '--json', S1)).toEqual({ status: 0, out: dumpOf(THIRD), err: '' });
    expect(host.log).toEqual([]);
    isDump(JSON.parse(dumpOf(THIRD)));
    expect(isDump.errors ?? []).toEqual([]);
  });

  test('errors are left but the winner is whole: the same dump, exit 4, and it says from where', async () => {
    const images = imagesOf(THIRD);
    wipe(images[0]!, 0);
    const { status, out, err } = await run.dump(machine(images), S0, S1);
    expect([status, out]).toEqual([4, dumpOf(THIRD)]);
    expect(err).toContain('sequence 3, from spare 0 copy 1; there are errors left in the setup');
  });

  test('no whole copy is left, but all of it can be put together: the same dump, exit 4', async () => {
    const images = imagesOf(THIRD);
    for (const image of images)
      for (const copy of ALL_COPIES) flip(image, copy, copy === 0 ? 4096 + 600 : 24576 + 40);
    const { status, out, err } = await run.dump(machine(images), S0, S1);
    expect([status, out]).toEqual([4, dumpOf(THIRD)]);
    expect(err).toContain('sequence 3, put together from spare 0 copy');
  });

  test('a newer generation that is there only in part, a split, a loss: refused with 4', async () => {
    const partial = imagesOf(SECOND);
    putCopy(partial[0]!, THIRD, 0, 1);
    for (const image of partial) scramble(image, 1, 24576, 28672);
    const lost = imagesOf(THIRD);
    for (const image of lost) for (const copy of ALL_COPIES) scramble(image, copy, 0, 4096);
    const split = imagesOf(SECOND);
    for (const copy of ALL_COPIES) {
      putCopy(split[0]!, commit(SECOND, { run: RUN_A }), 0, copy);
      putCopy(split[1]!, commit(SECOND, { run: RUN_B, shown: { 0: 9n, 1: 9n } }), 1, copy);
    }
    const cases: [string, Uint8Array[]][] = [
      ['partial', partial],
      ['lost', lost],
      ['split', split],
    ];
    for (const [verdict, images] of cases) {
      const { status, out, err } = await run.dump(machine(images), S0, S1);
      expect([verdict, status, out]).toEqual([verdict, 4, '']);
      expect(err).toContain(`(verdict: ${verdict})`);
    }
    const failed = await run.dump(machine(split), '--json', S0, S1);
    isDump(JSON.parse(failed.out));
    expect(isDump.errors ?? []).toEqual([]);
  });

  test('an unsound winner is dumped as it is, exit 4: it is whole', async () => {
    const unsound = commit(FIRST, { config: { minCopies: 9 } });
    const { status, out } = await run.dump(machine(imagesOf(unsound)), S0, S1);
    expect([status, out]).toEqual([4, dumpOf(unsound)]);
  });

  test('several setups are named and refused, and so is none', async () => {
    const host = machine([...imagesOf(THIRD), spareImage(firstGeneration({ id: 9 }), 0), noSpare()]);
    const several = await run.dump(host, S0, '/img/s2');
    expect([several.status, several.out]).toEqual([8, '']);
    expect(several.err).toContain(`${setupUuid(1)}, ${setupUuid(9)}`);
    expect((await run.dump(host, '/img/s3')).status).toBe(8);
    expect((await run.dump(host, '/img/none')).status).toBe(8);
  });

  test('what a newer version wrote above it is not passed over', async () => {
    const images = imagesOf(SECOND);
    forgeHeader(images[1]!, 2, { formatMajor: 5, sequence: 7n });
    const { status, err } = await run.dump(machine(images), S0, S1);
    expect(status).toBe(4);
    expect(err).toContain('needs a newer tool');
  });
});
