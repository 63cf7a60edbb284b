// SPDX-License-Identifier: GPL-2.0-or-later
// Opening targets for writing, and where journals go and what they are called.
import { DEVICE_UNDO_DIR, journalPath, openTargets } from '../../src/commands/targets';
import { MemoryHost } from '../support/memory-host';
import { UUID } from '../support/journals';
import { A, faultOf, FIRST_JOURNAL, world } from '../support/undo-world';

describe('targets and names', () => {
  test('one file under two names is refused', async () => {
    const host = world();
    host.addAlias('/img/link', A);
    expect(await faultOf(() => openTargets(host, [A, '/img/link']))).toBe('TARGET_TWICE');
  });

  test('all are opened or none', async () => {
    const host = new MemoryHost();
    host.addBlock('/dev/sda', 4096);
    host.addBlock('/dev/sdb', 4096);
    host.setInUse('/dev/sdb', ['mounted at /']);
    expect(await faultOf(() => openTargets(host, ['/dev/sda', '/dev/sdb']))).toBe('IN_USE');
    host.setInUse('/dev/sdb', []);
    // An exclusive open left behind by the first attempt would refuse this.
    expect(openTargets(host, ['/dev/sda', '/dev/sdb'])).toHaveLength(2);
  });

  test('a device is recorded by a name that survives a reboot', () => {
    const host = new MemoryHost();
    host.addBlock('/dev/sda', 4096, { facts: { stablePath: '/dev/disk/by-id/wwn-1' } });
    expect(openTargets(host, ['/dev/sda'])[0]!.recorded).toMatchObject({
      path: '/dev/sda',
      stablePath: '/dev/disk/by-id/wwn-1',
      kind: 'block',
    });
  });

  const name = (
    host: MemoryHost,
    firstPath: string,
    kind: 'image' | 'block' = 'image',
    dir?: string,
  ): string => journalPath(host, { kind, firstPath, setupUuid: UUID, dir });

  test('journals lie beside the image, or where told, or under /var/lib for devices', () => {
    const host = world();
    host.addAlias('/home/link.img', A);
    host.addBlock('/dev/sda', 4096);
    expect(name(host, A)).toBe(FIRST_JOURNAL);
    expect(name(host, '/home/link.img')).toBe(FIRST_JOURNAL);
    expect(name(host, '/dev/sda', 'block')).toBe(`${DEVICE_UNDO_DIR}/sda.dmremap-undo-1a2b3c4d-001`);
    expect(name(host, A, 'image', '/undo/here')).toBe('/undo/here/a.img.dmremap-undo-1a2b3c4d-001');
    expect(host.exists('/undo/here')).toBe(true);
  });

  test('numbers go up, whatever else lies there', () => {
    const host = world();
    for (const other of ['-002', '-7', '-003.bak', '-x', '-0012345678', '-01', ''])
      host.addImage(`/img/a.img.dmremap-undo-1a2b3c4d${other}`, 1);
    host.addImage('/img/a.img.dmremap-undo-ffffffff-900', 1);
    expect(name(host, A)).toBe('/img/a.img.dmremap-undo-1a2b3c4d-003');
    host.addImage('/img/a.img.dmremap-undo-1a2b3c4d-999', 1);
    expect(name(host, A)).toBe('/img/a.img.dmremap-undo-1a2b3c4d-1000');
  });

  test('a very long name is cut at a character', () => {
    const host = new MemoryHost();
    const long = `/img/${'ä'.repeat(120)}.img`;
    host.addImage(long, 4096);
    const file = name(host, long).slice('/img/'.length);
    expect(Buffer.byteLength(file)).toBeLessThanOrEqual(255);
    expect(file).toBe(`${'ä'.repeat(100)}.dmremap-undo-1a2b3c4d-001`);
  });
});
