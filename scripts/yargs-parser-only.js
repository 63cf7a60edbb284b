// SPDX-License-Identifier: GPL-2.0-or-later
// Takes the place of yargs/helpers in the bundles: the parser that it exports, without loading all of yargs on the way.
'use strict';

module.exports = { Parser: require('yargs-parser') };
