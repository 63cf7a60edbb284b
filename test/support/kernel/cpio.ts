// SPDX-License-Identifier: GPL-2.0-or-later
// Archives in the "newc" form that the kernel unpacks as its first file system. Not compressed: emulated guests are
// slow at unpacking, and the host has the room. What goes in is in initramfs.ts.

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

const DIRECTORY = 0o040755;
const FILE = 0o100755;
const LINK = 0o120777;

function pad(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

/** One entry: 13 fields of 8 hex digits after the magic, the name, the contents; both filled up to 4 bytes. */
function encode(entry: Entry, inode: number): Buffer[] {
  const name = Buffer.from(`${entry.path}\0`);
  const links = entry.mode === DIRECTORY ? 2 : 1;
  const fields = [inode, entry.mode, 0, 0, links, 0, entry.bytes.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [head, name, pad(head.length + name.length), Buffer.from(entry.bytes), pad(entry.bytes.length)];
}

/** Collects entries; folders come of themselves. Paths begin without a slash. */
export class Archive {
  private readonly entries = new Map<string, Entry>();

  private add(entry: Entry): void {
    const parent = entry.path.split('/').slice(0, -1).join('/');
    if (parent !== '' && !this.entries.has(parent)) this.folder(parent);
    this.entries.set(entry.path, entry);
  }

  folder(path: string): this {
    this.add({ path, mode: DIRECTORY, bytes: new Uint8Array(0) });
    return this;
  }

  file(path: string, bytes: Uint8Array): this {
    this.add({ path, mode: FILE, bytes });
    return this;
  }

  link(path: string, target: string): this {
    this.add({ path, mode: LINK, bytes: Buffer.from(target) });
    return this;
  }

  encode(): Buffer {
    const trailer: Entry = { path: 'TRAILER!!!', mode: 0, bytes: new Uint8Array(0) };
    const pieces = [...this.entries.values(), trailer].flatMap((entry, index) => encode(entry, index + 1));
    return Buffer.concat(pieces);
  }
}
