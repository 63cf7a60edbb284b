// SPDX-License-Identifier: GPL-2.0-or-later
// Reads that go to the medium and not to the page cache (O_DIRECT). Only reads: what was written is checked with them,
// and single sectors of a page that cannot be read.
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { errnoName } from './errno';

const BUFFER_BYTES = 1024 * 1024;
const WASM_PAGE_BYTES = 65536;

/** The little that is needed of WebAssembly, which the ES2022 library types do not have. */
interface WithWasmMemory {
  readonly WebAssembly?: {
    readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  };
}

let shared: Uint8Array | null = null;

/**
 * A buffer that begins at a page, as O_DIRECT demands. The memory of WebAssembly is the one allocation of Node that
 * always does; Buffers don't. One for the process: reads are synchronous and their results are copied out.
 */
function alignedBuffer(): Uint8Array | null {
  if (shared !== null) return shared;
  const pages = BUFFER_BYTES / WASM_PAGE_BYTES;
  try {
    const wasm = (globalThis as unknown as WithWasmMemory).WebAssembly;
    if (wasm === undefined) return null;
    shared = new Uint8Array(new wasm.Memory({ initial: pages, maximum: pages }).buffer);
    return shared;
  } catch {
    return null; // no address space left under a ulimit: read through the cache then
  }
}

/** A second, read-only descriptor of an open file or device that bypasses the page cache. */
export class DirectReader {
  private constructor(
    private readonly fd: number,
    private readonly alignment: number,
    private readonly buffer: Uint8Array,
  ) {}

  /** For what `fd` has open; null where direct reads are refused (tmpfs, some network file systems). */
  static open(fd: number, alignment: number): DirectReader | null {
    const buffer = alignedBuffer();
    if (buffer === null) return null;
    try {
      // By descriptor and not by path: the path may lead elsewhere by now.
      const direct = openSync(
        `/proc/self/fd/${fd}`,
        constants.O_RDONLY | constants.O_DIRECT | constants.O_NONBLOCK,
      );
      return new DirectReader(direct, alignment, buffer);
    } catch {
      return null;
    }
  }

  /**
   * Reads into `target` from `position`, neither of which need be aligned. Returns the bytes read (fewer at the end, or
   * when the request is larger than the buffer), or null when direct reads are refused here. Throws on other errors.
   */
  read(target: Uint8Array, position: bigint): number | null {
    const alignment = BigInt(this.alignment);
    const start = (position / alignment) * alignment;
    const skip = Number(position - start);
    const wanted = Math.min(skip + target.length, this.buffer.length);
    const aligned = Math.min(Math.ceil(wanted / this.alignment) * this.alignment, this.buffer.length);
    let got: number;
    try {
      got = readSync(this.fd, this.buffer, 0, aligned, start);
    } catch (error) {
      if (errnoName(error) === 'EINVAL' || errnoName(error) === 'EOPNOTSUPP') return null;
      throw error;
    }
    const useful = Math.max(0, Math.min(got, wanted) - skip);
    target.set(this.buffer.subarray(skip, skip + useful));
    return useful;
  }

  close(): void {
    closeSync(this.fd);
  }
}
