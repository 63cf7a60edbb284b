// SPDX-License-Identifier: GPL-2.0-or-later
// Memory that is used again from setup to setup: what is taken and given back, and that no setup of a run sees the bytes
// of another.
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fsck } from '../../src/commands/fsck';
import { createNodeHost } from '../../src/host/node';
import { setupJson } from '../../src/render/fsck-json';
import { jsonText } from '../../src/render/json';
import { giveBack, REUSED_READ_BYTES, takeBuffer } from '../../src/source/buffers';
import { imagesOf, slotAt, story } from '../../fixtures/build';
import { fsckOptions } from '../support/repair-world';
import { removeTree, temporaryDirectory } from '../support/temporary';
import { fillFile } from '../support/tools';

test('what was given back is taken again, once', () => {
  const one = takeBuffer(REUSED_READ_BYTES);
  giveBack(one);
  // A region shows its read as a view of all of it.
  giveBack(one.subarray(0));
  const again = takeBuffer(REUSED_READ_BYTES);
  expect(again.buffer).toBe(one.buffer);
  expect(takeBuffer(REUSED_READ_BYTES).buffer).not.toBe(one.buffer);
});

test('parts of something larger, and reads of other lengths, are not kept', () => {
  const large = new Uint8Array(2 * REUSED_READ_BYTES);
  giveBack(large.subarray(0, REUSED_READ_BYTES));
  giveBack(new Uint8Array(512));
  expect(takeBuffer(REUSED_READ_BYTES).buffer).not.toBe(large.buffer);
  expect(takeBuffer(512)).toEqual(new Uint8Array(512));
});

test('of a run without end only so much is kept', () => {
  const many = Array.from({ length: 100 }, () => new Uint8Array(REUSED_READ_BYTES));
  for (const one of many) giveBack(one);
  const again = new Set(many.map(() => takeBuffer(REUSED_READ_BYTES).buffer));
  expect(many.filter(({ buffer }) => again.has(buffer))).toHaveLength(64);
});

describe('several setups in one run', () => {
  let folder = '';
  beforeAll(() => void (folder = temporaryDirectory()));
  afterAll(() => removeTree(folder));

  const reportsOf = async (paths: readonly string[]): Promise<string[]> => {
    const told: string[] = [];
    const options = fsckOptions(paths, { mode: 'check', level: 'forensic' });
    await fsck(createNodeHost({ SOURCE_DATE_EPOCH: '1760000000' }), options, (report) => {
      told.push(jsonText(setupJson(report)));
    });
    return told;
  };

  test('are each told as they are alone', async () => {
    // Two spares, so that a setup takes more memory than the one before has given back; a damaged copy in every other.
    const setups = [1, 2, 3, 4].map((id) => {
      const images = imagesOf(story({ id, spares: 1 + (id % 2), entries: 20 * id }).newest);
      return images.map((image, spare) => {
        if (id % 2 === 0) image.fill(0xee, slotAt(3) + 4096, slotAt(3) + 5000);
        const path = join(folder, `setup${id}-${spare}.img`);
        writeFileSync(path, '');
        truncateSync(path, image.length);
        fillFile(path, image);
        return path;
      });
    });
    const alone = await Promise.all(setups.map(reportsOf));
    expect(alone.map((told) => told.length)).toEqual([1, 1, 1, 1]);
    expect(await reportsOf(setups.flat())).toEqual(alone.flat().sort(byUuid));
  });

  const byUuid = (a: string, b: string): number => (uuidIn(a) < uuidIn(b) ? -1 : 1);
  const uuidIn = (text: string): string => (JSON.parse(text) as { setupUuid: string }).setupUuid;
});
