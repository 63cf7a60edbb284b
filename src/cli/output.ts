// SPDX-License-Identifier: GPL-2.0-or-later
// One output of the process, stdout or stderr: everything written in order, a broken pipe silent, other errors kept
// for the exit status. What is written, and by which stream, is decided elsewhere.
import { writeSync } from 'node:fs';

/** The part of a writable stream that is needed; process.stdout fits. */
export interface Sink {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** What fits an empty pipe: a blocking write of so little can't hold up signals for long. */
const DIRECT_BYTES = 65_536;

export class Output {
  readonly #fd: number;
  readonly #openSink: () => Sink;
  #sink: Sink | undefined;
  #allowance = DIRECT_BYTES;
  #pending = 0;
  #waiting: (() => void)[] = [];
  #error: NodeJS.ErrnoException | undefined;

  constructor(fd: number, openSink: () => Sink) {
    this.#fd = fd;
    this.#openSink = openSink;
  }

  /** Whether the reader has gone; whatever else is written is dropped. */
  get broken(): boolean {
    return this.#error?.code === 'EPIPE';
  }

  /** Why output was lost, other than to a reader that had enough. */
  get failure(): string | undefined {
    return this.broken ? undefined : this.#error?.message;
  }

  write(text: string): void {
    if (this.#error !== undefined || text === '') return;
    let bytes: Uint8Array = Buffer.from(text, 'utf8');
    // Little text goes straight to the descriptor: making Node's stream takes longer than a whole small check.
    if (this.#sink === undefined && bytes.length <= this.#allowance) {
      this.#allowance -= bytes.length;
      bytes = this.#writeDirectly(bytes);
    }
    if (bytes.length > 0) this.#writeToSink(bytes);
  }

  /** Settles when everything written so far has left the process or is lost. */
  async drained(): Promise<void> {
    if (this.#pending === 0) return;
    await new Promise<void>((settle) => this.#waiting.push(settle));
  }

  /** What could not be written without waiting: the stream's part. */
  #writeDirectly(bytes: Uint8Array): Uint8Array {
    let done = 0;
    while (done < bytes.length) {
      try {
        done += writeSync(this.#fd, bytes, done);
      } catch (caught) {
        const error = caught as NodeJS.ErrnoException;
        // A full pipe that someone set to non-blocking.
        if (error.code === 'EAGAIN') return bytes.subarray(done);
        if (error.code !== 'EINTR') {
          this.#error = error;
          break;
        }
      }
    }
    return new Uint8Array(0);
  }

  #writeToSink(bytes: Uint8Array): void {
    if (this.#sink === undefined) {
      this.#sink = this.#openSink();
      // Without a listener, a broken pipe would end the process with a stack trace and the wrong status.
      this.#sink.on('error', (error) => {
        this.#error ??= error;
      });
    }
    this.#pending++;
    this.#sink.write(bytes, (error) => {
      if (error) this.#error ??= error;
      this.#pending--;
      if (this.#pending > 0) return;
      const settled = this.#waiting;
      this.#waiting = [];
      for (const settle of settled) settle();
    });
  }
}
