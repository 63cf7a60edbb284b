// SPDX-License-Identifier: GPL-2.0-or-later
// The faults that a disk of the lab can be given: sectors that fail, flushes that fail, and requests that are held back
// until the test lets them go. What the disk does about them is in disk.ts.

export type Operation = 'read' | 'write' | 'flush';

export interface FaultOptions {
  /** Requests that it fails before it is over; without, it never is. */
  readonly times?: number;
  /** A drive reassigns a sector that can't be read when it is written to: that ends the fault for this sector. */
  readonly healsOnWrite?: boolean;
  /** Number of the error: EIO unless given. */
  readonly errno?: number;
}

/** Half-open range of sectors. */
interface Range {
  readonly start: number;
  readonly end: number;
}

const EIO = 5;

export class SectorFault {
  private ranges: Range[];
  private left: number;
  readonly errno: number;
  /** Requests that failed because of it. */
  hits = 0;

  constructor(
    readonly operation: 'read' | 'write',
    first: number,
    count: number,
    private readonly options: FaultOptions,
  ) {
    this.ranges = [{ start: first, end: first + count }];
    this.left = options.times ?? Infinity;
    this.errno = options.errno ?? EIO;
  }

  /** Whether it is over: healed, used up, or cleared. */
  get over(): boolean {
    return this.left === 0 || this.ranges.length === 0;
  }

  clear(): void {
    this.ranges = [];
  }

  touches(start: number, end: number): boolean {
    return !this.over && this.ranges.some((range) => range.start < end && range.end > start);
  }

  covers(sector: number): boolean {
    return this.touches(sector, sector + 1);
  }

  /** Counts a request that failed. */
  hit(): void {
    this.hits++;
    this.left--;
  }

  /** Sectors were written. */
  written(start: number, end: number): void {
    if (this.options.healsOnWrite !== true) return;
    this.ranges = this.ranges.flatMap((range) => {
      if (range.end <= start || range.start >= end) return [range];
      const before = range.start < start ? [{ start: range.start, end: start }] : [];
      const after = range.end > end ? [{ start: end, end: range.end }] : [];
      return [...before, ...after];
    });
  }
}

/** Requests that wait, as on a disk that has gone quiet. */
export class Hold {
  private waiting: (() => void)[] = [];
  private watchers: { readonly count: number; readonly wake: () => void }[] = [];
  private open = false;

  constructor(
    private readonly operation: Operation | 'any',
    private readonly start: number,
    private readonly end: number,
  ) {}

  get held(): number {
    return this.waiting.length;
  }

  get released(): boolean {
    return this.open;
  }

  /** Flushes have no range: pass 0 and Infinity. */
  matches(operation: Operation, start: number, end: number): boolean {
    if (this.open || (this.operation !== 'any' && this.operation !== operation)) return false;
    return this.start < end && this.end > start;
  }

  /** Keeps a request; `go` is called at the release. */
  keep(go: () => void): void {
    this.waiting.push(go);
    for (const { count, wake } of this.watchers) if (this.waiting.length >= count) wake();
  }

  /** Resolves when so many requests wait here. */
  async arrived(count = 1): Promise<void> {
    if (this.waiting.length >= count) return;
    await new Promise<void>((wake) => this.watchers.push({ count, wake }));
  }

  /** Lets all go, in the order in which they came, and holds none from now on. */
  release(): void {
    this.open = true;
    for (const go of this.waiting.splice(0)) go();
  }

  /** The power went: what waits here is never done. */
  forget(): void {
    this.open = true;
    this.waiting = [];
  }
}
