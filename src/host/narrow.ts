// SPDX-License-Identifier: GPL-2.0-or-later
// Reading around bad blocks: a request that fails is halved until the bad blocks stand alone, so that one bad sector
// costs one sector and not the copy around it. The system call comes from outside; nothing is opened here.
import type { Extent } from '../core/extents';
import { takeBuffer } from '../source/buffers';
import { clipAtEnd } from '../source/cover';
import { errnoName, errnoText } from './errno';

/** Reads into `target` from byte `position` on. Returns the bytes read, 0 at the end; throws what the system gave. */
export type Pread = (target: Uint8Array, position: bigint) => number;

export interface Medium {
  readonly sizeBytes: bigint;
  /** Logical block size in bytes: nothing smaller can be lost. */
  readonly blockSize: number;
  readonly pread: Pread;
  /** Reads single blocks past the page cache, where that is possible: the cache fails by whole pages. */
  readonly preadBlock?: Pread;
}

/** The page cache reads in pages, so a buffered read of one bad sector fails for all that share its page. */
const PAGE_BYTES = 4096;

/**
 * So many units in a row without one readable byte, and the rest of the request is not tried: each failing read of a
 * dying disk can take half a minute, and a slot has 128 units.
 */
const MOST_BAD_UNITS_IN_A_ROW = 8;

/** A signal or a busy driver is no medium error; but a driver that only ever says so must not hold us here. */
const MOST_RETRIES = 100;

/** Extents of [offset, offset + length) as FORMAT-independent facts: data, unread with the reason, beyond-end. */
export function readExtents(medium: Medium, offset: bigint, length: number): Extent[] {
  return clipAtEnd(offset, length, medium.sizeBytes, (start, size) =>
    new Narrowing(medium, start, size).run(),
  );
}

/** One request. Positions are bytes relative to its start. */
class Narrowing {
  private readonly bytes: Uint8Array;
  private readonly extents: Extent[] = [];
  private readonly unit: number;
  private badUnits = 0;
  private lastError = '';
  /** Where the medium turned out to end, though its size says more: a file cut short while we read, for one. */
  private endsAt: number | null = null;

  constructor(
    private readonly medium: Medium,
    private readonly offset: bigint,
    private readonly length: number,
  ) {
    this.bytes = takeBuffer(length);
    this.unit = Math.max(PAGE_BYTES, medium.blockSize);
  }

  run(): Extent[] {
    this.read(0, this.length);
    if (this.endsAt !== null) {
      const end = this.offset + BigInt(this.length);
      this.extents.push({ kind: 'beyond-end', start: this.offset + BigInt(this.endsAt), end });
    }
    return this.extents;
  }

  private read(start: number, end: number): void {
    if (this.endsAt !== null) return;
    if (this.badUnits >= MOST_BAD_UNITS_IN_A_ROW) {
      const tried = `${this.badUnits} blocks of ${this.unit} bytes in a row could not be read`;
      this.unread(start, end, `not tried after ${tried} (${this.lastError})`);
      return;
    }
    const { reached, error } = this.fill(start, end, this.medium.pread);
    this.data(start, reached);
    if (error === null) return;
    const middle = this.splitPoint(reached, end);
    if (middle === null) {
      this.readByBlock(reached, end, error);
    } else {
      this.read(reached, middle);
      this.read(middle, end);
    }
  }

  /** The last step: the blocks of one unit, one at a time. */
  private readByBlock(start: number, end: number, failed: string): void {
    const pread = this.medium.preadBlock ?? this.medium.pread;
    let anyData = false;
    for (let at = start; at < end && this.endsAt === null;) {
      const next = Math.min(end, this.boundaryAfter(at, this.medium.blockSize));
      // A block that was just read alone, in the same way, fails the same way: it is not asked twice.
      const asked = at === start && next === end && this.medium.preadBlock === undefined;
      const { reached, error } = asked ? { reached: at, error: failed } : this.fill(at, next, pread);
      this.data(at, reached);
      anyData ||= reached > at;
      if (error !== null) this.unread(reached, next, error);
      at = next;
    }
    this.badUnits = anyData ? 0 : this.badUnits + 1;
  }

  /** Reads until `end`, the end of the medium, or an error. */
  private fill(start: number, end: number, pread: Pread): { reached: number; error: string | null } {
    let at = start;
    let retries = 0;
    while (at < end) {
      try {
        const got = pread(this.bytes.subarray(at, end), this.offset + BigInt(at));
        if (got === 0) {
          this.endsAt = at;
          break;
        }
        at += got;
      } catch (error) {
        const name = errnoName(error);
        // Not errors of the medium but of this program; as 'unread' they would pass for a verdict about the disk.
        if (name === 'EBADF' || name === 'unknown') throw error;
        if ((name === 'EINTR' || name === 'EAGAIN') && ++retries <= MOST_RETRIES) continue;
        this.lastError = errnoText(error);
        return { reached: at, error: this.lastError };
      }
    }
    return { reached: at, error: null };
  }

  /** The boundary of a unit nearest to the middle of [start, end), or null when they lie in one unit. */
  private splitPoint(start: number, end: number): number | null {
    const middle = this.boundaryAfter(Math.floor((start + end) / 2) - 1, this.unit);
    if (middle > start && middle < end) return middle;
    const first = this.boundaryAfter(start, this.unit);
    return first < end ? first : null;
  }

  /** The first multiple of `step` on the medium after position `at`. */
  private boundaryAfter(at: number, step: number): number {
    return at + step - Number((this.offset + BigInt(at)) % BigInt(step));
  }

  private data(start: number, end: number): void {
    if (end <= start) return;
    this.badUnits = 0;
    const last = this.extents[this.extents.length - 1];
    const from = last?.kind === 'data' ? Number(last.start - this.offset) : start;
    if (last?.kind === 'data') this.extents.pop();
    this.extents.push({
      kind: 'data',
      start: this.offset + BigInt(from),
      end: this.offset + BigInt(end),
      bytes: this.bytes.subarray(from, end),
    });
  }

  private unread(start: number, end: number, reason: string): void {
    if (end <= start) return;
    const last = this.extents[this.extents.length - 1];
    const joins = last?.kind === 'unread' && last.reason === reason;
    if (joins) this.extents.pop();
    const from = joins ? last.start : this.offset + BigInt(start);
    this.extents.push({ kind: 'unread', start: from, end: this.offset + BigInt(end), reason });
  }
}
