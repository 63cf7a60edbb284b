// SPDX-License-Identifier: GPL-2.0-or-later
// Builds dist/ before tests that run the commands, when a source is newer than the bundles. No tests here.
const { execFileSync } = require('node:child_process');
const { existsSync, readdirSync, statSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

module.exports = function buildCommands() {
  const stamp = join(root, 'dist', '.built');
  const sources = ['src', 'scripts', 'package.json'].map((name) => newest(join(root, name)));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > Math.max(...sources)) return;
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--quiet', '--partial'], {
    cwd: root,
    stdio: 'inherit',
  });
};
