// SPDX-License-Identifier: GPL-2.0-or-later
// Text backups: their names, what is reused, and that nothing is ever removed which somebody may still need.
import { backupDirectory, DEVICE_BACKUP_DIR, writeBackup } from '../../src/commands/backup';
import type { BackupRequest, BackupResult } from '../../src/commands/backup';
import { Fault } from '../../src/core/faults';
import { MemoryHost } from '../support/memory-host';
import { UUID } from '../support/journals';
import { faultOf } from '../support/undo-world';

const DAY = 24n * 3600n * 1_000_000_000n;
const NOW = 1_700_000_000_000_000_000n;
const DIR = '/backup';

const backup = (host: MemoryHost, change: Partial<BackupRequest> = {}): BackupResult =>
  writeBackup(host, {
    directory: DIR,
    setupName: 'data',
    setupUuid: UUID,
    sequence: 7n,
    text: '{"a":1}\n',
    ...change,
  });

const text = (host: MemoryHost, path: string): string => Buffer.from(host.bytesOf(path)).toString();

describe('writing', () => {
  test('makes the directory and a file that is named after setup and generation', () => {
    const host = new MemoryHost();
    const result = backup(host, { text: '{"name":"Größe"}\n' });
    expect(result).toEqual({ path: `${DIR}/data-1a2b3c4d-seq7.json`, reused: false, pruned: [] });
    expect(text(host, result.path)).toBe('{"name":"Größe"}\n');
    expect(host.log.map(({ kind }) => kind)).toEqual([
      'make-directory',
      'create',
      'write',
      'sync',
      'sync-name',
    ]);
  });

  test('the same backup again is not written again', () => {
    const host = new MemoryHost();
    backup(host);
    host.reboot();
    expect(backup(host)).toEqual({ path: `${DIR}/data-1a2b3c4d-seq7.json`, reused: true, pruned: [] });
    expect(host.log).toEqual([]);
  });

  test('another one of the same sequence gets a number, and is found again by it', () => {
    const host = new MemoryHost();
    const paths = ['a', 'b', 'c', 'b'].map((one) => backup(host, { text: one }).path);
    expect(paths).toEqual([
      `${DIR}/data-1a2b3c4d-seq7.json`,
      `${DIR}/data-1a2b3c4d-seq7-2.json`,
      `${DIR}/data-1a2b3c4d-seq7-3.json`,
      `${DIR}/data-1a2b3c4d-seq7-2.json`,
    ]);
    expect(backup(host, { sequence: 70n, text: 'a' }).path).toBe(`${DIR}/data-1a2b3c4d-seq70.json`);
  });

  test('half a backup, left by a power cut, is not taken for one', () => {
    const host = new MemoryHost();
    host.addImage(`${DIR}/data-1a2b3c4d-seq7.json`, Buffer.from('{"a"'));
    expect(backup(host).path).toBe(`${DIR}/data-1a2b3c4d-seq7-2.json`);
    host.addImage(`${DIR}/data-1a2b3c4d-seq8.json`, Buffer.from('{"a":1}\n and more'));
    expect(backup(host, { sequence: 8n }).path).toBe(`${DIR}/data-1a2b3c4d-seq8-2.json`);
  });

  test('a backup that cannot be written is a fault', async () => {
    const host = new MemoryHost();
    host.failFiles(DIR);
    expect(await faultOf(() => backup(host))).toBe('FILE_FAILED');
    host.heal();
    host.addDirectory(DIR);
    host.failFiles(DIR, 'ENOSPC', 1);
    expect(await faultOf(() => backup(host))).toBe('FILE_FAILED');
    expect(host.listDir(DIR)).toEqual([]);
  });

  test.each([
    ['../../etc/cron.d/x', '_.._.._etc_cron.d_x'],
    ['', '_'],
    ['-rf', '_-rf'],
    ['.hidden', '_.hidden'],
    ['a b\n\u001b[2J', 'a_b___2J'],
    ['größe', 'gr__e'],
    ['x'.repeat(300), 'x'.repeat(89)],
  ])('the name %j becomes %j', (setupName, expected) => {
    const host = new MemoryHost();
    backup(host, { setupName });
    expect(host.listDir(DIR)).toEqual([`${expected}-1a2b3c4d-seq7.json`]);
  });
});

describe('removing old ones', () => {
  /** `count` backups of sequences 1, 2, ..., the newest `youngest` days old, each a day older than the next. */
  function withBackups(
    count: number,
    youngest: bigint,
    machine: ConstructorParameters<typeof MemoryHost>[0] = { nowNs: NOW },
  ): MemoryHost {
    const host = new MemoryHost(machine);
    for (let i = 1; i <= count; i++) {
      const path = `${DIR}/data-1a2b3c4d-seq${i}.json`;
      host.addImage(path, Buffer.from(`backup ${i}`));
      host.setMtime(path, NOW - (youngest + BigInt(count - i)) * DAY);
    }
    return host;
  }
  const left = (host: MemoryHost): number[] =>
    host
      .listDir(DIR)
      .map((name) => Number(/seq(\d+)/.exec(name)?.[1]))
      .sort((a, b) => a - b);

  test('keeps the newest ten, however old', () => {
    const host = withBackups(30, 100n);
    const { pruned } = backup(host, { sequence: 31n });
    expect(left(host)).toEqual([22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);
    expect(pruned).toHaveLength(21);
    expect(pruned).toContain(`${DIR}/data-1a2b3c4d-seq1.json`);
  });

  test('keeps all that are younger than 30 days, however many', () => {
    const host = withBackups(40, 0n);
    backup(host, { sequence: 41n });
    // Sequence 40 is of today, 11 is 29 days old, 10 is 30 days old to the nanosecond.
    expect(left(host)).toEqual([...Array(30).keys()].map((i) => 11 + i).concat(41));
  });

  test('ten old ones and a new one: the oldest goes', () => {
    const host = withBackups(9, 100n);
    expect(backup(host, { sequence: 10n }).pruned).toEqual([]);
    host.setMtime(`${DIR}/data-1a2b3c4d-seq10.json`, NOW - 50n * DAY);
    expect(backup(host, { sequence: 11n }).pruned).toEqual([`${DIR}/data-1a2b3c4d-seq1.json`]);
  });

  test('never touches what is not of this setup, or not ours', () => {
    const host = withBackups(12, 100n);
    const others = [
      'data-ffffffff-seq1.json',
      'other-1a2b3c4d-seq1.json',
      'more-data-1a2b3c4d-seq1.json',
      'data-1a2b3c4d-seq1.json.bak',
      'data-1a2b3c4d-seq01.json',
      'data-1a2b3c4d-seqx.json',
      'data-1a2b3c4d-seq1-0.json',
      'data-1a2b3c4d-seq1-1-1.json',
      'data-1a2b3c4d-seq.json',
      'a.img.dmremap-undo-1a2b3c4d-001',
      'notes.txt',
    ];
    for (const name of others) host.addImage(`${DIR}/${name}`, Buffer.from('x'));
    const { pruned } = backup(host, { sequence: 13n });
    expect(pruned).toEqual([3, 2, 1].map((i) => `${DIR}/data-1a2b3c4d-seq${i}.json`));
    expect(host.listDir(DIR)).toEqual(expect.arrayContaining(others));
  });

  test('never the one that this run relies on, even if it is the oldest', () => {
    const host = withBackups(30, 100n);
    const result = backup(host, { sequence: 1n, text: 'backup 1' });
    expect(result.reused).toBe(true);
    expect(left(host)).toEqual([1, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  });

  test('with a pinned clock nothing: it says nothing of the age of files', () => {
    const host = withBackups(30, 100n, { sourceDateEpochNs: NOW + 1000n * DAY });
    expect(backup(host, { sequence: 31n }).pruned).toEqual([]);
    expect(left(host)).toHaveLength(31);
  });

  test('one that cannot be removed is left, and is no reason to fail', () => {
    const host = withBackups(12, 100n);
    const remove = host.removeFile.bind(host);
    host.removeFile = (path) => {
      if (path.endsWith('seq2.json'))
        throw new Fault('FILE_FAILED', { path, doing: 'remove it', reason: 'EPERM' });
      remove(path);
    };
    const { path, pruned } = backup(host, { sequence: 13n });
    expect(pruned).toEqual([3, 1].map((i) => `${DIR}/data-1a2b3c4d-seq${i}.json`));
    expect(host.exists(path)).toBe(true);
  });
});

test('backups lie beside the journal of an image, and under /var/backups for devices', () => {
  const host = new MemoryHost();
  host.addImage('/img/a.img', 512);
  host.addAlias('/home/link.img', '/img/a.img');
  expect(backupDirectory(host, { kind: 'image', firstPath: '/home/link.img' })).toBe('/img');
  expect(backupDirectory(host, { kind: 'image', firstPath: '/img/a.img', dir: '/undo' })).toBe('/undo');
  expect(backupDirectory(host, { kind: 'block', firstPath: '/dev/sda', dir: '/undo' })).toBe(
    DEVICE_BACKUP_DIR,
  );
});
