// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the generated documents, after a build where one is due: node scripts/run-ts.mjs scripts/docs.ts. What is in
// them is made in docs/ beside this file.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { documentsFromBuild, documentsFromSources } from './docs/documents';

const root = dirname(dirname(process.argv[1] ?? ''));
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--quiet', '--if-stale'], {
  stdio: 'inherit',
});
for (const make of [documentsFromSources, documentsFromBuild]) {
  for (const [path, text] of make(root)) {
    let before = '';
    try {
      before = readFileSync(join(root, path), 'utf8');
    } catch (error) {
      // Not there yet: it is made.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (before === text) continue;
    writeFileSync(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
}
