// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-inspect from words to output, on images in memory: what it shows of healthy and damaged setups, its document,
// its exit status, and that it changes nothing.
import Ajv2020 from 'ajv/dist/2020';
import schema from '../../docs/schemas/inspect.json';
import {
  commit,
  copyBytes,
  entriesOf,
  firstGeneration,
  imagesOf,
  putCopy,
  RUN_A,
  setupUuid,
  slotAt,
  SPARE_BYTES,
} from '../../fixtures/build';
import { flip, scramble, wipe } from '../../fixtures/damage';
import { binding } from '../../src/cli/inspect';
import type { Generation } from '../../src/core/generation';
import { MemoryHost } from '../support/memory-host';
import { runBinding } from '../support/run-binding';
import type { Printed } from '../support/run-binding';

const NOW_NS = 1_760_000_000_000_000_000n;
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

function machine(images: readonly Uint8Array[]): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  images.forEach((image, i) => {
    host.addImage(`/img/s${i}`, image);
  });
  return host;
}

function healthy(spares = 2, entries = 30): Generation {
  return commit(firstGeneration({ spares, entries, name: 'vault' }), {
    entries: entriesOf(entries, spares, true),
  });
}

const inspect = (host: MemoryHost, ...words: string[]): Promise<Printed> => runBinding(binding, host, words);

interface Document {
  exitCode: number;
  setups: Setup[];
  findings: { id: string }[];
  error?: { code: string };
}
interface Setup {
  [key: string]: unknown;
  remaps: Record<string, unknown>[];
  spares: { index: number | null; path: string; copies: Record<string, unknown>[] }[];
  differences: { fields: { path: string }[]; ranges: unknown[] } | null;
}

async function inspectJson(host: MemoryHost, ...words: string[]): Promise<Document> {
  const printed = await inspect(host, '--json', ...words);
  const document = JSON.parse(printed.out) as Document;
  validate(document);
  expect(validate.errors ?? []).toEqual([]);
  expect(document.exitCode).toBe(printed.status);
  return document;
}

describe('a healthy setup', () => {
  const host = machine(imagesOf(healthy()));

  test('in short, exit 0, and nothing is changed', async () => {
    const { status, out, err } = await inspect(host, '/img/s0', '/img/s1');
    expect([status, err]).toEqual([0, '']);
    expect(out).toContain(
      `Setup vault (${setupUuid()})\n  verdict  clean\n  winner   sequence 2, spare 0 copy 0\n`,
    );
    expect(out).toContain('\nRemaps: 32\n');
    expect(out).toContain('  the first are shown; all of them: --remaps\n');
    for (const title of ['Header', 'Devices', 'Configuration', 'Health', 'Events: 2'])
      expect(out).toContain(`\n${title}\n`);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(host.log).toEqual([]);
  });

  test('only what is asked for, and that in full', async () => {
    const { out } = await inspect(host, '--remaps', '/img/s0', '/img/s1');
    expect(out.match(/^ +\d+ {2,}8 {2}/gm)).toHaveLength(30);
    expect(out.match(/retired +8 /g)).toHaveLength(2);
    expect(out).not.toMatch(/^(Header|Devices|Configuration|Events)/m);
    expect((await inspect(host, '--events', '/img/s0')).out).toMatch(/^Events: 2$/m);
    expect((await inspect(host, '--devices', '/img/s0')).out).toMatch(/^Device record: spare 1$/m);
    expect((await inspect(host, '--config', '/img/s0')).out).toMatch(/^ {2}scan_interval_s +86400$/m);
  });

  test('the document has the remaps as specified', async () => {
    const document = await inspectJson(host, '/img/s0', '/img/s1');
    const [setup] = document.setups;
    expect(setup).toMatchObject({
      format: 'dmremap-v4',
      name: 'vault',
      verdict: 'clean',
      remapCount: 32,
      lostSectors: '32',
    });
    expect(setup?.remaps[3]).toEqual({
      mainSector: '2096',
      spareIndex: 1,
      spareSector: '10248',
      length: '8',
      reason: 'predictive',
      flags: ['DATA_LOST'],
      createdNs: '1714564863000000000',
    });
    expect(setup?.spares.map(({ index, path, copies }) => [index, path, copies.length])).toEqual([
      [0, '/img/s0', 5],
      [1, '/img/s1', 5],
    ]);
    expect((await inspect(host, '--json', '/img/s0', '/img/s1')).out).toBe(
      (await inspect(host, '--json', '/img/s0', '/img/s1')).out,
    );
  });

  test('a spare that was not given is shown as such', async () => {
    const { status, out } = await inspect(host, '/img/s1');
    expect(status).toBe(0);
    expect(out).toMatch(/^ {2}spare 0 +- +- +not given/m);
  });
});

describe('damage', () => {
  const generation = healthy();
  const images = imagesOf(generation);
  const [first = new Uint8Array(0)] = images;
  flip(first, 1, 0x30);
  flip(first, 2, 24576 + 100);
  scramble(first, 3, 0, 524288);
  wipe(first, 4);
  const host = machine(images);

  test('exit 4, and the state of each copy', async () => {
    const document = await inspectJson(host, '/img/s0', '/img/s1');
    expect(document.exitCode).toBe(4);
    expect(
      document.setups[0]?.spares[0]?.copies.map(({ state, header, valid }) => [state, header, valid]),
    ).toEqual([
      ['valid', 'good', true],
      ['corrupt', 'bad', false],
      ['corrupt', 'good', false],
      ['corrupt', 'bad', false],
      ['zeroed', 'bad', false],
    ]);
    expect(document.setups[0]?.spares[0]?.copies[2]).toMatchObject({
      badSections: [{ type: 5, crcOk: false, badRecords: [0] }],
    });
  });

  test('--copy shows what stands there, valid or not', async () => {
    const { out } = await inspect(host, '--copy', '2', '--remaps', '/img/s0');
    expect(out).toContain('spare 0 copy 2, sector 2048, /img/s0\n  header   intact\n');
    expect(out).toContain('  REMAPS   checksum WRONG; bad records: 0\n');
    const document = await inspectJson(host, '--copy', '1', '/img/s0');
    expect(document.setups[0]?.spares[0]?.copies).toHaveLength(1);
    expect(document.setups[0]?.spares[0]?.copies[0]).toMatchObject({
      contents: { header: { sequence: '3' } },
    });
  });

  test('--hex: annotated where there is a structure, plain where there is none', async () => {
    const annotated = await inspect(host, '--hex', '--copy', '1', '/img/s0');
    expect(annotated.out).toMatch(/^00000030 {2}03 00 00 00 00 00 00 00 +sequence +3$/m);
    expect(annotated.out).not.toMatch(/^Remaps/m);
    const plain = await inspect(host, '--hex', '--copy', '3', '/img/s0');
    expect(plain.out).toMatch(/^00000000: ([0-9a-f]{2} ){16}/m);
    expect((await inspect(host, '--hex', '--copy', '4', '/img/s0')).out).toContain('bytes, all zero\n');
    const document = await inspectJson(host, '--hex', '--copy', '0', '/img/s0');
    const hex = document.setups[0]?.spares[0]?.copies[0]?.['hex'] as string;
    expect(hex).toBe(Buffer.from(copyBytes(generation, 0, 0)).toString('hex'));
  });

  test('--diff takes two values, as documented', async () => {
    const { status, out } = await inspect(host, '/img/s0', '--diff', '0:0', '0:1', '/img/s1');
    expect(status).toBe(4);
    expect(out).toContain('Differences between 0:0 and 0:1\n');
    expect(out).toMatch(/^ {2}header\.sequence +2 +3$/m);
    const document = await inspectJson(host, '--diff', '0:2', '1:0', '/img/s0', '/img/s1');
    expect(document.setups[0]?.differences?.fields.map(({ path }) => path)).toContain(
      'remaps[0].entries[3].mainSector',
    );
  });
});

describe('usage and inputs', () => {
  const host = machine([
    ...imagesOf(healthy()),
    ...imagesOf(firstGeneration({ id: 7 })),
    new Uint8Array(SPARE_BYTES),
  ]);

  test.each([
    [['--diff', '0:0', '/img/s0', '/img/s1'], 16, "--diff: '/img/s0' is not SPARE:COPY, as in 0:3"],
    [['--diff', '0:0', '9:0', '/img/s0'], 16, '--diff: 9 is not in 0 to 7'],
    [['--diff', '0:0', '0:5', '/img/s0'], 16, '--diff: 5 is not in 0 to 4'],
    [['--copy', '5', '/img/s0'], 16, 'copy'],
    [['--diff', '0:0', '0:1', '/img/s0', '/img/s2'], 16, '--diff compares copies of one setup'],
    [['--diff', '0:0', '1:1', '/img/s0'], 8, 'spare 1 copy 1 is not among the inputs'],
    [['/img/none'], 8, '/img/none: no such file or device'],
    [['/img/s3'], 8, ''],
  ])('%j: exit %i', async (words, wanted, message) => {
    const { status, out, err } = await inspect(host, ...words);
    expect(status).toBe(wanted);
    expect(err).toContain(message);
    expect(out).toBe('');
  });

  test('a fault after the scan is one document that fits the schema', async () => {
    const document = await inspectJson(host, '--diff', '0:0', '1:1', '/img/s0');
    expect(document.error?.code).toBe('NO_SUCH_COPY');
  });

  test('several setups, sorted by uuid', async () => {
    const document = await inspectJson(host, '/img/s2', '/img/s0', '/img/s1');
    expect(document.setups.map((setup) => setup['setupUuid'])).toEqual([setupUuid(1), setupUuid(7)]);
  });

  test('an input without a setup is a finding, and 8 is added', async () => {
    const document = await inspectJson(host, '/img/s0', '/img/s1', '/img/s3', '/img/none');
    expect(document.exitCode).toBe(8);
    expect(document.findings.map(({ id }) => id).sort()).toEqual(['input-none', 'input-unopened']);
  });
});

describe('what is in doubt', () => {
  test('a lost setup is shown all the same', async () => {
    const images = imagesOf(healthy(1));
    const [image = new Uint8Array(0)] = images;
    for (const copy of [0, 1, 2, 3, 4]) scramble(image, copy, 0, 4096);
    const document = await inspectJson(machine(images), '/img/s0');
    expect(document.exitCode).toBe(4);
    expect(document.setups[0]).toMatchObject({ verdict: 'lost', winner: null, remaps: [], header: null });
    expect(document.setups[0]?.spares[0]?.copies).toHaveLength(5);
    const { out } = await inspect(machine(images), '--copy', '0', '--remaps', '/img/s0');
    expect(out).toContain('unknown spare copy 0, sector 0, /img/s0\n');
    expect(out.match(/predictive/g)?.length).toBeGreaterThan(0);
  });

  test('both sides of a split', async () => {
    const base = healthy(2);
    const images = imagesOf(base);
    const [a = new Uint8Array(0), b = new Uint8Array(0)] = images;
    const left = commit(base, { run: RUN_A, entries: entriesOf(3, 2) });
    const right = commit(base, { entries: entriesOf(5, 2) });
    for (const copy of [0, 1, 2, 3, 4]) putCopy(a, left, 0, copy);
    for (const copy of [0, 1, 2, 3, 4]) putCopy(b, right, 1, copy);
    const { status, out } = await inspect(machine(images), '--diff', '0:0', '1:0', '/img/s0', '/img/s1');
    expect(status).toBe(4);
    expect(out).toContain('verdict  split');
    expect(out).toMatch(/^ {2}header\.run_id/m);
    expect(out).toMatch(/^ {2}remaps\[main 2096\] +not there/m);
  });

  test('a copy that cannot be read: exit 4 and 8, and ?? in its dump', async () => {
    const host = machine(imagesOf(healthy(1)));
    host.failReads('/img/s0', BigInt(slotAt(2)), BigInt(slotAt(2) + 4096));
    const { status, out } = await inspect(host, '--hex', '--copy', '2', '/img/s0');
    expect(status).toBe(12);
    expect(out).toContain('header: not read');
  });
});

test('the largest setup is shown without holding its text', async () => {
  const generation = commit(firstGeneration({ spares: 8, entries: 15_494 }), {
    entries: entriesOf(15_494, 8),
  });
  const host = machine(imagesOf(generation).slice(0, 1));
  const { status, out } = await inspect(host, '--remaps', '/img/s0');
  expect(status).toBe(0);
  expect(out.split('\n').length).toBeGreaterThan(15_494);
});
