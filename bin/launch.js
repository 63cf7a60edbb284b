// SPDX-License-Identifier: GPL-2.0-or-later
// Starts a bundle from dist/ with the code that V8 compiled when it was built. What the bundle does is not known here.
'use strict';

const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

/** Bytes at the start of a code cache, and of its bundle, that say that the two belong together. */
const STAMP_BYTES = 64;

/**
 * Compiles `file` as a CommonJS module. The cache beside it is used if it was made from the same bundle: V8 itself
 * compares only lengths. It rejects the cache of another version of Node, and compiles as usual.
 */
function compile(file) {
  const source = readFileSync(file, 'latin1'); // a bundle is pure ASCII, and this is the quick way to read it
  const options = { filename: file };
  try {
    const cache = readFileSync(`${file}.cache`);
    if (cache.toString('latin1', 0, STAMP_BYTES) === source.substring(2, 2 + STAMP_BYTES)) {
      options.cachedData = cache.subarray(STAMP_BYTES);
    }
  } catch {
    // No cache: only slower.
  }
  return new Script(`(function(exports,require,module,__filename,__dirname){${source}\n})`, options);
}

/** Runs a compiled bundle. */
function run(script, file) {
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, file, dirname(file));
}

/** More arguments than this are many inputs. */
const MANY_ARGUMENTS = 100;

/**
 * For a run over many inputs. V8's young generation stays at its first size: it would grow to three times the memory that
 * the run needs, and makes it no faster. Its compiler puts less into one function: it would take a fifth of all the
 * processor time, more than its work saves.
 */
function prepareForMany() {
  if (process.argv.length <= MANY_ARGUMENTS) return;
  const { setFlagsFromString } = require('node:v8');
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=100');
}

/** Runs dist/COMMAND.js. */
function launch(command) {
  prepareForMany();
  const file = join(__dirname, '..', 'dist', `${command}.js`);
  let script;
  try {
    script = compile(file);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    process.stderr.write(`${command}: ${file} is missing: the toolkit is not built\n`);
    process.stderr.write(`Run 'npm ci' in ${dirname(__dirname)}.\n`);
    process.exitCode = 8;
    return;
  }
  run(script, file);
}

module.exports = { STAMP_BYTES, compile, launch, run };
