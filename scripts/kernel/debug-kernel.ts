// SPDX-License-Identifier: GPL-2.0-or-later
// Builds a 6.1 kernel that checks itself (KASAN, lockdep and more: test/kernel/debug.config) out of Debian's source
// package, once, into the cache of the kernel suite. What is run on it is in scripts/debug-kernel.ts.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Apt, must, SetupFailure, unpack } from './apt';
import type { KernelFiles } from './cache';

const SOURCE = 'linux-source-6.1';

/** What building a kernel takes, besides what every module does: a file, and its package. */
const NEEDED: readonly (readonly [file: string, packageName: string])[] = [
  ['/usr/bin/flex', 'flex'],
  ['/usr/bin/bison', 'bison'],
  ['/usr/bin/bc', 'bc'],
];

/** Sources of what this configuration never builds, as tar's patterns: most of the tree. Kconfig files stay. */
const UNUSED = [
  ...[
    'Documentation',
    'drivers/gpu',
    'drivers/media',
    'drivers/staging',
    'drivers/infiniband',
    'drivers/usb',
  ],
  ...[
    'drivers/iio',
    'drivers/scsi',
    'drivers/net/ethernet',
    'drivers/net/wireless',
    'drivers/hwmon',
    'sound',
  ],
  ...[
    'arch/arm',
    'arch/arm64',
    'arch/mips',
    'arch/powerpc',
    'arch/s390',
    'arch/sparc',
    'arch/ia64',
    'fs/xfs',
  ],
  ...['fs/btrfs', 'tools/testing', 'tools/perf'],
].flatMap((folder) =>
  ['[chS]', 'dts', 'dtsi', 'rst', 'yaml', 'json'].map((end) => `${SOURCE}/${folder}/*.${end}`),
);

/** Runs a step of the build with all that it prints in a log; throws a SetupFailure with the end of it. */
function logged(log: string, program: string, args: readonly string[], cwd: string): void {
  const file = openSync(log, 'a');
  try {
    const done = spawnSync(program, args, {
      cwd,
      stdio: ['ignore', file, file],
      env: { ...process.env, LC_ALL: 'C' },
    });
    if (done.error !== undefined) throw new SetupFailure(`${program}: ${done.error.message}`);
    if (done.status === 0) return;
  } finally {
    closeSync(file);
  }
  const said = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-20).join('\n');
  throw new SetupFailure(`${program} ${args.join(' ')} failed; the end of ${log}:\n${said}`);
}

/** The lines of a configuration that make did not take over: an option that silently went missing checks nothing. */
export function missingOptions(wanted: string, got: string): string[] {
  const have = new Set(got.split('\n'));
  return wanted.split('\n').filter((line) => /^CONFIG_\w+=/.test(line) && !have.has(line));
}

function build(apt: Apt, place: string, config: string, say: (line: string) => void): void {
  const scratch = `${place}.${process.pid}`;
  const tree = join(scratch, 'source');
  const log = `${place}.log`;
  mkdirSync(tree, { recursive: true });
  rmSync(log, { force: true });
  try {
    for (const deb of apt.fetch([SOURCE], scratch)) unpack(deb, scratch);
    say('unpacking the source');
    const packed = join(scratch, 'usr', 'src', `${SOURCE}.tar.xz`);
    must('tar', [
      ...['-x', '-J', '-f', packed, '-C', tree, '--strip-components=1'],
      ...UNUSED.map((pattern) => `--exclude=${pattern}`),
    ]);
    rmSync(packed);
    const make = (...args: readonly string[]): void => logged(log, 'make', args, tree);
    make('tinyconfig');
    const wanted = join(scratch, 'wanted.config');
    writeFileSync(wanted, config);
    logged(log, 'scripts/kconfig/merge_config.sh', ['-m', '.config', wanted], tree);
    make('olddefconfig');
    const missing = missingOptions(config, readFileSync(join(tree, '.config'), 'utf8'));
    if (missing.length > 0) throw new SetupFailure(`the kernel does not know ${missing.join(', ')}`);
    say(`building, which takes ten minutes and more; progress is in ${log}`);
    // Not vmlinux, which a machine could start as well: its entry (PVH) runs before KASAN has its shadow, and dies.
    make(`-j${availableParallelism()}`, 'bzImage', 'modules');
    make('modules_install', `INSTALL_MOD_PATH=${scratch}`, 'INSTALL_MOD_STRIP=1', 'DEPMOD=/usr/sbin/depmod');
    // What modules are built against is the tree; its objects are of no more use.
    logged(log, 'find', ['.', '-name', '*.o', '-not', '-path', './scripts/*', '-delete'], tree);
    renameSync(scratch, place);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The checked kernel, built where the cache has none of this source and configuration yet. Throws a SetupFailure. */
export function debugKernel(root: string, cache: string, say: (line: string) => void): KernelFiles {
  const config = readFileSync(join(root, 'test', 'kernel', 'debug.config'), 'utf8');
  const hash = createHash('sha256').update(config).digest('hex').slice(0, 12);
  const place = join(cache, `debug-${hash}`);
  if (!existsSync(place)) {
    const apt = new Apt(say);
    const missing = NEEDED.filter(([file]) => !existsSync(file)).map(([, name]) => name);
    if (missing.length > 0) apt.install(missing);
    build(apt, place, config, say);
  }
  const source = join(place, 'source');
  const release = readFileSync(join(source, 'include', 'config', 'kernel.release'), 'utf8').trim();
  return {
    ...{ series: '6.1', release, version: `${release} ${hash}`, moduleRoot: place, headers: source },
    image: join(source, 'arch', 'x86', 'boot', 'bzImage'),
  };
}
