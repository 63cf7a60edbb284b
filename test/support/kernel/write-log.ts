// SPDX-License-Identifier: GPL-2.0-or-later
// The one log of all that the disks of a lab were told to keep, in the order in which they did it, with marks of the
// host between. What a power cut would have left at each place of it is in replay.ts.
import type { PageStore } from '../page-store';

/** Bytes of a disk that changed; the log keeps zeros as a count. */
export interface LoggedWrite {
  readonly kind: 'write';
  /** Index of the disk. */
  readonly disk: number;
  readonly sector: number;
  readonly count: number;
  /** Null: zeros. */
  readonly bytes: Uint8Array | null;
  /** Durable by itself. */
  readonly fua: boolean;
  /** False: a part of a write that failed. */
  readonly good: boolean;
  /** Position of the log when the guest was told that it is done; Infinity until then. */
  answered: number;
}

export interface LoggedFlush {
  readonly kind: 'flush';
  readonly disk: number;
  /**
   * The writes of this disk that stand before this position were answered when the flush came, and are durable by it.
   * Later ones were on their way at the same time, and nothing is promised of them.
   */
  readonly covers: number;
  /** As of a write. Until then the flush is on its way, and nothing is certain of it. */
  answered: number;
}

export interface LoggedMark {
  readonly kind: 'mark';
  readonly text: string;
}

export type LogEntry = LoggedWrite | LoggedFlush | LoggedMark;

export class WriteLog {
  readonly entries: LogEntry[] = [];
  private images: readonly PageStore[] = [];
  private recording = false;

  /** The contents of the disks when the recording began; `entries` tell what happened from then on. */
  get base(): readonly PageStore[] {
    return this.images;
  }

  /** The number of entries so far: a place between entries. */
  get position(): number {
    return this.entries.length;
  }

  /** Begins anew. Called by the rack, which knows the disks. */
  begin(images: readonly PageStore[]): void {
    this.entries.length = 0;
    this.images = images;
    this.recording = true;
  }

  end(): void {
    this.recording = false;
  }

  add(entry: LogEntry): void {
    if (this.recording) this.entries.push(entry);
  }

  /** Notes that by now something has happened, such as that the guest told of an acknowledged write. */
  mark(text: string): void {
    this.add({ kind: 'mark', text });
  }

  /** Position just behind the mark with this text; throws if there is none. */
  positionOf(text: string): number {
    const index = this.entries.findIndex((entry) => entry.kind === 'mark' && entry.text === text);
    if (index === -1) throw new Error(`the log has no mark "${text}"`);
    return index + 1;
  }
}
