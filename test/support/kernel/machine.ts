// SPDX-License-Identifier: GPL-2.0-or-later
// One emulated machine: its command line, its process, its console and its line to the agent. What is said over that
// line is in guest.ts. Always the emulator's own translation, never KVM: /dev/kvm may be there and not work.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { GuestConsole } from './console';
import type { VirtualDisk } from './disk';

export interface MachineOptions {
  /** Path of the kernel's image. */
  readonly image: string;
  /** Path of the initramfs. */
  readonly initramfs: string;
  readonly disks: readonly VirtualDisk[];
  /** Socket of the rack. */
  readonly rack: string;
  /** Socket to make for the agent's line. */
  readonly line: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Count instructions: the guest's clock then is a measure of its work, and not of this machine's. */
  readonly icount: boolean;
  /** What the guest's clock says at the start; nanoseconds since 1970. */
  readonly clockNs: bigint;
  /** Further words for the kernel. */
  readonly append: string;
}

function diskArguments(disk: VirtualDisk, rack: string): string[] {
  const { name, options } = disk;
  if (options.driver === 'nbd') return [];
  const node = `node-${name}`;
  const logical = options.logicalBlockSize ?? 512;
  const physical = Math.max(logical, options.physicalBlockSize ?? 512);
  const device = [
    // Merging would make one request of several, and a fault in one would fail all.
    options.driver === 'nvme' ? 'nvme' : 'virtio-blk-pci,request-merging=off',
    `drive=${node}`,
    `serial=${name}`,
    `logical_block_size=${logical}`,
    `physical_block_size=${physical}`,
  ];
  const readOnly = options.readOnly === true ? ['read-only=on'] : [];
  const source = [
    'driver=nbd',
    `node-name=${node}`,
    'server.type=unix',
    `server.path=${rack}`,
    `export=${name}`,
    'discard=unmap',
    ...readOnly,
  ];
  return ['-blockdev', source.join(','), '-device', device.join(',')];
}

/** A network that ends in this machine. */
const NETWORK = ['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='];

/**
 * An oops ends the machine, so that a test need not wait for what will never come. Without the self-tests of the
 * kernel's ciphers and the second look at the clock a boot takes a quarter less.
 */
const KERNEL_WORDS = [
  ...['console=ttyS0', 'quiet', 'oops=panic', 'panic=-1', 'nokaslr'],
  ...['cryptomgr.notests', 'tsc=reliable', 'no_timer_check'],
];

/** Where instructions are counted, measuring this timer takes longer than all of the rest of a boot. */
const ICOUNT_WORDS = ['nolapic_timer'];
/** Where they are not, nobody needs what keeps processors from guessing: emulated, each indirect call pays for it. */
const OTHER_WORDS = ['mitigations=off'];

function machineArguments(options: MachineOptions): string[] {
  const thread = options.cpus > 1 && !options.icount ? 'multi' : 'single';
  const words = [...KERNEL_WORDS, ...(options.icount ? ICOUNT_WORDS : OTHER_WORDS), options.append];
  return [
    ...['-accel', `tcg,thread=${thread}`, '-m', String(options.memoryMiB), '-smp', String(options.cpus)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', options.image, '-initrd', options.initramfs, '-append', words.join(' ').trim()],
    ...['-rtc', `base=${new Date(Number(options.clockNs / 1_000_000n)).toISOString().slice(0, 19)}`],
    ...['-serial', 'stdio', '-chardev', `socket,id=line,path=${options.line}`],
    ...['-device', 'virtio-serial-pci,max_ports=2', '-device', 'virtserialport,chardev=line'],
    ...(options.icount ? ['-icount', 'shift=0,sleep=off'] : []),
    ...(options.disks.some((disk) => disk.options.driver === 'nbd') ? NETWORK : []),
    ...options.disks.flatMap((disk) => diskArguments(disk, options.rack)),
  ];
}

export class Machine {
  readonly console = new GuestConsole();
  /** What the emulator itself had to say. */
  private complaints = '';
  private ended = false;
  private readonly end: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    server: Server,
    private readonly line: Promise<Socket>,
  ) {
    child.stdout?.setEncoding('latin1').on('data', (chunk: string) => this.console.add(chunk));
    child.stderr?.setEncoding('latin1').on('data', (chunk: string) => {
      this.complaints += chunk;
    });
    this.end = new Promise((resolve) => {
      child.on('close', () => {
        this.ended = true;
        server.close();
        resolve();
      });
    });
  }

  static async start(options: MachineOptions): Promise<Machine> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.line, resolve);
    });
    const line = new Promise<Socket>((resolve) => server.once('connection', resolve));
    // A test process that is killed must not leave machines behind that run on for ever.
    const args = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...machineArguments(options)];
    const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const machine = new Machine(child, server, line);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return machine;
  }

  /** The agent's line; throws if the emulator ends before it makes one. */
  async connected(): Promise<Socket> {
    const gone = this.end.then(() => {
      throw new Error(`the emulator ended at once\n${this.report()}`);
    });
    return await Promise.race([this.line, gone]);
  }

  /** Resolves when the emulator has ended and said all that it had to. */
  async off(): Promise<void> {
    await this.end;
  }

  /** What is known about a machine that does not do as it should. */
  report(): string {
    const own = this.complaints.trim();
    return `${own === '' ? '' : `the emulator: ${own}\n`}the console:\n${this.console.tail()}`;
  }

  /** Ends the emulator, and it alone, at once. */
  async kill(): Promise<void> {
    if (!this.ended) this.child.kill('SIGKILL');
    await this.end;
  }
}
