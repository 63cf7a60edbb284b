// SPDX-License-Identifier: GPL-2.0-or-later
// An input that is open, whether for reading or for writing: its descriptor, reads of it past the page cache, and its end.
// Opening is in read.ts and write.ts.
import { closeSync } from 'node:fs';
import { DirectReader } from './direct';
import type { Input } from './input';

export abstract class Opened {
  readonly path: string;
  /** undefined: not yet tried; null: refused here, reads go through the page cache. */
  private direct: DirectReader | null | undefined;
  private closed = false;

  /** `alignment`: bytes, of reads past the page cache. */
  protected constructor(
    protected readonly fd: number,
    input: Input,
    readonly sizeBytes: bigint,
    private readonly alignment: number,
  ) {
    this.path = input.path;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.direct?.close();
    closeSync(this.fd);
  }

  /** A closed descriptor's number may be another file's by now: we would read that one, or write to it. */
  protected refuseWhenClosed(): void {
    if (this.closed) throw new Error(`${this.path} was closed`);
  }

  /** Reads from the medium, as DirectReader does; null where the system can't be made to. */
  protected readDirectly(target: Uint8Array, position: bigint): number | null {
    if (this.direct === undefined) this.direct = DirectReader.open(this.fd, this.alignment);
    const got = this.direct?.read(target, position) ?? null;
    if (got !== null) return got;
    // What is refused once is refused always.
    this.direct?.close();
    this.direct = null;
    return null;
  }
}
