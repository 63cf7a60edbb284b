// SPDX-License-Identifier: GPL-2.0-or-later
// Takes the place of node:assert in the bundles. yargs uses two functions of it, and loading the real one, with all of
// Node's streams behind it, would be a third of what a check costs.
'use strict';

function check(good, message) {
  if (!good) throw message instanceof Error ? message : new Error(message);
}

module.exports = {
  strictEqual: (actual, expected, message) => check(Object.is(actual, expected), message),
  notStrictEqual: (actual, expected, message) => check(!Object.is(actual, expected), message),
};
