// SPDX-License-Identifier: GPL-2.0-or-later
// The writing engine: what it checks, what it leaves alone when something fails, and that no cut of the power at any
// point costs the way back.
import { Fault } from '../../src/core/faults';
import { parseJournal } from '../../src/core/journal-parse';
import type { Journal } from '../../src/core/journal-parse';
import type { MemoryHost } from '../support/memory-host';
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

const GROUPS = ['spare0/copy1', 'spare0/copy0', 'spare1/copy0'];

const journalOf = (host: MemoryHost, path = FIRST_JOURNAL): Journal =>
  parseJournal(host.bytesOf(path), path, sha256);

const signals = (until: number): { interrupted(): boolean; breathe(): Promise<void> } => {
  let asked = 0;
  return {
    interrupted: () => asked > until,
    breathe: async () => {
      asked++;
    },
  };
};

describe('a plan without trouble', () => {
  test('is carried out, journalled and marked', async () => {
    const host = world();
    const plan = planFor(host);
    const wanted = imagesAfter(host, plan);
    const progress: string[] = [];
    const report = await write(host, plan, { progress: (done, all) => progress.push(`${done}/${all}`) });
    expect(report).toEqual({
      done: GROUPS,
      failed: [],
      notStarted: [],
      journal: FIRST_JOURNAL,
      journalFault: null,
    });
    expect(images(host)).toBe(wanted);
    const journal = journalOf(host);
    expect([...journal.finished]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(journal.targets.map(({ path, kind, sizeBytes }) => [path, kind, sizeBytes])).toEqual([
      [A, 'image', 16384n],
      [B, 'image', 16384n],
    ]);
    expect([journal.command, journal.journal]).toEqual([['dmremap-fsck', '-y', A, B], FIRST_JOURNAL]);
    expect(progress).toEqual(['1/3', '2/3', '3/3']);
  });

  test('changes nothing before the journal is durable, and syncs after every write', async () => {
    const host = world();
    await write(host, planFor(host));
    const steps = host.log.map(({ kind, path }) => `${kind} ${path === FIRST_JOURNAL ? 'journal' : path}`);
    const firstWrite = steps.findIndex((step) => step === `write ${A}`);
    expect(steps.indexOf('sync-name journal')).toBe(firstWrite - 1);
    const group = (path: string): string[] => [
      ...[`write ${path}`, `sync ${path}`, `write ${path}`, `sync ${path}`],
      ...['write journal', 'sync journal'],
    ];
    expect(steps.slice(firstWrite)).toEqual([...group(A), ...group(A), ...group(B)]);
  });

  test('needs no journal when told so', async () => {
    const host = world();
    const plan = planFor(host);
    const wanted = imagesAfter(host, plan);
    expect((await write(host, plan, { journal: null })).journal).toBeNull();
    expect(images(host)).toBe(wanted);
    expect(journals(host)).toEqual([]);
  });

  test('of no writes makes no journal', async () => {
    const host = world();
    expect((await write(host, [])).journal).toBeNull();
    expect(host.log).toEqual([]);
  });

  test('asks for each copy to be validated after its last write', async () => {
    const host = world();
    const seen: string[] = [];
    await write(host, planFor(host), {
      validate: (group) => {
        seen.push(
          `${group} after ${host.log.filter(({ kind, path }) => kind === 'write' && path !== FIRST_JOURNAL).length}`,
        );
        return null;
      },
    });
    expect(seen).toEqual(['spare0/copy1 after 2', 'spare0/copy0 after 4', 'spare1/copy0 after 6']);
  });

  test('gives every run a journal of its own', async () => {
    const host = world();
    for (const number of ['001', '002', '003']) {
      const plan = planFor(host).map((one) => ({ ...one, after: noise(Number(number), one.after.length) }));
      expect((await write(host, plan)).journal).toBe(`/img/a.img.dmremap-undo-1a2b3c4d-${number}`);
    }
  });
});

describe('nothing is changed when', () => {
  const untouched = async (prepare: (host: MemoryHost) => void, code: string): Promise<void> => {
    const host = world();
    const plan = planFor(host);
    prepare(host);
    const before = images(host);
    expect(await faultOf(() => write(host, plan))).toBe(code);
    expect(images(host)).toBe(before);
    expect(host.log.filter(({ path }) => path === A || path === B)).toEqual([]);
    expect(journals(host)).toEqual([]);
  };

  test.each([0, 2048, 3071, 8192, 11263])('byte %i of the image changed since planning', (at) =>
    untouched((host) => host.poke(A, at, Uint8Array.of(host.bytesOf(A)[at]! ^ 0x80)), 'CHANGED_BEFORE_WRITE'),
  );

  test('a place can no longer be read', () =>
    untouched((host) => host.failReads(B, 4096n, 4608n), 'READ_FAILED'));

  test('there is no room for the journal', () => untouched((host) => host.failFiles('/img'), 'FILE_FAILED'));

  test.each([1, 5000, 10_000, 20_000])('room for the journal ends after %i bytes', (bytes) =>
    untouched((host) => host.failFiles('/img', 'ENOSPC', bytes), 'FILE_FAILED'),
  );

  test('an image is in use', () => untouched((host) => host.setInUse(B, ['mounted at /mnt']), 'IN_USE'));

  test('an image became larger than the journal can be', async () => {
    const host = world();
    host.addImage('/img/large.img', 45 * 1024 * 1024);
    const bytes = new Uint8Array(45 * 1024 * 1024);
    const large = { target: 0, offset: 0n, before: bytes, after: bytes, finding: 'X', group: 'x' };
    host.addAlias(A, '/img/large.img');
    expect(await faultOf(() => write(host, [large]))).toBe('JOURNAL_TOO_LARGE');
    expect(host.log).toEqual([]);
  });

  test('the last preparation says no', async () => {
    const host = world();
    const before = images(host);
    const ready = (): void => {
      throw new Fault('FILE_FAILED', { path: '/x', doing: 'mark it', reason: 'no' });
    };
    expect(await faultOf(() => write(host, planFor(host), { ready }))).toBe('FILE_FAILED');
    expect(images(host)).toBe(before);
    expect(journals(host)).toEqual([]);
  });

  test('a signal came before the first write', async () => {
    for (const until of [0, 1]) {
      const host = world();
      const before = images(host);
      const report = await write(host, planFor(host), { signals: signals(until) });
      expect(report.notStarted).toEqual(GROUPS.map((group) => ({ group, why: 'interrupted' })));
      expect(report.journal).toBeNull();
      expect(images(host)).toBe(before);
      expect(journals(host)).toEqual([]);
    }
  });
});

describe('a failure in one copy leaves the others alone', () => {
  const failing: [string, (host: MemoryHost) => void, string, number[]][] = [
    [
      'its body cannot be written',
      (host) => host.failWrites(A, 8192n + 2048n, 8192n + 2560n),
      'WRITE_FAILED',
      [0, 1, 4, 5],
    ],
    [
      'its header cannot be written',
      (host) => host.failWrites(A, 8192n, 8704n),
      'WRITE_FAILED',
      [0, 1, 2, 4, 5],
    ],
    [
      'the device lies about a write',
      (host) => host.loseWrites(A, 8192n, 8704n),
      'READ_BACK_DIFFERS',
      [0, 1, 2, 4, 5],
    ],
  ];
  test.each(failing)('%s', async (_, fail, code, marked) => {
    const host = world();
    const plan = planFor(host);
    const original = images(host);
    fail(host);
    const report = await write(host, plan);
    expect(report.done).toEqual(['spare0/copy1', 'spare1/copy0']);
    expect(report.failed.map(({ group, fault }) => [group, fault.code])).toEqual([['spare0/copy0', code]]);
    expect(report.notStarted).toEqual([]);
    expect([...journalOf(host).finished]).toEqual(marked);
    host.heal();
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('the header is not written when the body could not be', async () => {
    const host = world();
    const plan = planFor(host);
    host.failWrites(A, 2048n, 2560n);
    await write(host, plan);
    expect(Buffer.compare(host.bytesOf(A).slice(0, 1024), plan[1]!.before)).toBe(0);
  });

  test('a sync that fails stops every copy on that device', async () => {
    const host = world();
    host.failSyncs(A, 2);
    const report = await write(host, planFor(host));
    expect(report.done).toEqual(['spare0/copy1', 'spare1/copy0']);
    expect(report.failed.map(({ group, fault }) => [group, fault.code])).toEqual([
      ['spare0/copy0', 'SYNC_FAILED'],
    ]);
  });

  test('what reads back wrong is named to the byte', async () => {
    const host = world();
    const plan = planFor(host);
    host.loseWrites(A, 9216n + 1024n, 9216n + 1536n);
    const { fault } = (await write(host, plan)).failed[0]!;
    const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes.subarray(1024, 1025)).toString('hex')}`;
    expect(fault.fields).toEqual({
      path: A,
      offset: '10240',
      expected: hex(plan[2]!.after),
      found: hex(plan[2]!.before),
    });
  });

  test('a copy that does not validate is a failed one', async () => {
    const host = world();
    const no = new Fault('EMPTY', { path: 'copy' });
    const report = await write(host, planFor(host), {
      validate: (group) => {
        if (group === 'spare0/copy1') throw no;
        return group === 'spare0/copy0' ? no : null;
      },
    });
    expect(report.done).toEqual(['spare1/copy0']);
    expect(report.failed.map(({ group }) => group)).toEqual(['spare0/copy1', 'spare0/copy0']);
  });

  test('unless told to stop there', async () => {
    const host = world();
    host.failWrites(A, 8192n, 8704n);
    const report = await write(host, planFor(host), { stopAll: true });
    expect(report.done).toEqual(['spare0/copy1']);
    expect(report.notStarted).toEqual([{ group: 'spare1/copy0', why: 'stopped' }]);
  });

  test('and the plan may hold back what depends on it', async () => {
    const host = world();
    host.failWrites(A, 0n, 512n);
    const asked: unknown[] = [];
    const report = await write(host, planFor(host), {
      mayStart: (group, soFar) => {
        asked.push([group, [...soFar.done], [...soFar.failed]]);
        return soFar.failed.length === 0 || group.startsWith('spare1');
      },
    });
    expect(report.notStarted).toEqual([{ group: 'spare0/copy0', why: 'held' }]);
    expect(report.done).toEqual(['spare1/copy0']);
    expect(asked).toEqual([
      ['spare0/copy1', [], []],
      ['spare0/copy0', [], ['spare0/copy1']],
      ['spare1/copy0', [], ['spare0/copy1']],
    ]);
  });

  test('what is precious waits until something is finished, and not merely begun', async () => {
    const precious = new Set(['spare0/copy0', 'spare1/copy0']);
    const failing = world();
    failing.failWrites(A, 0n, 512n);
    const held = await write(failing, planFor(failing), { precious });
    expect(held.failed.map(({ group }) => group)).toEqual(['spare0/copy1']);
    expect(held.notStarted).toEqual([
      { group: 'spare0/copy0', why: 'held' },
      { group: 'spare1/copy0', why: 'held' },
    ]);
    const working = world();
    expect((await write(working, planFor(working), { precious })).done).toEqual(GROUPS);
  });

  test('a signal between copies ends the work after a whole one', async () => {
    const host = world();
    const original = images(host);
    const report = await write(host, planFor(host), { signals: signals(2) });
    expect(report.done).toEqual(['spare0/copy1']);
    expect(report.notStarted).toEqual([
      { group: 'spare0/copy0', why: 'interrupted' },
      { group: 'spare1/copy0', why: 'interrupted' },
    ]);
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a journal that can no longer be written to ends the work', async () => {
    const host = world();
    const original = images(host);
    const report = await write(host, planFor(host), { ready: () => host.failFiles('/img') });
    expect(report.done).toEqual(['spare0/copy1']);
    expect(report.journalFault?.code).toBe('FILE_FAILED');
    expect(report.notStarted.map(({ why }) => why)).toEqual(['no-journal', 'no-journal']);
    host.heal();
    expect((await undo(host)).status).toBe('undone');
    expect(images(host)).toBe(original);
  });

  test('a mistake in the program is no failed copy', async () => {
    const host = world();
    const validate = (): null => {
      throw new TypeError('mistake');
    };
    await expect(write(host, planFor(host), { validate })).rejects.toThrow(TypeError);
  });
});

test('what could not be read before is written over, and nothing is claimed of it', async () => {
  const host = world();
  const [body, header] = planFor(host);
  host.failReads(A, 2048n, 2560n);
  const before = body!.before.slice().fill(0, 1024, 1536);
  const report = await write(host, [{ ...body!, before, unread: [{ start: 1024, end: 1536 }] }, header!]);
  expect(report.done).toEqual(['spare0/copy1']);
  expect(journalOf(host).writes[0]!.unread).toEqual([{ start: 1024, end: 1536 }]);
  const written = host.bytesOf(A);
  expect(Buffer.compare(written.slice(1024, 3072), body!.after)).toBe(0);

  const result = await undo(host);
  expect(result.status).toBe('undone');
  expect(result.places.map(({ unknownBytes }) => unknownBytes)).toEqual([512, 0]);
  const wanted = noise(11, 16384);
  wanted.set(body!.after.subarray(1024, 1536), 2048);
  expect(Buffer.compare(host.bytesOf(A), wanted)).toBe(0);
  expect((await undo(host)).status).toBe('nothing-to-do');
});

test('power may fail at any point: undo brings everything back, or nothing was changed', async () => {
  const host = world();
  const plan = planFor(host);
  const original = images(host);
  const seen = new Map<string, number>();
  const ways = await everyCut(
    host,
    () => write(host, plan),
    async (cut) => {
      const [journal] = journals(host);
      let outcome = 'no journal';
      if (journal !== undefined) {
        const code = await faultOf(async () => {
          const result = await undo(host);
          outcome = result.status;
          expect([cut, result.exitCode]).toEqual([cut, 0]);
        });
        if (code !== 'none') outcome = code;
      }
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      expect([cut, images(host)]).toEqual([cut, original]);
      if (journal !== undefined && outcome === 'undone') {
        expect([cut, (await undo(host)).status]).toEqual([cut, 'nothing-to-do']);
      }
    },
  );
  expect(ways).toBeGreaterThan(150);
  // All of these must really have come up; otherwise the cuts were not where they were meant to be.
  expect([...seen.keys()].sort()).toEqual([
    'JOURNAL_INCOMPLETE',
    'JOURNAL_INVALID',
    'no journal',
    'nothing-to-do',
    'undone',
  ]);
  expect(seen.get('undone')).toBeGreaterThan(60);
});
