// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a bundle once and keeps the code that V8 compiled on the way: node scripts/warm.js BUNDLE CACHE [ARGUMENT...].
'use strict';

const { readFileSync, writeFileSync } = require('node:fs');
const { compile, run, STAMP_BYTES } = require('../bin/launch');

const [bundle, cache, ...argv] = process.argv.slice(2);
const script = compile(bundle);
process.on('exit', () => {
  // Only now: functions are compiled at their first call, and only those that are compiled are kept.
  const stamp = readFileSync(bundle).subarray(2, 2 + STAMP_BYTES);
  writeFileSync(cache, Buffer.concat([stamp, script.createCachedData()]));
});
process.argv = [process.execPath, bundle, ...argv];
run(script, bundle);
