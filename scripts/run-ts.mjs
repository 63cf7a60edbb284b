// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a TypeScript file of this repository: node scripts/run-ts.mjs FILE [ARGUMENT...]. Bundles to a temporary file.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node scripts/run-ts.mjs FILE [ARGUMENT...]\n');
  process.exit(16);
}
const folder = mkdtempSync(join(tmpdir(), 'dmremap-run-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const outfile = join(folder, 'main.cjs');
await build({
  entryPoints: [resolve(file)],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node18',
  format: 'cjs',
  sourcemap: 'inline',
  logLevel: 'warning',
});
process.argv = [process.argv[0], resolve(file), ...rest];
createRequire(import.meta.url)(outfile);
