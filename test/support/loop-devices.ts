// SPDX-License-Identifier: GPL-2.0-or-later
// Loop devices for tests: attaching, detaching for certain, and saying why there are none. No tests here.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Why loop devices cannot be used here, or null if they can. */
export function whyNoLoopDevices(): string | null {
  if (process.getuid?.() !== 0) return 'not root';
  try {
    accessSync('/dev/loop-control', constants.W_OK);
    run('losetup', '--version');
    run('blockdev', '--version');
    run('partx', '--version');
    return null;
  } catch {
    return 'no /dev/loop-control, or no losetup, blockdev or partx';
  }
}

/** describe() where loop devices are to be had; elsewhere a skipped block whose title says why. */
export function describeWithLoops(title: string, body: () => void): void {
  const why = whyNoLoopDevices();
  if (why === null) describe(title, body);
  else describe.skip(`${title} (skipped: ${why})`, body);
}

export interface LoopOptions {
  readonly sectorSize?: 512 | 4096;
  readonly readOnly?: boolean;
  /** Make nodes for its partitions. */
  readonly partitions?: boolean;
}

/** Loop devices that are all detached by `detachAll()`, which belongs into afterAll. */
export class LoopDevices {
  private readonly attached: { node: string; partitions: boolean }[] = [];

  /** Attaches an image; returns the node ("/dev/loop3"). */
  attach(image: string, options: LoopOptions = {}): string {
    const args = ['--show', '-f', '-b', String(options.sectorSize ?? 512)];
    if (options.readOnly === true) args.push('-r');
    const node = run('losetup', ...args, image);
    this.attached.push({ node, partitions: options.partitions === true });
    // partx and not losetup -P: kernels without support for the table's kind take partitions from partx all the same.
    if (options.partitions === true) run('partx', '--update', node);
    // A read-only mark outlives the detaching, and somebody else's test may have left one on this number.
    if (options.readOnly !== true && this.isReadOnly(node)) this.setReadOnly(node, false);
    return node;
  }

  setReadOnly(node: string, readOnly: boolean): void {
    run('blockdev', readOnly ? '--setro' : '--setrw', node);
  }

  isReadOnly(node: string): boolean {
    return readFileSync(`/sys/class/block/${basename(node)}/ro`, 'utf8').trim() === '1';
  }

  detach(node: string): void {
    const index = this.attached.findIndex((each) => each.node === node);
    const [found] = index === -1 ? [] : this.attached.splice(index, 1);
    if (found === undefined) return;
    try {
      this.setReadOnly(node, false);
      if (found.partitions) run('partx', '--delete', node);
    } finally {
      run('losetup', '-d', node);
    }
  }

  /** Goes on past failures, so that one device in use does not leave all others behind; throws the first of them. */
  detachAll(): void {
    const failures: unknown[] = [];
    for (const { node } of [...this.attached].reverse()) {
      try {
        this.detach(node);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
