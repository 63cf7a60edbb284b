// SPDX-License-Identifier: GPL-2.0-or-later
// Which files and devices dmremap-undo takes for those of a journal, and when it refuses to guess.
import { Fault } from '../../src/core/faults';
import { MemoryHost } from '../support/memory-host';
import { noise } from '../support/journals';
import {
  A,
  B,
  faultOf,
  FIRST_JOURNAL,
  images,
  planFor,
  repairedWorld,
  undo,
  write,
} from '../support/undo-world';

describe('which file is meant', () => {
  async function movedWorld(): Promise<MemoryHost> {
    const { host } = await repairedWorld();
    const copyOf = (path: string, to: string): void => host.addImage(to, host.bytesOf(path));
    copyOf(FIRST_JOURNAL, '/copy/a.img.dmremap-undo-1a2b3c4d-001');
    copyOf(A, '/copy/a.img');
    copyOf(B, '/copy/b.img');
    return host;
  }
  const COPIED = '/copy/a.img.dmremap-undo-1a2b3c4d-001';

  test('a copied journal beside a copied image, with the originals there: refused', async () => {
    const host = await movedWorld();
    const fault = await undo(host, COPIED).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect((fault as Fault).toJSON()).toEqual({
      code: 'TARGET_AMBIGUOUS',
      fields: { path: A, beside: '/copy/a.img', journal: FIRST_JOURNAL },
    });
  });

  test('with the originals gone, the ones beside the journal', async () => {
    const host = await movedWorld();
    host.removeFile(A);
    host.removeFile(B);
    const result = await undo(host, COPIED);
    expect(result.status).toBe('undone');
    expect(
      result.targets.map(({ path, recordedPath, besideJournal, sameIdentity }) => [
        path,
        recordedPath,
        besideJournal,
        sameIdentity,
      ]),
    ).toEqual([
      ['/copy/a.img', A, true, false],
      ['/copy/b.img', B, true, false],
    ]);
    expect(result.redoJournal).toBe('/copy/a.img.dmremap-undo-1a2b3c4d-002');
    expect(Buffer.compare(host.bytesOf('/copy/a.img'), noise(11, 16384))).toBe(0);
  });

  test('in its own place the journal means the recorded paths, whatever lies elsewhere', async () => {
    const host = await movedWorld();
    const result = await undo(host);
    expect(result.targets.map(({ path, sameIdentity }) => [path, sameIdentity])).toEqual([
      [A, true],
      [B, true],
    ]);
  });

  test('a journal that was moved away from its image still finds it', async () => {
    const { host, original } = await repairedWorld();
    host.addImage('/elsewhere/j', host.bytesOf(FIRST_JOURNAL));
    expect((await undo(host, '/elsewhere/j')).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('neither there: says where it looked', async () => {
    const { host } = await repairedWorld();
    host.removeFile(B);
    const fault = (await undo(host).catch((error: unknown) => error)) as Fault;
    expect(fault.toJSON()).toEqual({ code: 'TARGET_MISSING', fields: { path: B, beside: B } });
  });

  test.each([false, true])('of another size: refused, with --force (%s) too', async (force) => {
    const { host } = await repairedWorld();
    host.resize(B, 20480);
    expect(await faultOf(() => undo(host, FIRST_JOURNAL, { force }))).toBe('TARGET_SIZE');
  });

  test('one file for two targets: refused', async () => {
    const { host } = await repairedWorld();
    host.removeFile(B);
    host.addAlias(B, A);
    expect(await faultOf(() => undo(host, FIRST_JOURNAL, { force: true }))).toBe('TARGET_TWICE');
  });

  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('in use: refused (force %s, dry run %s)', async (force, dryRun) => {
    const { host, repaired } = await repairedWorld();
    host.setInUse(B, ['mounted at /mnt', 'held by dm-0']);
    const result = await undo(host, FIRST_JOURNAL, { force, dryRun });
    expect([result.status, result.exitCode, result.fault?.code]).toEqual(['refused', 8, 'IN_USE']);
    expect(result.fault?.fields['reason']).toBe('mounted at /mnt; held by dm-0');
    expect(images(host)).toBe(repaired);
  });

  test('a device that came back under another name is found by its lasting one', async () => {
    const host = new MemoryHost();
    const lasting = '/dev/disk/by-id/wwn-1';
    host.addBlock('/dev/sda', noise(11, 16384), { facts: { stablePath: lasting } });
    host.addBlock('/dev/sdb', noise(12, 16384), { facts: { stablePath: '/dev/disk/by-id/wwn-2' } });
    host.addAlias(A, '/dev/sda');
    host.addAlias(B, '/dev/sdb');
    const plan = planFor(host).slice(0, 4);
    const { journal } = await write(host, plan);
    const written = host.bytesOf('/dev/sda');
    host.addBlock('/dev/sdc', written, { facts: { stablePath: lasting } });
    host.addBlock('/dev/sda', noise(5, 16384));
    host.addAlias(lasting, '/dev/sdc');
    const result = await undo(host, journal!);
    expect([result.status, result.targets[0]?.path]).toEqual(['undone', lasting]);
    expect(Buffer.compare(host.bytesOf('/dev/sdc'), noise(11, 16384))).toBe(0);
    expect(Buffer.compare(host.bytesOf('/dev/sda'), noise(5, 16384))).toBe(0);
  });
});
