// SPDX-License-Identifier: GPL-2.0-or-later
// Prints the totals of a run as one plain last line, for machines that read logs. The default reporter does the rest.
const { writeSync } = require('node:fs');

class TotalsReporter {
  onRunComplete(_contexts, results) {
    // A suite that could not be loaded has no tests to fail; it must count, or a broken file would look like a pass.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    // At the very end, since Jest prints its own summary after all other reporters.
    process.on('exit', () =>
      writeSync(1, `Tests: ${results.numPassedTests} passed, ${failed} failed${tail}\n`),
    );
  }
}

module.exports = TotalsReporter;
