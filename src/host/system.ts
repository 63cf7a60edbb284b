// SPDX-License-Identifier: GPL-2.0-or-later
// Reading of the small text files through which the kernel and udev tell about devices (/sys, /proc, /run/udev,
// /dev/disk). Under a root of its own for tests. Nothing is interpreted here, and inputs are never read through this.
import { closeSync, openSync, readSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { posix } from 'node:path';

/** What the system tells; null where it doesn't. Never throws: an unreadable file is an absent one. */
export interface SystemTree {
  /** A small file as text, without trailing white space. */
  text(path: string): string | null;
  /** At most `maxBytes` of a file. */
  bytes(path: string, maxBytes: number): Uint8Array | null;
  /** Where a symbolic link leads, as an absolute path. */
  link(path: string): string | null;
  /** The names in a directory, in the order of their code units; empty if there is none. */
  list(path: string): string[];
  /** "major:minor" of a block device node. */
  blockNode(path: string): string | null;
  /** "dev:ino" of whatever file the path leads to. */
  inode(path: string): string | null;
}

/** /proc/self/mountinfo of a host with thousands of containers is a few MiB; nothing else comes near. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** The live system, or the tree below `root`. */
export function systemTree(root = ''): SystemTree {
  const at = (path: string): string => root + path;

  const bytes = (path: string, maxBytes: number): Uint8Array | null => {
    let fd: number | undefined;
    try {
      fd = openSync(at(path), 'r');
      const chunks: Uint8Array[] = [];
      let total = 0;
      while (total < maxBytes) {
        const chunk = new Uint8Array(Math.min(16384, maxBytes - total));
        const got = readSync(fd, chunk, 0, chunk.length, null);
        if (got === 0) break;
        chunks.push(chunk.subarray(0, got));
        total += got;
      }
      return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    } catch {
      return null;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  };

  return {
    bytes,
    text(path) {
      const found = bytes(path, MAX_TEXT_BYTES);
      return found === null ? null : new TextDecoder().decode(found).trimEnd();
    },
    link(path) {
      try {
        return posix.resolve(posix.dirname(path), readlinkSync(at(path)));
      } catch {
        return null;
      }
    },
    list(path) {
      try {
        return readdirSync(at(path)).sort();
      } catch {
        return [];
      }
    },
    blockNode(path) {
      try {
        const stat = statSync(at(path), { bigint: true });
        return stat.isBlockDevice() ? deviceNumber(stat.rdev) : null;
      } catch {
        return null;
      }
    },
    inode(path) {
      try {
        const stat = statSync(at(path), { bigint: true });
        return `${stat.dev}:${stat.ino}`;
      } catch {
        return null;
      }
    },
  };
}

/** "major:minor" of a dev_t as stat(2) gives it (the encoding of glibc's makedev). */
export function deviceNumber(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
