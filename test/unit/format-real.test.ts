// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format on real files, and on loop devices with sectors of 512 and 4096 bytes, with mkfs, mkswap and blkid of
// the machine as oracles.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { contentsOf } from '../../src/core/generation';
import { createNodeHost } from '../../src/host/node';
import { decide, format, MIB, OTHER_UUID, SETUP_UUID, slotsOf, undo } from '../support/format-world';
import { describeWithLoops, LoopDevices } from '../support/loop-devices';
import { removeTree, temporaryDirectory } from '../support/temporary';
import { writeGpt } from '../support/content';
import { fillFile, runTool, testWith } from '../support/tools';
import { faultOf } from '../support/undo-world';

const host = createNodeHost({ PATH: process.env['PATH'], SOURCE_DATE_EPOCH: '1700000000' });
let folder = '';
let main = '';
let spare = '';

function sparse(name: string, bytes: number): string {
  const path = join(folder, name);
  const file = openSync(path, 'w');
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

function partitioned(path: string): void {
  const bytes = new Uint8Array(16 * MIB);
  writeGpt(bytes, { entries: [{ first: 2048n, last: 20479n }] });
  fillFile(path, bytes);
}

beforeEach(() => {
  folder = temporaryDirectory();
  main = sparse('main.img', 16 * MIB);
  spare = sparse('spare.img', 16 * MIB);
  writeFileSync(main, Buffer.alloc(4096, 'main'), { flag: 'r+' });
});
afterEach(() => removeTree(folder));

describe('images', () => {
  test('a setup that is clean, in an image that stays sparse', async () => {
    const before = readFileSync(main);
    const result = await format(host, { main, spares: [spare] });
    expect([result.status, result.undo]).toEqual(['made', null]);
    expect(decide(host, SETUP_UUID, [spare]).verdict).toBe('clean');
    expect(statSync(spare).size).toBe(16 * MIB);
    // 5 copies of 24 KiB.
    expect(statSync(spare).blocks * 512).toBeLessThan(300 * 1024);
    expect(readFileSync(main).equals(before)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['main.img', 'spare.img']);
  });

  test('two runs give the same bytes', async () => {
    await format(host, { main, spares: [spare] });
    const first = readFileSync(spare);
    spare = sparse('spare.img', 16 * MIB);
    await format(host, { main, spares: [spare] });
    expect(readFileSync(spare).equals(first)).toBe(true);
  });

  test('the same file under two names is refused', async () => {
    const link = join(folder, 'link');
    execFileSync('ln', [spare, link]);
    expect(await faultOf(() => format(host, { main, spares: [spare, link] }))).toBe('SAME_DEVICE');
    expect(await faultOf(() => format(host, { main: link, spares: [spare] }))).toBe('SAME_DEVICE');
  });

  const oracles: [string, string, string[], string][] = [
    ['mkfs.ext4', 'ext4 file system', ['-q', '-F'], 'ext4'],
    ['mkswap', 'Linux swap', [], 'swap'],
    ['sgdisk', 'GPT partition table', ['-n', '1:2048:4095'], 'gpt'],
  ];
  for (const [tool, name, args, type] of oracles) {
    testWith(tool, 'blkid')(
      `what ${tool} makes is refused, wiped with --force so that blkid finds nothing, and comes back`,
      async () => {
        expect(runTool(tool, [...args, spare]).status).toBe(0);
        const before = readFileSync(spare);
        const fault = await format(host, { main, spares: [spare] }).catch((error: unknown) => error);
        expect(fault).toMatchObject({ code: 'HOLDS_CONTENT' });
        expect((fault as Error).message).toContain(name);
        expect(readFileSync(spare).equals(before)).toBe(true);
        const result = await format(host, { main, spares: [spare], force: true });
        expect(runTool('blkid', ['-p', spare]).status).toBe(2);
        expect(decide(host, SETUP_UUID, [spare]).verdict).toBe('clean');
        expect(await undo(host, result.undo!)).toBe('undone');
        expect(readFileSync(spare).equals(before)).toBe(true);
        expect(runTool('blkid', ['-p', spare]).stdout).toContain(type);
      },
    );
  }

  testWith('mkfs.ext4', 'blkid')('the file system on main is recorded as blkid tells it', async () => {
    const uuid = '79cb9e86-830c-71c2-cdcc-69292f45e678';
    expect(runTool('mkfs.ext4', ['-q', '-F', '-U', uuid, main]).status).toBe(0);
    await format(host, { main, spares: [spare] });
    const handle = host.openRead(spare);
    const { devices } = contentsOf(slotsOf(handle)[0]!.generation!);
    handle.close();
    expect(devices[0]!.fsUuid).toBe(uuid);
    expect(Buffer.from(devices[0]!.fsType).toString('latin1').replace(/\0+$/, '')).toBe('ext4');
  });
});

describeWithLoops('loop devices', () => {
  const loops = new LoopDevices();
  afterEach(() => loops.detachAll());

  describe.each([512, 4096] as const)('with sectors of %i bytes', (sectorSize) => {
    test('a setup that is clean, on the device and in the image behind it, and can be taken back', async () => {
      writeFileSync(spare, Buffer.alloc(6 * MIB, 'old bytes'));
      execFileSync('truncate', ['-s', '16M', spare]);
      const before = readFileSync(spare);
      const devices = {
        main: loops.attach(main, { sectorSize }),
        spares: [loops.attach(spare, { sectorSize })],
      };
      const result = await format(host, { ...devices, undo: { dir: folder } });
      expect(result.geometry).toMatchObject({
        blockSectors: BigInt(sectorSize / 512),
        remapUnit: sectorSize === 4096 ? 8 : result.geometry.remapUnit,
      });
      expect(result.table).toContain(` remap ${devices.main} 0 1 ${devices.spares[0]}`);
      expect(decide(host, SETUP_UUID, devices.spares).verdict).toBe('clean');
      expect(decide(host, SETUP_UUID, [spare]).verdict).toBe('clean');
      expect(await undo(host, result.undo!)).toBe('undone');
      expect(readFileSync(spare).equals(before)).toBe(true);
    });

    test('a GPT at both ends goes, and main of the other size is named', async () => {
      partitioned(spare);
      const devices = { main: loops.attach(main), spares: [loops.attach(spare, { sectorSize })] };
      expect(await faultOf(() => format(host, devices))).toBe('HOLDS_CONTENT');
      const result = await format(host, { ...devices, force: true, undo: { dir: folder } });
      expect(result.warnings).toEqual([]);
      expect(decide(host, SETUP_UUID, devices.spares).verdict).toBe('clean');
    });
  });

  test('a 4Kn spare with a main that has a partition table of 512-byte blocks is refused', async () => {
    partitioned(main);
    const devices = { main: loops.attach(main), spares: [loops.attach(spare, { sectorSize: 4096 })] };
    expect(await faultOf(() => format(host, devices))).toBe('BLOCKS_TOO_LARGE');
    expect(await faultOf(() => format(host, { ...devices, force: true }))).toBe('none');
  });

  test('an image behind a loop device, a read-only device, and a mounted one are refused', async () => {
    const node = loops.attach(spare, { readOnly: true });
    expect(await faultOf(() => format(host, { main, spares: [node] }))).toBe('READ_ONLY');
    expect(await faultOf(() => format(host, { main, spares: [spare] }))).toBe('IN_USE');
    expect(await faultOf(() => format(host, { main: spare, spares: [sparse('b.img', 8 * MIB)] }))).toBe(
      'IN_USE',
    );
  });

  test('a disk and its partition are refused together, with --force too', async () => {
    partitioned(spare);
    const disk = loops.attach(spare, { partitions: true });
    const spares = [`${disk}p1`];
    expect(await faultOf(() => format(host, { main: disk, spares, force: true }))).toBe('OVERLAPPING');
    expect(await faultOf(() => format(host, { main: `${disk}p1`, spares: [disk], force: true }))).toBe(
      'OVERLAPPING',
    );
    const result = await format(host, { main, spares, uuid: OTHER_UUID });
    expect(decide(host, OTHER_UUID, spares).verdict).toBe('clean');
    expect(result.warnings).toEqual([]);
  });
});
