// SPDX-License-Identifier: GPL-2.0-or-later
// The interface between the toolkit and the system it runs on. Types only: node.ts implements it, tests put a
// machine of their own in its place.
import type { ContentHints, DeviceFacts } from '../core/device-facts';
import type { ByteSource } from '../core/extents';

/** An input, opened for reading only. */
export interface ReadHandle extends ByteSource {
  readonly path: string;
  readonly kind: 'image' | 'block';
  /** The same for every name of the same file or device ("f:dev:ino", "b:major:minor"). */
  readonly identity: string;
  close(): void;
}

/** An input, opened for writing. Offsets and lengths in bytes. */
export interface WriteHandle {
  readonly path: string;
  readonly sizeBytes: bigint;
  /** Exactly `length` bytes, read back from the device where the system can be made to. Throws Fault READ_FAILED. */
  readAt(offset: bigint, length: number): Uint8Array;
  /** All of `bytes`, or Fault WRITE_FAILED. */
  writeAt(offset: bigint, bytes: Uint8Array): void;
  /** What was written is durable, or Fault SYNC_FAILED. */
  sync(): void;
  close(): void;
}

/** Everything the commands need of the system. All calls are synchronous; failures are Faults. */
export interface Host {
  openRead(path: string): ReadHandle;
  /** The one place where an input is opened for writing; block devices exclusively. Faults: IN_USE, READ_ONLY, ... */
  openWrite(path: string): WriteHandle;
  /** Why `path` must not be written to now (mounted, held, a loop device's backing file, ...); empty when it is free. */
  inUse(path: string): string[];
  facts(path: string): DeviceFacts;
  contentHints(path: string): ContentHints;

  exists(path: string): boolean;
  realPath(path: string): string;
  /** A whole small file; Fault when it is larger than `maxBytes`. */
  readFile(path: string, maxBytes: number): Uint8Array;
  /** Names in a directory, sorted; empty when there is no such directory. */
  listDir(path: string): string[];
  mtimeNs(path: string): bigint;
  /** Makes a new file (Fault FILE_EXISTS if it is there), writes, syncs it and its directory. */
  writeFileDurably(path: string, chunks: Iterable<Uint8Array>, mode?: number): void;
  /** Appends and syncs. */
  appendDurably(path: string, bytes: Uint8Array): void;
  removeFile(path: string): void;
  makeDirs(path: string): void;

  /** Nanoseconds since the epoch; SOURCE_DATE_EPOCH, where it is set, wins. */
  now(): bigint;
  /** SOURCE_DATE_EPOCH in nanoseconds, or null when it is not set. */
  sourceDateEpoch(): bigint | null;
  random(length: number): Uint8Array;
  /** Lower-case hex of the SHA-256 over the chunks, one after another. */
  sha256(...chunks: readonly Uint8Array[]): string;
}
