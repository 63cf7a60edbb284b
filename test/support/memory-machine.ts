// SPDX-License-Identifier: GPL-2.0-or-later
// The test machine beneath MemoryHost: its files and directories, the faults a test gives them, the one log of
// mutations and the cutting of the power. What commands call is in memory-host.ts, the bytes of one file in memory-file.ts.
import { posix } from 'node:path';
import { Fault } from '../../src/core/faults';
import { coin, MemoryFile } from './memory-file';
import type { Cache, FileOptions, PendingWrite, Tear } from './memory-file';
import { prng } from './prng';

/** The machine lost power; thrown by every call until reboot(). Deliberately no Fault: no command may handle it. */
export class PowerCut extends Error {
  constructor() {
    super('power cut');
    this.name = 'PowerCut';
  }
}

/** One step that changes something. A new file takes several: create, a write per chunk, sync, sync-name. */
export interface Mutation {
  readonly kind: 'create' | 'write' | 'sync' | 'sync-name' | 'remove' | 'make-directory';
  readonly path: string;
  /** For writes; bytes. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface PowerCutPlan {
  /** Index in the log, counted from 0, of the mutation that does not happen (or, torn, only in part). */
  readonly at: number;
  /** Only for writes; without it nothing of the write reaches the medium. */
  readonly tear?: Tear;
  /** Default 'kept'. */
  readonly cache?: Cache;
}

export interface MachineOptions {
  readonly nowNs?: bigint;
  readonly sourceDateEpochNs?: bigint;
  readonly seed?: number;
}

interface Snapshot {
  readonly files: ReadonlyMap<string, { file: MemoryFile; state: ReturnType<MemoryFile['save']> }>;
  readonly directories: ReadonlySet<string>;
  readonly made: number;
}

const NOTHING = new Uint8Array(0);

export class MemoryMachine {
  log: Mutation[] = [];
  protected readonly files = new Map<string, MemoryFile>();
  protected readonly aliases = new Map<string, string>();
  protected directories = new Set<string>(['/']);
  private readonly failing: { prefix: string; reason: string; afterBytes: number }[] = [];
  private plan: PowerCutPlan | null = null;
  private down = false;
  private made = 0;
  protected nextRandom: () => number;

  constructor(protected readonly machine: MachineOptions = {}) {
    this.nextRandom = prng(machine.seed ?? 1);
  }

  // What a test sets up. None of it is logged.

  /** An image file with these bytes, or of so many zero bytes. Its directory comes into being with it. */
  addImage(path: string, content: number | Uint8Array, options: FileOptions = {}): void {
    this.add(path, 'image', content, options);
  }

  addBlock(path: string, content: number | Uint8Array, options: FileOptions = {}): void {
    this.add(path, 'block', content, options);
  }

  /** Another name for a file that is there. */
  addAlias(alias: string, path: string): void {
    this.aliases.set(posix.resolve(alias), posix.resolve(path));
  }

  addDirectory(path: string): void {
    for (let at = posix.resolve(path); at !== '/'; at = posix.dirname(at)) this.directories.add(at);
  }

  bytesOf(path: string): Uint8Array {
    const { content } = this.file(path);
    return content.read(0, content.size);
  }

  /** Its pages of 4096 bytes that are not all zero: a quick way to compare files that are mostly zero. */
  usedPages(path: string): Iterable<readonly [offset: number, page: Uint8Array]> {
    return this.file(path).content.usedPages();
  }

  /** Damages a file. */
  poke(path: string, offset: number, bytes: Uint8Array): void {
    this.file(path).poke(offset, bytes);
  }

  resize(path: string, size: number): void {
    this.file(path).resize(size);
  }

  setInUse(path: string, reasons: readonly string[]): void {
    this.file(path).uses = [...reasons];
  }

  setMtime(path: string, ns: bigint): void {
    this.file(path).mtimeNs = ns;
  }

  /** Reads of [start, end) fail, until it is written to unless `permanent`. */
  failReads(path: string, start: bigint, end: bigint, reason = 'EIO: i/o error', permanent = false): void {
    this.file(path).failReads({ start, end, reason }, permanent);
  }

  /** Writes that touch [start, end) fail; what of them lies before `start` is written. */
  failWrites(path: string, start: bigint, end: bigint, reason = 'EIO: i/o error'): void {
    this.file(path).failWrites({ start, end, reason });
  }

  /** Writes to [start, end) seem to succeed and change nothing. */
  loseWrites(path: string, start: bigint, end: bigint): void {
    this.file(path).loseWrites({ start, end, reason: 'lost' });
  }

  /** The first `succeeding` syncs work, later ones fail. */
  failSyncs(path: string, succeeding = 0): void {
    this.file(path).syncsLeft = succeeding;
  }

  /** Making files and directories, and appending, fails below `prefix` once a call has written `afterBytes`. */
  failFiles(prefix: string, reason = 'ENOSPC: no space left on device', afterBytes = 0): void {
    this.failing.push({ prefix: posix.resolve(prefix), reason, afterBytes });
  }

  /** Takes back every fault given to the files and directories. */
  heal(): void {
    for (const file of this.files.values()) file.heal();
    this.failing.length = 0;
  }

  cutPower(plan: PowerCutPlan): void {
    this.plan = plan;
  }

  get isDown(): boolean {
    return this.down;
  }

  /** Power is back: what survived is what there is. The log begins anew. */
  reboot(): void {
    this.down = false;
    this.plan = null;
    this.log = [];
  }

  snapshot(): Snapshot {
    const files = new Map([...this.files].map(([path, file]) => [path, { file, state: file.save() }]));
    return { files, directories: new Set(this.directories), made: this.made };
  }

  /** Everything as it was, power on, no cut planned; log, time and random numbers start anew, so that a run repeats. */
  restore(snapshot: Snapshot): void {
    this.files.clear();
    for (const [path, { file, state }] of snapshot.files) {
      file.load(state);
      this.files.set(path, file);
    }
    this.directories = new Set(snapshot.directories);
    this.made = snapshot.made;
    this.nextRandom = prng(this.machine.seed ?? 1);
    this.reboot();
  }

  // The log, and the end of the power

  protected write(path: string, file: MemoryFile, offset: number, bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.mutate('write', path, () => file.write(offset, copy), { offset, bytes: copy });
    file.mtimeNs = this.machineTime();
  }

  protected mutate(kind: Mutation['kind'], path: string, apply: () => unknown, write?: PendingWrite): void {
    this.needPower();
    const index = this.log.length;
    this.log.push({ kind, path, offset: write?.offset ?? 0, bytes: write?.bytes ?? NOTHING });
    if (this.plan?.at === index) this.losePower(this.plan, path, write ?? null);
    apply();
  }

  private losePower(plan: PowerCutPlan, path: string, write: PendingWrite | null): never {
    const cache = plan.cache ?? 'kept';
    const survives = cache === 'kept' ? null : cache === 'lost' ? () => false : coin(cache.seed);
    for (const [name, file] of [...this.files]) {
      file.losePower(survives, name === path ? write : null, plan.tear ?? null);
      if (!file.nameIsDurable && survives !== null && !survives()) this.files.delete(name);
      file.nameIsDurable = true;
    }
    this.down = true;
    throw new PowerCut();
  }

  protected machineTime(): bigint {
    return this.machine.sourceDateEpochNs ?? this.machine.nowNs ?? 1_700_000_000_000_000_000n;
  }

  protected needPower(): void {
    if (this.down) throw new PowerCut();
  }

  // Names

  protected resolve(path: string): string {
    const name = posix.resolve(path);
    return this.aliases.get(name) ?? name;
  }

  private file(path: string): MemoryFile {
    const file = this.files.get(this.resolve(path));
    if (file === undefined) throw new Fault('NOT_FOUND', { path });
    return file;
  }

  protected input(path: string): MemoryFile {
    this.needPower();
    if (this.directories.has(this.resolve(path))) throw new Fault('IS_DIRECTORY', { path });
    return this.file(path);
  }

  private add(
    path: string,
    kind: MemoryFile['kind'],
    content: number | Uint8Array,
    options: FileOptions,
  ): void {
    const name = posix.resolve(path);
    this.addDirectory(posix.dirname(name));
    this.files.set(name, this.newFile(kind, content, options));
  }

  protected newFile(
    kind: MemoryFile['kind'],
    content: number | Uint8Array,
    options: FileOptions,
  ): MemoryFile {
    const number = ++this.made;
    return new MemoryFile(kind, kind === 'block' ? `b:7:${number}` : `f:1:${number}`, content, options);
  }

  protected failWhenFull(path: string, doing: string, bytes: number): void {
    const name = this.resolve(path);
    const hit = this.failing.find(
      ({ prefix, afterBytes }) =>
        (name === prefix || name.startsWith(prefix === '/' ? '/' : `${prefix}/`)) && bytes >= afterBytes,
    );
    if (hit !== undefined) throw new Fault('FILE_FAILED', { path, doing, reason: hit.reason });
  }
}
