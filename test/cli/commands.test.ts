// SPDX-License-Identifier: GPL-2.0-or-later
// What holds for each of the built commands alike: launchers, code cache, help, version, usage errors, man pages,
// completions. What a command does is tested in a file of its own.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { COMMANDS, EXIT_STATUS } from '../../src/cli/common';
import { generatedFiles } from '../../src/cli/generate';
import { bin, files, version } from '../../package.json';
import { binding as dump } from '../../src/cli/dump';
import { binding as format } from '../../src/cli/format';
import { binding as fsck } from '../../src/cli/fsck';
import { binding as inspect } from '../../src/cli/inspect';
import { binding as restore } from '../../src/cli/restore';
import { binding as undo } from '../../src/cli/undo';
import { testWith } from '../support/tools';

const root = join(__dirname, '..', '..');
const specs = [format, fsck, undo, inspect, dump, restore].map(({ spec }) => spec);
const each = describe.each(specs.map((spec) => ({ name: spec.name, spec })));

function run(program: string, ...argv: string[]) {
  const done = spawnSync(process.execPath, [program, ...argv], { encoding: 'utf8', cwd: tmpdir() });
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'dmremap-commands-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('there are six commands, and package.json installs each', () => {
  expect(specs.map(({ name }) => name)).toEqual([...COMMANDS]);
  expect(Object.keys(bin).sort()).toEqual([...COMMANDS].sort());
});

each('$name', ({ name, spec }) => {
  const launcher = join(root, 'bin', name);

  test('starts from the checkout, and through a symbolic link as npm makes it', () => {
    expect(statSync(launcher).mode & 0o111).toBe(0o111);
    const link = join(folder, name);
    symlinkSync(launcher, link);
    const done = spawnSync(link, ['--version'], { encoding: 'utf8', cwd: tmpdir() });
    expect([done.stdout, done.stderr]).toEqual([`${name} (dm-remap-toolkit) ${version}\n`, '']);
  });

  test('--help fits 80 columns and shows the examples', () => {
    const { status, stdout, stderr } = run(launcher, '--help');
    expect([status, stderr]).toEqual([0, '']);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(spec.examples.length).toBeGreaterThan(0);
    for (const { command } of spec.examples) expect(stdout).toContain(command);
  });

  test('its examples name no option that it does not have', () => {
    const known = run(launcher, '--help').stdout;
    for (const { command } of spec.examples) {
      const own = command.split(/[|>;]/).find((part) => part.includes(name)) ?? '';
      for (const option of own.match(/(?<=\s)--[a-z-]+/g) ?? []) expect(known).toContain(option);
    }
  });

  test('an unknown option is a usage error, in --json too: nothing on stdout', () => {
    const wrong = {
      status: 16,
      stdout: '',
      stderr: `${name}: unknown option --nope\nTry '${name} --help'.\n`,
    };
    expect(run(launcher, '--nope')).toEqual(wrong);
    expect(run(launcher, '--json', '--nope')).toEqual(wrong);
  });

  test('without operands: a usage error that names what is missing', () => {
    const { status, stdout, stderr } = run(launcher);
    expect([status, stdout]).toEqual([16, '']);
    expect(stderr).toContain(`Try '${name} --help'.\n`);
  });

  test('an option of the common ones is not defined twice', () => {
    const names = run(launcher, '--help').stdout.match(/^ {2}(-.*?)(?= {2}|$)/gm) ?? [];
    const single = names.flatMap((heading) => heading.match(/(?<=^|[\s,])--?[A-Za-z][\w-]*/g) ?? []);
    expect([...single].sort()).toEqual([...new Set(single)].sort());
  });

  test('its bundle is pure ASCII, and V8 takes the code cache that was built with it', () => {
    const source = readFileSync(join(root, 'dist', `${name}.js`), 'latin1');
    expect(Buffer.from(source, 'latin1').every((byte) => byte < 0x80)).toBe(true);
    const cache = readFileSync(join(root, 'dist', `${name}.js.cache`));
    expect(cache.toString('latin1', 0, 64)).toBe(source.slice(2, 66));
    const wrapped = `(function(exports,require,module,__filename,__dirname){${source}\n})`;
    expect(new Script(wrapped, { cachedData: cache.subarray(64) }).cachedDataRejected).toBe(false);
  });

  test('man page and completions are those that its option table gives', () => {
    for (const [path, text] of generatedFiles([spec]))
      expect(readFileSync(join(root, path), 'utf8')).toBe(text);
  });

  test('the man page tells the exit status as every other', () => {
    const page = readFileSync(join(root, 'man', `${name}.8`), 'utf8');
    for (const { status } of EXIT_STATUS) expect(page).toContain(`\n.B ${status}\n`);
  });

  testWith('man')('the man page passes man --warnings', () => {
    const page = join(root, 'man', `${name}.8`);
    const done = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], {
      encoding: 'utf8',
    });
    expect([done.status, done.stderr]).toEqual([0, '']);
  });

  testWith('groff')('the man page passes groff with every warning', () => {
    const page = join(root, 'man', `${name}.8`);
    const done = spawnSync('groff', ['-ww', '-man', '-Tutf8', page], { encoding: 'utf8' });
    expect([done.status, done.stderr]).toEqual([0, '']);
  });

  test('bash reads its completion', () => {
    const script = `source completions/bash/${name} && complete -p ${name}`;
    const done = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: root });
    expect([done.status, done.stderr]).toEqual([0, '']);
  });
});

describe('the launcher', () => {
  /** A copy of the shipped files that a test may damage. */
  function copy(name: string): string {
    const place = join(folder, name);
    for (const part of ['bin', 'dist']) cpSync(join(root, part), join(place, part), { recursive: true });
    return place;
  }

  test('does without a code cache, and with one that is damaged, cut, or of another bundle', () => {
    const place = copy('caches');
    const launcher = join(place, 'bin', 'dmremap-undo');
    const cache = join(place, 'dist', 'dmremap-undo.js.cache');
    const good = readFileSync(cache);
    const version = run(launcher, '--version');
    expect(version.status).toBe(0);
    const flipped = Buffer.from(good);
    flipped[70] = (flipped[70] ?? 0) ^ 0xff;
    const other = readFileSync(join(place, 'dist', 'dmremap-dump.js.cache'));
    for (const bytes of [
      Buffer.alloc(0),
      good.subarray(0, 40),
      good.subarray(0, 64),
      good.subarray(0, 100),
      flipped,
      other,
    ]) {
      writeFileSync(cache, bytes);
      expect(run(launcher, '--version')).toEqual(version);
    }
    rmSync(cache);
    expect(run(launcher, '--version')).toEqual(version);
  });

  test('says what to do when nothing is built', () => {
    const place = copy('unbuilt');
    rmSync(join(place, 'dist'), { recursive: true });
    expect(run(join(place, 'bin', 'dmremap-fsck'), '-n', 'x')).toEqual({
      status: 8,
      stdout: '',
      stderr: `dmremap-fsck: ${place}/dist/dmremap-fsck.js is missing: the toolkit is not built\nRun 'npm ci' in ${place}.\n`,
    });
  });
});

describe('the package', () => {
  test('names folders that are there', () => {
    for (const path of files)
      expect({ path, there: existsSync(join(root, path)) }).toEqual({ path, there: true });
  });

  test('has in it everything that an installed command needs', () => {
    const argv = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const done = spawnSync('npm', argv, { encoding: 'utf8', cwd: root });
    const [{ files: packed }] = JSON.parse(done.stdout) as [{ files: { path: string }[] }];
    const paths = packed.map(({ path }) => path);
    const needed = COMMANDS.flatMap((name) => [
      `bin/${name}`,
      `dist/${name}.js`,
      `dist/${name}.js.cache`,
      `man/${name}.8`,
      `completions/bash/${name}`,
      `completions/zsh/_${name}`,
      `completions/fish/${name}.fish`,
    ]);
    expect(paths).toEqual(
      expect.arrayContaining([...needed, 'bin/launch.js', 'dist/THIRD-PARTY.txt', 'README.md', 'LICENSE']),
    );
    expect(paths.filter((path) => /^(src|test|scripts|node_modules|bench|fixtures)\//.test(path))).toEqual(
      [],
    );
  });

  test('needs no other package to run', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest['dependencies']).toBeUndefined();
    expect(readFileSync(join(root, 'dist', 'THIRD-PARTY.txt'), 'utf8')).toMatch(
      /^yargs-parser 21\.[\d.]+ \(ISC\)$/m,
    );
  });

  test('the lock file names no host that packages were fetched from', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved"/);
  });
});
