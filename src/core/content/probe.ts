// SPDX-License-Identifier: GPL-2.0-or-later
// Reads small structures out of a part of a byte source, for recognising what lies there. Bytes that were not read are
// never handed out, so nothing is recognised in (or ruled out by) zeros that stand for an I/O error.
import { concatBytes, formatUuid, textOf } from '../bytes';
import { type ByteSource, gapWithin, readRegion, type Region } from '../extents';

/** Bytes of one read from the source; signatures lie close together, and one read serves many of them. */
const CHUNK_BYTES = 65536;
/** Chunks kept: 3 MiB. Offsets taken from hostile bytes must not make the cache grow with the device. */
const MAX_CHUNKS = 48;

/** Some bytes, and integers of either byte order in them. Offsets are in bytes from the block's start. */
export class Block {
  private readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(offset: number): number {
    return this.view.getUint8(offset);
  }
  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }
  u16be(offset: number): number {
    return this.view.getUint16(offset, false);
  }
  u32be(offset: number): number {
    return this.view.getUint32(offset, false);
  }
  u64be(offset: number): bigint {
    return this.view.getBigUint64(offset, false);
  }

  /** True if `magic` stands at `offset` (false where it would reach past the block). */
  has(offset: number, magic: Uint8Array): boolean {
    if (offset + magic.length > this.bytes.length) return false;
    for (let i = 0; i < magic.length; i++) if (this.bytes[offset + i] !== magic[i]) return false;
    return true;
  }

  /** The text of a NUL-padded or space-padded field; not escaped. */
  text(offset: number, length: number): string {
    return textOf(this.bytes.subarray(offset, offset + length)).trim();
  }

  /** A UUID stored in RFC 4122 order. */
  uuid(offset: number): string {
    return formatUuid(this.bytes.subarray(offset, offset + 16));
  }
}

/** The bytes of a string of characters up to U+00FF: how magics are written in the tables. */
export function magicBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** True for 1, 2, 4, ...; `value` is an integer. */
export function isPowerOfTwo(value: number): boolean {
  // Not by logarithms: not every engine gives exact ones.
  const whole = BigInt(value);
  return whole > 0n && (whole & (whole - 1n)) === 0n;
}

/** A window on a source: [base, base + size) in bytes. All offsets given to it are relative to `base`. */
export class Probe {
  private readonly chunks = new Map<bigint, Region>();

  /** `size` null: where the window ends is not known, so nothing can be looked for at its end. */
  constructor(
    private readonly source: ByteSource,
    readonly base: bigint,
    readonly size: bigint | null,
  ) {}

  /** Bytes of the device's own logical block. */
  get blockSize(): number {
    return this.source.logicalBlockSize;
  }

  /** [at, at + length) of the window, or undefined if any byte of it was not read or lies outside. */
  block(at: bigint | number, length: number): Block | undefined {
    const start = BigInt(at);
    const end = start + BigInt(length);
    if (start < 0n || length <= 0) return undefined;
    if (this.size !== null && end > this.size) return undefined;
    const from = this.base + start;
    if (from + BigInt(length) > this.source.sizeBytes) return undefined;
    if (length > CHUNK_BYTES) {
      const region = readRegion(this.source, from, length);
      return region.gaps.length === 0 ? new Block(region.bytes) : undefined;
    }
    const first = this.piece(from, length);
    if (first === undefined || first.length === length) return first && new Block(first);
    const second = this.piece(from + BigInt(first.length), length - first.length);
    return second && new Block(concatBytes([first, second]));
  }

  /** What one chunk holds of [from, from + length): at most up to the chunk's end; undefined if it was not read. */
  private piece(from: bigint, length: number): Uint8Array | undefined {
    const index = from / BigInt(CHUNK_BYTES);
    const region = this.chunk(index);
    const start = Number(from - index * BigInt(CHUNK_BYTES));
    const end = Math.min(start + length, CHUNK_BYTES);
    if (end > region.bytes.length || gapWithin(region, start, end) !== undefined) return undefined;
    return region.bytes.subarray(start, end);
  }

  private chunk(index: bigint): Region {
    const known = this.chunks.get(index);
    if (known !== undefined) return known;
    const start = index * BigInt(CHUNK_BYTES);
    const left = this.source.sizeBytes - start;
    const region = readRegion(this.source, start, left < BigInt(CHUNK_BYTES) ? Number(left) : CHUNK_BYTES);
    if (this.chunks.size >= MAX_CHUNKS) this.chunks.clear();
    this.chunks.set(index, region);
    return region;
  }
}
