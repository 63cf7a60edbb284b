// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format as it is typed: what its options set, which command lines make no sense, its text and its document.
import Ajv2020 from 'ajv/dist/2020';
import schema from '../../docs/schemas/format.json';
import { parseArgs } from '../../src/cli/args';
import { binding, optionsFrom } from '../../src/cli/format';
import { POLICY_OPTIONS } from '../../src/cli/format-policy';
import { failureDocument } from '../../src/cli/report';
import type { CliIo } from '../../src/cli/spec';
import type { FormatOptions } from '../../src/commands/format-plan';
import { textOf } from '../../src/core/bytes';
import { Fault } from '../../src/core/faults';
import { DEFAULT_POLICY } from '../../src/core/newsetup';
import { jsonText } from '../../src/render/json';
import { writeExt4 } from '../support/content';
import {
  contentsOn,
  decide,
  formatWorld,
  hashOf,
  MAIN,
  MIB,
  SETUP_UUID,
  SPARES,
} from '../support/format-world';
import { noise } from '../support/journals';
import type { MemoryHost } from '../support/memory-host';

const validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);
const BASE = ['--name', 'data', '--main', MAIN, ...SPARES];
const [S0, S1] = SPARES;

function parse(...argv: string[]): FormatOptions {
  return optionsFrom(parseArgs(binding.spec, argv));
}

/** What the usage error says. */
function usage(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof Fault && error.code === 'USAGE') return error.sentence;
    throw error;
  }
  return 'accepted';
}

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
    const out = args.flag('json') ? jsonText(failureDocument(binding, error)) : '';
    return { status: error.exit, out, err: error.sentence };
  }
}

async function document(host: MemoryHost, ...argv: string[]): Promise<Record<string, unknown>> {
  const { out } = await run(host, '--json', ...argv);
  const value = JSON.parse(out) as Record<string, unknown>;
  validate(value);
  expect(validate.errors).toBeNull();
  return value;
}

describe('options', () => {
  test('the defaults', () => {
    expect(parse(...BASE)).toMatchObject({
      name: 'data',
      main: MAIN,
      spares: SPARES,
      description: '',
      uuid: null,
      policy: DEFAULT_POLICY,
      tunables: [],
      remapUnit: null,
      sectorSize: null,
      badList: null,
      dryRun: false,
      force: false,
      undo: { dir: undefined },
    });
  });

  test.each(POLICY_OPTIONS.map((option) => [option.name, option] as const))(
    '--%s sets its field of CONFIG on the spare, and no other',
    async (name, option) => {
      // A largest chunk below the smallest one would be refused.
      const number =
        option.name === 'scan-chunk-max' ? 4096 : option.kind === 'number' ? option.least + 1 : 0;
      const typed =
        option.kind === 'flag' ? [] : [option.kind === 'word' ? option.words.at(-1)! : String(number)];
      const value =
        option.kind === 'flag' ? option.sets : option.kind === 'word' ? option.words.length - 1 : number;
      expect(value).not.toBe(DEFAULT_POLICY[option.field]);
      expect(parse(`--${name}`, ...typed, ...BASE).policy).toEqual({
        ...DEFAULT_POLICY,
        [option.field]: value,
      });
      const host = formatWorld();
      expect((await run(host, `--${name}`, ...typed, '--uuid', SETUP_UUID, ...BASE)).status).toBe(0);
      const { config } = contentsOn(host, S1);
      const policy = Object.fromEntries(POLICY_OPTIONS.map(({ field }) => [field, config[field]]));
      expect(policy).toEqual({ ...DEFAULT_POLICY, [option.field]: value });
      expect(decide(host, SETUP_UUID).verdict).toBe('clean');
    },
  );

  test('numbers at their limits', () => {
    for (const option of POLICY_OPTIONS) {
      if (option.kind !== 'number') continue;
      const { name, least, most } = option;
      const also =
        name === 'scan-chunk-min'
          ? ['--scan-chunk-max', '4294967295']
          : name === 'scan-chunk-max'
            ? ['--scan-chunk-min', '1']
            : [];
      for (const value of [least, most]) {
        expect(parse(`--${name}`, String(value), ...also, ...BASE).policy[option.field]).toBe(value);
      }
      expect(usage(`--${name}`, String(most + 1), ...also, ...BASE)).toBe(
        `--${name}: ${most + 1} is not in ${least} to ${most}`,
      );
      if (least > 0) expect(usage(`--${name}`, '0', ...also, ...BASE)).toContain('is not in');
      for (const text of ['', '1x', '-1', '1.5', '1e3', ' 1']) {
        expect(usage(`--${name}=${text}`, ...also, ...BASE)).toBe(
          `--${name}: '${text}' is not a whole number`,
        );
      }
    }
    expect(parse('--pre-checks', '0xfF', ...BASE).policy.preChecks).toBe(255);
    expect(usage('--scan-chunk-min', '4096', ...BASE)).toBe(
      '--scan-chunk-min (4096) is above --scan-chunk-max (2048)',
    );
  });

  test('tunables', async () => {
    const host = formatWorld();
    await run(host, '--tunable', 'a=1', '--tunable', 'b=0xffffffffffffffff', ...BASE);
    const { config } = contentsOn(host, S0);
    expect(config.tunables.slice(0, 2).map(({ name, value }) => [textOf(name), value])).toEqual([
      ['a', 1n],
      ['b', (1n << 64n) - 1n],
    ]);
    expect(config.tunableCount).toBe(2);
    const tunable = (text: string): string => usage('--tunable', text, ...BASE);
    expect(tunable('a')).toBe("--tunable: 'a' is not NAME=VALUE");
    expect(tunable('=1')).toBe("--tunable: '=1' is not NAME=VALUE");
    expect(tunable('a b=1')).toBe("--tunable: 'a b=1' is not NAME=VALUE");
    expect(tunable('a=')).toBe("--tunable a: '' is not a whole number");
    expect(tunable('a=18446744073709551616')).toContain('is not in 0 to 18446744073709551615');
    expect(tunable(`${'x'.repeat(32)}=1`)).toContain('is longer than 31 bytes');
    expect(tunable(`${'x'.repeat(31)}=1`)).toBe('accepted');
    expect(usage('--tunable', 'a=1', '--tunable', 'a=2', ...BASE)).toBe("--tunable: 'a' was given twice");
    const many = (count: number): string[] =>
      Array.from({ length: count }, (_, i) => ['--tunable', `t${i}=1`]).flat();
    expect(usage(...many(32), ...BASE)).toBe('accepted');
    expect(usage(...many(33), ...BASE)).toBe('--tunable: 33 were given; 32 fit');
  });

  test('the others', () => {
    expect(parse('--remap-unit', '8', ...BASE).remapUnit).toBe(8);
    expect(parse('--remap-unit', '1', ...BASE).remapUnit).toBe(1);
    expect(parse('--sector-size', '4096', ...BASE).sectorSize).toBe(4096);
    expect(parse('--uuid', SETUP_UUID.toUpperCase(), ...BASE).uuid).toBe(SETUP_UUID);
    expect(parse('--no-undo', ...BASE).undo).toBeNull();
    expect(parse('--undo-dir', '/u', ...BASE).undo).toEqual({ dir: '/u' });
    expect(parse('--dry-run', ...BASE).dryRun).toBe(true);
    expect(parse('-n', '--force', ...BASE)).toMatchObject({ dryRun: true, force: true });
    expect(parse('--bad-blocks', '/b', '--block-size', '1024', ...BASE).badList).toEqual({
      kind: 'bad-blocks',
      path: '/b',
      blockSize: 1024,
    });
    expect(parse('--mapfile', '/m', '--untried-lost', ...BASE).badList).toEqual({
      kind: 'mapfile',
      path: '/m',
      untriedLost: true,
    });
  });

  test.each([
    ['--name must be given', ['--main', MAIN, S0]],
    ['--main must be given', ['--name', 'data', S0]],
    ['--name is empty', ['--name', '', '--main', MAIN, S0]],
    ["'a/b' contains a slash", ['--name', 'a/b', '--main', MAIN, S0]],
    ['has 90 bytes, more than 89', ['--name', 'x'.repeat(90), '--main', MAIN, S0]],
    ['--description: longer than 127 bytes', ['--description', 'ä'.repeat(64), ...BASE]],
    ["--uuid: 'x' is not a usable uuid", ['--uuid', 'x', ...BASE]],
    ['is not a usable uuid', ['--uuid', '00000000-0000-0000-0000-000000000000', ...BASE]],
    ['--remap-unit', ['--remap-unit', '4', ...BASE]],
    ['--sector-size', ['--sector-size', '1024', ...BASE]],
    ['--spare-policy', ['--spare-policy', 'random', ...BASE]],
    ['--bad-blocks needs --block-size', ['--bad-blocks', '/b', ...BASE]],
    ['--block-size needs --bad-blocks', ['--block-size', '512', ...BASE]],
    ['is not a multiple of 512', ['--bad-blocks', '/b', '--block-size', '1000', ...BASE]],
    ['--untried-lost needs --mapfile', ['--untried-lost', ...BASE]],
    ['cannot be given together', ['--mapfile', '/m', '--bad-blocks', '/b', '--block-size', '512', ...BASE]],
    ['cannot be given together', ['--undo-dir', '/u', '--no-undo', ...BASE]],
    ['was given more than once', ['--name', 'twice', ...BASE]],
  ])('%s', (message, argv) => {
    expect(usage(...argv)).toContain(message);
  });
});

describe('output', () => {
  test('text: what was made, what went, how to take it back, what to type next', async () => {
    const host = formatWorld();
    host.poke(S1, 3 * MIB, noise(1, 100));
    const { status, out, err } = await run(host, '--uuid', SETUP_UUID, ...BASE);
    expect([status, err]).toEqual([0, '']);
    expect(out).toBe(`Made the setup data (${SETUP_UUID}):
8192 sectors, 10 copies of the metadata, remap unit of 1 sector.

  device   sectors  blocks   data at + sectors  path
  main        8192  512/512  0 + 8192           /img/main.img
  spare 0    16384  512/512  10240 + 6144       /img/spare0.img
  spare 1    16384  512/512  10240 + 6144       /img/spare1.img

Room for remaps: 12288 sectors.
spare 1: 4096 bytes that were not all zero, and not recognised as anything:
overwritten

To take it back:
  dmremap-undo /img/spare0.img.dmremap-undo-0b5c7a52-001
Next:
  dmremap-fsck -n /img/spare0.img /img/spare1.img
(Images must be attached with losetup before a target can use them.)
`);
  });

  test('text: the command that opens a setup of block devices', async () => {
    const host = formatWorld();
    const names = ['/dev/a', '/dev/b'];
    for (const name of names) host.addBlock(name, 8 * MIB);
    const { out } = await run(host, '--name', 'my data', '--main', '/dev/a', '/dev/b');
    expect(out).toContain("  dmsetup create 'my data' --table '0 16384 remap /dev/a 0 1 /dev/b'\n");
  });

  test('text: a dry run shows entries and writes, and changes nothing', async () => {
    const host = formatWorld();
    host.addImage('/lists/bad', new TextEncoder().encode('100\n'));
    const before = hashOf(host);
    const { out } = await run(host, '-n', '--bad-blocks', '/lists/bad', '--block-size', '512', ...BASE);
    expect(out).toContain('Would make the setup data (uuid to be chosen at random)');
    expect(out).toContain(
      '1 sector of main in 1 entry is lost from the start.\nRoom for more remaps: 12287 sectors.\n',
    );
    expect(out).toMatch(/^ +100 +1 +0 +10240$/m);
    expect(out).toMatch(/^ +0 +4096 {2}spare0\/copy0 {2}\/img\/spare0\.img$/m);
    expect(out).toContain('Nothing was written. To make it, run the same command without -n.');
    expect(hashOf(host)).toBe(before);
  });

  test('text: nothing from a disk reaches the terminal unescaped', async () => {
    const host = formatWorld();
    const bytes = new Uint8Array(8 * MIB);
    writeExt4(bytes);
    bytes.set(new TextEncoder().encode('\u001b[31mred'), 1024 + 120);
    host.addImage(S0, bytes);
    const { out } = await run(host, '--force', ...BASE);
    expect(out).toContain('label "\\x1b[31mred"');
    expect(out).not.toContain('\u001b');
  });

  test('JSON: a dry run and the real one, the same for the same input', async () => {
    const host = formatWorld();
    host.addImage('/lists/bad', new TextEncoder().encode('100\n101\n'));
    const argv = ['--uuid', SETUP_UUID, '--bad-blocks', '/lists/bad', '--block-size', '512', ...BASE];
    const plan = await document(host, '-n', ...argv);
    const made = await document(host, ...argv);
    expect({ ...plan, status: 'made' }).toEqual(made);
    expect(made).toMatchObject({
      schema: 'dmremap.format/1',
      exitCode: 0,
      status: 'made',
      setup: { uuid: SETUP_UUID, name: 'data', sequence: '1', remapUnit: 1, targetSectors: '8192' },
      remapCount: 1,
      lostSectors: '2',
      remaps: [
        {
          mainSector: '100',
          spareIndex: 0,
          spareSector: '10240',
          length: '2',
          reason: 'read error',
          flags: ['DATA_LOST'],
        },
      ],
      undo: null,
      table: '0 8192 remap /img/main.img 0 2 /img/spare0.img /img/spare1.img',
      warnings: [],
    });
    expect((await run(formatWorld(), '--json', '--uuid', SETUP_UUID, ...BASE)).out).toBe(
      (await run(formatWorld(), '--json', '--uuid', SETUP_UUID, ...BASE)).out,
    );
  });

  test('JSON: nothing of a dry run without --uuid is random', async () => {
    const one = await run(formatWorld(), '--json', '-n', ...BASE);
    expect(await document(formatWorld(), '-n', ...BASE)).toEqual(JSON.parse(one.out));
  });

  test('JSON: a refusal is a document too', async () => {
    const host = formatWorld();
    host.setInUse(S0, ['mounted at /mnt']);
    const { status } = await run(host, '--json', ...BASE);
    expect(status).toBe(8);
    expect(await document(host, ...BASE)).toMatchObject({
      exitCode: 8,
      error: { code: 'IN_USE', fields: { path: S0 } },
    });
  });

  test('warnings go to stderr, and into the document', async () => {
    const host = formatWorld();
    host.resize(MAIN, 64 * 512);
    const { err } = await run(host, ...BASE);
    expect(err).toMatch(/^dmremap-format: \/img\/main\.img: not all of the sectors .*\n$/);
    expect((await document(host, '--force', ...BASE))['warnings']).toHaveLength(1);
  });
});
