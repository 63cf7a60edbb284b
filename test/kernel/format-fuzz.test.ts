// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes the kernel's format code in user space (kernel/test/fuzz-format.c): under the sanitizers, with mended checksums,
// and with promises held after each image. DMREMAP_CFUZZ is the length in seconds, DMREMAP_SEED another start.
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { commit, RUN_B, SPARE_BYTES, spareImage, story } from '../../fixtures/build';
import type { SetupOptions } from '../../fixtures/build';
import type { Generation } from '../../src/core/generation';
import { fromEnvironment } from '../support/fixed-runs';
import { buildProgram, describeC, FORMAT_SOURCES } from '../support/kernel-c';
import { removeTree, temporaryDirectory } from '../support/temporary';
import { fillFile } from '../support/tools';

const SECONDS = fromEnvironment('DMREMAP_CFUZZ', 60);
/** Of these, so many go to large tables, of which far fewer are done in a second. */
const LARGE_SECONDS = Math.ceil(SECONDS / 10);
const SEED = fromEnvironment('DMREMAP_SEED', 1);

/** So many come by everything that there is. */
const ENOUGH = 15_000;
/** So many are done in a second on a machine with five times more work than processors; an idle one does far more. */
const LEAST_PER_SECOND = 10;

jest.setTimeout((SECONDS + 60) * 1000);

const VECTORS = join(__dirname, '..', '..', 'fixtures', 'vectors');

const SETUPS: readonly SetupOptions[] = [
  { id: 20, entries: 0 },
  { id: 21, spares: 2, entries: 20, lostAndRetired: true },
  { id: 22, spares: 2, entries: 140, unknownSection: true, reserved: true },
  { id: 23, spares: 1, entries: 140, movedSections: true, reserved: true },
  { id: 24, spares: 8, entries: 9 },
  { id: 25, spares: 2, entries: 30, devices: { 1: { logicalBlockSize: 4096, physicalBlockSize: 4096 } } },
];
const LARGE: readonly SetupOptions[] = [
  { id: 30, entries: 15_494 },
  { id: 31, spares: 2, entries: 8000, unknownSection: true },
];

interface Report {
  readonly iterations: number;
  readonly seconds: number;
  readonly validCopies: number;
  readonly sound: number;
  readonly unsound: number;
  readonly encoded: number;
  readonly committed: number;
  readonly headers: readonly number[];
  readonly refusals: readonly number[];
  readonly states: readonly number[];
  readonly standings: readonly number[];
  readonly rules: Readonly<Record<string, number>>;
}

describeC(`the kernel's format code, fuzzed for ${SECONDS} s`, () => {
  let folder = '';
  let fuzzer = '';

  beforeAll(() => {
    folder = temporaryDirectory();
    fuzzer = buildProgram(folder, 'fuzz-format', [
      ...FORMAT_SOURCES,
      'test/judging.c',
      'test/mutate.c',
      'test/fuzz-format.c',
    ]);
  });
  afterAll(() => {
    removeTree(folder);
  });

  /** The word for a setup of these spares. */
  function planted(id: number, newestOn: readonly Generation[]): string {
    return newestOn
      .map((generation, spare) => {
        const path = join(folder, `${id}-${spare}.img`);
        const file = openSync(path, 'w');
        ftruncateSync(file, SPARE_BYTES);
        closeSync(file);
        fillFile(path, spareImage(generation, spare));
        return path;
      })
      .join();
  }

  function healthy(options: SetupOptions): string {
    const { spares = 1, id = 0 } = options;
    return planted(id, new Array<Generation>(spares).fill(story(options).newest));
  }

  /** The second spare was absent when the newest generation was committed. */
  function behind(options: SetupOptions): string {
    const { newest } = story(options);
    return planted(options.id ?? 0, [commit(newest, { run: RUN_B, spares: [0], event: 2 }), newest]);
  }

  function vector(name: string, spares: number): string {
    return Array.from({ length: spares }, (_unused, spare) => {
      const path = join(folder, `${name}-${spare}.img`);
      writeFileSync(path, gunzipSync(readFileSync(join(VECTORS, name, `spare${spare}.img.gz`))));
      return path;
    }).join();
  }

  function fuzz(seconds: number, setups: readonly string[]): Report {
    const { status, stdout, stderr } = spawnSync(fuzzer, [String(SEED), `${seconds}s`, ...setups], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    console.info(stdout.trim());
    return JSON.parse(stdout) as Report;
  }

  test('small tables: no promise is broken, and everything is reached', () => {
    const setups = [
      vector('empty', 1),
      vector('one', 1),
      vector('three', 3),
      ...SETUPS.map(healthy),
      behind({ id: 26, spares: 2 }),
    ];
    const report = fuzz(SECONDS - LARGE_SECONDS, setups);
    expect(report.sound).toBeGreaterThan(report.iterations / 4);
    expect(report.unsound).toBeGreaterThan(report.iterations / 40);
    expect(report.committed).toBeGreaterThan(report.iterations / 4);
    expect(report.iterations).toBeGreaterThan((SECONDS - LARGE_SECONDS) * LEAST_PER_SECOND);
    // A short run, or one on a very busy machine, does not come by everything.
    if (report.iterations < ENOUGH) {
      process.stdout.write(
        `NOT CHECKED THAT EVERYTHING IS REACHED: ${report.iterations} OF ${ENOUGH} IMAGES WERE DONE IN ${SECONDS} S\n`,
      );
      return;
    }
    for (const reached of [report.headers, report.refusals])
      expect(reached.filter((count) => count === 0)).toEqual([]);
    // Not to be had where nothing refuses: a copy of the other side of a split, a spare that diverged.
    expect(report.states.map((count, i) => (count === 0 ? i : -1)).filter((i) => i >= 0)).toEqual([0, 3]);
    expect(report.standings.map((count, i) => (count === 0 ? i : -1)).filter((i) => i >= 0)).toEqual([3]);
    expect(Object.keys(report.rules).filter((rule) => report.rules[rule] === 0)).toEqual([]);
  });

  test('large tables', () => {
    const report = fuzz(LARGE_SECONDS, LARGE.map(healthy));
    expect(report.iterations).toBeGreaterThan(0);
  });
});
