// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-fsck as it is typed: what is a usage error, what is asked and what is not, and what it prints for people and for
// programs. What it finds and repairs is in the cases.
import Ajv2020 from 'ajv/dist/2020';
import explainSchema from '../../docs/schemas/explain.json';
import {
  commit,
  healthyImages,
  imagesOf,
  putCopy,
  RUN_B,
  RUN_C,
  SPARE_BYTES,
  spareImage,
  story,
} from '../../fixtures/build';
import type { World } from '../../fixtures/case';
import { AT, forge, scramble, wipe } from '../../fixtures/damage';
import { binding as fsck } from '../../src/cli/fsck';
import { failureDocument } from '../../src/cli/report';
import { textField } from '../../src/core/bytes';
import { Fault } from '../../src/core/faults';
import { FINDINGS } from '../../src/core/findings';
import { jsonText } from '../../src/render/json';
import { holdSchema, runFsck } from '../support/case-documents';
import { hashes, machineOf } from '../support/case-machine';
import { runBinding } from '../support/run-binding';
import type { Printed } from '../support/run-binding';

const ONE = '/img/spare0.img';
const MIB = 1048576;
const { newest } = story();

/** The only spare with copies 1 and 3 zeroed, and copy 4 corrupt. */
function damaged(): World {
  const bytes = spareImage(newest, 0);
  wipe(bytes, 1);
  wipe(bytes, 3);
  scramble(bytes, 4, 0, 600);
  return { inputs: [{ bytes }], healthy: imagesOf(newest) };
}

function split(): World {
  const two = story({ spares: 2 });
  const alone = (spare: number, run: bigint) =>
    spareImage(commit(two.newest, { run, state: 3, event: 2, spares: [spare] }), spare);
  return { inputs: [{ bytes: alone(0, RUN_B) }, { bytes: alone(1, RUN_C) }] };
}

/** Runs on a machine of its own; tells whether anything changed. */
async function type(world: World, words: readonly string[], answers?: readonly (string | null)[]) {
  const host = machineOf(world);
  const before = hashes(host, world);
  const terminal = answers === undefined ? undefined : { answers, asked: [] as string[] };
  const printed: Printed = await runBinding(fsck, host, words, terminal);
  const changed = hashes(host, world).some((hash, i) => hash !== before[i]);
  return { ...printed, changed, asked: terminal?.asked ?? [] };
}

describe('usage errors: 16, nothing on standard output, nothing changed', () => {
  const bad: readonly (readonly [words: string, says: RegExp])[] = [
    ['-n -p', /-n and -p cannot be given together/],
    ['-n -y', /-n and -y/],
    ['-p -y', /-p and -y/],
    ['-a -y', /-p and -y/],
    ['-p --level basic', /sees too little for repairs/],
    ['-y --level integrity', /sees too little for repairs/],
    ['--level deep', /level/],
    ['-p --force', /--force goes with -y/],
    ['-p --choose 0:0', /--choose goes with -y/],
    ['-p --accept-partial', /--accept-partial goes with -y/],
    ['-y --choose 0', /SPARE:COPY/],
    ['-y --choose 8:0', /SPARE:COPY/],
    ['-y --choose 0:5', /SPARE:COPY/],
    ['-y --choose 0:0 --accept-partial', /--choose and --accept-partial/],
    ['-y --no-undo --undo-dir /x', /--undo-dir and --no-undo/],
    ['-y --no-backup --backup-dir /x', /--backup-dir and --no-backup/],
    ['--setup 1234', /not a UUID/],
    ['--offset -1', /offset/],
    ['--offset 1T', /offset/],
    ['--explain no-such-finding', /no finding/],
    ['--choose 0:0 --choose 1:0 -y', /more than once/],
  ];

  test.each(bad)('%s', async (words, says) => {
    for (const json of [[], ['--json']]) {
      const done = await type(damaged(), [...json, ...words.split(' '), ONE]);
      expect(done).toMatchObject({ status: 16, out: '', changed: false });
      expect(done.err).toMatch(says);
    }
  });

  test('no input at all', async () => {
    expect(await type(damaged(), ['-n'])).toMatchObject({ status: 16, out: '' });
  });

  test('--choose and --main are about one setup', async () => {
    const world = { inputs: [...healthyImages(), ...healthyImages({ id: 2 })].map((bytes) => ({ bytes })) };
    const inputs = [ONE, '/img/spare1.img'];
    expect(await type(world, ['-y', '--choose', '0:0', ...inputs])).toMatchObject({ status: 16, out: '' });
    expect(await type(world, ['-n', '--main', ONE, ...inputs])).toMatchObject({ status: 16, out: '' });
  });

  test('a level below complete, where somebody could be asked', async () => {
    expect(await type(damaged(), ['--level', 'basic', ONE], [])).toMatchObject({ status: 16, asked: [] });
    expect(await type(damaged(), ['-n', '--level', 'basic', ONE], [])).toMatchObject({
      status: 4,
      asked: [],
    });
  });
});

describe('questions', () => {
  test('none is asked, and nothing changed, without a terminal', async () => {
    expect(await type(damaged(), [ONE])).toMatchObject({ status: 4, changed: false, asked: [] });
  });

  test('none is asked with --json, though there is a terminal', async () => {
    const done = await type(damaged(), ['--json', ONE], ['y', 'y', 'y']);
    expect(done).toMatchObject({ status: 4, changed: false, asked: [] });
    expect(JSON.parse(done.out)).toMatchObject({ mode: 'check' });
  });

  test.each([['-n'], ['-p'], ['-y']])('none is asked with %s', async (flag) => {
    expect((await type(damaged(), [flag, ONE], ['y', 'y', 'y'])).asked).toEqual([]);
  });

  test('none is asked where nothing is wrong', async () => {
    const world = { inputs: healthyImages().map((bytes) => ({ bytes })) };
    expect(await type(world, [ONE], [])).toMatchObject({ status: 0, asked: [] });
  });

  test.each([
    ['nothing', ['', '', '']],
    ['no', ['n', 'no', 'NO']],
    ['anything else', ['ok', 'maybe', 'yy']],
    ['the end of input', [null]],
  ])('the default is No: %s', async (_what, answers) => {
    const done = await type(damaged(), [ONE], answers);
    expect(done).toMatchObject({ status: 4, changed: false });
    expect(done.asked).toHaveLength(answers.length);
  });

  test('one for each copy, and yes is only for that one', async () => {
    const done = await type(damaged(), [ONE], ['n', 'y', 'n']);
    expect(done).toMatchObject({ status: 5, changed: true });
    expect(done.asked.map((question) => /copy \d \(\w+\)/.exec(question)?.[0])).toEqual([
      'copy 1 (zeroed)',
      'copy 3 (zeroed)',
      'copy 4 (corrupt)',
    ]);
    expect(done.out).toContain('1 copy was written, synced and read back');
  });

  test('a answers all that follow', async () => {
    const done = await type(damaged(), [ONE], ['n', 'a']);
    expect(done).toMatchObject({ status: 5, changed: true });
    expect(done.asked).toHaveLength(2);
    expect(done.out).toContain('2 copies were written');
  });

  test('yes to all of them is a whole repair', async () => {
    expect(await type(damaged(), [ONE], ['y', 'Y', 'yes'])).toMatchObject({ status: 1, changed: true });
  });

  test('a new generation is one question', async () => {
    const inputs = [ONE, '/img/spare1.img'];
    const no = await type(split(), ['--choose', '0:0', ...inputs], ['n']);
    expect(no).toMatchObject({ status: 4, changed: false });
    expect(no.asked).toHaveLength(1);
    expect(no.asked[0]).toMatch(/new generation to all copies of spare 0, 1/);
    expect(await type(split(), ['--choose', '0:0', ...inputs], ['y'])).toMatchObject({
      status: 1,
      changed: true,
    });
  });

  test('none is asked about what is not permitted', async () => {
    expect(await type(split(), [ONE, '/img/spare1.img'], ['y', 'y'])).toMatchObject({ status: 4, asked: [] });
  });
});

describe('text for people', () => {
  test('a healthy setup is one verdict', async () => {
    const world = { inputs: healthyImages({ spares: 2 }).map((bytes) => ({ bytes })) };
    const { status, out, err } = await type(world, ['-n', ONE, '/img/spare1.img']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(/^Setup data .*5e70a010-0000-4000-8000-000000000000/);
    expect(out).toMatch(/clean.*sequence 6.*10 remaps.*10 of 10 copies good/s);
  });

  test('damage: what, where, and what to type next', async () => {
    const { out } = await type(damaged(), ['-n', ONE]);
    expect(out).toContain('damaged, can be repaired without loss');
    expect(out).toMatch(/copy 1 .*zeroed/);
    expect(out).toMatch(
      /error +spare 0 copy 4 byte 4194304: the copy is corrupt: there is no magic\s+\[copy-corrupt\]/,
    );
    expect(out).toContain(`dmremap-fsck -p ${ONE}`);
  });

  test('the next command looks where this one did', async () => {
    const bytes = new Uint8Array(MIB + SPARE_BYTES);
    bytes.set(damaged().inputs[0]?.bytes ?? new Uint8Array(0), MIB);
    const world: World = { inputs: [{ bytes }] };
    const words = ['--offset', '1M', '--undo-dir', '/un do', '--no-backup'];
    const { out } = await type(world, ['-n', ...words, ONE]);
    const [, command = ''] = /^ {4}dmremap-fsck (-p .*)$/m.exec(out) ?? [];
    expect(command).toBe(`-p --offset 1M --undo-dir '/un do' --no-backup ${ONE}`);
    expect((await type(world, ['-p', ...words, ONE])).status).toBe(1);
  });

  test('a repair: how many copies, the backup, and how to take it back', async () => {
    const { out } = await type(damaged(), ['-p', ONE]);
    expect(out).toContain('3 copies were written, synced and read back');
    expect(out).toMatch(/dmremap-undo \/img\/spare0\.img\.dmremap-undo-5e70a010-001/);
    expect(out).toMatch(/backup +\/img\//);
  });

  test('a split: what can be chosen, with the command for each side', async () => {
    const { out } = await type(split(), ['-n', ONE, '/img/spare1.img']);
    expect(out).toContain('a person has to choose');
    for (const spare of [0, 1]) {
      expect(out).toMatch(
        new RegExp(`to go on with sequence 7, .*10 remaps \\(spare ${spare}\\s+copies 0, 1, 2, 3, 4\\):`),
      );
      expect(out).toContain(`      dmremap-fsck -y --choose ${spare}:0 ${ONE} /img/spare1.img\n`);
    }
  });

  test('a split at a level that reads no contents: the option that is needed', async () => {
    const { out } = await type(split(), ['-n', '--level', 'basic', ONE, '/img/spare1.img']);
    expect(out).toContain('dmremap-fsck -y --choose SPARE:COPY');
  });

  test('the newest only in part: to accept that, or the older whole generation', async () => {
    const image = spareImage(story().at(5), 0);
    putCopy(image, newest, 0, 1);
    scramble(image, 1, AT.events, AT.events + 4096);
    const { out } = await type({ inputs: [{ bytes: image }] }, ['-n', ONE]);
    expect(out).toContain(`    dmremap-fsck -y --accept-partial ${ONE}\n`);
    expect(out).toMatch(/to go on with sequence 5, [^]*dmremap-fsck -y --choose 0:0 /);
  });

  test('--quiet says less, and errors all the same', async () => {
    const loud = await type(damaged(), ['-n', ONE]);
    const quiet = await type(damaged(), ['-n', '-q', ONE]);
    expect(quiet.status).toBe(4);
    expect(quiet.out.length).toBeLessThan(loud.out.length);
    expect(quiet.out).toContain('[copy-corrupt]');
    expect(quiet.out).not.toContain('dmremap-fsck');
  });

  test('--verbose tells of every copy of a clean setup', async () => {
    const world = { inputs: healthyImages().map((bytes) => ({ bytes })) };
    expect((await type(world, ['-n', ONE])).out).not.toMatch(/copy 3/);
    expect((await type(world, ['-n', '-v', ONE])).out).toMatch(/copy 3 +sector 4096 +valid +sequence 6/);
  });

  test('several setups are told one by one, and counted', async () => {
    const world = { inputs: [...healthyImages(), ...healthyImages({ id: 2 })].map((bytes) => ({ bytes })) };
    const { out } = await type(world, ['-n', ONE, '/img/spare1.img']);
    expect(out.match(/^Setup /gm)).toHaveLength(2);
    expect(out).toContain('2 inputs, 2 setups');
  });

  test('nothing from a disk or a path reaches a terminal as it is', async () => {
    const evil = '\u001b[2J\u0007\u202e';
    const generation = forge(newest, (draft) => {
      draft.config.name = textField(`data${evil}`, 128);
      draft.devices[1] = { ...draft.devices[1]!, serial: textField(`sn${evil}`, 64) };
    });
    const path = `/img/a${evil}.img`;
    const world: World = {
      inputs: imagesOf(generation).map((bytes) => ({ bytes, path, kind: 'block', facts: { serial: evil } })),
    };
    const { out, err } = await type(world, ['-n', '-v', path]);
    expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(out).toContain('\\x1b');
    const json = await type(world, ['-n', '--json', path]);
    expect(json.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(JSON.parse(json.out)).toMatchObject({ inputs: [{ path }], setups: [{ name: `data${evil}` }] });
  });
});

describe('JSON', () => {
  test('keys are sorted, and there is no time of day in it', async () => {
    const world = damaged();
    const { out } = await runFsck(machineOf(world), world, ['-p']);
    const sorted = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(sorted);
      else if (typeof value === 'object' && value !== null) {
        const keys = Object.keys(value);
        expect(keys).toEqual([...keys].sort());
        Object.values(value).forEach(sorted);
      }
    };
    sorted(JSON.parse(out));
    const later = machineOf(world, { nowNs: 1_799_000_000_000_000_000n });
    expect((await runFsck(later, world, ['-p'])).out).toBe(out);
  });

  test('a command that ends before it can judge anything prints a document of the same schema', () => {
    const document: unknown = JSON.parse(
      jsonText(failureDocument(fsck, new Fault('NOT_FOUND', { path: '/x' }))),
    );
    holdSchema(document);
    expect(document).toMatchObject({ exitCode: 8, setups: [], error: { code: 'NOT_FOUND' } });
  });

  test('setups are sorted by uuid, spares by index, whatever the order of the inputs', async () => {
    const images = [
      ...healthyImages({ id: 3, spares: 2 }).reverse(),
      ...healthyImages({ id: 1 }),
      ...healthyImages({ id: 2 }),
    ];
    const world = { inputs: images.map((bytes) => ({ bytes })) };
    const { document } = await runFsck(machineOf(world), world, ['-n']);
    expect(document.setups.map(({ spares }) => spares.map(({ index }) => index))).toEqual([[0], [0], [0, 1]]);
  });
});

describe('--explain', () => {
  const validate = new Ajv2020({ strict: true, allErrors: true }).compile(explainSchema);

  test.each(Object.keys(FINDINGS))('%s: what it means, how it comes about, what to do', async (id) => {
    const { status, out } = await type({ inputs: [] }, ['--explain', id]);
    expect(status).toBe(0);
    for (const part of ['What it means', 'How it comes about', 'What to do', 'Repaired by'])
      expect(out).toContain(part);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const json = await type({ inputs: [] }, ['--json', '--explain', id.toUpperCase()]);
    validate(JSON.parse(json.out));
    expect(validate.errors ?? []).toEqual([]);
  });
});
