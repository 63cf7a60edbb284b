// SPDX-License-Identifier: GPL-2.0-or-later
// What a read costs that meets no entry, in instructions, beside a linear mapping: a change that makes the fast path dear
// fails here, however fast or busy this machine is. All the numbers: npm run bench:kernel.
import { describeKernel } from '../support/kernel/environment';
import { bringUp, compareReads, openOverhead } from '../support/kernel/overhead';
import { parseStatus } from '../support/kernel/scenario';

const ENTRIES = 15_000;

describeKernel('what reading through the target costs', () => {
  test.each([
    { kernel: '6.1', limit: 1.015 },
    { kernel: '6.12', limit: 1.02 },
  ] as const)('on $kernel at most $limit of a linear mapping', async ({ kernel, limit }) => {
    const overhead = await openOverhead({ kernel, entries: ENTRIES, icount: true });
    try {
      const { guest } = overhead;
      const ratios: [string, number, number][] = [];
      for (const name of ['empty', 'full'] as const) {
        await bringUp(overhead, name);
        expect(parseStatus(await guest.status(name)).extents).toBe(name === 'full' ? ENTRIES : 0);
        for (const depth of [1, 32] as const)
          ratios.push([name, depth, (await compareReads(guest, name, depth)).ratio]);
      }
      process.stdout.write(`${kernel}: ${ratios.map((each) => each.join(' ')).join(', ')}\n`);
      // Less than a linear mapping would mean that something else was measured.
      expect(ratios.filter(([, , ratio]) => !(ratio > 1 && ratio <= limit))).toEqual([]);
    } finally {
      await overhead.lab.close();
    }
  });
});
