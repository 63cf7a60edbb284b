// SPDX-License-Identifier: GPL-2.0-or-later
// Progress of long work: a bar on a terminal, a line every five seconds elsewhere. Where it is written, and the clock,
// come from run.ts.
import { forTerminal } from '../core/escape';
import type { Progress } from './spec';

/** Milliseconds. */
const SILENT_FIRST = 1000;
const BAR_EVERY = 100;
const LINE_EVERY = 5000;

export interface ProgressSettings {
  /** Writes to stderr. */
  readonly write: (text: string) => void;
  /** Milliseconds from any start; never goes back. */
  readonly clock: () => number;
  readonly isTTY: boolean;
  /** Characters of the terminal. */
  readonly columns: number;
}

/** With --quiet. */
export const NO_PROGRESS: ProgressDisplay = {
  begin: () => undefined,
  update: () => undefined,
  end: () => undefined,
  hide: () => undefined,
};

export interface ProgressDisplay extends Progress {
  /** Takes the bar off the line, so that other text can be written there. */
  hide(): void;
}

export function progressOn(settings: ProgressSettings): ProgressDisplay {
  return new Display(settings);
}

class Display implements ProgressDisplay {
  readonly #settings: ProgressSettings;
  #label = '';
  #total: number | null = null;
  #nextAt = Infinity;
  #barShown = false;

  constructor(settings: ProgressSettings) {
    this.#settings = settings;
  }

  begin(label: string, total: number | null): void {
    this.end();
    this.#label = forTerminal(label);
    this.#total = total;
    // The first second is silent: most work is over by then, and a bar that flashes by tells nothing.
    this.#nextAt = this.#settings.clock() + (this.#settings.isTTY ? SILENT_FIRST : LINE_EVERY);
  }

  update(done: number): void {
    const now = this.#settings.clock();
    if (now < this.#nextAt) return;
    if (this.#settings.isTTY) {
      this.#nextAt = now + BAR_EVERY;
      this.#settings.write(`\r${this.#bar(done)}\u001b[K`);
      this.#barShown = true;
    } else {
      this.#nextAt = now + LINE_EVERY;
      this.#settings.write(`${this.#label}: ${this.#amount(done)}\n`);
    }
  }

  end(): void {
    this.hide();
    this.#nextAt = Infinity;
  }

  hide(): void {
    if (!this.#barShown) return;
    this.#settings.write('\r\u001b[K');
    this.#barShown = false;
  }

  #amount(done: number): string {
    if (this.#total === null) return String(done);
    return `${done}/${this.#total} (${this.#percent(done)}%)`;
  }

  #percent(done: number): number {
    return this.#total === null || this.#total <= 0
      ? 100
      : Math.min(100, Math.floor((done / this.#total) * 100));
  }

  #bar(done: number): string {
    const columns = this.#settings.columns;
    const amount = this.#amount(done);
    if (this.#total === null) return `${this.#label}: ${amount}`.slice(0, columns - 1);
    // '[', ']', two spaces, and the last column, where some terminals wrap.
    const room = columns - this.#label.length - amount.length - 5;
    if (room < 10) return `${this.#label} ${amount}`.slice(0, columns - 1);
    const width = Math.min(room, 40);
    const full = Math.floor((width * this.#percent(done)) / 100);
    return `${this.#label} [${'#'.repeat(full)}${'-'.repeat(width - full)}] ${amount}`;
  }
}
