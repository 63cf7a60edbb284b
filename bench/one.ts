// SPDX-License-Identifier: GPL-2.0-or-later
// Checking one spare, as a process, against the floor that Node itself sets, and beside the checkers of others. All of
// them in turn (A B C A B C), so that whatever else the machine does hits all alike.
import { join } from 'node:path';
import type { Child } from './children';
import { command, timed } from './children';
import { PEERS } from './peers';
import { generationOf, writeSpare } from './setups';
import type { Bench } from './shape';
import { measure, median, series } from './stats';

const TARGET_RATIO = 1.35;

export const one: Bench = {
  name: 'one',
  what: 'dmremap-fsck -n of one spare, as a multiple of node -e 0',
  run: async ({ root, folder, quick, progress }) => {
    const runs = quick ? 7 : 41;
    const image = 'one-spare.img';
    writeSpare(join(folder, image), generationOf(1, 1, 10), 0);
    const peers = PEERS.map((peer) => ({ peer, child: peer.prepare(folder) }));
    const subjects: { name: string; child: Child; times: number[] }[] = [
      { name: 'node', child: { program: process.execPath, argv: ['-e', '0'], status: 0 }, times: [] },
      {
        name: 'fsck',
        child: command(root, 'dmremap-fsck', ['-n', image], { cwd: folder, status: 0 }),
        times: [],
      },
    ];
    for (const { peer, child } of peers)
      if (child !== null) subjects.push({ name: peer.name, child, times: [] });
    for (let run = -2; run < runs; run++) {
      if (run >= 0) await progress(`run ${run + 1} of ${runs}`);
      // The first two only fill the caches.
      for (const subject of subjects) {
        const time = timed(subject.child);
        if (run >= 0) subject.times.push(time);
      }
    }
    const timesOf = (name: string): number[] =>
      subjects.find((subject) => subject.name === name)?.times ?? [];
    const node = timesOf('node');
    const fsck = timesOf('fsck');
    return {
      node: { command: 'node -e 0', wall: series('ms', node) },
      fsck: { command: `dmremap-fsck -n ${image}`, wall: series('ms', fsck) },
      ratio: measure('times node -e 0', median(fsck) / median(node), { atMost: TARGET_RATIO }),
      ratioOfPairs: series(
        'times node -e 0',
        fsck.map((time, i) => time / (node[i] ?? NaN)),
      ),
      beside: Object.fromEntries(
        peers.map(({ peer, child }) => [
          peer.name,
          child === null
            ? { command: peer.command, wall: 'not installed' }
            : { command: peer.command, wall: series('ms', timesOf(peer.name)) },
        ]),
      ),
    };
  },
};
