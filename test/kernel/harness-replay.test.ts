// SPDX-License-Identifier: GPL-2.0-or-later
// What the lab's disks and their log promise, without a guest: which writes a power cut may take, and that the log knows
// the same. Everything that the crash tests conclude rests on this.
import { prng } from '../support/prng';
import type { VirtualDisk } from '../support/kernel/disk';
import { SECTOR } from '../support/kernel/disk';
import { contentRuns, formatRuns, parseRuns, patternRange } from '../support/kernel/pattern';
import { Rack } from '../support/kernel/rack';
import type { DiskStates } from '../support/kernel/replay';
import { Replay } from '../support/kernel/replay';
import { checkDisks, formatDisks } from '../support/kernel/toolkit';

const SECTORS = 64;

function rack(): { rack: Rack; a: VirtualDisk; b: VirtualDisk } {
  const made = new Rack([
    { name: 'a', sectors: SECTORS },
    { name: 'b', sectors: SECTORS },
  ]);
  made.beginLog();
  return { rack: made, a: made.disk('a'), b: made.disk('b') };
}

/** A write that the guest was told of at once. */
function write(disk: VirtualDisk, sector: number, count: number, version: number, fua = false): void {
  disk.write(sector, patternRange(sector, count, version), fua).answered?.();
}

const flush = (disk: VirtualDisk): void => disk.flush().answered?.();

const shown = (states: DiskStates, disk: number, sector: number, count: number): string =>
  formatRuns(contentRuns(sector, states[disk]?.read(sector * SECTOR, count * SECTOR) ?? new Uint8Array(0)));

describe('a power cut', () => {
  test('takes what was not flushed on this disk, in whatever order it came', () => {
    const { rack: all, a, b } = rack();
    write(a, 0, 4, 1);
    write(b, 0, 4, 1);
    flush(a);
    write(a, 2, 4, 2);
    all.cut('lost');
    all.powerOn();
    expect(formatRuns(a.runs(0, 8))).toBe('0+4:v1 4+4:zero');
    expect(formatRuns(b.runs(0, 8))).toBe('0+8:zero');
  });

  test('leaves a write with FUA that was answered, even over an older one that was not flushed', () => {
    const { rack: all, a } = rack();
    write(a, 0, 8, 1);
    write(a, 4, 1, 2, true);
    all.cut('lost');
    expect(formatRuns(a.runs(0, 8))).toBe('0+4:zero 4+1:v2 5+3:zero');
  });

  test('may take a write with FUA, or what a flush was for, as long as there was no answer', () => {
    const { rack: all, a } = rack();
    write(a, 0, 1, 1);
    a.flush();
    a.write(1, patternRange(1, 1, 1), true);
    all.cut('lost');
    expect(formatRuns(a.runs(0, 2))).toBe('0+2:zero');
  });

  test('may take a write that was on its way when the flush came', () => {
    const { rack: all, a } = rack();
    const late = a.write(0, patternRange(0, 1, 1), false);
    const flushed = a.flush();
    late.answered?.();
    flushed.answered?.();
    all.cut('lost');
    expect(formatRuns(a.runs(0, 1))).toBe('0+1:zero');
  });

  test('keeps everything when it is told to', () => {
    const { rack: all, a } = rack();
    write(a, 0, 8, 1);
    all.cut('kept');
    expect(formatRuns(a.runs(0, 8))).toBe('0+8:v1');
    expect(a.read(0, 512).error).not.toBe(0);
    all.powerOn();
    expect(a.read(0, 512).error).toBe(0);
  });

  test('of larger sectors tears between them and never within', () => {
    const all = new Rack([{ name: 'a', sectors: SECTORS, tearBytes: 4096 }]);
    const a = all.disk('a');
    let torn = 0;
    for (let seed = 1; seed <= 40; seed++) {
      a.load(new Uint8Array(SECTORS * SECTOR));
      write(a, 4, 16, 1);
      all.cut({ seed });
      all.powerOn();
      const kept = a.runs(0, 24).filter((run) => run.state === 'v1');
      for (const { sector, count } of kept) {
        expect(sector === 4 || sector % 8 === 0).toBe(true);
        expect(sector + count === 20 || (sector + count) % 8 === 0).toBe(true);
      }
      if (kept.length > 0 && kept.reduce((sum, run) => sum + run.count, 0) < 16) torn++;
    }
    expect(torn).toBeGreaterThan(5);
  });
});

describe('the log', () => {
  test('gives every prefix, torn writes, and subsets of what was undecided', () => {
    const { rack: all, a, b } = rack();
    write(a, 0, 4, 1); // 0
    flush(a); // 1
    write(a, 4, 4, 1); // 2
    write(b, 0, 4, 1); // 3
    write(a, 0, 2, 2, true); // 4
    const replay = new Replay(all.log);
    expect(replay.length).toBe(5);
    expect(replay.positions()).toEqual([0, 1, 3, 4, 5]);
    expect(shown(replay.whole(5), 0, 0, 8)).toBe('0+2:v2 2+6:v1');
    expect(shown(replay.whole(3), 0, 0, 8)).toBe('0+8:v1');
    expect(shown(replay.whole(0), 0, 0, 8)).toBe('0+8:zero');
    expect(shown(replay.torn(2, { first: 1 }), 0, 0, 8)).toBe('0+5:v1 5+3:zero');
    expect(shown(replay.torn(2, { last: 1 }), 0, 0, 8)).toBe('0+4:v1 4+3:zero 7+1:v1');
    expect(replay.undecided(1)).toEqual([0]);
    expect(replay.undecided(2)).toEqual([]);
    expect(replay.undecided(5)).toEqual([2, 3]);
    const states = replay.subset(5, new Set([3]));
    expect(shown(states, 0, 0, 8)).toBe('0+2:v2 2+2:v1 4+4:zero');
    expect(shown(states, 1, 0, 8)).toBe('0+4:v1 4+4:zero');
    expect(shown(replay.lossy(5, 'lost'), 1, 0, 8)).toBe('0+8:zero');
    expect(() => replay.torn(1, { first: 1 })).toThrow(/no write/);
  });

  test('knows of answers that came late', () => {
    const { rack: all, a } = rack();
    const slow = a.write(0, patternRange(0, 1, 1), true); // 0
    const flushed = a.flush(); // 1
    write(a, 1, 1, 1); // 2
    slow.answered?.();
    write(a, 2, 1, 1); // 3
    flushed.answered?.();
    write(a, 3, 1, 1); // 4
    flush(a); // 5, and what it covers were 0 to 4
    const replay = new Replay(all.log);
    expect(replay.undecided(1)).toEqual([0]);
    expect(replay.undecided(3)).toEqual([2]);
    expect(replay.undecided(5)).toEqual([2, 3, 4]);
    expect(replay.undecided(6)).toEqual([]);
  });

  test('agrees with the disks about every cut of a long random history', () => {
    const next = prng(11);
    const below = (limit: number): number => next() % limit;
    for (let round = 0; round < 20; round++) {
      const { rack: all, a, b } = rack();
      const late: (() => void)[] = [];
      for (let step = 0; step < 60; step++) {
        const disk = below(2) === 0 ? a : b;
        const kind = below(10);
        const start = below(SECTORS - 8);
        const count = 1 + below(8);
        const outcome =
          kind === 0
            ? disk.flush()
            : kind === 1
              ? disk.write(start, count, false)
              : disk.write(start, patternRange(start, count, step + 1), kind === 2);
        if (below(4) === 0) late.push(() => outcome.answered?.());
        else outcome.answered?.();
        if (below(4) === 0) late.splice(0).forEach((answer) => answer());
      }
      const position = all.log.position;
      const replay = new Replay(all.log);
      const cut = round === 0 ? 'lost' : round === 1 ? 'kept' : { seed: round };
      const states = replay.lossy(position, cut);
      const whole = replay.whole(position);
      for (const [index, disk] of [a, b].entries())
        expect(Buffer.from(whole[index]?.read(0, SECTORS * SECTOR) ?? []).equals(disk.peek(0, SECTORS))).toBe(
          true,
        );
      // By seed, choices are made per sector that is undecided, and those of the disks are in another order.
      all.cut(cut);
      for (const [index, disk] of [a, b].entries()) {
        const left = disk.runs(0, SECTORS);
        if (typeof cut === 'string') expect(shown(states, index, 0, SECTORS)).toBe(formatRuns(left));
        else expect(possible(replay, index, position, disk)).toEqual([]);
      }
    }
  });
});

/** Sectors of a disk that hold what no cut at this position could have left. */
function possible(replay: Replay, index: number, position: number, disk: VirtualDisk): number[] {
  const open = replay.undecided(position);
  const wrong: number[] = [];
  for (let sector = 0; sector < SECTORS; sector++) {
    const found = formatRuns(disk.runs(sector, 1));
    // Of one sector any subset of the open writes may have survived; only the last of them shows.
    const states = [new Set<number>(), ...open.map((write) => new Set([write]))];
    if (!states.some((kept) => shown(replay.subset(position, kept), index, sector, 1) === found))
      wrong.push(sector);
  }
  return wrong;
}

test('the toolkit makes setups on the disks, and judges them there and in states of the log', async () => {
  const all = new Rack([
    { name: 'main', sectors: 8192 },
    { name: 'one', sectors: 16384 },
    { name: 'two', sectors: 16384, logicalBlockSize: 4096 },
  ]);
  const made = await formatDisks(all, 'main', ['one', 'two']);
  expect(made.table).toBe('0 8192 remap /dev/lab/main 0 2 /dev/lab/one /dev/lab/two');
  const verdicts = async (states?: DiskStates): Promise<string[]> =>
    (await checkDisks(all, ['one', 'two'], {}, states)).setups.map((setup) => setup.verdict);
  expect(await verdicts()).toEqual(['clean']);
  all.beginLog();
  write(all.disk('two'), 1024, 1, 1);
  expect(await verdicts()).toEqual(['repairable']);
  expect(await verdicts(new Replay(all.log).whole(0))).toEqual(['clean']);
  const repaired = await checkDisks(all, ['one', 'two'], { mode: 'repair' });
  repaired.host.writeBack();
  expect(await verdicts()).toEqual(['clean']);
});

test('runs have a short form and come back from it', () => {
  const text = '0+8:v3 8+1:EIO 9+7:zero';
  expect(formatRuns(parseRuns(text))).toBe(text);
  expect(parseRuns('')).toEqual([]);
  expect(() => parseRuns('0:v3')).toThrow(/no run/);
});
