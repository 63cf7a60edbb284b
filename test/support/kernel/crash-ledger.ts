// SPDX-License-Identifier: GPL-2.0-or-later
// What a mapped device has promised about each of its sectors, and when: which contents may be found after a power cut at a
// given moment, and which may not. Where the sectors lie, and who writes them, is not known here.

/** What a sector holds: "v3" (the pattern in version 3), or "EIO" for one that is LOST. */
export type Content = string;

/** Moments count upwards: places of the write log, or anything else that grows. */
export type Moment = number;

interface Change {
  readonly content: Content;
  readonly issued: Moment;
  /** Infinity: nobody was told that it is done. */
  acked: Moment;
}

/** From `at` on nothing older than the change with this index may come back. */
interface Floor {
  readonly at: Moment;
  readonly index: number;
}

interface History {
  readonly changes: Change[];
  readonly floors: Floor[];
}

/** A change of some sectors that is on its way. */
export interface Pending {
  readonly first: number;
  readonly issued: Moment;
  /** By sector from `first` on; null: the sector is not changed. */
  readonly changes: readonly (Change | null)[];
}

/** Flushes that are on their way: the newest change of each sector that was acknowledged before. */
export type Seen = readonly number[];

/** Index of the newest change that was acknowledged. */
function newestAcked(changes: readonly Change[]): number {
  let index = changes.length - 1;
  while (index > 0 && changes[index]?.acked === Infinity) index--;
  return index;
}

export class Ledger {
  private readonly sectors: History[];
  /** Units (of eight sectors) that were moved to a spare, and when that was acknowledged. */
  private readonly moves = new Map<number, Moment>();
  private sequences: { readonly at: Moment; readonly sequence: bigint }[] = [];

  constructor(
    readonly count: number,
    initial: (sector: number) => Content,
    private readonly now: () => Moment,
  ) {
    this.sectors = Array.from({ length: count }, (_unused, sector) => ({
      changes: [{ content: initial(sector), issued: 0, acked: 0 }],
      floors: [{ at: 0, index: 0 }],
    }));
  }

  private at(sector: number): History {
    const found = this.sectors[sector];
    if (found === undefined) throw new RangeError(`sector ${sector}`);
    return found;
  }

  /** The newest content, as a reader sees it now. */
  newest(sector: number): Content {
    return this.at(sector).changes.at(-1)?.content ?? '';
  }

  /** Something is about to be asked of the device that may change these sectors; null leaves one as it is. */
  begin(first: number, contents: readonly (Content | null)[]): Pending {
    const issued = this.now();
    const changes = contents.map((content, i) => {
      if (content === null) return null;
      const change = { content, issued, acked: Infinity };
      this.at(first + i).changes.push(change);
      return change;
    });
    return { first, issued, changes };
  }

  /** The device said that it is done. `durable`: sectors for which that means more than being seen by readers. */
  done({ first, changes }: Pending, durable: (sector: number) => boolean): void {
    const at = this.now();
    changes.forEach((change, i) => {
      if (change !== null) change.acked = at;
      if (durable(first + i)) this.settle(first + i);
    });
  }

  /** What a sector holds now is durable, whatever that is. */
  settle(sector: number): void {
    this.raise(sector, newestAcked(this.at(sector).changes));
  }

  private raise(sector: number, index: number): void {
    const { floors } = this.at(sector);
    if (index > (floors.at(-1)?.index ?? -1)) floors.push({ at: this.now(), index });
  }

  beginFlush(): Seen {
    return this.sectors.map(({ changes }) => newestAcked(changes));
  }

  flushed(seen: Seen): void {
    seen.forEach((index, sector) => this.raise(sector, index));
  }

  moved(unit: number): void {
    if (!this.moves.has(unit)) this.moves.set(unit, this.now());
  }

  hasMoved(unit: number): boolean {
    return this.moves.has(unit);
  }

  /** The device showed this sequence: that generation was committed. */
  sawSequence(sequence: bigint): void {
    this.sequences.push({ at: this.now(), sequence });
  }

  /** What a reader may find in a sector if the power went at `cut`; `begun`: changes issued before that may be there. */
  allowed(sector: number, cut: Moment, begun: Moment = cut): Content[] {
    const { changes, floors } = this.at(sector);
    let floor = 0;
    for (const { at, index } of floors) if (at <= cut) floor = index;
    const allowed: Content[] = [];
    for (let index = floor; index < changes.length; index++) {
      const change = changes[index];
      if (change !== undefined && (index === floor || change.issued < begun)) allowed.push(change.content);
    }
    return allowed;
  }

  /** Units whose move was acknowledged by then. */
  movedBy(cut: Moment): number[] {
    return [...this.moves].flatMap(([unit, at]) => (at <= cut ? [unit] : []));
  }

  sequenceBy(cut: Moment): bigint {
    return this.sequences.reduce(
      (most, { at, sequence }) => (at <= cut && sequence > most ? sequence : most),
      0n,
    );
  }

  /** After a power cut: what was found is all that there is, and it is durable; these units are the ones that are moved. */
  restart(found: (sector: number) => Content, moved: Iterable<number>): void {
    const at = this.now();
    this.sectors.forEach((history, sector) => {
      history.changes.splice(0, Infinity, { content: found(sector), issued: at, acked: at });
      history.floors.splice(0, Infinity, { at, index: 0 });
    });
    this.sequences = [];
    this.moves.clear();
    for (const unit of moved) this.moved(unit);
  }
}
