// SPDX-License-Identifier: GPL-2.0-or-later
// Builds what is shipped: one bundle per command with its code cache in dist/, and from the option tables the man
// pages in man/ and the shell completions in completions/. `--quiet` prints errors only, `--if-stale` does nothing if no
// source is newer than the bundles.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const quiet = process.argv.includes('--quiet');
const say = (text) => quiet || process.stdout.write(`${text}\n`);
const commands = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).bin);
/** Written when a build has come to its end and left nothing out. */
const stamp = join(dist, '.built');

/** The newest change below a path, in ms. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

if (process.argv.includes('--if-stale') && existsSync(stamp)) {
  const sources = ['src', 'bin', 'scripts', 'package.json'].map((name) => newest(join(root, name)));
  if (statSync(stamp).mtimeMs > Math.max(...sources)) process.exit(0);
}

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node18',
  format: 'cjs',
  charset: 'ascii',
  legalComments: 'none', // they are all in dist/THIRD-PARTY.txt
  logLevel: 'warning',
  write: false,
};

/** The entry point of a command: the same few lines for each. */
function entryPoint(command) {
  const contents = `
    import { binding } from './src/cli/${command.replace('dmremap-', '')}';
    import { main } from './src/cli/run';
    void main(binding, process.argv.slice(2));
  `;
  return { contents, resolveDir: root, sourcefile: `${command}.ts`, loader: 'ts' };
}

/** Replaces a file in one step: a command that is being started meanwhile sees the old or the new one. */
function replaceFile(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(Buffer.from(contents))) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

/** Bundles a command; the paths of all files in it. */
async function bundle(command) {
  const { outputFiles, metafile } = await build({
    ...common,
    stdin: entryPoint(command),
    minify: true,
    metafile: true,
    alias: { 'yargs/helpers': join(root, 'scripts', 'yargs-parser-only.js') },
  });
  const code = outputFiles[0].text;
  if (/[^\x00-\x7f]/.test(code)) throw new Error(`${command}: the bundle is not pure ASCII`);
  const mark = createHash('sha256').update(code).digest('hex');
  replaceFile(join(dist, `${command}.js`), `//${mark}\n${code}`);
  return Object.keys(metafile.inputs);
}

/** The licences of the packages that are part of the bundles, as those licences ask for. */
function thirdParty(files) {
  const packages = new Set();
  for (const file of files) {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file);
    if (match) packages.add(match[0]);
  }
  return [...packages]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const texts = readdirSync(join(root, folder)).filter((file) => /^licen[cs]e/i.test(file));
      const text = texts.map((file) => readFileSync(join(root, folder, file), 'utf8').trim()).join('\n\n');
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** Runs each command on a small healthy setup, so that what it needs is compiled, and keeps the code. */
function makeCaches() {
  const work = mkdtempSync(join(tmpdir(), 'dmremap-build-'));
  try {
    for (const name of ['main.img', 'spare.img']) {
      writeFileSync(join(work, name), '');
      truncateSync(join(work, name), 64 * 1024 * 1024);
    }
    const runs = [
      ['dmremap-format', '--name', 'example', '--main', 'main.img', 'spare.img'],
      ['dmremap-fsck', '-n', 'spare.img'],
      ['dmremap-inspect', 'spare.img'],
      ['dmremap-dump', 'spare.img'],
      ['dmremap-restore', '--help'],
      ['dmremap-undo', '--help'],
    ];
    for (const [command, ...argv] of runs) {
      const file = join(dist, `${command}.js`);
      if (!existsSync(file)) continue;
      const cache = join(work, `${command}.cache`);
      rmSync(`${file}.cache`, { force: true });
      const warm = [join(root, 'scripts', 'warm.js'), file, cache, ...argv];
      const done = spawnSync(process.execPath, warm, { cwd: work, encoding: 'utf8' });
      if (done.status !== 0)
        process.stderr.write(`${command} ${argv.join(' ')}: status ${done.status}\n${done.stderr}`);
      replaceFile(`${file}.cache`, readFileSync(cache));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Man pages and completions. */
async function generate(available) {
  const contents = `
    ${available.map((command, i) => `import { binding as b${i} } from './src/cli/${command.replace('dmremap-', '')}';`).join('\n')}
    export { generatedFiles } from './src/cli/generate';
    export const specs = [${available.map((_, i) => `b${i}.spec`).join(', ')}];
  `;
  const stdin = { contents, resolveDir: root, sourcefile: 'generate-all.ts', loader: 'ts' };
  const { outputFiles } = await build({ ...common, stdin });
  const loaded = { exports: {} };
  const load = new Function('module', 'exports', 'require', outputFiles[0].text);
  load(loaded, loaded.exports, createRequire(import.meta.url));
  const { generatedFiles, specs } = loaded.exports;
  for (const [path, text] of generatedFiles(specs)) replaceFile(join(root, path), text);
}

/** `--partial`: a command that cannot be built is left out, with a message, instead of ending the build. */
const partial = process.argv.includes('--partial');
const available = [];
const files = [];
for (const command of commands) {
  try {
    files.push(...(await bundle(command)));
    available.push(command);
  } catch (error) {
    if (!partial) throw error;
    // Not the bundle of before either: tests must not pass on it.
    for (const end of ['', '.cache']) rmSync(join(dist, `${command}.js${end}`), { force: true });
    process.stderr.write(`${command} left out: ${error.message}\n`);
  }
}
replaceFile(join(dist, 'THIRD-PARTY.txt'), thirdParty(files));
makeCaches();
await generate(available);
if (available.length === commands.length) writeFileSync(stamp, '');
for (const command of available)
  say(`dist/${command}.js  ${readFileSync(join(dist, `${command}.js`)).length} bytes`);
