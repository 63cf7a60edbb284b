// SPDX-License-Identifier: GPL-2.0-or-later
// --choose typed once more: the power failed while a side of a split was being put in force, and the copy that was named is
// the one that was under way. What is then printed leads to the same side; and what cannot be chosen says what can.
import { commit, entriesOf, putCopy, RUN_B, RUN_C, spareImage, story } from '../../fixtures/build';
import type { World } from '../../fixtures/case';
import { AT, flip, scramble, wipe } from '../../fixtures/damage';
import { binding as fsck } from '../../src/cli/fsck';
import { machineOf } from '../support/case-machine';
import { runFsck } from '../support/case-documents';
import { PowerCut } from '../support/memory-host';
import type { MemoryHost } from '../support/memory-host';
import { runBinding } from '../support/run-binding';
import type { Printed } from '../support/run-binding';

const TWO = story({ spares: 2 });
const HERE = commit(TWO.newest, { run: RUN_B, spares: [0], entries: entriesOf(13, 1) });
const THERE = commit(TWO.newest, { run: RUN_C, spares: [1], entries: entriesOf(11, 2) });
const PATHS = ['/img/spare0.img', '/img/spare1.img'];

function split(change: (first: Uint8Array) => void = () => undefined): World {
  const images = [spareImage(HERE, 0), spareImage(THERE, 1)] as const;
  change(images[0]);
  return { inputs: images.map((bytes) => ({ bytes })) };
}

const type = (host: MemoryHost, words: readonly string[]): Promise<Printed> => runBinding(fsck, host, words);

/** The commands that were printed for --choose, without the program's name. */
function offered(out: string): string[][] {
  return [...out.matchAll(/^ +dmremap-fsck (-y --choose .*)$/gm)].map((match) => (match[1] ?? '').split(' '));
}

describe('the power fails while the copy is written that was named', () => {
  const command = ['-y', '--choose', '0:1', '--no-backup', ...PATHS];

  /** The writes that put the first new copy into its place: the blocks that change, last the header. */
  async function firstCopy(): Promise<{ at: number; sectors: number }[]> {
    const host = machineOf(split());
    expect((await type(host, command)).status).toBe(1);
    const writes = host.log.flatMap(({ kind, path, bytes }, at) =>
      kind === 'write' && PATHS.includes(path) ? [{ at, path, sectors: bytes.length / 512 }] : [],
    );
    expect(writes[0]?.path).toBe(PATHS[0]);
    return writes.slice(0, 3);
  }

  test('the same command names the same side elsewhere; what it says to type goes on with it', async () => {
    let refused = 0;
    for (const { at, sectors } of await firstCopy()) {
      for (let count = 0; count <= sectors; count++) {
        const host = machineOf(split());
        host.cutPower({ at, ...(count > 0 && { tear: { sectors: count } }) });
        await expect(type(host, command)).rejects.toThrow(PowerCut);
        host.reboot();
        const again = await type(host, command);
        if (again.status !== 1) {
          refused++;
          expect(again.status).toBe(4);
          expect(host.log).toEqual([]);
          expect(again.out.replace(/\s+/g, ' ')).toMatch(
            /Not repaired: spare 0 copy 1 is (torn|corrupt), and only a whole copy can be chosen; sequence 7, which its header is of, is whole in other copies\. What to type next: to go on with sequence 7, .*13 remaps \(spare 0 copies 0, 2, 3, 4\): dmremap-fsck -y --choose 0:0 /,
          );
          const [next = [], ...others] = offered(again.out);
          expect(others).toEqual([]);
          expect((await type(host, next)).status).toBe(1);
        }
        const { document } = await runFsck(host, split(), ['-n']);
        expect([document.exitCode, document.setups[0]?.verdict, document.setups[0]?.remapCount]).toEqual([
          0,
          'clean',
          13,
        ]);
      }
    }
    expect(refused).toBeGreaterThan(5);
  });
});

describe('what can not be chosen says what can', () => {
  const sides = [
    ['-y', '--choose', '0:0', ...PATHS],
    ['-y', '--choose', '1:0', ...PATHS],
  ];

  test.each<[string, string, (first: Uint8Array) => void, string, readonly (readonly string[])[]]>([
    [
      'a place whose header says nothing any more: both sides',
      '0:2',
      (image) => wipe(image, 2),
      'spare 0 copy 2 is zeroed, and only a whole copy can be chosen.',
      sides,
    ],
    [
      'a header with a flipped bit: what it shows is not believed',
      '0:2',
      (image) => flip(image, 2, 0x30),
      'spare 0 copy 2 is corrupt, and only a whole copy can be chosen.',
      sides,
    ],
    [
      'a copy of this side with damaged contents: this side',
      '0:2',
      (image) => scramble(image, 2, AT.config, AT.config + 9),
      'spare 0 copy 2 is corrupt, and only a whole copy can be chosen; sequence 7, which its header is of, is whole in other copies.',
      sides.slice(0, 1),
    ],
    [
      'a damaged header of a generation of which nothing whole is left: both sides',
      '0:2',
      (image) => {
        putCopy(image, TWO.at(3), 0, 2);
        scramble(image, 2, AT.config, AT.config + 9);
      },
      'spare 0 copy 2 is corrupt, and only a whole copy can be chosen.',
      sides,
    ],
    ['a spare that the setup does not have', '5:0', () => undefined, 'the setup has no spare 5.', sides],
  ])('%s', async (_what, choose, change, refusal, commands) => {
    const host = machineOf(split(change));
    const { status, out } = await type(host, ['-y', '--choose', choose, ...PATHS]);
    expect(status).toBe(4);
    expect(out.replace(/\s+/g, ' ')).toContain(`Not repaired: ${refusal}`);
    expect(offered(out)).toEqual(commands);
    expect(host.log).toEqual([]);
  });

  test('sides of one spare with one run and one sequence are told apart by their headers', async () => {
    const one = story();
    const other = commit(one.at(5), {
      state: 0,
      event: 3,
      entries: entriesOf(9, 1),
      writtenNs: one.newest.header.writtenNs,
    });
    const image = spareImage(one.newest, 0);
    for (const copy of [3, 4]) putCopy(image, other, 0, copy);
    scramble(image, 3, AT.config, AT.config + 9);
    const host = machineOf({ inputs: [{ bytes: image }] });
    const { out } = await type(host, ['-y', '--choose', '0:3', PATHS[0] ?? '']);
    expect(offered(out)).toEqual([['-y', '--choose', '0:4', PATHS[0]]]);
  });

  test('a spare that was not given', async () => {
    const three = story({ spares: 3 });
    const world: World = {
      inputs: [0, 1].map((spare) => ({
        bytes: spareImage(commit(three.newest, { run: spare === 0 ? RUN_B : RUN_C, spares: [spare] }), spare),
      })),
    };
    const { out } = await type(machineOf(world), ['-y', '--choose', '2:0', ...PATHS]);
    expect(out).toContain('Not repaired: spare 2 was not given.');
    expect(offered(out)).toEqual(sides);
  });
});
