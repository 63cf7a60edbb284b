// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's table of entries and its allocator in user space, against models of one record per sector
// (kernel/test/map.c), under the sanitizers. DMREMAP_SEED is another start, DMREMAP_CMAP the number of rounds.
import { spawnSync } from 'node:child_process';
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
    for (const what of ['puts', 'refused', 'merged', 'retired', 'joined', 'tamed', 'allocated'])
      expect(reached[what]).toBeGreaterThan(ROUNDS / 100);
  });
});
