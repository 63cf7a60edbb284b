// SPDX-License-Identifier: GPL-2.0-or-later
// What the commands print on a terminal of 80 columns, for large disks with long paths: only what is to be typed, or is one
// long word, takes more, and no number or time is broken. The text of dmremap-fsck is held to it by every case as well.
import { imagesOf, spareImage, story } from '../../fixtures/build';
import { AT, flip, forge } from '../../fixtures/damage';
import { binding as format } from '../../src/cli/format';
import { binding as fsck } from '../../src/cli/fsck';
import { binding as inspect } from '../../src/cli/inspect';
import type { Binding } from '../../src/cli/spec';
import { binding as undo } from '../../src/cli/undo';
import { textField } from '../../src/core/bytes';
import type { Generation } from '../../src/core/generation';
import { MAIN, MIB, OTHER_UUID } from '../support/format-world';
import { MemoryHost } from '../support/memory-host';
import { runBinding } from '../support/run-binding';

/** A disk of 4 TB; its sectors take ten digits. */
const SECTORS = 7814037168n;
const FOLDER = '/img/of-a-machine-whose-disks-have-rather-long-names-in-a-rather-deep-folder';
const PATHS = [0, 1].map((spare) => `${FOLDER}/spare-number-${spare}-of-two.img`);

/** A setup of large disks with entries, some lost, and events at their far ends. */
function large(): Generation {
  const path = textField('/dev/disk/by-id/ata-EXAMPLE_DISK_4000_WITH_A_LONG_NAME-0123456789ABCDEF', 128);
  const device = { sizeSectors: SECTORS, dataSectors: SECTORS - 10240n, path };
  const { newest } = story({
    spares: 2,
    devices: { 0: { ...device, dataSectors: SECTORS }, 1: device, 2: device },
    config: { targetSectors: SECTORS },
  });
  return forge(newest, (draft) => {
    draft.entries.forEach((entry, i) => {
      entry.mainSector = SECTORS - 4096n + BigInt(8 * i);
      entry.spareSector = SECTORS - 8192n + BigInt(8 * i);
      entry.flags = i % 2;
    });
    draft.events.forEach((event, i) => {
      if (event.serial === 0) return;
      Object.assign(event, { sector: SECTORS - 80n, value: 976754646, kind: 1 + (i % 15), device: i % 3 });
    });
  });
}

function machine(): MemoryHost {
  const host = new MemoryHost({ nowNs: 1_760_000_000_000_000_000n });
  imagesOf(large()).forEach((image, i) => {
    if (i === 1) flip(image, 2, AT.config + 9);
    host.addImage(PATHS[i] ?? '', image);
  });
  return host;
}

/** Fails the test for a line that is too long and could be shorter, and for a piece of a number or a time. */
function holdColumns(text: string): void {
  const long = text.split('\n').filter((line) => line.length > 80);
  // A command; or a line that ends with a path or another long word.
  const excused = /^ +(dmremap-[a-z]+|dmsetup) |^.{0,60}(?<!\S)\S{40,}$/;
  expect(long.filter((line) => !excused.test(line))).toEqual([]);
  const times = text.match(/\d{4}-\d\d-\d\dT/g) ?? [];
  expect(text.match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{9})?Z/g) ?? []).toHaveLength(times.length);
}

async function print(host: MemoryHost, binding: Binding, ...words: string[]): Promise<string> {
  const { out } = await runBinding(binding, host, words);
  holdColumns(out);
  return out;
}

test.each([
  [],
  ['--devices'],
  ['--config'],
  ['--events'],
  ['--remaps'],
  ['--copy', '2'],
  ['--hex'],
  ['--diff', '0:0', '1:1'],
  ['--diff', '0:2', '1:2'],
])('dmremap-inspect %s', async (...words) => {
  const out = await print(machine(), inspect, ...words, ...PATHS);
  if (words.length === 0 || words[0] === '--remaps') {
    expect(out).toMatch(/^ +7814033072 +8 +0:7814028976 +write error +- +2024-05-01T12:01:00Z$/m);
    expect(out).toMatch(/^ +7814033080 +8 +1:7814028984 +read error +DATA_LOST +2024-05-01T12:01:01Z$/m);
  }
  if (words[0] === '--events')
    expect(out).toMatch(/^ +3 {2}2024-05-01T12:00:02Z {2}deactivated +spare 1 +7814037088 +\d+ +976754646$/m);
  if (words[0] === '--devices') expect(out).toMatch(/^ {2}spare 1 {2}3\.6 TiB {2}10240 \+ 7814026928 /m);
  if (words[1] === '0:0')
    expect(out).toMatch(/header\.spare_uuid \(copy\)\n {4}0:0 {2}5fa7e010-\S+\n {4}1:1 {2}5fa7e010-/);
});

test('dmremap-fsck and dmremap-undo', async () => {
  const host = machine();
  await print(host, fsck, '-n', '-v', '--level', 'forensic', ...PATHS);
  const repair = await print(host, fsck, '-p', ...PATHS);
  const [, journal = ''] = /^ {2}undo +dmremap-undo (\S+)$/m.exec(repair) ?? [];
  expect(await print(host, undo, '-n', journal)).toContain(`\nTo do it:\n  dmremap-undo ${journal}\n`);
  const undone = await print(host, undo, journal);
  expect(undone).toContain(`\n    dmremap-fsck -p ${PATHS.join(' ')}\n`);
  expect(undone).toContain(`\nTo take this undo back:\n  dmremap-undo ${journal.replace(/1$/, '2')}\n`);
  expect(undone).toContain(`\nTo look at the setup:\n  dmremap-fsck -n ${PATHS[1] ?? ''}\n`);
  await print(host, undo, journal);
});

test('dmremap-format', async () => {
  const host = new MemoryHost({ nowNs: 1_760_000_000_000_000_000n });
  host.addImage(MAIN, 4 * MIB);
  host.addImage(PATHS[0] ?? '', spareImage(story({ id: 2 }).newest, 0));
  host.addImage(PATHS[1] ?? '', 8 * MIB);
  host.poke(PATHS[1] ?? '', 9000, new Uint8Array(100).fill(7));
  host.addImage('/lists/bad', new TextEncoder().encode('100\n200\n300\n'));
  const words = ['--name', 'n'.repeat(60), '--uuid', OTHER_UUID, '--main', MAIN, '--force'];
  const bad = ['--bad-blocks', '/lists/bad', '--block-size', '512'];
  const plan = await print(host, format, '-n', ...words, ...bad, ...PATHS);
  expect(plan).toMatch(
    /^3 sectors of main in 3 entries are lost from the start\.\nRoom for more remaps: \d+ sectors\.$/m,
  );
  const made = await print(host, format, ...words, ...bad, ...PATHS);
  expect(made).toContain(`  dmremap-fsck -n ${PATHS.join(' ')}\n`);
});
