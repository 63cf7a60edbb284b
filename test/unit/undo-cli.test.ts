// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-undo as it is typed: its text, its document, its exit status.
import Ajv2020 from 'ajv/dist/2020';
import schema from '../../docs/schemas/undo.json';
import { parseArgs } from '../../src/cli/args';
import { failureDocument } from '../../src/cli/report';
import type { CliIo } from '../../src/cli/spec';
import { binding } from '../../src/cli/undo';
import { Fault } from '../../src/core/faults';
import { jsonText } from '../../src/render/json';
import type { MemoryHost } from '../support/memory-host';
import { noise } from '../support/journals';
import {
  A,
  B,
  FIRST_JOURNAL,
  images,
  planFor,
  repairedWorld,
  SECOND_JOURNAL,
  world,
  write,
} from '../support/undo-world';

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
  setup 1a2b3c4d-0000-4000-8000-00000000000f
  made by dm-remap-toolkit 1.0.0: dmremap-fsck -y /img/a.img /img/b.img
  spare0/copy1 (COPY_BAD): put back
  spare0/copy0 (COPY_BAD): put back
  spare1/copy0 (COPY_BAD): put back

Undone: every byte is as it was before the repair, and was read back.
To take this undo back:
  dmremap-undo ${SECOND_JOURNAL}
To look at the setup:
  dmremap-fsck -n /img/a.img /img/b.img
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
    expect(out).toContain(`To do it:\n  dmremap-undo ${FIRST_JOURNAL}\n`);
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
