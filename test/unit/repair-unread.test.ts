// SPDX-License-Identifier: GPL-2.0-or-later
// Repairs of copies of which parts cannot be read: whatever shape these parts have, whole blocks are written over them, and
// the journal claims nothing about a sector of which it does not know every byte.
import { slotAt, SPARE_BYTES, story } from '../../fixtures/build';
import { EXIT } from '../../src/core/faults';
import { parseJournal } from '../../src/core/journal-parse';
import { COPY_INDEXES, NOW_NS } from '../support/bench';
import { copyOf } from '../support/histories';
import { sha256 } from '../support/journals';
import { MemoryHost } from '../support/memory-host';
import { onlySetup, runFsck, undoJournal } from '../support/repair-world';

const { newest } = story({ entries: 10 });
const SLOT = slotAt(2);
const { slotBytes } = newest.header;

type Range = readonly [start: number, end: number];

interface Medium {
  readonly name: string;
  readonly path: string;
  readonly block: number;
  readonly journals: string;
}

const IMAGE: Medium = { name: 'an image', path: '/img/spare.img', block: 512, journals: '/img' };
const DEVICE: Medium = {
  name: 'a device with blocks of 4096 bytes',
  path: '/dev/sdb',
  block: 4096,
  journals: '/var/lib/dmremap/undo',
};

/** A spare with all five copies, copy 2 corrupt; `unread` of it fail to read until they are written to. */
function spareWith(medium: Medium, unread: readonly Range[]): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  if (medium === DEVICE) host.addBlock(medium.path, SPARE_BYTES, { logicalBlockSize: medium.block });
  else host.addImage(medium.path, SPARE_BYTES);
  for (const copy of COPY_INDEXES) host.poke(medium.path, slotAt(copy), copyOf(newest, 0, copy));
  // The writer in the header, and a byte of DEVICES.
  for (const at of [0x140, 4500]) host.poke(medium.path, SLOT + at, Uint8Array.of(0xee));
  for (const [i, [start, end]] of unread.entries())
    host.failReads(medium.path, BigInt(SLOT + start), BigInt(SLOT + end), `EIO: number ${i}`);
  return host;
}

interface Case {
  readonly what: string;
  readonly medium: Medium;
  readonly unread: readonly Range[];
  /** What of the slot the journal says nothing about: whole sectors. */
  readonly unknown: readonly Range[];
}

const CASES: readonly Case[] = [
  { what: 'one of its blocks', medium: DEVICE, unread: [[8192, 12_288]], unknown: [[8192, 12_288]] },
  { what: 'its header block', medium: DEVICE, unread: [[0, 4096]], unknown: [[0, 4096]] },
  { what: 'all of it', medium: DEVICE, unread: [[0, slotBytes]], unknown: [[0, slotBytes]] },
  {
    what: 'two blocks side by side, for different reasons',
    medium: DEVICE,
    unread: [
      [4096, 8192],
      [8192, 12_288],
    ],
    unknown: [[4096, 12_288]],
  },
  { what: 'a sector of the header block', medium: IMAGE, unread: [[1536, 2048]], unknown: [[1536, 2048]] },
  {
    what: 'sectors on both sides of the end of a block',
    medium: IMAGE,
    unread: [[3584, 4608]],
    unknown: [[3584, 4608]],
  },
  // A read may end anywhere before it fails: on a network file system it does.
  {
    what: 'what follows a read that ended within a sector',
    medium: IMAGE,
    unread: [[13_288, 16_384]],
    unknown: [[12_800, 16_384]],
  },
  {
    what: 'a part that begins and ends within sectors, over two blocks',
    medium: IMAGE,
    unread: [[4000, 4200]],
    unknown: [[3584, 4608]],
  },
  {
    what: 'two parts of one sector, for different reasons',
    medium: IMAGE,
    unread: [
      [20_500, 20_600],
      [20_700, 20_800],
    ],
    unknown: [[20_480, 20_992]],
  },
];

describe.each(CASES)('on $medium.name, $what cannot be read', ({ medium, unread, unknown }) => {
  const outside = (bytes: Uint8Array): Uint8Array => {
    const copy = bytes.slice();
    for (const [start, end] of unknown) copy.fill(0, SLOT + start, SLOT + end);
    return copy;
  };

  test('whole blocks are written, and the copy is whole again', async () => {
    const host = spareWith(medium, unread);
    const run = await runFsck(host, [medium.path]);
    expect([run.exit, onlySetup(run).verdict]).toEqual([EXIT.corrected, 'repaired']);
    const writes = host.log.filter(({ kind, path }) => kind === 'write' && path === medium.path);
    expect(writes.length).toBeGreaterThan(0);
    for (const { offset, bytes } of writes) {
      expect([offset % 4096, bytes.length % 4096]).toEqual([0, 0]);
      expect([offset >= SLOT, offset + bytes.length <= SLOT + slotBytes]).toEqual([true, true]);
    }
    expect((await runFsck(host, [medium.path], { mode: 'check' })).exit).toBe(EXIT.fine);
  });

  test('the journal knows the rest to the byte, and undo puts that back', async () => {
    const host = spareWith(medium, unread);
    const before = outside(host.bytesOf(medium.path));
    await runFsck(host, [medium.path]);
    const [name] = host.listDir(medium.journals).filter((one) => one.includes('.dmremap-undo-'));
    const journal = `${medium.journals}/${name}`;
    const { writes } = parseJournal(host.bytesOf(journal), journal, sha256);
    const claimed = writes
      .flatMap((write) =>
        write.unread.map(({ start, end }) => [Number(write.offset) + start, Number(write.offset) + end]),
      )
      .sort(([a = 0], [b = 0]) => a - b);
    const joined: number[][] = [];
    for (const [start = 0, end = 0] of claimed) {
      const last = joined.at(-1);
      if (last?.[1] === start) last[1] = end;
      else joined.push([start, end]);
    }
    expect(joined).toEqual(unknown.map(([start, end]) => [SLOT + start, SLOT + end]));

    const result = await undoJournal(host, journal);
    expect(result).toMatchObject({ status: unknown[0]?.[1] === slotBytes ? 'nothing-to-do' : 'undone' });
    expect(Buffer.compare(outside(host.bytesOf(medium.path)), before)).toBe(0);
  });
});
