// SPDX-License-Identifier: GPL-2.0-or-later
// What the documents and the demo show, held against the built commands: the README's sessions and the list of bundled
// packages are what the build gives, and the demo comes to a good end.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentsFromBuild } from '../../scripts/docs/documents';

const root = join(__dirname, '..', '..');

test('README.md and DEPENDENCIES.md are what `npm run docs` makes of the build', () => {
  for (const [path, text] of documentsFromBuild(root))
    expect(readFileSync(join(root, path), 'utf8')).toBe(text);
});

test('the demo shows every step with the exit status it should have, and leaves nothing behind', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'dmremap-demo-test-'));
  try {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts', 'run-ts.mjs'), join(root, 'scripts', 'demo.ts')],
      { cwd: temporary, encoding: 'utf8', env: { ...process.env, TMPDIR: temporary } },
    );
    expect([status, stderr]).toEqual([0, '']);
    const steps = [...stdout.matchAll(/^exit (\d+) +as it should  (dmremap-[a-z]+)/gm)].map(
      ([, exit, command]) => `${command ?? ''} ${exit ?? ''}`,
    );
    expect(steps).toEqual([
      'dmremap-format 0',
      'dmremap-fsck 0',
      'dmremap-inspect 0',
      'dmremap-dump 0',
      'dmremap-fsck 4',
      'dmremap-fsck 5',
      'dmremap-fsck 1',
      'dmremap-fsck 0',
      'dmremap-undo 0',
      'dmremap-undo 0',
      'dmremap-fsck 8',
      'dmremap-restore 0',
      'dmremap-fsck 0',
    ]);
    for (const id of ['bit-flip', 'copy-zeroed', 'copy-torn', 'copy-overwritten'])
      expect(stdout).toContain(`[${id}]`);
    expect(readdirSync(temporary)).toEqual([]);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
});
