// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format as it is shipped: the built command on images, with its exit status, its one document, and
// dmremap-fsck's opinion of what it made.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree, temporaryDirectory } from '../support/temporary';

const root = join(__dirname, '..', '..');
const MIB = 1024 * 1024;
const UUID = '0b5c7a52-6f0e-4a40-9a43-1d9a43f0c9e1';
let folder = '';

function sparse(name: string, bytes: number): void {
  const file = openSync(join(folder, name), 'w');
  ftruncateSync(file, bytes);
  closeSync(file);
}

function run(command: string, ...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin', command), ...argv], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' },
  });
  return { status, stdout, stderr };
}

const hashOf = (name: string): string =>
  createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex');

beforeEach(() => {
  folder = temporaryDirectory();
  sparse('main.img', 16 * MIB);
  sparse('s0.img', 8 * MIB);
  sparse('s1.img', 9 * MIB);
});
afterEach(() => removeTree(folder));

const BASE = ['--name', 'data', '--main', 'main.img'];

test('makes a setup that fsck finds clean at every level', () => {
  const { status, stderr } = run('dmremap-format', ...BASE, 's0.img', 's1.img');
  expect([status, stderr]).toEqual([0, '']);
  for (const level of ['basic', 'integrity', 'complete', 'forensic']) {
    expect(run('dmremap-fsck', '-n', '--level', level, 's0.img', 's1.img').status).toBe(0);
  }
  expect(readdirSync(folder).sort()).toEqual(['main.img', 's0.img', 's1.img']);
});

test('with --uuid and SOURCE_DATE_EPOCH, two runs give the same images and the same document', () => {
  const made = (): unknown[] => {
    sparse('s0.img', 8 * MIB);
    const { stdout } = run('dmremap-format', '--json', ...BASE, '--uuid', UUID, 's0.img');
    return [stdout, hashOf('s0.img')];
  };
  expect(made()).toEqual(made());
});

test('-n changes nothing, and ends as the real one would', () => {
  const before = hashOf('s0.img');
  expect(run('dmremap-format', ...BASE, '-n', 's0.img').status).toBe(0);
  expect(hashOf('s0.img')).toBe(before);
  expect(run('dmremap-format', ...BASE, '-n', 's0.img', 'main.img').status).toBe(8);
});

test('a refusal: exit status 8, nothing written, one document on stdout', () => {
  run('dmremap-format', ...BASE, 's0.img');
  const before = hashOf('s0.img');
  const { status, stdout, stderr } = run('dmremap-format', '--json', ...BASE, 's0.img');
  expect(status).toBe(8);
  expect(JSON.parse(stdout)).toMatchObject({
    schema: 'dmremap.format/1',
    exitCode: 8,
    error: { code: 'HOLDS_METADATA' },
  });
  expect(stderr).toContain('run the command again with --force');
  expect(hashOf('s0.img')).toBe(before);
});

test('--force keeps an undo journal, and dmremap-undo takes it back', () => {
  writeFileSync(join(folder, 's1.img'), Buffer.alloc(5 * MIB, 'somebody else'), { flag: 'r+' });
  run('dmremap-format', ...BASE, '--uuid', UUID, 's0.img');
  const before = [hashOf('s0.img'), hashOf('s1.img')];
  const { status, stdout } = run('dmremap-format', '--json', ...BASE, '--force', 's0.img', 's1.img');
  expect(status).toBe(0);
  const { undo } = JSON.parse(stdout) as { undo: string };
  expect(run('dmremap-fsck', '-n', 's0.img', 's1.img').status).toBe(0);
  expect(run('dmremap-undo', undo).status).toBe(0);
  expect([hashOf('s0.img'), hashOf('s1.img')]).toEqual(before);
});

test.each([
  [[], 's0.img'],
  [['--name', 'data'], 's0.img'],
  [BASE, ''],
  [[...BASE, '--bad-blocks', 'b'], 's0.img'],
  [[...BASE, '--min-copies', '6'], 's0.img'],
])('usage error: %j %s', (argv, spare) => {
  const { status, stdout } = run('dmremap-format', '--json', ...argv, ...(spare === '' ? [] : [spare]));
  expect([status, stdout]).toEqual([16, '']);
});
