// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded into a measured command with `node --require`: at its end, writes what it used to the file that is named in the
// environment. The command itself is what is shipped, unchanged.
'use strict';

process.on('exit', () => {
  const { readFileSync, writeFileSync } = require('node:fs');
  const { user, system } = process.cpuUsage();
  // Not ru_maxrss: after fork and exec it still holds the size of the process that forked. VmHWM begins anew at exec.
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  const usage = { cpuMs: (user + system) / 1000, peakBytes: Number(peak[1]) * 1024 };
  writeFileSync(process.env.DMREMAP_BENCH_USAGE, JSON.stringify(usage));
});
