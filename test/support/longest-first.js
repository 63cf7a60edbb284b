// SPDX-License-Identifier: GPL-2.0-or-later
// The order in which suites begin: the kernel's together, so that the time they take is their own; and those that take
// minutes before the others, so that none of them is left running alone at the end. In a fresh clone Jest knows no
// durations and goes by the size of the files.
const { join, sep } = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

const TESTS = join(__dirname, '..') + sep;

/** Each of them takes half a minute at least; the longest first. */
const LONGEST = [
  'kernel/hostile',
  'kernel/crash',
  'kernel/power-cut',
  'kernel/format-agreement',
  'kernel/concurrency',
  'kernel/format-fuzz',
  'kernel/style',
  'kernel/stacks',
  'kernel/spares-data',
  'kernel/full',
  'kernel/life',
  'kernel/blocks',
  'kernel/interchange',
  'kernel/spares-metadata',
  'kernel/order',
  'kernel/policies',
  'kernel/faults',
  'model/deaths',
  'model/commit-model',
  'crash/salvage-commit',
  'fuzz/one-spare',
  'fuzz/several-spares',
  'crash/absent-spare',
  'crash/new-generation',
  'cli/fsck-cases',
  'fuzz/commands',
  'unit/format-crash',
].map((name) => join(TESTS, `${name}.test.ts`));

const isKernel = ({ path }) => path.startsWith(join(TESTS, 'kernel') + sep);

const rank = (test) => {
  const index = LONGEST.indexOf(test.path);
  return (isKernel(test) ? 0 : 1000) + (index === -1 ? LONGEST.length : index);
};

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
};
