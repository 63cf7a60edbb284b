// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-undo: what it accepts, what it refuses, which file it means, and that no cut of the power costs the way back.
import Ajv2020 from 'ajv/dist/2020';
import schema from '../../docs/schemas/undo.json';
import { parseArgs } from '../../src/cli/args';
import { failureDocument } from '../../src/cli/report';
import type { CliIo } from '../../src/cli/spec';
import { binding } from '../../src/cli/undo';
import type { UndoOptions } from '../../src/commands/undo';
import { Fault } from '../../src/core/faults';
import type { PlannedWrite } from '../../src/core/journal';
import { parseJournal } from '../../src/core/journal-parse';
import { judgePlace } from '../../src/core/undo';
import { jsonText } from '../../src/render/json';
import { MemoryHost, PowerCut } from '../support/memory-host';
import { noise, sha256 } from '../support/journals';
import {
  A,
  B,
  everyCut,
  faultOf,
  FIRST_JOURNAL,
  images,
  imagesAfter,
  journals,
  planFor,
  undo,
  world,
  write,
} from '../support/undo-world';

const SECOND_JOURNAL = '/img/a.img.dmremap-undo-1a2b3c4d-002';

interface Repaired {
  readonly host: MemoryHost;
  readonly plan: readonly PlannedWrite[];
  readonly original: string;
  readonly repaired: string;
}

async function repairedWorld(): Promise<Repaired> {
  const host = world();
  const plan = planFor(host);
  const original = images(host);
  await write(host, plan);
  return { host, plan, original, repaired: images(host) };
}

/** Of a repair whose power failed at a mutation; the journal is complete. */
async function cutWorld(at: number, sectors?: number): Promise<Repaired> {
  const host = world();
  const plan = planFor(host);
  const original = images(host);
  host.cutPower({ at, ...(sectors === undefined ? {} : { tear: { sectors } }) });
  await expect(write(host, plan)).rejects.toThrow(PowerCut);
  host.reboot();
  return { host, plan, original, repaired: images(host) };
}

/** The mutations of a whole repair: its indexes are what cutWorld takes. */
async function steps(): Promise<MemoryHost['log']> {
  const { host } = await repairedWorld();
  return host.log;
}

describe('an undo', () => {
  test('puts every byte back, reads it back, and can itself be undone, and so on', async () => {
    const { host, original, repaired } = await repairedWorld();
    const result = await undo(host);
    expect([result.status, result.exitCode, result.fault, result.redoJournal]).toEqual([
      'undone',
      0,
      null,
      SECOND_JOURNAL,
    ]);
    expect(images(host)).toBe(original);
    expect(
      result.places.map(({ path, offset, group, finished, state, action }) => [
        path,
        offset,
        group,
        finished,
        state,
        action,
      ]),
    ).toEqual(
      [
        [A, 1024n, 'spare0/copy1'],
        [A, 0n, 'spare0/copy1'],
        [A, 9216n, 'spare0/copy0'],
        [A, 8192n, 'spare0/copy0'],
        [B, 5120n, 'spare1/copy0'],
        [B, 4096n, 'spare1/copy0'],
      ].map((place) => [...place, true, 'new', 'put-back']),
    );
    const redo = await undo(host, SECOND_JOURNAL);
    expect([redo.status, images(host)]).toEqual(['undone', repaired]);
    expect((await undo(host, redo.redoJournal!)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('goes backwards: the last copy first, and of each copy the header first', async () => {
    const { host } = await repairedWorld();
    host.reboot();
    await undo(host);
    const written = host.log.filter(({ kind, path }) => kind === 'write' && (path === A || path === B));
    expect(written.map(({ path, offset }) => [path, offset])).toEqual([
      [B, 4096],
      [B, 5120],
      [A, 8192],
      [A, 9216],
      [A, 0],
      [A, 1024],
    ]);
  });

  test('run twice does nothing the second time, and makes no further journal', async () => {
    const { host, original } = await repairedWorld();
    await undo(host);
    host.reboot();
    const again = await undo(host);
    expect([again.status, again.exitCode, again.redoJournal]).toEqual(['nothing-to-do', 0, null]);
    expect(again.places.every(({ state, action }) => state === 'old' && action === 'none')).toBe(true);
    expect(host.log).toEqual([]);
    expect(images(host)).toBe(original);
  });

  test('as a dry run changes nothing, and tells what it would do', async () => {
    const { host, repaired } = await repairedWorld();
    host.reboot();
    const result = await undo(host, FIRST_JOURNAL, { dryRun: true });
    expect([result.status, result.exitCode, result.redoJournal]).toEqual(['would-undo', 0, null]);
    expect(result.places.every(({ action }) => action === 'put-back')).toBe(true);
    expect(host.log).toEqual([]);
    expect(images(host)).toBe(repaired);
    expect(journals(host)).toEqual([FIRST_JOURNAL]);
  });

  test('leaves alone what is old already', async () => {
    const { host, plan, original } = await repairedWorld();
    host.poke(A, 8192, plan[3]!.before);
    host.reboot();
    const result = await undo(host);
    expect(result.places.map(({ state }) => state)).toEqual(['new', 'new', 'new', 'old', 'new', 'new']);
    expect(host.log.some(({ path, offset, kind }) => path === A && kind === 'write' && offset === 8192)).toBe(
      false,
    );
    expect([result.status, images(host)]).toEqual(['undone', original]);
  });
});

describe('what has changed since is not overwritten', () => {
  const bodyBytes = [1024, 1535, 2048, 3071];
  test.each([0, 511, 512, 1023, ...bodyBytes, 8192, 11263])('byte %i', async (at) => {
    const { host, original } = await repairedWorld();
    const now = host.bytesOf(A)[at]!;
    // Neither the old byte nor the new one.
    const foreign = [1, 2, 3].map((by) => (now + by) & 0xff).find((byte) => byte !== noise(11, 16384)[at])!;
    host.poke(A, at, Uint8Array.of(foreign));
    host.reboot();
    const before = images(host);
    for (const dryRun of [true, false]) {
      const result = await undo(host, FIRST_JOURNAL, { dryRun });
      expect([result.status, result.exitCode, result.fault?.code]).toEqual(['refused', 8, 'CHANGED_SINCE']);
      expect(result.fault?.fields).toMatchObject({ path: A, offset: String(at) });
      expect(result.fault?.sentence).toMatch(/expected 0x.. \(as written\)/);
    }
    expect(images(host)).toBe(before);
    expect(host.log).toEqual([]);

    const forced = await undo(host, FIRST_JOURNAL, { force: true });
    expect([forced.status, images(host)]).toEqual(['undone', original]);
    // And what was overwritten by force is not lost either.
    expect((await undo(host, forced.redoJournal!)).status).toBe('undone');
    expect(images(host)).toBe(before);
  });

  test('a finished write that is old in part was changed by somebody', async () => {
    const { host, plan } = await repairedWorld();
    host.poke(A, 0, plan[1]!.before.subarray(0, 512));
    const result = await undo(host);
    expect([result.status, result.fault?.code]).toEqual(['refused', 'CHANGED_SINCE']);
    expect(result.fault?.sentence).toMatch(/byte 0 .* expected 0x.. \(as written\); nothing was written/);
  });

  test("bytes outside the writes are nobody's concern", async () => {
    const { host } = await repairedWorld();
    host.poke(A, 3072, noise(77, 1024));
    const result = await undo(host);
    expect(result.status).toBe('undone');
    expect(Buffer.compare(host.bytesOf(A).slice(3072, 4096), noise(77, 1024))).toBe(0);
  });

  test('a later repair has to be undone first', async () => {
    const { host, original } = await repairedWorld();
    const second = planFor(host).map((one) => ({ ...one, after: noise(900, one.after.length) }));
    const report = await write(host, second);
    expect((await undo(host)).status).toBe('refused');
    expect((await undo(host, report.journal!)).status).toBe('undone');
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a place that cannot be read now is not overwritten without --force', async () => {
    const { host, original } = await repairedWorld();
    host.failReads(A, 8704n, 9216n);
    expect((await undo(host)).fault?.code).toBe('READ_FAILED');
    const forced = await undo(host, FIRST_JOURNAL, { force: true });
    expect([forced.status, images(host)]).toEqual(['undone', original]);
    const redo = parseJournal(host.bytesOf(forced.redoJournal!), 'x', sha256);
    expect(redo.writes.map(({ unread }) => unread).filter((list) => list.length > 0)).toEqual([
      [{ start: 512, end: 1024 }],
    ]);
  });
});

describe('a repair that power cut short', () => {
  test('may have left old, new and torn bytes; all are taken back', async () => {
    const log = await steps();
    const first = log.findIndex(({ path }) => path === A);
    const [body, sync, header] = [first, first + 1, first + 2];
    for (const [at, sectors, states] of [
      [body, undefined, ['old', 'old']],
      [body, 1, ['mixed', 'old']],
      [body, 4, ['new', 'old']],
      [sync, undefined, ['new', 'old']],
      [header, 1, ['new', 'mixed']],
      [header, 2, ['new', 'new']],
    ] as const) {
      const { host, original } = await cutWorld(at, sectors);
      const result = await undo(host);
      expect([at - first, sectors, result.places.slice(0, 2).map(({ state }) => state)]).toEqual([
        at - first,
        sectors,
        states,
      ]);
      expect(result.places.every(({ finished }) => !finished)).toBe(true);
      expect([result.exitCode, images(host)]).toEqual([0, original]);
    }
  });

  test("a sector that is neither old nor new is somebody else's, there too", async () => {
    const log = await steps();
    const { host } = await cutWorld(
      log.findIndex(({ path }) => path === A),
      2,
    );
    host.poke(A, 1030, Uint8Array.of(host.bytesOf(A)[1030]! ^ 0xff));
    const result = await undo(host);
    expect([result.fault?.code, result.fault?.fields['offset']]).toEqual(['CHANGED_SINCE', '1030']);
  });

  test('and was repaired again can be taken back through both journals, or by the first alone', async () => {
    const log = await steps();
    const last = log.length - 3;
    const { host, plan, original } = await cutWorld(last);
    const again = plan.map((one) => {
      const image = host.bytesOf(one.target === 0 ? A : B);
      const start = Number(one.offset);
      return { ...one, before: image.slice(start, start + one.after.length) };
    });
    const second = await write(host, again);
    const state = host.snapshot();
    expect((await undo(host, second.journal!)).exitCode).toBe(0);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
    host.restore(state);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });
});

describe('which file is meant', () => {
  async function movedWorld(): Promise<MemoryHost> {
    const { host } = await repairedWorld();
    const copyOf = (path: string, to: string): void => host.addImage(to, host.bytesOf(path));
    copyOf(FIRST_JOURNAL, '/copy/a.img.dmremap-undo-1a2b3c4d-001');
    copyOf(A, '/copy/a.img');
    copyOf(B, '/copy/b.img');
    return host;
  }
  const COPIED = '/copy/a.img.dmremap-undo-1a2b3c4d-001';

  test('a copied journal beside a copied image, with the originals there: refused', async () => {
    const host = await movedWorld();
    const fault = await undo(host, COPIED).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect((fault as Fault).toJSON()).toEqual({
      code: 'TARGET_AMBIGUOUS',
      fields: { path: A, beside: '/copy/a.img', journal: FIRST_JOURNAL },
    });
  });

  test('with the originals gone, the ones beside the journal', async () => {
    const host = await movedWorld();
    host.removeFile(A);
    host.removeFile(B);
    const result = await undo(host, COPIED);
    expect(result.status).toBe('undone');
    expect(
      result.targets.map(({ path, recordedPath, besideJournal, sameIdentity }) => [
        path,
        recordedPath,
        besideJournal,
        sameIdentity,
      ]),
    ).toEqual([
      ['/copy/a.img', A, true, false],
      ['/copy/b.img', B, true, false],
    ]);
    expect(result.redoJournal).toBe('/copy/a.img.dmremap-undo-1a2b3c4d-002');
    expect(Buffer.compare(host.bytesOf('/copy/a.img'), noise(11, 16384))).toBe(0);
  });

  test('in its own place the journal means the recorded paths, whatever lies elsewhere', async () => {
    const host = await movedWorld();
    const result = await undo(host);
    expect(result.targets.map(({ path, sameIdentity }) => [path, sameIdentity])).toEqual([
      [A, true],
      [B, true],
    ]);
  });

  test('a journal that was moved away from its image still finds it', async () => {
    const { host, original } = await repairedWorld();
    host.addImage('/elsewhere/j', host.bytesOf(FIRST_JOURNAL));
    expect((await undo(host, '/elsewhere/j')).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('neither there: says where it looked', async () => {
    const { host } = await repairedWorld();
    host.removeFile(B);
    const fault = (await undo(host).catch((error: unknown) => error)) as Fault;
    expect(fault.toJSON()).toEqual({ code: 'TARGET_MISSING', fields: { path: B, beside: B } });
  });

  test.each([false, true])('of another size: refused, with --force (%s) too', async (force) => {
    const { host } = await repairedWorld();
    host.resize(B, 20480);
    expect(await faultOf(() => undo(host, FIRST_JOURNAL, { force }))).toBe('TARGET_SIZE');
  });

  test('one file for two targets: refused', async () => {
    const { host } = await repairedWorld();
    host.removeFile(B);
    host.addAlias(B, A);
    expect(await faultOf(() => undo(host, FIRST_JOURNAL, { force: true }))).toBe('TARGET_TWICE');
  });

  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('in use: refused (force %s, dry run %s)', async (force, dryRun) => {
    const { host, repaired } = await repairedWorld();
    host.setInUse(B, ['mounted at /mnt', 'held by dm-0']);
    const result = await undo(host, FIRST_JOURNAL, { force, dryRun });
    expect([result.status, result.exitCode, result.fault?.code]).toEqual(['refused', 8, 'IN_USE']);
    expect(result.fault?.fields['reason']).toBe('mounted at /mnt; held by dm-0');
    expect(images(host)).toBe(repaired);
  });

  test('a device that came back under another name is found by its lasting one', async () => {
    const host = new MemoryHost();
    const lasting = '/dev/disk/by-id/wwn-1';
    host.addBlock('/dev/sda', noise(11, 16384), { facts: { stablePath: lasting } });
    host.addBlock('/dev/sdb', noise(12, 16384), { facts: { stablePath: '/dev/disk/by-id/wwn-2' } });
    host.addAlias(A, '/dev/sda');
    host.addAlias(B, '/dev/sdb');
    const plan = planFor(host).slice(0, 4);
    const { journal } = await write(host, plan);
    const written = host.bytesOf('/dev/sda');
    host.addBlock('/dev/sdc', written, { facts: { stablePath: lasting } });
    host.addBlock('/dev/sda', noise(5, 16384));
    host.addAlias(lasting, '/dev/sdc');
    const result = await undo(host, journal!);
    expect([result.status, result.targets[0]?.path]).toEqual(['undone', lasting]);
    expect(Buffer.compare(host.bytesOf('/dev/sdc'), noise(11, 16384))).toBe(0);
    expect(Buffer.compare(host.bytesOf('/dev/sda'), noise(5, 16384))).toBe(0);
  });
});

describe('when something fails during the undo', () => {
  test('no room for its journal: nothing is written', async () => {
    const { host, repaired } = await repairedWorld();
    host.failFiles('/img');
    expect(await faultOf(() => undo(host))).toBe('FILE_FAILED');
    host.heal();
    expect(images(host)).toBe(repaired);
    expect(journals(host)).toEqual([FIRST_JOURNAL]);
  });

  test('a copy that cannot be written is named, the others are put back, and it can be run again', async () => {
    const { host, original } = await repairedWorld();
    host.failWrites(A, 8704n, 9216n);
    const result = await undo(host);
    expect([result.status, result.exitCode, result.fault?.code]).toEqual(['incomplete', 8, 'WRITE_FAILED']);
    expect(result.failed.map(({ group }) => group)).toEqual(['spare0/copy0']);
    expect(result.places.map(({ action }) => action)).toEqual([
      'put-back',
      'put-back',
      'failed',
      'failed',
      'put-back',
      'put-back',
    ]);
    host.heal();
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a signal ends it after a whole copy, and it can be run again', async () => {
    const { host, original } = await repairedWorld();
    let asked = 0;
    const signals: NonNullable<UndoOptions['signals']> = {
      interrupted: () => asked > 2,
      breathe: async () => {
        asked++;
      },
    };
    const result = await undo(host, FIRST_JOURNAL, { signals });
    expect([result.status, result.exitCode]).toEqual(['interrupted', 32]);
    expect(result.places.map(({ action }) => action)).toEqual([
      ...Array<string>(4).fill('not-started'),
      'put-back',
      'put-back',
    ]);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a journal that cannot be marked does not stop it, but is told', async () => {
    const { host, original } = await repairedWorld();
    host.addImage('/ro/j', host.bytesOf(FIRST_JOURNAL));
    const append = host.appendDurably.bind(host);
    host.appendDurably = (path, bytes) => {
      if (path === '/ro/j')
        throw new Fault('READ_ONLY', { path, reason: 'it lies on a read-only file system' });
      append(path, bytes);
    };
    const result = await undo(host, '/ro/j');
    expect([result.status, result.marked, images(host)]).toEqual(['undone', false, original]);
  });
});

describe('power may fail at any point', () => {
  async function undoSurvives(start: Repaired, redo: 'with redo' | 'without'): Promise<number> {
    const { host, original, repaired } = start;
    return everyCut(
      host,
      () => undo(host),
      async (cut) => {
        const second = await undo(host);
        expect([cut, second.exitCode, second.fault]).toEqual([cut, 0, null]);
        expect([cut, images(host)]).toEqual([cut, original]);
        expect([cut, (await undo(host)).status]).toEqual([cut, 'nothing-to-do']);
        if (redo === 'without') return;
        // From where the second run found it, and from there, by the first run's journal, to the beginning.
        if (second.redoJournal !== null) expect((await undo(host, second.redoJournal)).exitCode).toBe(0);
        if (journals(host).includes(SECOND_JOURNAL) && second.redoJournal !== SECOND_JOURNAL) {
          const code = await faultOf(() => undo(host, SECOND_JOURNAL));
          if (code === 'none') expect([cut, images(host)]).toEqual([cut, repaired]);
          else expect(code).toMatch(/^JOURNAL_IN/);
        }
      },
    );
  }

  test('in the undo of a finished repair', async () => {
    expect(await undoSurvives(await repairedWorld(), 'with redo')).toBeGreaterThan(150);
  });

  test('in the undo of a repair that was cut itself, wherever', async () => {
    const log = await steps();
    const first = log.findIndex(({ path }) => path === A);
    let ways = 0;
    for (let at = first; at < log.length; at += 4) {
      const start = await cutWorld(at, log[at]!.kind === 'write' ? 1 : undefined);
      if (images(start.host) !== start.original) ways += await undoSurvives(start, 'without');
    }
    expect(ways).toBeGreaterThan(400);
  });

  test('in the undo of an undo', async () => {
    const { host, original, repaired } = await repairedWorld();
    const { redoJournal } = await undo(host);
    const ways = await everyCut(
      host,
      () => undo(host, redoJournal!),
      async (cut) => {
        expect([cut, (await undo(host, redoJournal!)).exitCode, images(host)]).toEqual([cut, 0, repaired]);
        expect([cut, (await undo(host)).status, images(host)]).toEqual([cut, 'undone', original]);
      },
    );
    expect(ways).toBeGreaterThan(150);
  });

  test('with a torn mark in the journal, further marks are still understood', async () => {
    const { host, original } = await repairedWorld();
    const whole = host.bytesOf(FIRST_JOURNAL);
    for (let cut = 1; cut < 20; cut++) {
      const state = host.snapshot();
      host.resize(FIRST_JOURNAL, whole.length - cut);
      await undo(host);
      expect(parseJournal(host.bytesOf(FIRST_JOURNAL), 'x', sha256)).toMatchObject({
        undoBegun: true,
        padding: 0,
      });
      expect(images(host)).toBe(original);
      host.restore(state);
    }
  });
});

describe('judging one place', () => {
  const old = noise(1, 2048);
  const fresh = noise(2, 2048);
  const judge = (bytes: Uint8Array, whole = true, unread: { start: number; end: number }[] = []): unknown =>
    judgePlace({ old, new: fresh, whole, unread }, { bytes, gaps: [] }).state;
  const mix = (...newSectors: number[]): Uint8Array => {
    const bytes = old.slice();
    for (const sector of newSectors)
      bytes.set(fresh.subarray(sector * 512, sector * 512 + 512), sector * 512);
    return bytes;
  };

  test('sector by sector', () => {
    expect(judge(mix())).toBe('old');
    expect(judge(mix(0, 1, 2, 3))).toBe('new');
    expect([judge(mix(2)), judge(mix(2), false)]).toEqual(['changed', 'mixed']);
  });

  test("a sector torn within itself is nobody's write: the medium writes whole ones", () => {
    const bytes = mix(0, 1, 2, 3);
    bytes.set(old.subarray(0, 100), 0);
    expect(judge(bytes, false)).toBe('changed');
  });

  test('sectors that nobody knew are not judged', () => {
    const bytes = mix();
    bytes[700]! ^= 1;
    expect([judge(bytes), judge(bytes, true, [{ start: 512, end: 1024 }])]).toEqual(['changed', 'old']);
  });

  test('a write that changed nothing is old', () => {
    expect(judgePlace({ old, new: old, whole: true, unread: [] }, { bytes: old, gaps: [] }).state).toBe(
      'old',
    );
  });
});

describe('the command line', () => {
  const validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);

  async function run(
    host: MemoryHost,
    ...argv: string[]
  ): Promise<{ status: number; out: string; err: string }> {
    const args = parseArgs(binding.spec, argv);
    const printed = { out: '', err: '' };
    const io: CliIo = {
      host,
      out: (text) => (printed.out += text),
      err: (text) => (printed.err += text),
      note: (text) => (printed.err += text),
      json: args.flag('json'),
      quiet: args.flag('quiet'),
      verbose: args.count('verbose'),
      color: false,
      columns: 80,
      isTTY: { stdin: false, stdout: false, stderr: false },
      ask: () => Promise.resolve(null),
      interrupted: () => false,
      breathe: () => Promise.resolve(),
      drained: () => Promise.resolve(false),
      progress: { begin: () => undefined, update: () => undefined, end: () => undefined },
    };
    try {
      return { status: await binding.run(args, io), ...printed };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return {
        status: error.exit,
        out: args.flag('json') ? jsonText(failureDocument(binding, error)) : '',
        err: error.sentence,
      };
    }
  }

  test('says what was put back and what to type next', async () => {
    const { host } = await repairedWorld();
    expect(await run(host, FIRST_JOURNAL)).toEqual({
      status: 0,
      err: '',
      out: `Journal ${FIRST_JOURNAL}
  made by dm-remap-toolkit 1.0.0: dmremap-fsck -y /img/a.img /img/b.img
  setup 1a2b3c4d-0000-4000-8000-00000000000f
  spare0/copy1 (COPY_BAD): put back
  spare0/copy0 (COPY_BAD): put back
  spare1/copy0 (COPY_BAD): put back

Undone: every byte is as it was before the repair, and was read back.
To take this undo back:    dmremap-undo ${SECOND_JOURNAL}
To look at the setup:      dmremap-fsck -n /img/a.img /img/b.img
`,
    });
    const again = await run(host, FIRST_JOURNAL);
    expect(again.status).toBe(0);
    expect(again.out).toContain(
      'Nothing to do: every byte is as it was before the repair. Nothing was written.',
    );
  });

  test('-n says what it would do', async () => {
    const { host, repaired } = await repairedWorld();
    const { status, out } = await run(host, '-n', FIRST_JOURNAL);
    expect(status).toBe(0);
    expect(out).toContain(
      '  spare0/copy1 (COPY_BAD): would be put back\n    /img/a.img byte 1024, 2048 bytes: as written by the repair\n',
    );
    expect(out).toContain(`To do this undo:   dmremap-undo ${FIRST_JOURNAL}\n`);
    expect(images(host)).toBe(repaired);
  });

  test('a refusal names the place and the way out', async () => {
    const { host } = await repairedWorld();
    host.poke(A, 8192, Uint8Array.of(host.bytesOf(A)[8192]! ^ 0xff));
    const { status, out, err } = await run(host, FIRST_JOURNAL);
    expect(status).toBe(8);
    expect(out).toContain('Not undone. Nothing was written.');
    expect(out).toContain('/img/a.img byte 8192, 1024 bytes: changed since by something else');
    expect(err).toMatch(
      /^dmremap-undo: \/img\/a\.img: has changed since: byte 8192 \(spare0\/copy0\) is 0x.., expected 0x.. /,
    );
    expect(err).toContain('--force');
  });

  const cases: [string, (host: MemoryHost) => void, string[], number, string][] = [
    ['undone', () => undefined, [], 0, 'undone'],
    ['a dry run', () => undefined, ['-n'], 0, 'would-undo'],
    ['refused', (host) => host.poke(B, 4096, noise(9, 512)), [], 8, 'refused'],
    ['in use', (host) => host.setInUse(B, ['busy']), [], 8, 'refused'],
    ['a failed write', (host) => host.failWrites(B, 4096n, 4608n), [], 8, 'incomplete'],
    ['a missing image', (host) => host.removeFile(B), [], 8, 'refused'],
    ['a damaged journal', (host) => host.poke(FIRST_JOURNAL, 200, noise(9, 10)), [], 8, 'refused'],
    ['a missing journal', (host) => host.removeFile(FIRST_JOURNAL), [], 8, 'refused'],
    ['a long file of something', (host) => host.resize(FIRST_JOURNAL, 100_000_000), [], 8, 'refused'],
  ];
  test.each(cases)('--json follows its schema: %s', async (_, prepare, options, status, verdict) => {
    const { host } = await repairedWorld();
    prepare(host);
    const result = await run(host, '--json', ...options, FIRST_JOURNAL);
    expect(result.status).toBe(status);
    const document = JSON.parse(result.out) as Record<string, unknown>;
    validate(document);
    expect(validate.errors).toBeNull();
    expect(document).toMatchObject({
      schema: 'dmremap.undo-result/1',
      exitCode: status,
      status: verdict,
    });
    expect(document['error'] === null).toBe(status === 0);
  });

  test('--json has strings for offsets, and no time', async () => {
    const outputs = await Promise.all(
      [1, 2].map(async () => (await run((await repairedWorld()).host, '--json', FIRST_JOURNAL)).out),
    );
    expect(outputs[0]).toBe(outputs[1]);
    const { places } = JSON.parse(outputs[0]!) as { places: unknown[] };
    expect(places[0]).toEqual({
      path: A,
      offset: '1024',
      length: '2048',
      group: 'spare0/copy1',
      finding: 'COPY_BAD',
      finished: true,
      state: 'new',
      action: 'put-back',
      unknownBytes: '0',
    });
  });

  test('text from a journal is harmless on a terminal', async () => {
    const host = world();
    const plan = planFor(host).map((one) => ({ ...one, group: `\u001b[2J${one.group}`, finding: '\u202eX' }));
    await write(host, plan, { command: ['dmremap-fsck', '\u0007'] });
    const { out } = await run(host, FIRST_JOURNAL);
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(out).toContain('\\x1b[2Jspare0/copy1');
  });
});

test('the images of the test machine really differ before and after', async () => {
  const { host, plan, original, repaired } = await repairedWorld();
  expect(repaired).not.toBe(original);
  await undo(host);
  expect(repaired).toBe(imagesAfter(host, plan));
});
