// SPDX-License-Identifier: GPL-2.0-or-later
// What the disks may hold after a power cut, at each place of the log: all that came before, a write torn, or any choice
// of what was not yet durable. Which of these states are right is for the tests to say.
import type { PageStore } from '../page-store';
import { prng } from '../prng';
import { SECTOR, writeChosen } from './disk';
import type { Cut } from './rack';
import { keeper } from './rack';
import type { LogEntry, LoggedWrite } from './write-log';

/** The contents of all disks, by index. They are the caller's own; copies are cheap. */
export type DiskStates = readonly PageStore[];

/** Which sectors of a torn write reach the medium: the first so many, the last so many, or a choice by seed. */
export type Tear = { readonly first: number } | { readonly last: number } | { readonly seed: number };

/** A log with the contents that it began with; a WriteLog is one. */
export interface Recording {
  readonly base: readonly PageStore[];
  readonly entries: readonly LogEntry[];
}

function bytesOf(write: LoggedWrite): Uint8Array {
  return write.bytes ?? new Uint8Array(write.count * SECTOR);
}

/** One disk with the first entries of the log applied. Going on is cheap; going back begins anew. */
class Cursor {
  private state: PageStore | null = null;
  private at = 0;

  constructor(
    private readonly recording: Recording,
    private readonly disk: number,
  ) {}

  /** The contents after all entries before `position`; they belong to the cursor. */
  to(position: number): PageStore {
    if (this.state === null || position < this.at) {
      const base = this.recording.base[this.disk];
      if (base === undefined) throw new Error(`the log has no disk ${this.disk}`);
      this.state = base.clone();
      this.at = 0;
    }
    for (; this.at < position; this.at++) {
      const entry = this.recording.entries[this.at];
      if (entry?.kind === 'write' && entry.disk === this.disk)
        this.state.write(entry.sector * SECTOR, bytesOf(entry));
    }
    return this.state;
  }
}

/** From this position on all writes of a disk before `covers` are durable. */
interface Step {
  readonly at: number;
  readonly covers: number;
}

/** What the flushes of a disk settle, in the order in which they were answered. */
function settledBy(entries: readonly LogEntry[], disk: number): Step[] {
  const flushes = entries.flatMap((entry) =>
    entry.kind === 'flush' && entry.disk === disk && entry.answered !== Infinity
      ? [{ at: entry.answered, covers: entry.covers }]
      : [],
  );
  let covers = 0;
  return flushes
    .sort((a, b) => a.at - b.at)
    .map((step) => ({ at: step.at, covers: (covers = Math.max(covers, step.covers)) }));
}

export class Replay {
  private readonly ends: Cursor[];
  private readonly floors: Cursor[];
  private settled: readonly (readonly Step[])[] | null = null;

  /** `tearBytes` by disk; 512 where not given. The log must be complete, and not begun anew while this is in use. */
  constructor(
    private readonly recording: Recording,
    private readonly tearBytes: readonly number[] = [],
  ) {
    this.ends = recording.base.map((_, disk) => new Cursor(recording, disk));
    this.floors = recording.base.map((_, disk) => new Cursor(recording, disk));
  }

  /** Positions are 0 (nothing has happened) to this. */
  get length(): number {
    return this.recording.entries.length;
  }

  /** All that was written before `position` reached the media. */
  whole(position: number): DiskStates {
    return this.ends.map((cursor) => cursor.to(position).clone());
  }

  /** Positions just behind each write, and 0: the prefixes that differ. */
  positions(): number[] {
    const behind = this.recording.entries.flatMap((entry, index) =>
      entry.kind === 'write' ? [index + 1] : [],
    );
    return [0, ...behind];
  }

  private write(index: number): LoggedWrite {
    const entry = this.recording.entries[index];
    if (entry?.kind !== 'write') throw new Error(`entry ${index} of the log is no write`);
    return entry;
  }

  private place(states: DiskStates, write: LoggedWrite, chosen: (sector: number) => boolean): void {
    const state = states[write.disk];
    if (state === undefined) return;
    writeChosen(state, write.sector, bytesOf(write), this.tearBytes[write.disk] ?? SECTOR, chosen);
  }

  /** All before entry `index`, a write, reached the media, and of that write what `tear` says. */
  torn(index: number, tear: Tear): DiskStates {
    const write = this.write(index);
    const states = this.whole(index);
    const next = 'seed' in tear ? prng(tear.seed) : prng(0);
    this.place(states, write, (sector) => {
      const at = sector - write.sector;
      if ('first' in tear) return at < tear.first;
      if ('last' in tear) return at >= write.count - tear.last;
      return (next() & 1) === 1;
    });
    return states;
  }

  /** The position before which all writes of a disk are durable, if the power goes at `position`. */
  private floor(disk: number, position: number): number {
    this.settled ??= this.recording.base.map((_, index) => settledBy(this.recording.entries, index));
    const steps = this.settled[disk] ?? [];
    let [low, high] = [0, steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((steps[middle]?.at ?? Infinity) <= position) low = middle + 1;
      else high = middle;
    }
    return steps[low - 1]?.covers ?? 0;
  }

  /** Indexes of the writes that may or may not have reached their medium, if the power goes at `position`. */
  undecided(position: number): number[] {
    return this.open(position).filter((index) => !this.isCertain(this.write(index), position));
  }

  /** Writes that no flush has settled, durable by themselves or not. */
  private open(position: number): number[] {
    const floors = this.floors.map((_, disk) => this.floor(disk, position));
    const open: number[] = [];
    for (let index = Math.min(position, ...floors); index < position; index++) {
      const entry = this.recording.entries[index];
      if (entry?.kind === 'write' && index >= (floors[entry.disk] ?? 0)) open.push(index);
    }
    return open;
  }

  private isCertain(write: LoggedWrite, position: number): boolean {
    return write.fua && write.answered <= position;
  }

  /** The power goes at `position`: what was durable is there, and of the rest what `cut` keeps. */
  lossy(position: number, cut: Cut): DiskStates {
    const states = this.floors.map((cursor, disk) => cursor.to(this.floor(disk, position)).clone());
    const keep = keeper(cut);
    for (const index of this.open(position)) {
      const write = this.write(index);
      const certain = this.isCertain(write, position);
      this.place(states, write, (sector) => certain || keep(write.disk, sector));
    }
    return states;
  }

  /** The power goes at `position`; of the undecided writes exactly those with these indexes are on the media. */
  subset(position: number, kept: ReadonlySet<number>): DiskStates {
    const states = this.floors.map((cursor, disk) => cursor.to(this.floor(disk, position)).clone());
    for (const index of this.open(position)) {
      const write = this.write(index);
      const there = kept.has(index) || this.isCertain(write, position);
      this.place(states, write, () => there);
    }
    return states;
  }
}
