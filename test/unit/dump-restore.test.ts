// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-dump and dmremap-restore from words to bytes, on images in memory: there and back byte for byte, what is refused
// and why, what --force does, and what a power cut leaves.
import { createHash } from 'node:crypto';
import Ajv2020 from 'ajv/dist/2020';
import fc from 'fast-check';
import dumpSchema from '../../docs/schemas/dump.json';
import restoreSchema from '../../docs/schemas/restore.json';
import {
  ALL_COPIES,
  commit,
  copyBytes,
  entriesOf,
  firstGeneration,
  imagesOf,
  putCopy,
  RUN_A,
  RUN_B,
  setupUuid,
  slotAt,
  SPARE_BYTES,
  spareImage,
} from '../../fixtures/build';
import { flip, forgeHeader, scramble, wipe } from '../../fixtures/damage';
import { binding as dumpBinding } from '../../src/cli/dump';
import { binding as fsckBinding } from '../../src/cli/fsck';
import { binding as restoreBinding } from '../../src/cli/restore';
import { binding as undoBinding } from '../../src/cli/undo';
import { dumpDocument } from '../../src/core/dumpform';
import type { Generation } from '../../src/core/generation';
import { contentsOf, encodeCopy } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { DEVICE_RETIRED, MAX_ENTRIES } from '../../src/core/layout';
import { jsonText } from '../../src/render/json';
import { arbitraryGeneration } from '../support/arbitrary-generation';
import { writeExt4, writeMd } from '../support/content';
import { MemoryHost, PowerCut } from '../support/memory-host';
import { runBinding } from '../support/run-binding';
import type { Printed } from '../support/run-binding';

const NOW_NS = 1_760_000_000_000_000_000n;
const DUMP = '/d/setup.json';
const [S0, S1] = ['/img/s0', '/img/s1'] as const;
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
const isDump = ajv.compile(dumpSchema);
const isRestore = ajv.compile(restoreSchema);

/** Sequences 1, 2 and 3 of one setup with two spares. */
const FIRST = firstGeneration({
  spares: 2,
  entries: 40,
  unknownSection: true,
  reserved: true,
  name: 'vault',
});
const SECOND = commit(FIRST, { run: RUN_A, entries: entriesOf(10, 2) });
const THIRD = commit(SECOND, { entries: entriesOf(40, 2) });

const dumpOf = (generation: Generation): string => jsonText(dumpDocument(generation));
const noSpare = (size = SPARE_BYTES): Uint8Array => new Uint8Array(size);

function machine(images: readonly Uint8Array[], dump: string | null = null): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  images.forEach((image, i) => host.addImage(`/img/s${i}`, image));
  host.addDirectory('/d');
  if (dump !== null) host.addImage(DUMP, Buffer.from(dump));
  host.reboot();
  return host;
}

const run = {
  dump: (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(dumpBinding, host, words),
  restore: (host: MemoryHost, ...words: string[]): Promise<Printed> =>
    runBinding(restoreBinding, host, words),
  fsck: (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(fsckBinding, host, words),
  undo: (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(undoBinding, host, words),
};

interface Restored {
  exitCode: number;
  status: string;
  sequence: string | null;
  writtenSequence: string | null;
  copies: { spare: number; copy: number; action: string }[];
  problems: { path: string; problem: string }[];
  overridden: string[];
  undo: string | null;
  error: { code: string; message: string } | null;
}

async function restoreJson(host: MemoryHost, ...words: string[]): Promise<Restored> {
  const printed = await run.restore(host, '--json', ...words);
  const document = JSON.parse(printed.out) as Restored;
  isRestore(document);
  expect(isRestore.errors ?? []).toEqual([]);
  expect(document.exitCode).toBe(printed.status);
  return document;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function hashes(host: MemoryHost): string[] {
  return [S0, S1].map((path) => sha256(host.bytesOf(path)));
}

/** Which of the places hold this generation byte for byte: '0:1' is spare 0 copy 1. */
function holding(host: MemoryHost, generation: Generation): string[] {
  return [S0, S1].flatMap((path, spare) => {
    const bytes = host.bytesOf(path);
    return ALL_COPIES.filter((copy) => {
      const wanted = copyBytes(generation, spare, copy);
      const at = slotAt(copy);
      return Buffer.compare(bytes.subarray(at, at + wanted.length), wanted) === 0;
    }).map((copy) => `${spare}:${copy}`);
  });
}

const EVERYWHERE = [0, 1].flatMap((spare) => ALL_COPIES.map((copy) => `${spare}:${copy}`));

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

describe('dmremap-restore puts back, byte for byte', () => {
  test('on blank spares, in commit order, with an undo journal; and the undo takes it back', async () => {
    const host = machine([noSpare(), noSpare()], dumpOf(THIRD));
    const before = hashes(host);
    const document = await restoreJson(host, DUMP, S0, S1);
    expect(document).toMatchObject({
      exitCode: 0,
      status: 'restored',
      sequence: '3',
      writtenSequence: '3',
      error: null,
    });
    expect(holding(host, THIRD)).toEqual(EVERYWHERE);
    const order = host.log
      .filter(
        ({ kind, path, offset }) =>
          kind === 'write' &&
          (path === S0 || path === S1) &&
          ALL_COPIES.some((copy) => slotAt(copy) === offset),
      )
      .map(
        ({ path, offset }) =>
          `${path === S0 ? 0 : 1}:${ALL_COPIES.findIndex((copy) => slotAt(copy) === offset)}`,
      );
    expect(order).toEqual(['0:1', '1:1', '0:2', '1:2', '0:3', '1:3', '0:4', '1:4', '0:0', '1:0']);
    expect((await run.fsck(host, '-n', S0, S1)).status).toBe(0);
    expect((await run.dump(host, S0, S1)).out).toBe(dumpOf(THIRD));
    expect((await run.undo(host, document.undo!)).status).toBe(0);
    expect(hashes(host)).toEqual(before);
  });

  test('copies that are there are left alone; a second run has nothing to do', async () => {
    const images = imagesOf(THIRD);
    wipe(images[0]!, 3);
    scramble(images[1]!, 0, 0, 60000);
    const host = machine(images, dumpOf(THIRD));
    const document = await restoreJson(host, DUMP, S0, S1);
    expect(
      document.copies
        .filter(({ action }) => action === 'written')
        .map(({ spare, copy }) => `${spare}:${copy}`),
    ).toEqual(['0:3', '1:0']);
    expect(holding(host, THIRD)).toEqual(EVERYWHERE);
    host.reboot();
    const again = await restoreJson(host, DUMP, S0, S1);
    expect([again.status, again.exitCode, again.undo, host.log]).toEqual(['nothing-to-do', 0, null, []]);
  });

  test('over an older generation, the whole older copies last', async () => {
    const images = imagesOf(SECOND);
    wipe(images[1]!, 0);
    const host = machine(images, dumpOf(THIRD));
    expect((await restoreJson(host, DUMP, S0, S1)).exitCode).toBe(0);
    expect(holding(host, THIRD)).toEqual(EVERYWHERE);
    const first = host.log.find(({ kind, path, offset }) => kind === 'write' && offset === 0 && path === S1);
    const other = host.log.find(({ kind, path }) => kind === 'write' && path === S0);
    expect(host.log.indexOf(first!)).toBeLessThan(host.log.indexOf(other!));
  });

  test('-n tells what would be written, and writes nothing', async () => {
    const host = machine([noSpare(), noSpare()], dumpOf(THIRD));
    const document = await restoreJson(host, '-n', DUMP, S0, S1);
    expect([document.status, document.exitCode, document.undo]).toEqual(['would-restore', 0, null]);
    expect(document.copies.every(({ action }) => action === 'would-write')).toBe(true);
    expect(host.log).toEqual([]);
  });

  test('one spare is missing: the other is restored', async () => {
    const host = machine([noSpare(), noSpare()], dumpOf(THIRD));
    expect((await restoreJson(host, DUMP, '-', S1)).exitCode).toBe(0);
    expect(holding(host, THIRD)).toEqual(EVERYWHERE.filter((place) => place.startsWith('1')));
  });

  test('a spare that the generation was never put on, or that is retired, is left alone', async () => {
    const alone = commit(SECOND, { run: RUN_B, spares: [0], entries: entriesOf(12, 2) });
    const images = [noSpare(), spareImage(SECOND, 1)];
    const host = machine(images, dumpOf(alone));
    const document = await restoreJson(host, DUMP, S0, S1);
    // The spare is behind: fsck brings it back with a commit. Copies of this generation on it would look diverged.
    expect([document.status, document.exitCode]).toEqual(['restored', 4]);
    expect(holding(host, alone)).toEqual(['0:0', '0:1', '0:2', '0:3', '0:4']);
    expect(holding(host, SECOND)).toEqual(['1:0', '1:1', '1:2', '1:3', '1:4']);
    expect((await run.fsck(host, '-p', S0, S1)).status).toBe(1);
    expect((await run.fsck(host, '-n', S0, S1)).status).toBe(0);

    const retired = commit(SECOND, { spares: [0], devices: { 2: { flags: DEVICE_RETIRED } } });
    const two = machine([noSpare(), noSpare()], dumpOf(retired));
    expect((await restoreJson(two, DUMP, S0, S1)).exitCode).toBe(0);
    expect(sha256(two.bytesOf(S1))).toBe(sha256(noSpare()));
  });

  test('any sound generation, from its dump onto blank spares', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryGeneration({ entries: 150 }).filter(
          ({ header }) => header.roCompat === 0n && header.sequence < 1n << 62n,
        ),
        async (generation) => {
          const records = contentsOf(generation).devices.slice(1);
          const host = new MemoryHost({ nowNs: NOW_NS });
          records.forEach((record, i) => host.addImage(`/img/s${i}`, Number(record.sizeSectors) * 512));
          host.addImage(DUMP, Buffer.from(dumpOf(generation)));
          const paths = records.map((_record, i) => `/img/s${i}`);
          const { status, undo } = await restoreJson(host, DUMP, ...paths);
          const written = records.map(
            ({ lastSequence, flags }) =>
              lastSequence === generation.header.sequence && (flags & DEVICE_RETIRED) === 0,
          );
          expect(status).toBe(written.includes(true) ? 'restored' : 'nothing-to-do');
          expect(undo !== null).toBe(written.includes(true));
          records.forEach(({ deviceUuid }, spareIndex) => {
            const bytes = host.bytesOf(paths[spareIndex]!);
            for (const copyIndex of ALL_COPIES) {
              const wanted = encodeCopy(generation, { spareIndex, spareUuid: deviceUuid, copyIndex });
              if (written[spareIndex] !== true) wanted.fill(0);
              const at = slotAt(copyIndex);
              expect(Buffer.compare(bytes.subarray(at, at + wanted.length), wanted)).toBe(0);
            }
          });
        },
      ),
      { numRuns: 15 },
    );
  });

  test('the largest setup, of eight spares and 15494 entries', async () => {
    const largest = commit(firstGeneration({ spares: 8, entries: MAX_ENTRIES }), {
      entries: entriesOf(MAX_ENTRIES, 8),
    });
    const host = machine([noSpare(), noSpare()], dumpOf(largest));
    const spares = [S0, S1, '-', '-', '-', '-', '-', '-'];
    expect((await restoreJson(host, DUMP, ...spares)).status).toBe('restored');
    expect(holding(host, largest)).toEqual(EVERYWHERE);
  });
});

/** The dump of `generation` after a change to it, as a person with an editor might make one. */
function edited(generation: Generation, edit: (dump: Record<string, never>) => void): string {
  const dump = JSON.parse(dumpOf(generation)) as Record<string, never>;
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
        (dump['devices'] as Record<string, unknown>[])[2]!['sizeSectors'] = 'many';
        (dump['health'] as Record<string, unknown>)['score'] = -1;
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
    const dump = edited(THIRD, (one) => edit(one['header']));
    const document = await refusal(imagesOf(SECOND), dump, '--force');
    expect(document.error?.code).toBe('DUMP_INVALID');
    expect(document.error?.message).toContain(problem);
  });

  test('a generation that breaks a rule, whatever is forced', async () => {
    const dump = edited(THIRD, (one) => {
      const [block] = one['remaps'] as { entries: Record<string, unknown>[] }[];
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

describe('--force', () => {
  test('above a newer generation: the contents of the dump as the highest seen + 1', async () => {
    const host = machine(imagesOf(THIRD), dumpOf(SECOND));
    const before = hashes(host);
    const document = await restoreJson(host, '--force', DUMP, S0, S1);
    expect(document).toMatchObject({ exitCode: 0, status: 'restored', sequence: '2', writtenSequence: '4' });
    expect(document.overridden).toEqual([
      '/img/s0: copy 0 has sequence 3 with other contents; the dump has 2',
    ]);
    const slot = judgeSlot({ bytes: host.bytesOf(S1).subarray(0, 524288), gaps: [] }, 'complete');
    const { header } = slot.generation!;
    expect([header.sequence, header.parentCrc]).toEqual([4n, SECOND.header.overallCrc]);
    expect(header.runId).not.toBe(SECOND.header.runId);
    expect(header.writtenNs).toBe(NOW_NS);
    const { devices, remaps } = contentsOf(slot.generation!);
    expect(remaps).toEqual(contentsOf(SECOND).remaps);
    expect(devices.slice(1).map((one) => [one.lastSequence, one.baseSequence, one.lastRun])).toEqual([
      [4n, 3n, header.runId],
      [4n, 3n, header.runId],
    ]);
    expect((await run.fsck(host, '-n', S0, S1)).status).toBe(0);
    expect((await run.undo(host, document.undo!)).status).toBe(0);
    expect(hashes(host)).toEqual(before);
  });

  test('with a spare missing one sequence is skipped, for it may have been used there', async () => {
    const host = machine(imagesOf(THIRD), dumpOf(SECOND));
    expect((await restoreJson(host, '--force', DUMP, S0, '-')).writtenSequence).toBe('5');
  });

  test('on spares that do not match, byte for byte where nothing newer is there', async () => {
    const images = [spareImage(firstGeneration({ id: 5 }), 0), noSpare()];
    const host = machine(images, dumpOf(THIRD));
    const document = await restoreJson(host, '--force', DUMP, S0, S1);
    expect([document.status, document.writtenSequence]).toEqual(['restored', '3']);
    expect(document.overridden).toHaveLength(5);
    expect(holding(host, THIRD)).toEqual(EVERYWHERE);
  });
});

describe('devices that fail', () => {
  test('a place that cannot be written is told, and the others are written', async () => {
    const host = machine([noSpare(), noSpare()], dumpOf(THIRD));
    host.failWrites(S1, BigInt(slotAt(2)), BigInt(slotAt(2) + 512));
    const document = await restoreJson(host, DUMP, S0, S1);
    expect([document.status, document.exitCode & 8]).toEqual(['incomplete', 8]);
    expect(document.copies.filter(({ action }) => action === 'failed')).toMatchObject([
      { spare: 1, copy: 2 },
    ]);
    expect(holding(host, THIRD)).toEqual(EVERYWHERE.filter((place) => place !== '1:2'));
  });

  test('places that cannot be read are written', async () => {
    const images = imagesOf(SECOND);
    const host = machine(images, dumpOf(THIRD));
    host.failReads(S0, 5000n, 6000n);
    expect((await restoreJson(host, DUMP, S0, S1)).exitCode).toBe(0);
    expect(holding(host, THIRD)).toEqual(EVERYWHERE);
  });

  test('the only whole copy of the newest generation is not touched until another is whole', async () => {
    const images = [noSpare(), noSpare()];
    putCopy(images[0]!, THIRD, 0, 1);
    const host = machine(images, dumpOf(SECOND));
    for (const path of [S0, S1])
      for (const copy of [0, 2, 3, 4])
        host.failWrites(path, BigInt(slotAt(copy)), BigInt(slotAt(copy) + 512));
    host.failWrites(S1, BigInt(slotAt(1)), BigInt(slotAt(1) + 512));
    const document = await restoreJson(host, '--force', DUMP, S0, S1);
    expect(document.status).toBe('incomplete');
    expect(holding(host, THIRD)).toEqual(['0:1']);
  });

  test('no undo journal can be written: exit 8, nothing is changed', async () => {
    const host = machine([noSpare(), noSpare()], dumpOf(THIRD));
    const before = hashes(host);
    host.failFiles('/img');
    expect(await restoreJson(host, DUMP, S0, S1)).toMatchObject({ exitCode: 8, status: 'refused' });
    expect(hashes(host)).toEqual(before);
    expect((await restoreJson(host, '--no-undo', DUMP, S0, S1)).status).toBe('restored');
  });
});

test('power is cut at every step: old or new can be had, the undo works, and running it again finishes', async () => {
  const images = imagesOf(SECOND);
  wipe(images[1]!, 4);
  const host = machine(images, dumpOf(THIRD));
  const before = hashes(host);
  const start = host.snapshot();
  await restoreJson(host, DUMP, S0, S1);
  const after = hashes(host);
  const steps = host.log.map(({ kind }, at) => ({ at, kind }));
  const cuts = steps.flatMap(({ at, kind }) => [
    { at, cache: 'kept' as const },
    { at, cache: 'lost' as const },
    ...(kind === 'write' ? [{ at, tear: { seed: at }, cache: { seed: at } }] : []),
  ]);
  expect(cuts.length).toBeGreaterThan(100);
  for (const cut of cuts) {
    host.restore(start);
    host.cutPower(cut);
    await expect(run.restore(host, DUMP, S0, S1)).rejects.toThrow(PowerCut);
    host.reboot();
    const seen = host.snapshot();
    const journal = host.listDir('/img').find((name) => name.includes('.dmremap-undo-'));
    if (journal !== undefined) {
      const { status } = await run.undo(host, `/img/${journal}`);
      // A journal that was cut itself has nothing to undo.
      if (status === 0) expect(hashes(host)).toEqual(before);
      else expect([status, hashes(host)]).toEqual([8, before]);
    } else {
      expect(hashes(host)).toEqual(before);
    }
    host.restore(seen);
    expect([0, 1, 5]).toContain((await run.fsck(host, '-y', S0, S1)).status);
    expect((await run.fsck(host, '-n', S0, S1)).status).toBe(0);
    host.restore(seen);
    expect((await run.restore(host, DUMP, S0, S1)).status).toBe(0);
    expect(hashes(host)).toEqual(after);
  }
});
