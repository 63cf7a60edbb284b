// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's table of entries and its allocator in user space, against models of one record per sector
// (kernel/test/map.c) and against the clock (kernel/test/allocate.c), under the sanitizers. DMREMAP_SEED is another start,
// DMREMAP_CMAP the number of rounds.
import { spawnSync } from 'node:child_process';
import { MAX_ENTRIES } from '../../src/core/layout';
import { fromEnvironment } from '../support/fixed-runs';
import { buildProgram, COMPILERS, complaints, describeC } from '../support/kernel-c';
import { removeTree, temporaryDirectory } from '../support/temporary';

const ROUNDS = fromEnvironment('DMREMAP_CMAP', 5000);
const SEED = fromEnvironment('DMREMAP_SEED', 1);

describeC('the table and the allocator', () => {
  let folder = '';

  beforeAll(() => {
    folder = temporaryDirectory();
  });
  afterAll(() => {
    removeTree(folder);
  });

  test.each(COMPILERS)('%s has nothing to say', (compiler) => {
    expect(complaints(compiler, 'dmr-map.c')).toBe('');
  });

  test(`${ROUNDS} rounds agree with the models`, () => {
    const program = buildProgram(folder, 'map', ['dmr-map.c', 'test/map.c']);
    const { status, stdout, stderr } = spawnSync(program, [String(SEED), String(ROUNDS)], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const reached = JSON.parse(stdout) as Record<string, number>;
    for (const what of ['puts', 'refused', 'merged', 'retired', 'joined', 'tamed', 'kept', 'allocated'])
      expect(reached[what]).toBeGreaterThan(ROUNDS / 100);
  });

  test('an allocation takes no longer than 100 us, and as a rule next to nothing', () => {
    // A spare that is nearly full, with as many extents in the way as a setup can have.
    const program = buildProgram(folder, 'allocate', ['dmr-map.c', 'test/allocate.c']);
    const { status, stdout, stderr } = spawnSync(program, [], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { units, mean, worst } = JSON.parse(stdout) as Record<string, number>;
    expect(units).toBe(1_000_000 - MAX_ENTRIES);
    // Nanoseconds: the allocation that passes all of them, at its fastest of nine.
    expect(worst).toBeLessThan(100_000);
    // Amortised: each extent is passed once. Were all passed every time, the mean would be near the worst.
    expect(mean).toBeLessThan((worst ?? NaN) / 100);
  });
});
