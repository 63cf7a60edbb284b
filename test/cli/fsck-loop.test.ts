// SPDX-License-Identifier: GPL-2.0-or-later
// The built commands on block devices: loop devices with 512 and 4096-byte sectors, read-only ones, ones in use. Images
// are covered by test/cases; the host's own behaviour by test/unit/host-loop.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describeWithLoops, LoopDevices } from '../support/loop-devices';
import { removeTree, temporaryDirectory } from '../support/temporary';

const root = join(__dirname, '..', '..');
const MIB = 1048576;

function run(command: string, ...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  const done = spawnSync(process.execPath, [join(root, 'bin', `dmremap-${command}`), ...argv], {
    encoding: 'utf8',
  });
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

interface CopyJson {
  readonly state: string;
}

interface FsckJson {
  readonly exitCode: number;
  readonly setups: readonly {
    readonly verdict: string;
    readonly undo: string | null;
    readonly spares: readonly { readonly path: string | null; readonly copies: readonly CopyJson[] }[];
    readonly plan: readonly { readonly offset: string; readonly length: string }[];
  }[];
}

function fsck(...argv: string[]): { status: number | null; document: FsckJson } {
  const { status, stdout } = run('fsck', '--json', ...argv);
  return { status, document: JSON.parse(stdout) as FsckJson };
}

const states = (document: FsckJson): string[][] =>
  document.setups[0]?.spares.map((spare) => spare.copies.map((copy) => copy.state)) ?? [];
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Zeros over the whole used part of one slot. */
function zeroSlot(path: string, sector: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(65536), 0, 65536, sector * 512);
  closeSync(fd);
}

describeWithLoops('on loop devices', () => {
  const loops = new LoopDevices();
  const folder = temporaryDirectory();
  afterAll(() => {
    loops.detachAll();
    removeTree(folder);
  });

  let number = 0;
  /** A setup on loop devices: one main, two spares. */
  function setUp(sectorSize: 512 | 4096): { images: string[]; spares: string[]; dirs: string[] } {
    const place = join(folder, String(number++));
    mkdirSync(place);
    const [main = '', ...images] = ['main', 's0', 's1'].map((name) => {
      const path = join(place, `${name}.img`);
      writeFileSync(path, '');
      truncateSync(path, (name === 'main' ? 32 : 16) * MIB);
      return path;
    });
    const spares = images.map((image) => loops.attach(image, { sectorSize }));
    const made = run('format', '--name', 'loops', '--main', loops.attach(main, { sectorSize }), ...spares);
    expect([made.status, made.stderr]).toEqual([0, '']);
    return {
      images,
      spares,
      dirs: ['--undo-dir', join(place, 'undo'), '--backup-dir', join(place, 'backup')],
    };
  }

  describe.each([512, 4096] as const)('with sectors of %i bytes', (sectorSize) => {
    test('a setup is made, checked, damaged, repaired, and the repair undone', () => {
      const { images, spares, dirs } = setUp(sectorSize);
      const [image = ''] = images;
      expect(fsck('-n', ...spares)).toMatchObject({
        status: 0,
        document: { setups: [{ verdict: 'clean' }] },
      });
      const healthy = sha256(image);

      zeroSlot(spares[0] ?? '', 1024);
      zeroSlot(spares[0] ?? '', 8192);
      const damaged = sha256(image);
      const seen = fsck('-n', ...spares);
      expect(seen.status).toBe(4);
      expect(states(seen.document)).toEqual([
        ['valid', 'zeroed', 'valid', 'valid', 'zeroed'],
        ['valid', 'valid', 'valid', 'valid', 'valid'],
      ]);
      expect(sha256(image)).toBe(damaged);

      const repaired = fsck('-p', ...dirs, ...spares);
      expect(repaired).toMatchObject({ status: 1, document: { setups: [{ verdict: 'repaired' }] } });
      expect(sha256(image)).toBe(healthy);
      expect(fsck('-n', ...spares)).toMatchObject({
        status: 0,
        document: { setups: [{ verdict: 'clean' }] },
      });

      const journal = repaired.document.setups[0]?.undo ?? '';
      expect(run('undo', journal).status).toBe(0);
      expect(sha256(image)).toBe(damaged);
    });

    test('every write lies on block boundaries of the device', () => {
      const { spares, dirs } = setUp(sectorSize);
      zeroSlot(spares[1] ?? '', 2048);
      const { document } = fsck('-p', ...dirs, ...spares);
      const rows = document.setups[0]?.plan ?? [];
      expect(rows.length).toBeGreaterThan(1);
      for (const { offset, length } of rows) {
        expect([BigInt(offset) % 4096n, BigInt(length) % 4096n]).toEqual([0n, 0n]);
      }
    });
  });

  test('a read-only device is checked, and refused for repair', () => {
    const { images, spares, dirs } = setUp(512);
    const [image = '', other = ''] = images;
    for (const spare of spares) loops.detach(spare);
    zeroSlot(image, 1024);
    const before = sha256(image);
    const readOnly = [image, other].map((path) => loops.attach(path, { readOnly: true }));
    expect(fsck('-n', ...readOnly).status).toBe(4);
    const refused = run('fsck', '-p', ...dirs, ...readOnly);
    expect(refused.status).toBe(4 | 8);
    expect(refused.stdout).toMatch(/nothing\s+was\s+changed/);
    expect(refused.stdout).toContain('read-only');
    expect(sha256(image)).toBe(before);
  });

  test('an image that a loop device uses is checked, and refused for repair', () => {
    const { images, dirs } = setUp(512);
    const [image = ''] = images;
    zeroSlot(image, 1024);
    const before = sha256(image);
    expect(fsck('-n', ...images).status).toBe(4);
    const refused = run('fsck', '-p', ...dirs, ...images);
    expect(refused.status).toBe(4 | 8);
    expect(refused.stdout).toMatch(/is in use:\s+backing\s+file\s+of\s+\/dev\/loop/);
    expect(sha256(image)).toBe(before);
  });

  test('an image and the loop device of it are told to be one spare twice', () => {
    const { images, spares } = setUp(512);
    const { status, document } = fsck('-n', spares[0] ?? '', images[0] ?? '', spares[1] ?? '');
    expect(status).toBe(4);
    expect(document).toMatchObject({ setups: [{ verdict: 'inconsistent' }] });
  });
});
