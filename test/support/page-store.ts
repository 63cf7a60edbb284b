// SPDX-License-Identifier: GPL-2.0-or-later
// The contents of an in-memory file, kept as pages that are replaced and never changed: copies of a whole disk are
// cheap, and so is a disk of terabytes with a few bytes on it. What writing and power cuts mean is in memory-file.ts.

const PAGE = 4096;
const ZERO_PAGE = Buffer.alloc(PAGE);

export class PageStore {
  private constructor(
    private pages: Map<number, Uint8Array>,
    private length: number,
  ) {}

  /** A file of so many zero bytes, or of these bytes. */
  static of(content: number | Uint8Array): PageStore {
    if (typeof content === 'number') return new PageStore(new Map(), content);
    const store = new PageStore(new Map(), 0);
    store.write(0, content);
    return store;
  }

  get size(): number {
    return this.length;
  }

  clone(): PageStore {
    return new PageStore(new Map(this.pages), this.length);
  }

  /** The pages that are not all zero, in order, with their offsets. They must not be changed. */
  *usedPages(): Generator<readonly [offset: number, page: Uint8Array]> {
    for (const index of [...this.pages.keys()].sort((a, b) => a - b)) {
      const page = this.pages.get(index);
      if (page !== undefined && Buffer.compare(page, ZERO_PAGE) !== 0) yield [index * PAGE, page];
    }
  }

  /** The page around this offset; undefined: zeros. It must not be changed, and never is: what is kept of it stays true. */
  pageAt(offset: number): Uint8Array | undefined {
    return this.pages.get(Math.floor(offset / PAGE));
  }

  /** A copy of [offset, offset + length), which must lie within the size. */
  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || offset + length > this.length) throw new RangeError(`read ${length} at ${offset}`);
    const out = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const within = (offset + done) % PAGE;
      const count = Math.min(PAGE - within, length - done);
      const page = this.pages.get(Math.floor((offset + done) / PAGE));
      if (page !== undefined) out.set(page.subarray(within, within + count), done);
      done += count;
    }
    return out;
  }

  /** Writes, growing the file where it must; what lies between the old end and `offset` is zero. */
  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const within = (offset + done) % PAGE;
      const count = Math.min(PAGE - within, bytes.length - done);
      const index = Math.floor((offset + done) / PAGE);
      if (count === PAGE) this.pages.set(index, new Uint8Array(bytes.subarray(done, done + PAGE)));
      else {
        const page = this.pages.get(index)?.slice() ?? new Uint8Array(PAGE);
        page.set(bytes.subarray(done, done + count), within);
        this.pages.set(index, page);
      }
      done += count;
    }
    this.length = Math.max(this.length, offset + bytes.length);
  }

  /** Cuts or lengthens the file. */
  resize(size: number): void {
    if (size < this.length) {
      const kept = this.read(size - (size % PAGE), size % PAGE);
      for (const index of this.pages.keys())
        if (index * PAGE >= size - (size % PAGE)) this.pages.delete(index);
      this.length = size - (size % PAGE);
      this.write(this.length, kept);
    }
    this.length = size;
  }
}
