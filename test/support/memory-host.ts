// SPDX-License-Identifier: GPL-2.0-or-later
// A Host over files in memory, whose power can be cut at every mutation: for crash tests, and for tests that need
// errors at will. How a test sets it up, and what a cut does, is in memory-machine.ts.
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { ContentHints, DeviceFacts } from '../../src/core/device-facts';
import { Fault } from '../../src/core/faults';
import type { Host, ReadHandle, WriteHandle } from '../../src/host/host';
import { exactly } from '../../src/source/overlay';
import type { MemoryFile } from './memory-file';
import { MemoryMachine } from './memory-machine';

export type { Cache, FileOptions, Tear } from './memory-file';
export { PowerCut } from './memory-machine';
export type { MachineOptions, Mutation, PowerCutPlan } from './memory-machine';

const NOTHING = new Uint8Array(0);

export class MemoryHost extends MemoryMachine implements Host {
  openRead(path: string): ReadHandle {
    const file = this.medium(path);
    return {
      path,
      kind: file.kind,
      identity: file.identity,
      sizeBytes: file.sizeBytes,
      logicalBlockSize: file.logicalBlockSize,
      readAt: (offset, length) => {
        this.needPower();
        return file.readAt(offset, length);
      },
      close: () => undefined,
    };
  }

  openWrite(path: string): WriteHandle {
    const file = this.medium(path);
    const name = this.resolve(path);
    if (file.uses.length > 0) throw new Fault('IN_USE', { path, reason: file.uses.join('; ') });
    if (file.options.readOnly === true) throw new Fault('READ_ONLY', { path, reason: 'marked read-only' });
    if (file.openExclusively) throw new Fault('IN_USE', { path, reason: 'open exclusively' });
    file.openExclusively = file.kind === 'block';
    return {
      path,
      sizeBytes: file.sizeBytes,
      readAt: (offset, length) => {
        this.needPower();
        return exactly(file, path, offset, length);
      },
      writeAt: (offset, bytes) => this.writeInput(file, name, path, offset, bytes),
      sync: () => {
        this.needPower();
        if (file.syncsLeft === 0) throw new Fault('SYNC_FAILED', { path, reason: 'EIO: i/o error' });
        if (file.syncsLeft !== null) file.syncsLeft--;
        this.mutate('sync', name, () => file.sync());
      },
      close: () => {
        file.openExclusively = false;
      },
    };
  }

  inUse(path: string): string[] {
    return [...this.input(path).uses];
  }

  facts(path: string): DeviceFacts {
    const file = this.input(path);
    return {
      kind: file.kind,
      sizeBytes: file.sizeBytes,
      logicalBlockSize: file.logicalBlockSize,
      physicalBlockSize: file.logicalBlockSize,
      wwn: null,
      serial: null,
      model: null,
      stablePath: posix.resolve(path),
      partUuid: null,
      zoned: false,
      readOnly: file.options.readOnly ?? false,
      ...file.options.facts,
    };
  }

  contentHints(path: string): ContentHints {
    return { fsUuid: null, fsType: null, fsBlockSize: null, ...this.input(path).options.hints };
  }

  exists(path: string): boolean {
    this.needPower();
    const name = this.resolve(path);
    return this.files.has(name) || this.directories.has(name);
  }

  realPath(path: string): string {
    if (!this.exists(path)) throw new Fault('NOT_FOUND', { path });
    return this.resolve(path);
  }

  readFile(path: string, maxBytes: number): Uint8Array {
    const { content } = this.input(path);
    if (content.size > maxBytes) {
      throw new Fault('FILE_FAILED', {
        path,
        doing: 'read it',
        reason: `it is larger than ${maxBytes} bytes`,
      });
    }
    return content.read(0, content.size);
  }

  listDir(path: string): string[] {
    this.needPower();
    const directory = this.resolve(path);
    const all = [...this.files.keys(), ...this.aliases.keys(), ...this.directories];
    return all
      .filter((name) => name !== '/' && posix.dirname(name) === directory)
      .map((name) => posix.basename(name))
      .sort();
  }

  mtimeNs(path: string): bigint {
    return this.input(path).mtimeNs;
  }

  writeFileDurably(path: string, chunks: Iterable<Uint8Array>): void {
    const name = this.resolve(path);
    if (this.exists(path)) throw new Fault('FILE_EXISTS', { path });
    if (!this.directories.has(posix.dirname(name))) {
      throw new Fault('FILE_FAILED', { path, doing: 'make it', reason: 'ENOENT: no such file or directory' });
    }
    this.failWhenFull(path, 'make it', 0);
    const file = this.newFile('image', NOTHING, {});
    file.nameIsDurable = false;
    this.mutate('create', name, () => this.files.set(name, file));
    try {
      for (const chunk of chunks) {
        this.failWhenFull(path, 'write it', file.content.size + chunk.length);
        this.write(name, file, file.content.size, chunk);
      }
    } catch (error) {
      // As the real one: what cannot be finished is taken away. Not when the power is gone, of course.
      if (!this.isDown) this.removeFile(path);
      throw error;
    }
    this.mutate('sync', name, () => file.sync());
    this.mutate('sync-name', name, () => (file.nameIsDurable = true));
  }

  appendDurably(path: string, bytes: Uint8Array): void {
    const file = this.input(path);
    const name = this.resolve(path);
    this.failWhenFull(path, 'append to it', bytes.length);
    this.write(name, file, file.content.size, bytes);
    this.mutate('sync', name, () => file.sync());
  }

  removeFile(path: string): void {
    const name = this.resolve(path);
    this.needPower();
    if (this.files.has(name)) this.mutate('remove', name, () => this.files.delete(name));
  }

  makeDirs(path: string): void {
    this.needPower();
    const missing: string[] = [];
    for (let at = this.resolve(path); !this.directories.has(at); at = posix.dirname(at)) missing.unshift(at);
    for (const directory of missing) {
      this.failWhenFull(directory, 'make the directory', 0);
      this.mutate('make-directory', directory, () => this.directories.add(directory));
    }
  }

  now(): bigint {
    return this.machineTime();
  }

  sourceDateEpoch(): bigint | null {
    return this.machine.sourceDateEpochNs ?? null;
  }

  random(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.nextRandom() & 0xff);
  }

  sha256(...chunks: readonly Uint8Array[]): string {
    const hash = createHash('sha256');
    for (const chunk of chunks) hash.update(chunk);
    return hash.digest('hex');
  }

  /** A file or device that can be opened as an input. */
  private medium(path: string): MemoryFile {
    const file = this.input(path);
    if (file.sizeBytes === 0n) throw new Fault('EMPTY', { path });
    return file;
  }

  private writeInput(file: MemoryFile, name: string, path: string, offset: bigint, bytes: Uint8Array): void {
    const fail = (reason: string): Fault =>
      new Fault('WRITE_FAILED', { path, offset: `${offset}`, length: `${bytes.length}`, reason });
    this.needPower();
    if (offset < 0n || offset + BigInt(bytes.length) > file.sizeBytes) throw fail('it would go past the end');
    const { admitted, reason } = file.admit(offset, bytes);
    if (admitted.length > 0) this.write(name, file, Number(offset), admitted);
    if (reason !== null) throw fail(reason);
  }
}
