// SPDX-License-Identifier: GPL-2.0-or-later
// Many setups in one process: how many spares a second one core checks, and whether memory stays flat however many there
// are. Each setup has one spare and 100 remaps; level complete, page-cached.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Usage } from './children';
import { command, used } from './children';
import { generationOf, writeSpare } from './setups';
import type { Bench } from './shape';
import { against, measure, series } from './stats';

const REMAPS = 100;
const TARGET_PER_SECOND = 2000;
const TARGET_PEAK_MB = 150;

/** Text is what a person sees; JSON has to keep the whole document together. */
const FORMS: readonly { readonly name: string; readonly options: readonly string[] }[] = [
  { name: 'text', options: [] },
  { name: 'json', options: ['--json'] },
];

const nameOf = (id: number): string => `s${String(id).padStart(5, '0')}.img`;

export const many: Bench = {
  name: 'many',
  what: 'dmremap-fsck -n of 10, 1,000 and 10,000 setups with 100 remaps each, in one process',
  run: async ({ root, folder, quick, progress }) => {
    const counts = quick ? [10, 100, 1000] : [10, 1000, 10000];
    const runs = quick ? 2 : 5;
    const most = Math.max(...counts);
    for (let id = 0; id < most; id++) {
      if (id % 500 === 0) await progress(`making images, ${id} of ${most}`);
      writeSpare(join(folder, nameOf(id)), generationOf(id, 1, REMAPS), 0);
    }
    // What is still to be written to the disk would be written while it is measured. Where there is no sync(1), it is.
    spawnSync('sync');
    const cells = counts.flatMap((count) => FORMS.map((form) => ({ count, form, usages: [] as Usage[] })));
    for (let run = -1; run < runs; run++) {
      for (const { count, form, usages } of cells) {
        await progress(
          `${run < 0 ? 'warming up' : `run ${run + 1} of ${runs}`}, ${count} setups, ${form.name}`,
        );
        const inputs = Array.from({ length: count }, (_unused, id) => nameOf(id));
        const options = ['-n', '--level', 'complete', ...form.options];
        const usage = used(
          root,
          command(root, 'dmremap-fsck', [...options, ...inputs], { cwd: folder, status: 0 }),
        );
        if (run >= 0) usages.push(usage);
      }
    }
    return {
      remapsEach: REMAPS,
      ...Object.fromEntries(
        FORMS.map((form) => [
          form.name,
          cells
            .filter((cell) => cell.form === form)
            .map(({ count, usages }) => report(count, usages, count === most)),
        ]),
      ),
    };
  },
};

/** Small counts measure the start of Node, so only the largest has a target for speed. */
function report(count: number, usages: readonly Usage[], isMost: boolean): unknown {
  const perCore = series(
    'spares/s of user and system time',
    usages.map(({ cpuMs }) => (1000 * count) / cpuMs),
  );
  const peaks = usages.map(({ peakBytes }) => peakBytes / 1e6);
  return {
    setups: count,
    wall: series(
      'ms',
      usages.map(({ wallMs }) => wallMs),
    ),
    cpu: series(
      'ms',
      usages.map(({ cpuMs }) => cpuMs),
    ),
    perSecond: series(
      'spares/s',
      usages.map(({ wallMs }) => (1000 * count) / wallMs),
    ),
    perSecondPerCore: isMost ? against(perCore, { atLeast: TARGET_PER_SECOND }) : perCore,
    peakMemory: measure('MB', Math.max(...peaks), { atMost: TARGET_PEAK_MB }),
  };
}
