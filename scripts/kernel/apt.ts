// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel suite needs of Debian's packages: which programs are missing, installing them, and fetching packages
// to be unpacked without being installed. What is fetched, and where it goes, is in setup.ts.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A step that failed, with what the program said. */
export class SetupFailure extends Error {}

/** Runs a program; its standard output. Throws a SetupFailure with the end of what it printed. */
export function must(program: string, args: readonly string[], cwd?: string): string {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (done.error !== undefined) throw new SetupFailure(`${program}: ${done.error.message}`);
  if (done.status === 0) return done.stdout;
  const said = `${done.stdout}\n${done.stderr}`.trim().split('\n').slice(-12).join('\n');
  throw new SetupFailure(`${program} ${args.join(' ')} ended with status ${String(done.status)}:\n${said}`);
}

/** A file that is there when its package is installed. Looked up by file, for that takes no time. */
const NEEDED: readonly (readonly [file: string, packageName: string])[] = [
  ['/usr/bin/qemu-system-x86_64', 'qemu-system-x86'],
  ['/usr/bin/gcc-12', 'gcc-12'],
  ['/usr/bin/gcc', 'gcc'],
  ['/usr/bin/make', 'make'],
  ['/usr/bin/strip', 'binutils'],
  ['/usr/lib/x86_64-linux-gnu/libc.a', 'libc6-dev'],
  ['/usr/include/linux/dm-ioctl.h', 'linux-libc-dev'],
  ['/usr/include/libelf.h', 'libelf-dev'],
  ['/usr/sbin/dmsetup', 'dmsetup'],
  ['/usr/sbin/depmod', 'kmod'],
  ['/usr/bin/xz', 'xz-utils'],
  ['/usr/bin/zstd', 'zstd'],
  ['/usr/bin/sparse', 'sparse'],
  ['/usr/bin/prove', 'perl'],
];

/** Packages that are not installed yet, of those whose programs the suite runs on this machine. */
export function missingPackages(): string[] {
  const there = (file: string): boolean => existsSync(file) || existsSync(file.replace(/^\/usr\//, '/'));
  return NEEDED.filter(([file]) => !there(file)).map(([, name]) => name);
}

// Another run may hold dpkg's lock; and in a folder of root's, apt's own user could not write.
const OPTIONS = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=600', '-o', 'APT::Sandbox::User=root'];

export class Apt {
  private updated = false;

  constructor(private readonly say: (line: string) => void) {}

  /** Reads the package lists anew, once. */
  private update(): void {
    if (this.updated) return;
    this.say('reading the package lists');
    must('apt-get', [...OPTIONS, 'update']);
    this.updated = true;
  }

  install(packages: readonly string[]): void {
    this.update();
    this.say(`installing ${packages.join(', ')}`);
    must('apt-get', [...OPTIONS, 'install', '--no-install-recommends', ...packages]);
  }

  /** Names of the packages that `name` depends on, in the newest version on offer. */
  dependsOn(name: string): string[] {
    this.update();
    return must('apt-cache', ['depends', '--important', name])
      .split('\n')
      .flatMap((line) => /^\s*\|?Depends:\s+([^<\s]\S*)$/.exec(line)?.[1] ?? []);
  }

  /** The version that apt would install. */
  candidate(name: string): string {
    this.update();
    const version = /^\s*Candidate: (.+)$/m.exec(must('apt-cache', ['policy', name]))?.[1] ?? '(none)';
    if (version === '(none)') throw new SetupFailure(`the package ${name} is on offer nowhere`);
    return version;
  }

  /** Fetches packages into an empty folder; the paths of the files. */
  fetch(packages: readonly string[], folder: string): string[] {
    this.update();
    this.say(`fetching ${packages.join(', ')}`);
    must('apt-get', [...OPTIONS, 'download', ...packages], folder);
    return readdirSync(folder)
      .filter((name) => name.endsWith('.deb'))
      .map((name) => join(folder, name));
  }
}

/** Unpacks a package's files below `into`, without those that match a pattern of tar's. */
export function unpack(deb: string, into: string, exclude: readonly string[] = []): void {
  const patterns = exclude.map((pattern) => `--exclude=${pattern}`);
  const script = 'set -o pipefail; deb=$1; shift; dpkg-deb --fsys-tarfile "$deb" | tar -x "$@"';
  must('bash', ['-c', script, 'unpack', deb, '-C', into, ...patterns]);
}
