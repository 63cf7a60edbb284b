// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format as a command: what it makes, and of which devices; on the machine in memory. What it refuses is in
// format-refusals.test.ts, errors and power cuts in format-crash.test.ts, real files in format-real.test.ts.
import { equalBytes, textOf } from '../../src/core/bytes';
import type { BadList } from '../../src/commands/format-plan';
import {
  contentsOn,
  DATA_BYTE,
  decide,
  format,
  formatWorld,
  hashOf,
  MAIN,
  MIB,
  NOW,
  SETUP_UUID,
  SPARES,
} from '../support/format-world';
import { noise } from '../support/journals';
import { MemoryHost } from '../support/memory-host';
import { faultOf, journals } from '../support/undo-world';

const [S0, S1] = SPARES;

describe('making a setup', () => {
  test('puts five copies on every spare, and fsck finds it clean at every level', async () => {
    const host = formatWorld();
    const result = await format(host);
    expect([result.status, result.undo, result.exitCode]).toEqual(['made', null, 0]);
    const decision = decide(host, SETUP_UUID);
    expect(decision.verdict).toBe('clean');
    expect(decision.findings.map(({ id }) => id)).toEqual(['lineage']);
    for (const seat of decision.seats)
      expect(seat.copies.map((copy) => copy.state)).toEqual(Array(5).fill('valid'));
    expect(journals(host)).toEqual([]);
  });

  test('leaves zeros outside the copies, and the data of the spares as it was', async () => {
    const host = formatWorld();
    host.poke(S0, DATA_BYTE, noise(3, 4096));
    host.poke(S0, 100 * 1024, noise(4, 4 * MIB));
    await format(host);
    const bytes = host.bytesOf(S0);
    expect(equalBytes(bytes.subarray(DATA_BYTE, DATA_BYTE + 4096), noise(3, 4096))).toBe(true);
    for (const [start, end] of [
      [24576, 524288],
      [1572864, 2097152],
      [2621440, 4194304],
      [4718592, DATA_BYTE],
    ] as const) {
      expect(bytes.subarray(start, end).every((byte) => byte === 0)).toBe(true);
    }
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('never writes to main', async () => {
    const host = formatWorld();
    await format(host);
    expect(host.log.filter(({ path }) => path === MAIN)).toEqual([]);
  });

  test('writes the headers last, in commit order, the spares taking turns, each synced before the next', async () => {
    const host = formatWorld();
    await format(host);
    const headers = [0, 524288, 1048576, 2097152, 4194304];
    const steps = host.log
      .filter(({ kind }) => kind === 'write' || kind === 'sync')
      .map(({ kind, path, offset }) => ({ kind, spare: path, copy: headers.indexOf(offset) }));
    const written = steps.filter(({ kind }) => kind === 'write');
    const first = written.findIndex(({ copy }) => copy !== -1);
    expect(written.slice(first).map(({ spare, copy }) => [spare, copy])).toEqual(
      [1, 2, 3, 4, 0].flatMap((copy) => SPARES.map((spare) => [spare, copy])),
    );
    for (let i = 0; i < steps.length; i += 2) {
      expect([steps[i]!.kind, steps[i + 1]!.kind]).toEqual(['write', 'sync']);
      expect(steps[i + 1]!.spare).toBe(steps[i]!.spare);
    }
  });

  test('records sizes, identifiers and the hash of eight sectors of main', async () => {
    const host = formatWorld();
    await format(host, { description: 'for tests', tunables: [{ name: 'demo', value: 9n }] });
    const { devices, config } = contentsOn(host, S1);
    const sectors = [0, 1, 2, 8, 16, 32, 64, 128].map((sector) =>
      host.bytesOf(MAIN).slice(sector * 512, sector * 512 + 512),
    );
    expect(Buffer.from(devices[0]!.contentSha256).toString('hex')).toBe(host.sha256(...sectors));
    expect(devices.map(({ sizeSectors }) => sizeSectors)).toEqual([8192n, 16384n, 16384n]);
    expect(textOf(devices[2]!.path)).toBe(S1);
    expect(textOf(config.params)).toBe(`${MAIN} 0 2 ${S0} ${S1}`);
    expect(textOf(config.description)).toBe('for tests');
  });

  test('the same input gives the same bytes, and journals the same', async () => {
    const [one, two] = [formatWorld(), formatWorld()];
    for (const host of [one, two]) {
      host.poke(S0, 4096, noise(1, 8192));
      await format(host, { force: true });
    }
    expect(hashOf(one)).toBe(hashOf(two));
    expect(hashOf(one, journals(one))).toBe(hashOf(two, journals(two)));
  });

  test('without --uuid all identifiers are random and of version 4', async () => {
    const host = formatWorld();
    const result = await format(host, { uuid: null });
    const uuids = [result.setupUuid, result.mainUuid, ...result.spares.map(({ uuid }) => uuid)];
    expect(new Set(uuids).size).toBe(4);
    for (const uuid of uuids) expect(uuid).toMatch(/^.{8}-.{4}-4.{3}-[89ab].{3}-.{12}$/);
    expect(decide(host, result.setupUuid!).verdict).toBe('clean');
  });

  test('eight spares, and the time of SOURCE_DATE_EPOCH', async () => {
    const host = new MemoryHost({ sourceDateEpochNs: 1_700_000_000_000_000_000n });
    const spares = Array.from({ length: 8 }, (_, i) => `/img/s${i}`);
    host.addImage(MAIN, 4 * MIB);
    for (const path of spares) host.addImage(path, 8 * MIB);
    await format(host, { spares });
    const decision = decide(host, SETUP_UUID, spares);
    expect([decision.verdict, decision.winner?.header.createdNs]).toEqual([
      'clean',
      1_700_000_000_000_000_000n,
    ]);
  });

  test('running it again with all derived from the uuid writes nothing', async () => {
    const host = formatWorld();
    await format(host);
    const before = hashOf(host);
    host.log = [];
    const again = await format(host, { force: true });
    expect([again.writes, host.log, hashOf(host)]).toEqual([[], [], before]);
  });
});

describe('a dry run', () => {
  test('tells everything and changes nothing', async () => {
    const host = formatWorld();
    host.poke(S0, 4096, noise(1, 8192));
    const before = hashOf(host);
    const plan = await format(host, { dryRun: true });
    expect([plan.status, plan.undo, host.log, hashOf(host)]).toEqual(['would-make', null, [], before]);
    const made = await format(host);
    expect(plan.writes).toEqual(made.writes);
    expect(plan.spares.map((spare) => spare.overwrittenBytes)).toEqual([20480n, 0n]);
  });

  test('opens nothing for writing', async () => {
    const host = formatWorld();
    const openWrite = jest.spyOn(host, 'openWrite');
    await format(host, { dryRun: true });
    expect(openWrite).not.toHaveBeenCalled();
  });

  test('has no identifiers that would be others the next time', async () => {
    const plan = await format(formatWorld(), { dryRun: true, uuid: null });
    expect([plan.setupUuid, plan.mainUuid, plan.spares[0]!.uuid]).toEqual([null, null, null]);
  });

  test('is refused as the real one is', async () => {
    const host = formatWorld();
    host.setInUse(S1, ['mounted at /mnt']);
    expect(await faultOf(() => format(host, { dryRun: true }))).toBe('IN_USE');
  });
});

describe('bad areas known before', () => {
  const badBlocks = (path: string): BadList => ({ kind: 'bad-blocks', path, blockSize: 1024 });
  const mapfile = (untriedLost = false): BadList => ({ kind: 'mapfile', path: '/lists/map', untriedLost });
  const listed = (text: string, path = '/lists/bad'): MemoryHost => {
    const host = formatWorld();
    host.addImage(path, new TextEncoder().encode(text));
    return host;
  };

  test('badblocks: entries of whole units that fsck accepts', async () => {
    const host = listed('3\n4\n100\n');
    const result = await format(host, { badList: badBlocks('/lists/bad'), remapUnit: 8 });
    const { remaps } = contentsOn(host, S0);
    expect(
      remaps.map((e) => [e.mainSector, e.length, e.spareIndex, e.spareSector, e.flags, e.reason]),
    ).toEqual([
      [0n, 16, 0, 10240n, 1, 2],
      [200n, 8, 0, 10256n, 1, 2],
    ]);
    expect(remaps[0]!.createdNs).toBe(NOW);
    expect(result.spares.map((spare) => spare.usedSectors)).toEqual([24n, 0n]);
    const { verdict, findings } = decide(host, SETUP_UUID);
    expect([verdict, findings.map(({ id }) => id)]).toEqual(['clean', ['lineage']]);
  });

  test('badblocks: a line that is no number, and a block behind the end', async () => {
    expect(await faultOf(() => format(listed('3\nx\n'), { badList: badBlocks('/lists/bad') }))).toBe(
      'LIST_INVALID',
    );
    expect(await faultOf(() => format(listed('4096\n'), { badList: badBlocks('/lists/bad') }))).toBe(
      'BAD_AREA_OUTSIDE',
    );
    expect(await faultOf(() => format(formatWorld(), { badList: badBlocks('/lists/none') }))).toBe(
      'NOT_FOUND',
    );
  });

  const MAP =
    '0x0 + 1\n0x0 0x1000 +\n0x1000 0x200 -\n0x1200 0x200 *\n0x1400 0xC00 +\n0x2000 0x200 /\n0x2200 0x3FDE00 +\n';

  test('mapfile: -, * and / are lost', async () => {
    const host = listed(MAP, '/lists/map');
    const result = await format(host, { badList: mapfile() });
    expect(result.entries.map((e) => [e.mainSector, e.length])).toEqual([
      [8n, 2],
      [16n, 1],
    ]);
    expect(result.warnings).toEqual([]);
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('mapfile: what was not tried is refused, or lost', async () => {
    const untried = listed(MAP.replace('0x3FDE00 +', '0x3FDE00 ?').replace('0x0 +', '0x0 ?'), '/lists/map');
    expect(await faultOf(() => format(untried, { badList: mapfile() }))).toBe('UNTRIED_AREAS');
    expect(untried.log).toEqual([]);
    expect(await faultOf(() => format(untried, { badList: mapfile(true) }))).toBe('none');
    expect(contentsOn(untried, S0).remaps.at(-1)).toMatchObject({ mainSector: 6158n, spareIndex: 1 });
  });

  test('mapfile: its remarks are passed on', async () => {
    const host = listed(`# Command line: ddrescue -i 512 /dev/sdb x\n${MAP}`, '/lists/map');
    const { warnings } = await format(host, { badList: mapfile() });
    expect(warnings.join()).toMatch(/^\/lists\/map: .*-i or -o/);
  });

  test('more than the spares hold is refused with both numbers', async () => {
    const host = listed('0x0 + 1\n0x0 0x400000 -\n0x400000 0x400000 -\n', '/lists/map');
    host.resize(MAIN, 8 * MIB);
    expect(await faultOf(() => format(host, { badList: mapfile() }))).toBe('NO_ROOM');
    expect(host.log).toEqual([]);
  });
});
