// SPDX-License-Identifier: GPL-2.0-or-later
// What a bench is. Types only.

export interface BenchContext {
  /** The root of the checkout. */
  readonly root: string;
  /** An empty directory for the bench's files; removed after it. */
  readonly folder: string;
  /** Fewer runs and smaller inputs: to see that it works. */
  readonly quick: boolean;
  /** The running script, for benches that start themselves again as a child. */
  readonly self: string;
  /** Tells on stderr what is being done, and lets signals in. */
  readonly progress: (text: string) => Promise<void>;
}

export interface Bench {
  /** For --only. */
  readonly name: string;
  /** One line. */
  readonly what: string;
  /** The results, as JSON; numbers with targets are made by measure() of stats.ts. */
  readonly run: (context: BenchContext) => Promise<Readonly<Record<string, unknown>>>;
}
