// SPDX-License-Identifier: GPL-2.0-or-later
// A lab is a rack of disks and, one after another, the guests that use them: booting, cutting the power, and clearing up,
// with the kernel's console checked at each end. This is what scenarios begin with.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildModule } from './builds';
import type { DiskOptions, VirtualDisk } from './disk';
import type { KernelFiles, Series } from './environment';
import { kernelOf, SLOWER } from './environment';
import { Guest } from './guest';
import type { ModuleName } from './initramfs';
import { makeInitramfs } from './initramfs';
import { Machine } from './machine';
import type { Cut } from './rack';
import { Rack } from './rack';

/** What no guest may take longer than, from its start to its end. */
export const BOOT_LIMIT_MS = 60_000 * SLOWER;

/** Setups are made at this time, and guests live after it: the same in every run. Nanoseconds since 1970. */
export const LAB_TIME = 1_760_000_000_000_000_000n;
const BETWEEN_BOOTS_NS = 600_000_000_000n;

/** What a disk's driver is made of. */
const DRIVERS: Readonly<Record<'virtio' | 'nbd' | 'nvme', readonly ModuleName[]>> = {
  virtio: ['virtio_blk'],
  nbd: ['virtio_net', 'nbd nbds_max=16 max_part=0'],
  nvme: ['nvme'],
};

/** A kernel that checks itself, emulated on a busy machine, may stand still for a while; what hangs still meets the limits. */
const PATIENT_WORDS =
  SLOWER > 1 ? 'rcupdate.rcu_cpu_stall_timeout=240 workqueue.watchdog_thresh=240 nowatchdog' : '';

/** Modules that others ask for and can do without. */
const FASTER_WITH_OTHER_PROCESSORS = /(pclmul|intel)[^:]*:ENODEV$/;

export interface BootOptions {
  readonly kernel?: Series | KernelFiles;
  /** Further modules of the kernel's tree: see ModuleName. */
  readonly modules?: readonly ModuleName[];
  /** Load dm-remap, built from kernel/; as a rule. */
  readonly remap?: boolean;
  /** Disks that are not plugged in. */
  readonly without?: readonly string[];
  readonly cpus?: number;
  readonly memoryMiB?: number;
  readonly icount?: boolean;
  readonly append?: string;
  /** Further files in the guest, by path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly limitMs?: number;
}

export interface LabOptions extends BootOptions {
  readonly disks: readonly DiskOptions[];
}

/** What a boot took. */
export interface BootTimes {
  /** From the start of the emulator to the agent's first word, by this machine's clock. */
  readonly wallMs: number;
  /** By the guest's clock. */
  readonly guestMs: number;
}

export class Lab {
  readonly rack: Rack;
  private machine: Machine | null = null;
  private current: Guest | null = null;
  private timer: NodeJS.Timeout | null = null;
  private boots = 0;
  times: BootTimes | null = null;

  private constructor(
    private readonly options: LabOptions,
    private readonly folder: string,
  ) {
    this.rack = new Rack(options.disks);
  }

  /** Disks and no guest yet. Close it in afterAll or afterEach. */
  static async open(options: LabOptions): Promise<Lab> {
    const lab = new Lab(options, mkdtempSync(join(tmpdir(), 'dmremap-lab-')));
    await lab.rack.listen(join(lab.folder, 'rack'));
    return lab;
  }

  disk(name: string): VirtualDisk {
    return this.rack.disk(name);
  }

  /** The guest that runs; throws if there is none. */
  get guest(): Guest {
    if (this.current === null) throw new Error('no guest runs');
    return this.current;
  }

  /** Starts a guest on the disks as they are; options here go before those of the lab. */
  async boot(more: BootOptions = {}): Promise<Guest> {
    if (this.machine !== null) throw new Error('a guest runs already');
    const options = { ...this.options, ...more };
    const disks = this.rack.disks.filter((disk) => options.without?.includes(disk.name) !== true);
    const kernel = this.kernelFor(options);
    const initramfs = join(this.folder, 'initramfs');
    const names = disks.map((disk) => disk.name);
    writeFileSync(initramfs, this.initramfsFor(options, kernel, disks));

    const began = performance.now();
    const machine = await Machine.start({
      ...{ image: kernel.image, initramfs, disks, rack: this.rack.path },
      line: join(this.folder, `line${++this.boots}`),
      clockNs: LAB_TIME + BigInt(this.boots) * BETWEEN_BOOTS_NS,
      // A kernel that watches its memory needs more of it.
      ...{ memoryMiB: options.memoryMiB ?? (SLOWER > 1 ? 1024 : 384), cpus: options.cpus ?? 1 },
      ...{ icount: options.icount === true, append: `${PATIENT_WORDS} ${options.append ?? ''}`.trim() },
    });
    this.machine = machine;
    try {
      const limitMs = options.limitMs ?? BOOT_LIMIT_MS;
      const guest = new Guest(machine, await machine.connected(), names);
      this.current = guest;
      this.timer = setTimeout(() => {
        guest.fail(`${limitMs} ms are over, and no boot may take longer`);
        void machine.kill();
      }, limitMs);
      const [, guestMs, ...words] = await guest.ready(limitMs);
      const troubles = words.filter((word) => !FASTER_WITH_OTHER_PROCESSORS.test(word));
      this.times = { wallMs: Math.round(performance.now() - began), guestMs: Number(guestMs) };
      if (troubles.length > 0)
        throw new Error(`it could not load or find ${troubles.join(' ')}\n${machine.report()}`);
      return guest;
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  private kernelFor(options: BootOptions): KernelFiles {
    const kernel = options.kernel ?? '6.1';
    return typeof kernel === 'string' ? kernelOf(kernel) : kernel;
  }

  private initramfsFor(options: BootOptions, kernel: KernelFiles, disks: readonly VirtualDisk[]): Uint8Array {
    const drivers = disks.flatMap((disk) => DRIVERS[disk.options.driver ?? 'virtio']);
    const remap = options.remap === false ? [] : [buildModule(kernel)];
    return makeInitramfs({
      kernel,
      modules: ['virtio_pci', 'virtio_console', 'dm-mod', ...drivers, ...(options.modules ?? []), ...remap],
      disks: disks.map(({ name, options: { driver, logicalBlockSize } }) =>
        driver === 'nbd' ? `${name} ${this.rack.port} ${logicalBlockSize ?? 512}` : name,
      ),
      files: options.files ?? {},
    });
  }

  /** Takes the power from the guest. What it had not flushed is lost or kept as `cut` says. */
  async powerCut(cut: Cut): Promise<void> {
    this.rack.cut(cut);
    await this.kill();
    this.rack.powerOn();
  }

  /** Ends the machine, whatever it does; what was left of it. */
  private async end(): Promise<Machine | null> {
    const { machine, current } = this;
    this.machine = null;
    this.current = null;
    if (this.timer !== null) clearTimeout(this.timer);
    current?.fail('the guest was ended');
    await machine?.kill();
    this.rack.disconnect();
    return machine;
  }

  /** Ends the guest as it is; the disks keep all that it wrote. Throws if its kernel had reason to complain. */
  async kill(): Promise<void> {
    const machine = await this.end();
    const splats = machine?.console.splats() ?? [];
    if (splats.length > 0)
      throw new Error(`the kernel complained:\n${splats.join('\n')}\n${machine?.report()}`);
  }

  /** Ends the guest, if one runs, and gives everything back. Throws as kill() does. */
  async close(): Promise<void> {
    try {
      await this.kill();
    } finally {
      await this.rack.close();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}
