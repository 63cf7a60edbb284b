// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-restore when devices fail, and when the power is cut at every step.
import { imagesOf, putCopy, slotAt } from '../../fixtures/build';
import { wipe } from '../../fixtures/damage';
import { PowerCut } from '../support/memory-host';
import {
  DUMP,
  EVERYWHERE,
  S0,
  S1,
  SECOND,
  THIRD,
  dumpOf,
  hashes,
  hold,
  holding,
  machine,
  noSpare,
  restoreJson,
  run,
} from '../support/restore-world';

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
  const start = host.snapshot();
  await restoreJson(host, DUMP, S0, S1);
  const after = [S0, S1].map((path) => host.bytesOf(path));
  // Each step in one of three ways: what was not synced reaches the medium, or does not, or the write itself is torn.
  const cuts = host.log.map(({ kind }, at) => {
    if (at % 3 === 0) return { at, cache: 'kept' as const };
    return at % 3 === 1 && kind === 'write'
      ? { at, tear: { seed: at }, cache: { seed: at } }
      : { at, cache: 'lost' as const };
  });
  expect(cuts.length).toBeGreaterThan(50);
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
      expect([0, 8]).toContain(status);
      expect(hold(host, images)).toBe(true);
    } else {
      expect(hold(host, images)).toBe(true);
    }
    host.restore(seen);
    expect([0, 1]).toContain((await run.fsck(host, '-y', S0, S1)).status);
    expect((await run.fsck(host, '-n', S0, S1)).status).toBe(0);
    host.restore(seen);
    expect((await run.restore(host, DUMP, S0, S1)).status).toBe(0);
    expect(hold(host, after)).toBe(true);
  }
});
