// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel of a guest says, kept and searched: anything that means a bug in the kernel fails the test that ran it.

/** Words of the kernel's own checks. Their presence is a failure, whatever else a scenario finds. */
const SPLATS = new RegExp(
  [
    'BUG:',
    'WARNING:',
    'Oops',
    'general protection',
    'kernel NULL pointer',
    'Kernel panic',
    'Call Trace:',
    'hung task',
    'blocked for more than',
    'soft lockup',
    'hard LOCKUP',
    'detected stalls?',
    'possible circular locking',
    'possible recursive locking',
    'inconsistent lock state',
    'suspicious RCU usage',
    'sleeping function called',
    'scheduling while atomic',
    'list_(?:add|del) corruption',
    'unreferenced object',
    'KASAN',
    'UBSAN',
    'refcount_t',
  ].join('|'),
);

export class GuestConsole {
  private text = '';
  private watchers: (() => void)[] = [];

  add(chunk: string): void {
    this.text += chunk.replaceAll('\r', '');
    for (const watch of this.watchers) watch();
  }

  /** A place to look from later. */
  get mark(): number {
    return this.text.length;
  }

  since(mark: number): string {
    return this.text.slice(mark);
  }

  get all(): string {
    return this.text;
  }

  /** The last lines, for messages of failures. */
  tail(lines = 40): string {
    return this.text.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Lines that tell of a bug in the kernel, or of something near one. */
  splats(): string[] {
    return this.text.split('\n').filter((line) => SPLATS.test(line));
  }

  /**
   * The text behind `mark` once it matches; console and answers come by different ways, so that a line may be some
   * milliseconds late. Throws with what there is after `patienceMs`.
   */
  async until(pattern: RegExp, mark = 0, patienceMs = 5000): Promise<string> {
    if (!pattern.test(this.since(mark))) {
      await new Promise<void>((resolve, reject) => {
        const done = (act: () => void): void => {
          clearTimeout(timer);
          this.watchers = this.watchers.filter((each) => each !== watch);
          act();
        };
        const watch = (): void => {
          if (pattern.test(this.since(mark))) done(resolve);
        };
        const timer = setTimeout(() => {
          done(() => reject(new Error(`the console never said ${String(pattern)}:\n${this.since(mark)}`)));
        }, patienceMs);
        this.watchers.push(watch);
      });
    }
    return this.since(mark);
  }
}
