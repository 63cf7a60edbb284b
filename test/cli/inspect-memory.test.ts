// SPDX-License-Identifier: GPL-2.0-or-later
// The memory that dmremap-inspect takes for the longest document there is: far less than the document.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, used } from '../../bench/children';
import { commit, entriesOf, firstGeneration, imagesOf } from '../../fixtures/build';
import { MAX_ENTRIES } from '../../src/core/layout';

const root = join(__dirname, '..', '..');
const MIB = 1024 * 1024;
const SPARES = 8;
let folder = '';
const paths: string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dmremap-memory-'));
  const first = firstGeneration({ spares: SPARES, entries: MAX_ENTRIES });
  imagesOf(commit(first, { entries: entriesOf(MAX_ENTRIES, SPARES) })).forEach((image, spare) => {
    const path = join(folder, `spare${spare}.img`);
    writeFileSync(path, image);
    paths.push(path);
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// The documents have 50 and 43 MiB, and took 540 and 490 MiB as long as they were made before they were written.
test.each([
  ['the contents and bytes of one copy of each spare', ['--json', '--hex', '--copy', '1']],
  ['the bytes of all 40 copies', ['--json', '--hex']],
])('the largest setup, %s: below 250 MiB', (_what, options) => {
  const { peakBytes } = used(root, command(root, 'dmremap-inspect', [...options, ...paths], { status: 0 }));
  expect(peakBytes / MIB).toBeLessThan(250);
  // What a bare interpreter takes: less would not have been measured.
  expect(peakBytes / MIB).toBeGreaterThan(30);
});
