// SPDX-License-Identifier: GPL-2.0-or-later
// One disk of the lab: its bytes, its volatile write cache, what a power cut leaves of that, and its faults. How a guest
// talks to it is in nbd.ts; the log it writes to, in write-log.ts. Offsets are plain numbers: these disks are small.
import type { ByteSource } from '../../../src/core/extents';
import { clipAtEnd } from '../../../src/source/cover';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { PageStore } from '../page-store';
import type { FaultOptions, Operation } from './faults';
import { Hold, SectorFault } from './faults';
import type { Run } from './pattern';
import { contentRuns } from './pattern';
import type { LogEntry, WriteLog } from './write-log';

export const SECTOR = 512;

export interface DiskOptions {
  /** Its name in the guest (/dev/lab/NAME), its serial number and its export: 1 to 20 letters, digits, "-". */
  readonly name: string;
  readonly sectors: number;
  readonly logicalBlockSize?: 512 | 4096;
  readonly physicalBlockSize?: 512 | 4096;
  /**
   * How the guest sees it. "virtio" has no FUA: the guest makes a write and a flush of all of it. "nbd" is the guest's
   * own driver, over a network: a write with FUA arrives as one. "nvme" reports bad sectors as such (ENODATA); the
   * emulator takes writes with FUA and forgets that they were, so such a disk has no volatile cache here.
   */
  readonly driver?: 'virtio' | 'nbd' | 'nvme';
  readonly readOnly?: boolean;
  /** What the medium writes as a whole in a power cut; larger than 512 only for disks that promise it. */
  readonly tearBytes?: 512 | 4096;
  /**
   * What a write that hits a bad sector leaves: nothing, the sectors in front of the bad one (as a rule), or all but
   * the bad ones.
   */
  readonly failedWrites?: 'nothing' | 'before' | 'around';
}

/** What becomes of writes that were not flushed: each sector of each is kept if `keep` says so. */
export type Keep = (disk: number, sector: number) => boolean;

/** A write in the cache. */
interface Pending {
  readonly sector: number;
  readonly bytes: Uint8Array;
  readonly fua: boolean;
  /** Its place in the log. */
  readonly position: number;
  answered: boolean;
  flushed: boolean;
}

/** On the medium whatever happens: only what the guest was told of is promised. */
const certain = (write: Pending): boolean => write.flushed || (write.fua && write.answered);

/** The outcome of a request. `answered` is to be called when the guest has been told. */
export interface Outcome {
  readonly error: number;
  readonly bytes?: Uint8Array;
  readonly answered?: () => void;
}

const EIO = 5;

/** Writes those sectors (or larger units) of a range that are chosen. */
export function writeChosen(
  store: PageStore,
  sector: number,
  bytes: Uint8Array,
  tearBytes: number,
  chosen: (sector: number) => boolean,
): void {
  const unit = tearBytes / SECTOR;
  for (let at = 0; at < bytes.length;) {
    const place = sector + at / SECTOR;
    const count = Math.min(unit - (place % unit), (bytes.length - at) / SECTOR);
    if (chosen(place)) store.write(place * SECTOR, bytes.subarray(at, at + count * SECTOR));
    at += count * SECTOR;
  }
}

export class VirtualDisk {
  readonly name: string;
  readonly sectors: number;
  /** What reads see. */
  private content: PageStore;
  /** What is on the medium for certain. */
  private durable: PageStore;
  private pending: Pending[] = [];
  private faults: SectorFault[] = [];
  private holds: Hold[] = [];
  private flushFailures = 0;
  private there = true;
  /** Requests since the disk was made, faults or not. */
  readonly counts = { read: 0, write: 0, flush: 0, flushFailures: 0 };
  /** Called for each request, before anything is done for it. */
  onRequest: (() => void) | null = null;

  constructor(
    readonly options: DiskOptions,
    readonly index: number,
    private readonly log: WriteLog,
  ) {
    if (!/^[A-Za-z0-9-]{1,20}$/.test(options.name))
      throw new Error(`"${options.name}" is no name for a disk`);
    this.name = options.name;
    this.sectors = options.sectors;
    this.content = PageStore.of(options.sectors * SECTOR);
    this.durable = this.content.clone();
  }

  get tearBytes(): number {
    return this.options.tearBytes ?? SECTOR;
  }

  // --- faults -------------------------------------------------------------------------------------------------

  failReads(first: number, count = 1, options: FaultOptions = {}): SectorFault {
    return this.addFault(new SectorFault('read', first, count, options));
  }

  failWrites(first: number, count = 1, options: FaultOptions = {}): SectorFault {
    return this.addFault(new SectorFault('write', first, count, options));
  }

  private addFault(fault: SectorFault): SectorFault {
    this.faults.push(fault);
    return fault;
  }

  /** The next so many flushes fail, and make nothing durable. Infinity: all, until 0 is set. */
  failFlushes(times: number): void {
    this.flushFailures = times;
  }

  /** Holds back requests that touch these sectors (a flush touches all) until the hold is released. */
  hold(operation: Operation | 'any', first = 0, count = Infinity): Hold {
    const hold = new Hold(operation, first, first + count);
    this.holds.push(hold);
    return hold;
  }

  /** Ends all faults and releases all holds. The disk is there again. */
  heal(): void {
    this.faults = [];
    this.flushFailures = 0;
    this.there = true;
    for (const hold of this.holds.splice(0)) hold.release();
  }

  /** Every request fails until `appear`. What is in the volatile cache stays there. */
  vanish(): void {
    this.there = false;
  }

  appear(): void {
    this.there = true;
  }

  // --- requests of the guest ----------------------------------------------------------------------------------

  /** The hold that a request has to wait at, if any. */
  holdFor(operation: Operation, start: number, end: number): Hold | undefined {
    return this.holds.find((hold) => hold.matches(operation, start, end));
  }

  private faultFor(operation: 'read' | 'write', start: number, end: number): SectorFault | undefined {
    this.faults = this.faults.filter((fault) => !fault.over);
    return this.faults.find((fault) => fault.operation === operation && fault.touches(start, end));
  }

  private arrived(operation: Operation): void {
    this.counts[operation]++;
    this.onRequest?.();
  }

  /** Bytes, since the emulator itself may read less than a sector. */
  read(offset: number, length: number): Outcome {
    this.arrived('read');
    if (!this.there || offset + length > this.sectors * SECTOR) return { error: EIO };
    const end = Math.ceil((offset + length) / SECTOR);
    const fault = this.faultFor('read', Math.floor(offset / SECTOR), end);
    if (fault === undefined) return { error: 0, bytes: this.content.read(offset, length) };
    fault.hit();
    return { error: fault.errno };
  }

  /** Writes bytes, or so many zeros. */
  write(sector: number, data: Uint8Array | number, fua: boolean): Outcome {
    this.arrived('write');
    const count = typeof data === 'number' ? data : data.length / SECTOR;
    if (!this.there || this.options.readOnly === true || sector + count > this.sectors) return { error: EIO };
    const fault = this.faultFor('write', sector, sector + count);
    if (fault === undefined) return { error: 0, answered: this.store(sector, data, fua, true) };
    fault.hit();
    const kept = this.options.failedWrites ?? 'before';
    for (let i = 0; i < count && kept !== 'nothing'; i++) {
      const bad = this.faults.some((each) => each.operation === 'write' && each.covers(sector + i));
      if ((bad || fault.covers(sector + i)) && kept === 'before') break;
      if (!bad) this.store(sector + i, typeof data === 'number' ? 1 : sectorOf(data, i), false, false)();
    }
    return { error: fault.errno };
  }

  private store(sector: number, data: Uint8Array | number, fua: boolean, good: boolean): () => void {
    const bytes = typeof data === 'number' ? new Uint8Array(data * SECTOR) : Uint8Array.from(data);
    const count = bytes.length / SECTOR;
    const durable = fua || this.options.driver === 'nvme';
    const write: Pending = {
      ...{ sector, bytes, fua: durable, position: this.log.position },
      ...{ answered: false, flushed: false },
    };
    const entry: LogEntry = {
      ...{ kind: 'write', disk: this.index, sector, count, fua: durable, good },
      bytes: typeof data === 'number' ? null : bytes,
      answered: Infinity,
    };
    this.log.add(entry);
    this.content.write(sector * SECTOR, bytes);
    this.pending.push(write);
    for (const fault of this.faults) fault.written(sector, sector + count);
    return () => {
      write.answered = true;
      entry.answered = this.log.position;
      this.settle();
    };
  }

  flush(): Outcome {
    this.arrived('flush');
    if (!this.there) return { error: EIO };
    if (this.flushFailures > 0) {
      this.flushFailures--;
      this.counts.flushFailures++;
      return { error: EIO };
    }
    const open = this.pending.find((write) => !write.answered);
    const covers = open?.position ?? this.log.position;
    const covered =
      open === undefined ? [...this.pending] : this.pending.slice(0, this.pending.indexOf(open));
    const entry: LogEntry = { kind: 'flush', disk: this.index, covers, answered: Infinity };
    this.log.add(entry);
    const answered = (): void => {
      for (const write of covered) write.flushed = true;
      entry.answered = this.log.position;
      this.settle();
    };
    return { error: 0, answered };
  }

  /** Puts the first writes of the cache, as far as they are certain, on the medium. */
  private settle(): void {
    let done = 0;
    for (const write of this.pending) {
      if (!certain(write)) break;
      this.durable.write(write.sector * SECTOR, write.bytes);
      done++;
    }
    this.pending.splice(0, done);
  }

  // --- the host's side ----------------------------------------------------------------------------------------

  /** The power goes: of what was not flushed, `keep` says what survives. Requests that wait are never done. */
  losePower(keep: Keep): void {
    for (const write of this.pending) {
      const chosen = (sector: number): boolean => certain(write) || keep(this.index, sector);
      writeChosen(this.durable, write.sector, write.bytes, this.tearBytes, chosen);
    }
    this.content = this.durable.clone();
    this.pending = [];
    for (const hold of this.holds.splice(0)) hold.forget();
  }

  /** Sectors that would be at risk if the power went now. */
  get unflushedSectors(): number {
    return this.pending.reduce((sum, write) => sum + (certain(write) ? 0 : write.bytes.length / SECTOR), 0);
  }

  /** What reads see now; not changed by what comes later. */
  snapshot(): PageStore {
    return this.content.clone();
  }

  /** Other contents from now on, durable. The guest is not told; it is for when it has nothing open. */
  load(content: PageStore | Uint8Array): void {
    const store = content instanceof Uint8Array ? PageStore.of(content) : content.clone();
    if (store.size !== this.sectors * SECTOR) throw new Error(`${this.name} has ${this.sectors} sectors`);
    this.content = store;
    this.durable = store.clone();
    this.pending = [];
  }

  /** Changes bytes as no logged write does: damage, or a test's preparation. Durable at once. */
  poke(sector: number, bytes: Uint8Array): void {
    this.content.write(sector * SECTOR, bytes);
    this.durable.write(sector * SECTOR, bytes);
  }

  peek(sector: number, count = 1): Uint8Array {
    return this.content.read(sector * SECTOR, count * SECTOR);
  }

  /** What sectors hold: see contentOf(). */
  runs(sector: number, count: number): Run[] {
    return contentRuns(sector, this.peek(sector, count));
  }

  /** The disk as it is now, for the toolkit; sectors with read faults are not unread here, but as they are. */
  source(): ByteSource {
    return storeSource(this.snapshot(), this.options.logicalBlockSize ?? SECTOR);
  }
}

function sectorOf(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.subarray(index * SECTOR, (index + 1) * SECTOR);
}

/** A state of a disk as a source for the toolkit. */
export function storeSource(store: PageStore, logicalBlockSize = SECTOR): ByteSource {
  const sizeBytes = BigInt(store.size);
  return {
    sizeBytes,
    logicalBlockSize,
    readAt: (offset, length) =>
      clipAtEnd(offset, length, sizeBytes, (start, size) => [
        { kind: 'data', start, end: start + BigInt(size), bytes: store.read(Number(start), size) },
      ]),
  };
}

/** Writes a state of a disk into a sparse file, for the commands. */
export function saveStore(store: PageStore, path: string): void {
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, store.size);
    for (const [offset, page] of store.usedPages())
      writeSync(file, page, 0, Math.min(page.length, store.size - offset), offset);
  } finally {
    closeSync(file);
  }
}
