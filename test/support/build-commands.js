// SPDX-License-Identifier: GPL-2.0-or-later
// Builds dist/ before tests that run the commands, when a source is newer than the bundles. No tests here.
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');

const root = join(__dirname, '..', '..');

module.exports = function buildCommands() {
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--quiet', '--partial', '--if-stale'], {
    cwd: root,
    stdio: 'inherit',
  });
};
