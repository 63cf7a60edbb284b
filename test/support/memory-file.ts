// SPDX-License-Identifier: GPL-2.0-or-later
// One file or device of the test machine: its bytes, its volatile write cache, what a power cut leaves of them, and
// the faults it was given. Names, directories and the log of mutations are in memory-host.ts.
import type { DeviceFacts, ContentHints } from '../../src/core/device-facts';
import type { Extent } from '../../src/core/extents';
import type { BadRange } from '../../src/source/memory';
import { cutBadRanges } from '../../src/source/memory';
import { clipAtEnd } from '../../src/source/cover';
import { PageStore } from './page-store';
import { prng } from './prng';

const SECTOR = 512;

/**
 * Which 512-byte sectors of the write that the cut hits reach the medium: the first so many, those of a bit mask (bit
 * 0 is the first), or a pseudo-random choice.
 */
export type Tear = { readonly sectors: number } | { readonly mask: bigint } | { readonly seed: number };

/** What becomes of writes that were not synced: all reach the medium, none do, or a pseudo-random choice of sectors. */
export type Cache = 'kept' | 'lost' | { readonly seed: number };

export interface PendingWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface FileOptions {
  readonly logicalBlockSize?: number;
  readonly readOnly?: boolean;
  readonly facts?: Partial<DeviceFacts>;
  readonly hints?: Partial<ContentHints>;
}

interface ReadFault extends BadRange {
  /** A drive reassigns a bad sector when it is written to, unless this says that it can't. */
  readonly permanent: boolean;
}

interface FileState {
  readonly content: PageStore;
  readonly durable: PageStore;
  readonly pending: readonly PendingWrite[];
  readonly nameIsDurable: boolean;
  readonly badReads: readonly ReadFault[];
}

export class MemoryFile {
  content: PageStore;
  /** What is on the medium for certain: the content at the last sync. */
  private durable: PageStore;
  private pending: PendingWrite[] = [];
  nameIsDurable = true;
  uses: string[] = [];
  openExclusively = false;
  mtimeNs = 0n;
  private badReads: ReadFault[] = [];
  private badWrites: BadRange[] = [];
  private lostWrites: BadRange[] = [];
  /** Syncs that still succeed; null: all do. */
  syncsLeft: number | null = null;

  constructor(
    readonly kind: 'image' | 'block',
    readonly identity: string,
    content: number | Uint8Array,
    readonly options: FileOptions,
  ) {
    this.content = PageStore.of(content);
    this.durable = this.content.clone();
  }

  get logicalBlockSize(): number {
    return this.options.logicalBlockSize ?? 512;
  }

  get sizeBytes(): bigint {
    return BigInt(this.content.size);
  }

  readAt(offset: bigint, length: number): Extent[] {
    return clipAtEnd(offset, length, this.sizeBytes, (start, size) =>
      cutBadRanges(start, size, this.badReads, (from, count) => this.content.read(Number(from), count)),
    );
  }

  /** The part of a write that succeeds, and the reason why the rest does not (null: all does). */
  admit(offset: bigint, bytes: Uint8Array): { admitted: Uint8Array; reason: string | null } {
    const end = offset + BigInt(bytes.length);
    const hit = this.badWrites.find((range) => range.start < end && range.end > offset);
    if (hit === undefined) return { admitted: bytes, reason: null };
    const good = hit.start > offset ? Number(hit.start - offset) : 0;
    return { admitted: bytes.slice(0, good), reason: hit.reason };
  }

  /** Writes into the cache. */
  write(offset: number, bytes: Uint8Array): void {
    for (const piece of this.stored(offset, bytes)) {
      this.content.write(piece.offset, piece.bytes);
      this.pending.push(piece);
    }
    const end = BigInt(offset + bytes.length);
    this.badReads = this.badReads.flatMap((fault) =>
      fault.permanent ? [fault] : subtract(fault, BigInt(offset), end),
    );
  }

  /** A write without the parts that the device says it has written and has not. */
  private stored(offset: number, bytes: Uint8Array): PendingWrite[] {
    const extents = cutBadRanges(BigInt(offset), bytes.length, this.lostWrites, (from, count) =>
      bytes.slice(Number(from) - offset, Number(from) - offset + count),
    );
    return extents.flatMap((extent) =>
      extent.kind === 'data' ? [{ offset: Number(extent.start), bytes: extent.bytes }] : [],
    );
  }

  sync(): void {
    this.durable = this.content.clone();
    this.pending = [];
  }

  /**
   * The power goes. Of the writes that were not synced the sectors for which `survives` says so reach the medium (null:
   * all), then of `torn`, the write under way, those of `tear`.
   */
  losePower(survives: (() => boolean) | null, torn: PendingWrite | null, tear: Tear | null): void {
    if (survives !== null) {
      for (const write of this.pending) writeSectors(this.durable, write, survives);
      this.content = this.durable;
    }
    if (torn !== null && tear !== null) {
      for (const piece of this.stored(torn.offset, torn.bytes))
        writeSectors(this.content, piece, chooser(tear, torn));
    }
    this.openExclusively = false;
    this.sync();
  }

  failReads(range: BadRange, permanent: boolean): void {
    this.badReads.push({ ...range, permanent });
  }

  failWrites(range: BadRange): void {
    this.badWrites.push(range);
  }

  loseWrites(range: BadRange): void {
    this.lostWrites.push(range);
  }

  heal(): void {
    this.badReads = [];
    this.badWrites = [];
    this.lostWrites = [];
    this.syncsLeft = null;
  }

  /** Changes bytes as no logged write does: damage that was there before. */
  poke(offset: number, bytes: Uint8Array): void {
    this.content.write(offset, bytes);
    this.sync();
  }

  resize(size: number): void {
    this.content.resize(size);
    this.sync();
  }

  save(): FileState {
    return {
      content: this.content.clone(),
      durable: this.durable.clone(),
      pending: [...this.pending],
      nameIsDurable: this.nameIsDurable,
      badReads: [...this.badReads],
    };
  }

  load(state: FileState): void {
    this.content = state.content.clone();
    this.durable = state.durable.clone();
    this.pending = [...state.pending];
    this.nameIsDurable = state.nameIsDurable;
    this.badReads = [...state.badReads];
    this.openExclusively = false;
  }
}

/** What is left of a bad range when [start, end) of it was written to. */
function subtract(fault: ReadFault, start: bigint, end: bigint): ReadFault[] {
  if (fault.end <= start || fault.start >= end) return [fault];
  const before = fault.start < start ? [{ ...fault, end: start }] : [];
  const after = fault.end > end ? [{ ...fault, start: end }] : [];
  return [...before, ...after];
}

/** Calls for each sector in turn; `true`: it reaches the medium. The number is the sector's place on the medium. */
type Choice = (sector: number) => boolean;

export function coin(seed: number): () => boolean {
  const next = prng(seed);
  return () => (next() & 1) === 1;
}

function chooser(tear: Tear, write: PendingWrite): Choice {
  const first = Math.floor(write.offset / SECTOR);
  if ('sectors' in tear) return (sector) => sector - first < tear.sectors;
  if ('mask' in tear) return (sector) => ((tear.mask >> BigInt(sector - first)) & 1n) === 1n;
  return coin(tear.seed);
}

/** Writes those sectors of a write that are chosen. Sectors are those of the medium, not of the write. */
function writeSectors(content: PageStore, write: PendingWrite, chosen: Choice): void {
  const end = write.offset + write.bytes.length;
  for (let at = write.offset; at < end;) {
    const next = Math.min(end, (Math.floor(at / SECTOR) + 1) * SECTOR);
    if (chosen(Math.floor(at / SECTOR))) {
      content.write(at, write.bytes.subarray(at - write.offset, next - write.offset));
    }
    at = next;
  }
}
