// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-restore refuses, and that nothing is written then: dumps that are none, spares that do not match, newer
// generations.
import {
  RUN_B,
  SPARE_BYTES,
  commit,
  firstGeneration,
  imagesOf,
  putCopy,
  setupUuid,
  spareImage,
} from '../../fixtures/build';
import { forgeHeader, scramble } from '../../fixtures/damage';
import type { Generation } from '../../src/core/generation';
import { writeExt4, writeMd } from '../support/content';
import { MemoryHost } from '../support/memory-host';
import type { Restored } from '../support/restore-world';
import {
  DUMP,
  NOW_NS,
  S0,
  S1,
  SECOND,
  THIRD,
  dumpOf,
  hashes,
  isRestore,
  machine,
  noSpare,
  restoreJson,
  run,
} from '../support/restore-world';

interface EditedDump {
  readonly header: Record<string, unknown>;
  readonly devices: Record<string, unknown>[];
  readonly health: Record<string, unknown>;
  readonly remaps: { entries: Record<string, unknown>[] }[];
}

/** The dump of `generation` after a change to it, as a person with an editor might make one. */
function edited(generation: Generation, edit: (dump: EditedDump) => void): string {
  const dump = JSON.parse(dumpOf(generation)) as EditedDump;
  edit(dump);
  return JSON.stringify(dump);
}

describe('dmremap-restore refuses', () => {
  async function refusal(images: readonly Uint8Array[], dump: string, ...words: string[]): Promise<Restored> {
    const host = machine(images, dump);
    const before = hashes(host);
    const document = await restoreJson(host, ...words, DUMP, S0, S1);
    expect([document.status, document.exitCode, document.undo]).toEqual(['refused', 8, null]);
    expect(hashes(host)).toEqual(before);
    expect(host.log).toEqual([]);
    return document;
  }

  test('what is no dump, with the place in it', async () => {
    const document = await refusal(
      imagesOf(SECOND),
      edited(THIRD, (dump) => {
        dump.devices[2]!['sizeSectors'] = 'many';
        dump.health['score'] = -1;
      }),
      '--force',
    );
    expect(document.error?.code).toBe('DUMP_INVALID');
    expect(document.problems).toEqual([
      { path: 'devices[2].sizeSectors', problem: 'not a decimal number' },
      { path: 'health.score', problem: 'not between 0 and 4294967295' },
    ]);
  });

  test.each([
    [
      'a sequence of 0',
      (header: Record<string, unknown>) => (header['sequence'] = '0'),
      'sequence: 0 is invalid',
    ],
    [
      'a sequence of 2^63',
      (header: Record<string, unknown>) => (header['sequence'] = '9223372036854775808'),
      'sequence: 9223372036854775808 is invalid',
    ],
    ['a run of 0', (header: Record<string, unknown>) => (header['runId'] = '0'), 'run_id: 0 is invalid'],
    [
      'incompat features',
      (header: Record<string, unknown>) => (header['incompat'] = '4'),
      'it needs a newer version',
    ],
    [
      'ro_compat features',
      (header: Record<string, unknown>) => (header['roCompat'] = '1'),
      'it has features that only allow reading',
    ],
  ])('a generation that cannot be: %s', async (_name, edit, problem) => {
    const dump = edited(THIRD, (one) => edit(one.header));
    const document = await refusal(imagesOf(SECOND), dump, '--force');
    expect(document.error?.code).toBe('DUMP_INVALID');
    expect(document.error?.message).toContain(problem);
  });

  test('a generation that breaks a rule, whatever is forced', async () => {
    const dump = edited(THIRD, (one) => {
      const [block] = one.remaps;
      block!.entries[5]!['mainSector'] = block!.entries[4]!['mainSector'];
    });
    const document = await refusal(imagesOf(SECOND), dump, '--force');
    expect(document.error?.code).toBe('DUMP_UNSOUND');
    expect(document.problems[0]?.problem).toMatch(/\[rule-entry-/);
  });

  test('the wrong number of spares, and none at all: a usage error', async () => {
    const host = machine(imagesOf(THIRD), dumpOf(THIRD));
    for (const spares of [[S0], [S0, S1, '-'], ['-', '-']]) {
      const { status, err } = await run.restore(host, DUMP, ...spares);
      expect([spares, status]).toEqual([spares, 16]);
      expect(err).not.toBe('');
    }
  });

  test('a spare that is too small, in use, or given twice, whatever is forced', async () => {
    const small = await refusal([noSpare(), noSpare(SPARE_BYTES - 512)], dumpOf(THIRD), '--force');
    expect(small.error).toMatchObject({ code: 'SPARE_TOO_SMALL' });
    const host = machine([noSpare(), noSpare()], dumpOf(THIRD));
    host.setInUse(S1, ['mounted at /mnt']);
    expect((await restoreJson(host, '--force', DUMP, S0, S1)).error?.code).toBe('IN_USE');
    expect((await restoreJson(host, '--force', DUMP, S0, S0)).error?.code).toBe('TARGET_TWICE');
  });

  test('the spares in the wrong order, and metadata of another setup', async () => {
    const [a, b] = imagesOf(SECOND);
    const swapped = await refusal([b!, a!], dumpOf(THIRD));
    expect(swapped.error?.message).toContain('its copy 0 says that it is spare 1');
    const foreign = await refusal([spareImage(firstGeneration({ id: 5 }), 0), b!], dumpOf(THIRD));
    expect(foreign.error?.message).toContain(`its copy 0 belongs to the setup ${setupUuid(5)}`);
  });

  test('other content, unless it is in the data of a spare of this setup', async () => {
    const fresh = noSpare();
    writeExt4(fresh);
    const member = spareImage(SECOND, 1);
    // What the spare holds for main may be the end of a RAID member; at the end of the device it is recognised there.
    writeMd(member, 0, '1.0');
    const document = await refusal([fresh, member], dumpOf(THIRD));
    expect(document.error).toMatchObject({ code: 'SPARE_DIFFERS' });
    expect(document.error?.message).toMatch(/\/img\/s0: .* it holds ext4/);
    const host = machine([noSpare(), member], dumpOf(THIRD));
    expect((await restoreJson(host, DUMP, S0, S1)).status).toBe('restored');
    const overwritten = spareImage(SECOND, 1);
    writeExt4(overwritten);
    const lost = await refusal([noSpare(), overwritten], dumpOf(THIRD));
    expect(lost.error?.message).toMatch(/\/img\/s1: .* it holds ext4/);
  });

  test('a block device whose blocks have another size', async () => {
    const host = new MemoryHost({ nowNs: NOW_NS });
    host.addBlock(S0, SPARE_BYTES, { logicalBlockSize: 4096 });
    host.addImage(S1, SPARE_BYTES);
    host.addImage(DUMP, Buffer.from(dumpOf(THIRD)));
    const document = await restoreJson(host, DUMP, S0, S1);
    expect(document.error?.message).toContain('it has logical blocks of 4096 bytes, not 512');
  });

  test('an equal or higher sequence with other contents', async () => {
    const newer = await refusal(imagesOf(THIRD), dumpOf(SECOND));
    expect(newer.error).toMatchObject({ code: 'NEWER_THERE' });
    expect(newer.error?.message).toContain('copy 0 has sequence 3 with other contents; the dump has 2');
    const equal = await refusal(imagesOf(commit(SECOND, { run: RUN_B })), dumpOf(THIRD));
    expect(equal.error).toMatchObject({ code: 'NEWER_THERE' });
    // One header is enough: what it vouched for existed, and may have been acknowledged.
    const images = imagesOf(SECOND);
    putCopy(images[1]!, THIRD, 1, 2);
    scramble(images[1]!, 2, 4096, 40960);
    expect((await refusal(images, dumpOf(SECOND))).error).toMatchObject({ code: 'NEWER_THERE' });
  });

  test('what a newer version wrote, whatever is forced', async () => {
    const images = imagesOf(SECOND);
    forgeHeader(images[1]!, 3, { incompat: 1n });
    expect((await refusal(images, dumpOf(THIRD), '--force')).error).toMatchObject({
      code: 'NEEDS_NEWER_TOOL',
    });
  });

  test('a dump that is not there, or a directory', async () => {
    const host = machine(imagesOf(THIRD));
    for (const path of ['/d/none.json', '/d']) {
      const printed = await run.restore(host, '--json', path, S0, S1);
      expect(printed.status).toBe(8);
      isRestore(JSON.parse(printed.out));
      expect(isRestore.errors ?? []).toEqual([]);
    }
  });
});
