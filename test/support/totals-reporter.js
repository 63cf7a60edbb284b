// SPDX-License-Identifier: GPL-2.0-or-later
// Prints the totals of a run as one plain last line, for machines that read logs, and before it how long the kernel suite
// took, which has a limit of its own. The default reporter does the rest.
const { writeSync } = require('node:fs');
const { join, sep } = require('node:path');

const KERNEL = join(__dirname, '..', 'kernel') + sep;

/** From the first test of the kernel suite that began to the last that ended, with others in between; '' where none ran. */
function kernelTime({ testResults }) {
  const ran = testResults.filter(
    ({ testFilePath, perfStats, numPassingTests, numFailingTests }) =>
      testFilePath.startsWith(KERNEL) && perfStats.end > 0 && numPassingTests + numFailingTests > 0,
  );
  if (ran.length === 0) return '';
  const began = Math.min(...ran.map(({ perfStats }) => perfStats.start));
  const ended = Math.max(...ran.map(({ perfStats }) => perfStats.end));
  const seconds = Math.round((ended - began) / 1000);
  return `Kernel suite: ${ran.length} files in ${Math.floor(seconds / 60)} min ${seconds % 60} s\n`;
}

class TotalsReporter {
  onRunComplete(_contexts, results) {
    // A suite that could not be loaded has no tests to fail; it must count, or a broken file would look like a pass.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    // At the very end, since Jest prints its own summary after all other reporters.
    const kernel = kernelTime(results);
    process.on('exit', () =>
      writeSync(1, `${kernel}Tests: ${results.numPassedTests} passed, ${failed} failed${tail}\n`),
    );
  }
}

module.exports = TotalsReporter;
