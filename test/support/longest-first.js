// SPDX-License-Identifier: GPL-2.0-or-later
// The order in which suites begin: those that take minutes first, so that none of them is left running alone at the end.
// In a fresh clone Jest knows no durations and goes by the size of the files.
const Sequencer = require('@jest/test-sequencer').default;

/** Each of them takes more than a minute; the longest first. */
const LONGEST = [
  'kernel/hostile',
  'kernel/crash',
  'kernel/power-cut',
  'crash/salvage-commit',
  'fuzz/several-spares',
  'model/deaths',
  'kernel/format-agreement',
  'crash/absent-spare',
  'kernel/style',
  'model/commit-model',
  'crash/new-generation',
  'kernel/concurrency',
  'cli/fsck-cases',
  'unit/format-crash',
  'kernel/format-fuzz',
];

const rank = ({ path }) => {
  const index = LONGEST.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return index === -1 ? LONGEST.length : index;
};

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
};
