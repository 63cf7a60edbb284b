// SPDX-License-Identifier: GPL-2.0-or-later
// One output of the process: order, what is kept back, broken pipes and full disks. Real descriptors, scripted streams.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Output, type Sink } from '../../src/cli/output';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'dmremap-output-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A stream that takes everything at once and tells later, or fails. */
function scripted(failure?: NodeJS.ErrnoException) {
  const chunks: Uint8Array[] = [];
  const waiting: (() => void)[] = [];
  const sink: Sink = {
    write(bytes, done) {
      chunks.push(bytes);
      waiting.push(() => done(failure));
      return false;
    },
    on: () => undefined,
  };
  return {
    sink,
    text: () => Buffer.concat(chunks).toString(),
    settle: () => waiting.splice(0).forEach((one) => one()),
  };
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made up`), { code });
}

test('little text goes straight to the descriptor, without a stream', async () => {
  const path = join(folder, 'out');
  const fd = openSync(path, 'w');
  const output = new Output(fd, () => {
    throw new Error('no stream was needed');
  });
  output.write('a');
  output.write('');
  output.write('ü\n');
  await output.drained();
  closeSync(fd);
  expect(readFileSync(path, 'utf8')).toBe('aü\n');
});

test('from the first large text on, everything goes through the stream, in order', async () => {
  const path = join(folder, 'out');
  const fd = openSync(path, 'w');
  const { sink, text, settle } = scripted();
  const output = new Output(fd, () => sink);
  output.write('first');
  output.write('x'.repeat(70_000));
  output.write('last');
  closeSync(fd);
  expect(readFileSync(path, 'utf8')).toBe('first');
  expect(text()).toBe(`${'x'.repeat(70_000)}last`);

  let drained = false;
  const waiting = output.drained().then(() => void (drained = true));
  await Promise.resolve();
  expect(drained).toBe(false);
  settle();
  await waiting;
  expect(output.failure).toBeUndefined();
});

test('a reader that has gone is no failure, and nothing more is written', async () => {
  const { sink, text, settle } = scripted(errno('EPIPE'));
  const output = new Output(-1, () => sink);
  const large = 'x'.repeat(70_000);
  output.write(large);
  settle();
  await output.drained();
  output.write('more');
  expect(text()).toBe(large);
  expect(output.broken).toBe(true);
  expect(output.failure).toBeUndefined();
});

test('a full disk is a failure', () => {
  const fd = openSync('/dev/full', 'w');
  const output = new Output(fd, () => scripted().sink);
  output.write('text');
  closeSync(fd);
  expect(output.failure).toMatch(/ENOSPC/);
  expect(output.broken).toBe(false);
});

test('an error of the stream itself is kept', async () => {
  let report: ((error: Error) => void) | undefined;
  const sink: Sink = { write: () => true, on: (_, listener) => void (report = listener) };
  const output = new Output(-1, () => sink);
  output.write('x'.repeat(70_000));
  report?.(errno('EIO'));
  expect(output.failure).toMatch(/EIO/);
});
