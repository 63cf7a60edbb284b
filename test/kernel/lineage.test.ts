// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel writes into a generation about where it comes from: its header, the records of the spares in DEVICES, and
// the blocks of REMAPS, over activations, remaps and a spare that goes away (FORMAT.md sections 2, 3 and 6).
import type { DeviceRecord, Header } from '../../src/core/layout';
import { describeKernel } from '../support/kernel/environment';
import { Lab, LAB_TIME } from '../support/kernel/lab';
import { Scenario, USUAL_DISKS } from '../support/kernel/scenario';

type Place = Pick<DeviceRecord, 'lastRun' | 'baseSequence' | 'lastSequence' | 'usedSectors'>;

interface Stamp {
  readonly header: Header;
  /** Of the spares. */
  readonly places: readonly Place[];
  /** Sequences of the blocks of REMAPS. */
  readonly blocks: readonly bigint[];
}

describeKernel('where a generation comes from', () => {
  let lab: Lab;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({ disks: USUAL_DISKS });
    await lab.boot();
  });
  afterAll(async () => await lab.close());
  beforeEach(async () => {
    data = await Scenario.make(lab);
  });
  afterEach(async () => {
    await lab.guest.tryDm('remove', 'data');
  });

  const look = (spares = data.spares): Stamp => {
    const { devices, trailers } = data.contents(spares);
    const places = devices.slice(1).map(({ lastRun, baseSequence, lastSequence, usedSectors }) => {
      return { lastRun, baseSequence, lastSequence, usedSectors };
    });
    const { header } = data.generation(spares);
    return { header, places, blocks: trailers.map(({ sequence }) => sequence) };
  };

  test('one run, from its activation to its end', async () => {
    const made = look();
    await data.up();
    const run = [look()];
    // Enough entries for two blocks, in one commit; then one more in the second block, and one in front of all.
    for (let sector = 101; sector < 101 + 260; sector += 2) data.mainDisk.failWrites(sector);
    await data.write(100, 264, 2);
    run.push(look());
    await data.force(5000, 2);
    run.push(look());
    await data.force(0, 2);
    run.push(look());
    await data.down();
    run.push(look());

    const { sequence: first, overallCrc, writtenNs } = made.header;
    const runId = run[0]?.header.runId ?? 0n;
    expect([0n, made.header.runId]).not.toContain(runId);
    for (const [i, { header, places }] of run.entries()) {
      const sequence = first + BigInt(i + 1);
      const parent = run[i - 1]?.header ?? { overallCrc, writtenNs };
      expect(header).toMatchObject({ sequence, runId, createdNs: LAB_TIME, parentCrc: parent.overallCrc });
      expect(header.writtenNs).toBeGreaterThan(parent.writtenNs);
      expect(Buffer.from(header.writer).toString()).toBe('dm-remap kernel 4.0.0'.padEnd(32, '\0'));
      const common = { lastRun: runId, baseSequence: first, lastSequence: sequence };
      const usedSectors = [0n, 130n, 131n, 132n, 132n][i];
      expect(places).toEqual([
        { ...common, usedSectors },
        { ...common, usedSectors: 0n },
      ]);
    }
    // ACTIVE, until it is stopped.
    expect(run.map(({ header }) => header.state)).toEqual([1, 1, 1, 1, 0]);
    // A block says which commit changed it last.
    expect(run.map(({ blocks }) => blocks.map((sequence) => Number(sequence - first)))).toEqual([
      [],
      [2, 2],
      [2, 3],
      [4, 4],
      [4, 4],
    ]);
    await data.up();
    await data.finish();
  });

  test('each activation is a run of its own', async () => {
    const runs = new Set([look().header.runId]);
    for (let count = 2; count <= 4; count++) {
      const before = look();
      await data.up();
      const { header, places } = look();
      runs.add(header.runId);
      expect(runs.size).toBe(count);
      expect(header.sequence).toBe(before.header.sequence + 1n);
      for (const place of places)
        expect(place).toMatchObject({ lastRun: header.runId, baseSequence: before.header.sequence });
      await data.down();
      expect(look().header.runId).toBe(header.runId);
    }
    await data.up();
    await data.finish();
  });

  test('a spare that went away is left as the last attempt had it, and is told from the others when it is back', async () => {
    await data.up();
    const whole = look();
    // That it takes no more writes only turns out when it is written to.
    data.spare(1).failWrites(0, data.spare(1).sectors);
    await data.force(6000, 2);
    const attempt = look(['s0']);
    await data.force(6100, 2);
    const later = look(['s0']);
    expect(attempt.header.sequence).toBe(whole.header.sequence + 1n);
    expect(later.header.sequence).toBe(whole.header.sequence + 2n);
    expect(later.places[0]?.lastSequence).toBe(later.header.sequence);
    expect(later.places[1]).toEqual(attempt.places[1]);
    expect(attempt.places[1]).toEqual({ ...whole.places[1], lastSequence: attempt.header.sequence });
    expect(later.header.state).toBe(3);
    await data.down();
    const stopped = look(['s0']);
    data.spare(1).heal();
    await data.up();
    const back = look();
    expect(back.header.state).toBe(1);
    expect(back.places).toMatchObject([
      { lastRun: back.header.runId, baseSequence: stopped.header.sequence },
      { lastRun: back.header.runId, baseSequence: whole.header.sequence },
    ]);
    await data.finish();
  });
});
