// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-restore from words to bytes: a dump comes back byte for byte, in commit order, and can be undone; what --force does.
import fc from 'fast-check';
import {
  ALL_COPIES,
  RUN_B,
  commit,
  entriesOf,
  firstGeneration,
  imagesOf,
  slotAt,
  spareImage,
} from '../../fixtures/build';
import { scramble, wipe } from '../../fixtures/damage';
import { contentsOf, encodeCopy } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { DEVICE_RETIRED, MAX_ENTRIES } from '../../src/core/layout';
import { arbitraryGeneration } from '../support/arbitrary-generation';
import { MemoryHost } from '../support/memory-host';
import {
  DUMP,
  EVERYWHERE,
  NOW_NS,
  S0,
  S1,
  SECOND,
  THIRD,
  dumpOf,
  hashes,
  holding,
  machine,
  noSpare,
  restoreJson,
  run,
  sha256,
} from '../support/restore-world';

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
