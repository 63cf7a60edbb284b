// SPDX-License-Identifier: GPL-2.0-or-later
// Takes the place of cliui in the bundles: yargs lays out its help with it, and our help is laid out by src/cli/help.ts.
// Left in, it would make every start slower.
'use strict';

module.exports = () => {
  throw new Error('help is not laid out by yargs');
};
