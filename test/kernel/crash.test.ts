// SPDX-License-Identifier: GPL-2.0-or-later
// The power may go at any moment. A workload of several hundred commits is recorded, and every state that a cut could have
// left is judged by the toolkit, by the user-space build of the kernel's format code, and by what had been promised; many
// of them by the kernel itself. DMREMAP_CRASH is the number of states at random places, DMREMAP_SEED other ones than usual.
import { fromEnvironment } from '../support/fixed-runs';
import { buildJudge } from '../support/kernel-judge';
import { below } from '../support/mutate';
import { prng } from '../support/prng';
import { removeTree, temporaryDirectory } from '../support/temporary';
import { inPieces, readPieces } from '../support/kernel/crash-cuts';
import type { Epoch } from '../support/kernel/crash-epochs';
import { epochsOf, epochStates, hasUndecided, tearable } from '../support/kernel/crash-epochs';
import type { Wreck } from '../support/kernel/crash-states';
import { breaches, contentsIn, Court } from '../support/kernel/crash-states';
import type { Recorded } from '../support/kernel/crash-world';
import {
  losses,
  MAIN_SECTORS,
  openCrashLab,
  prefixes,
  record,
  SPARES,
  tears,
} from '../support/kernel/crash-world';
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import type { Lab } from '../support/kernel/lab';
import { Replay } from '../support/kernel/replay';
import type { LogEntry } from '../support/kernel/write-log';
import { checkDisks } from '../support/kernel/toolkit';

const COMMITS = 205;
const STATES = fromEnvironment('DMREMAP_CRASH', 400);
const LOADED = 54;
/** A boot may take a minute; this long it is given new states. */
const BOOT_MS = 35_000;
const SEED = 1000 * fromEnvironment('DMREMAP_SEED', 0) + 1;
/** Words enough to understand a failure. */
const MOST_WORDS = 8;

describeKernel('a power cut', () => {
  // Longer than a boot: what comes from one, or goes to many, is judged here too.
  jest.setTimeout(900_000);
  let lab: Lab;
  let folder = '';
  let judge = '';
  let recorded: Recorded;
  let court: Court;

  beforeAll(async () => {
    folder = temporaryDirectory();
    judge = buildJudge(folder, 'quick');
    lab = await openCrashLab();
    recorded = await record(lab, SEED, COMMITS);
    court = new Court(recorded.setupUuid, judge);
  });
  afterAll(async () => {
    removeTree(folder);
    await lab.close();
  });

  /** Judges states in batches; the first broken promises in words. */
  function hold(wrecks: Iterable<Wreck>, judges = court): string[] {
    const words: string[] = [];
    let batch: { readonly wreck: Wreck; readonly key: string }[] = [];
    const close = (): void => {
      for (const { wreck, key } of batch)
        words.push(...breaches(wreck, judges.verdict(key), recorded.ledger));
      batch = [];
    };
    for (const wreck of wrecks) {
      batch.push({ wreck, key: judges.enter(wreck.states) });
      if (batch.length >= 50) close();
      if (words.length > 0) return words.slice(0, MOST_WORDS);
    }
    close();
    return words.slice(0, MOST_WORDS);
  }

  test('the workload was what it was meant to be', () => {
    const { commits, workload, replay } = recorded;
    expect(commits).toBeGreaterThanOrEqual(200);
    for (const kind of ['write over bad sectors', 'read of bad sectors', 'write over lost sectors', 'remap'])
      expect([kind, (workload.counts.get(kind) ?? 0) > 10]).toEqual([kind, true]);
    console.info(
      JSON.stringify({ commits, writes: replay.positions().length - 1, steps: [...workload.counts] }),
    );
  });

  test('leaves every acknowledged change and byte, after each write of the log', () => {
    const began = performance.now();
    expect(hold(prefixes(recorded.replay))).toEqual([]);
    console.info(
      `${court.entered} prefixes, ${court.distinct} different metadata, ${Math.round(performance.now() - began)} ms`,
    );
  });

  test('leaves them in every epoch between two flushes, with any of its writes, and with one torn', () => {
    const began = performance.now();
    const { entries } = lab.rack.log;
    const epochs = epochsOf(entries, lab.rack.disks.length);
    const open = epochs.filter(hasUndecided);
    const long = epochs.filter((epoch) => tearable(epoch, entries).length > 0);
    const visited = { subset: new Set<Epoch>(), torn: new Set<Epoch>(), none: new Set<Epoch>() };
    const states = function* (): Generator<Wreck> {
      for (const wreck of epochStates(recorded.replay, entries, epochs, SEED + 1)) {
        visited[wreck.kind].add(wreck.epoch);
        yield wreck;
      }
    };
    expect(hold(states())).toEqual([]);
    // Each write is in one epoch, and in each epoch there is one.
    const writes = epochs.flatMap((epoch) => epoch.writes);
    expect([writes.length, new Set(writes).size]).toEqual(
      Array(2).fill(recorded.replay.positions().length - 1),
    );
    expect([...visited.subset]).toEqual(open);
    expect([...visited.torn]).toEqual(long);
    const all = new Set([...visited.subset, ...visited.torn, ...visited.none]);
    expect(epochs.filter((epoch) => !all.has(epoch))).toEqual([]);
    // Single sectors, written with FUA and answered at once: there is nothing between all and nothing.
    expect(visited.none.size).toBeLessThan(epochs.length / 100);
    expect(Math.min(open.length, long.length)).toBeGreaterThan(5 * recorded.commits);
    expect(open.length + long.length).toBeGreaterThanOrEqual(2000);
    console.info(
      `${epochs.length} epochs: ${open.length} subsets, ${long.length} torn states, ` +
        `${court.distinct} different metadata so far, ${Math.round(performance.now() - began)} ms`,
    );
  });

  test('leaves them at any place, when of the sectors that were not flushed any are left', () => {
    expect(hold(losses(recorded.replay, STATES, SEED + 2))).toEqual([]);
  });

  test('would be seen to lose things, if flushes did nothing', () => {
    const { base, entries } = lab.rack.log;
    const idle = entries.slice(0, 600).map((entry): LogEntry => {
      if (entry.kind === 'write') return { ...entry, fua: false };
      return entry.kind === 'flush' ? { ...entry, covers: 0 } : entry;
    });
    const control = new Court(recorded.setupUuid, judge);
    expect(hold(losses(new Replay({ base, entries: idle }), 50, SEED + 5), control)).not.toEqual([]);
  });

  test('left thousands of states that were judged', () => {
    const { entered } = court;
    // The prefixes, and besides them two for most epochs.
    expect(entered).toBeGreaterThan(recorded.replay.positions().length + 2000);
    console.info(
      JSON.stringify({ judged: entered, metadata: court.distinct, verdicts: [...court.verdicts] }),
    );
  });

  test(`leaves states that the kernel loads, reads and goes on with (${LOADED})`, async () => {
    const wrecks = [
      ...prefixes(recorded.replay, Math.ceil(recorded.replay.positions().length / (LOADED / 3)), 7),
      ...tears(recorded.replay, LOADED / 3, SEED + 3),
      ...losses(recorded.replay, LOADED / 3, SEED + 4),
    ];
    for (let turn = 0; turn < wrecks.length;) {
      const guest = await lab.boot({ append: 'rcupdate.rcu_expedited=1' });
      for (const end = performance.now() + BOOT_MS; turn < wrecks.length && performance.now() < end; turn++)
        await live(guest, wrecks[turn]!, turn);
      await lab.kill();
    }
    console.info(`${wrecks.length} states loaded by the kernel`);
    expect(wrecks.length).toBeGreaterThanOrEqual(50);
  });

  /** Loads a state into the guest's disks, reads everything, writes on, and has fsck look at the result. */
  async function live(guest: Guest, wreck: Wreck, turn: number): Promise<void> {
    const { table, ledger } = recorded;
    const random = prng(SEED + turn);
    lab.rack.disks.forEach((disk, index) => {
      disk.heal();
      const state = wreck.states[index];
      if (state !== undefined && state !== null) disk.load(state);
    });
    const { entries } = court.verdict(court.enter(wreck.states));
    const contents = contentsIn(entries ?? [], wreck.states, MAIN_SECTORS);
    await guest.create('again', table);
    expect([wreck.name, await readPieces(guest, 'again')]).toEqual([wreck.name, inPieces(contents)]);
    expect(ledger.sequenceBy(wreck.cut)).toBeLessThan(
      BigInt((await guest.status('again')).split(' ')[1] ?? 0),
    );
    const bad = below(random, MAIN_SECTORS - 8);
    lab.disk('main').failWrites(bad);
    const written = new Map<number, string>();
    for (const first of [bad, below(random, MAIN_SECTORS - 8), below(random, MAIN_SECTORS - 8)]) {
      const version = 1_000_000 + first;
      expect(await guest.write('again', first, 5, version)).toBe(`${first}+5:ok`);
      for (let i = 0; i < 5; i++) written.set(first + i, `v${version}`);
    }
    const now = contents.map((content, sector) => written.get(sector) ?? content);
    expect([wreck.name, await readPieces(guest, 'again')]).toEqual([wreck.name, inPieces(now)]);
    await guest.dm('remove', 'again');
    const check = await checkDisks(lab.rack, SPARES);
    expect([wreck.name, check.setups.map(({ verdict }) => verdict), check.exit]).toEqual([
      wreck.name,
      ['clean'],
      0,
    ]);
    const after = lab.rack.disks.map((disk) => disk.snapshot());
    const verdict = court.verdict(court.enter(after));
    expect(verdict.complaints).toEqual([]);
    expect(contentsIn(verdict.entries ?? [], after, MAIN_SECTORS)).toEqual(now);
  }
});
