// SPDX-License-Identifier: GPL-2.0-or-later
// Recognising other content: every signature is found, at its place and nowhere else; wiping what is named makes it
// unrecognisable; healthy spares and noise are nothing.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { recogniseContent, recogniseInSlot, SIGNATURES } from '../../src/core/signatures';
import { MemorySource } from '../../src/source/memory';
import {
  CONTENT_BYTES,
  FOREIGN_CONTENT,
  writeExt4,
  writeGpt,
  writeLuks2,
  writeLvm2,
  writeMbr,
} from '../support/content';
import { countingSource } from '../support/counting-source';
import { Put } from '../support/put';
import { recognise, wipe } from '../support/recognise';
import { prng } from '../support/prng';

const SLOT_BYTES = 512 * 1024;
const VECTORS = join(__dirname, '../../fixtures/vectors');

function noise(length: number, seed: number): Uint8Array {
  const next = prng(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = next();
  return new Uint8Array(words.buffer, 0, length);
}

function spares(): { name: string; bytes: Uint8Array }[] {
  const files = readdirSync(VECTORS, { recursive: true, encoding: 'utf8' });
  return files
    .filter((name) => /spare\d+\.img\.gz$/.test(name))
    .map((name) => ({ name, bytes: new Uint8Array(gunzipSync(readFileSync(join(VECTORS, name)))) }));
}

describe('the table', () => {
  test('each signature has a name, and a magic or a check of its own', () => {
    for (const { id, name, at, magics, size } of SIGNATURES) {
      expect(id).toMatch(/^[a-z0-9-]+$/);
      expect(name).not.toBe('');
      expect(at.length).toBeGreaterThan(0);
      expect(magics.length).toBeGreaterThan(0);
      expect(size).toBeLessThanOrEqual(65536);
    }
  });

  test('a magic below four bytes never stands alone: with noise around it nothing is recognised', () => {
    const short = SIGNATURES.filter(({ magics }) => magics.some((magic) => magic.length < 4));
    expect(short.length).toBeGreaterThan(8);
    for (const [index, { at, magics, magicAt }] of short.entries()) {
      for (let round = 0; round < 12; round++) {
        const bytes = noise(140 * 1024, 1000 * index + round);
        for (const place of at) {
          const start = typeof place === 'number' ? place : Number(place(BigInt(bytes.length)));
          const magic = magics[round % magics.length] ?? new Uint8Array();
          if (start >= 0 && start + magicAt + magic.length <= bytes.length) bytes.set(magic, start + magicAt);
        }
        expect(recognise(bytes)).toEqual([]);
      }
    }
  });
});

describe('recogniseContent', () => {
  test.each(FOREIGN_CONTENT)(
    'names $name, and does not after its wipe ranges are zero',
    ({ id, name, write }) => {
      const bytes = new Uint8Array(CONTENT_BYTES);
      write(bytes);
      const matches = recognise(bytes);
      const match = matches.find((each) => each.id === id);
      expect(match?.name.startsWith(name)).toBe(true);
      expect(matches[0]).toBe(match);
      for (const each of matches) {
        expect(each.wipe.length).toBeGreaterThan(0);
        expect(each.wipe.some(({ start, end }) => each.offset >= start && each.offset < end)).toBe(true);
        expect(each.wipe.every(({ start, end }) => start >= 0n && start < end && end <= CONTENT_BYTES)).toBe(
          true,
        );
      }
      wipe(bytes, matches);
      expect(recognise(bytes)).toEqual([]);
    },
  );

  test.each(FOREIGN_CONTENT)('finds $name inside a partition, with absolute offsets', ({ write }) => {
    const inner = new Uint8Array(CONTENT_BYTES);
    write(inner);
    const base = 1024 * 1024 + 512;
    const bytes = new Uint8Array(base + CONTENT_BYTES + 4096);
    bytes.set(inner, base);
    const window = { base: BigInt(base), length: BigInt(CONTENT_BYTES) };
    const moved = recogniseContent(new MemorySource(bytes), window);
    const original = recognise(inner);
    expect(moved.map(({ name }) => name)).toEqual(original.map(({ name }) => name));
    expect(moved.map(({ offset }) => offset - BigInt(base))).toEqual(original.map(({ offset }) => offset));
  });

  test.each(FOREIGN_CONTENT)('does not see $name where its magic could not be read', ({ write }) => {
    const bytes = new Uint8Array(CONTENT_BYTES);
    write(bytes);
    const bad = recognise(bytes)
      .flatMap((match) => match.wipe)
      .map(({ start, end }) => ({ start: start & ~511n, end: (end | 511n) + 1n, reason: 'I/O error' }));
    const source = new MemorySource(bytes, { bad });
    expect(recogniseContent(source, { base: 0n, length: BigInt(bytes.length) })).toEqual([]);
  });

  test('names both headers of LUKS2 wherever the second one lies', () => {
    for (const headerBytes of [
      0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000,
    ]) {
      const bytes = new Uint8Array(CONTENT_BYTES);
      writeLuks2(bytes, 0, headerBytes);
      expect(recognise(bytes).map(({ offset }) => offset)).toEqual([0n, BigInt(headerBytes)]);
      bytes.fill(0, 0, 4096);
      expect(recognise(bytes).map(({ name }) => name)).toEqual(['LUKS2 encryption (second header)']);
    }
  });

  test('tells label and uuid where they are cheap', () => {
    const bytes = new Uint8Array(CONTENT_BYTES);
    writeExt4(bytes);
    expect(recognise(bytes)[0]?.detail).toBe('label "backup", uuid 5c6a1e0e-9a3b-4c55-8f0a-2b7d9c1e4f60');
  });

  test('names a GPT whose header is damaged, and a backup GPT without the primary', () => {
    const bytes = new Uint8Array(CONTENT_BYTES);
    writeGpt(bytes, { primary: false, protective: false });
    expect(recognise(bytes).map(({ name }) => name)).toEqual(['backup GPT partition table']);
    new Put(bytes, CONTENT_BYTES - 512).u32(40, 7);
    expect(recognise(bytes).map(({ name }) => name)).toEqual(['GPT partition table (header damaged)']);
  });

  test('names boot code by its messages, but 55 AA alone, or with text that is no code, is nothing', () => {
    const bytes = new Uint8Array(CONTENT_BYTES);
    new Put(bytes, 0).u8(510, 0x55, 0xaa);
    expect(recognise(bytes)).toEqual([]);
    new Put(bytes, 0).text(300, 'GRUB \x00Geom');
    expect(recognise(bytes)).toEqual([]);
    new Put(bytes, 0).u8(0, 0xeb, 0x63, 0x90);
    expect(recognise(bytes).map(({ name, detail }) => [name, detail])).toEqual([['boot sector', 'GRUB ']]);
  });

  test('several things on one device are all named', () => {
    const bytes = new Uint8Array(CONTENT_BYTES);
    writeExt4(bytes);
    writeLvm2(bytes);
    writeMbr(bytes, [{ type: 0x83, start: 2048, length: 2048 }]);
    expect(recognise(bytes).map(({ id }) => id)).toEqual(['lvm2', 'ext4', 'mbr']);
  });

  test('a window past the end of the source, or of no length, holds nothing', () => {
    const source = new MemorySource(noise(4096, 1));
    expect(recogniseContent(source, { base: 1n << 62n, length: 1n << 62n })).toEqual([]);
    expect(recogniseContent(source, { base: 0n, length: 0n })).toEqual([]);
    expect(recogniseContent(new MemorySource(new Uint8Array()), { base: 0n, length: 0n })).toEqual([]);
  });
});

describe('no false positives', () => {
  test('the healthy spares of the vectors are nothing, and so are their slots', () => {
    const all = spares();
    expect(all.length).toBeGreaterThanOrEqual(5);
    for (const { name, bytes } of all) {
      expect([name, recognise(bytes)]).toEqual([name, []]);
      for (const sector of [0, 1024, 2048, 4096, 8192]) {
        const slot = bytes.subarray(sector * 512, sector * 512 + SLOT_BYTES);
        expect([name, sector, recogniseInSlot(slot, BigInt(sector * 512))]).toEqual([
          name,
          sector,
          undefined,
        ]);
      }
    }
  });

  test('noise and test patterns are nothing', () => {
    for (let seed = 0; seed < 8; seed++) expect(recognise(noise(1024 * 1024, seed))).toEqual([]);
    for (const pattern of [0x00, 0x55, 0xaa, 0xff]) {
      const bytes = new Uint8Array(SLOT_BYTES).fill(pattern);
      expect(recognise(bytes)).toEqual([]);
      expect(recogniseInSlot(bytes, 0n)).toBeUndefined();
    }
  });
});

describe('recogniseInSlot', () => {
  test.each([
    ['an ext4 file system made on the whole device', 0, (slot: Uint8Array) => writeExt4(slot), 'ext4'],
    [
      'an ext4 file system in a partition at 1 MiB',
      1024 * 1024,
      (slot: Uint8Array) => writeExt4(slot),
      'ext4',
    ],
    ['a GPT', 0, (slot: Uint8Array) => writeGpt(slot, { backup: false }), 'gpt'],
    ['a LUKS2 second header that belongs to byte 0x80000', 0x80000, writeSecondLuksHeader, 'luks2'],
    ['a PDF', 0x80000, (slot: Uint8Array) => new Put(slot, 0).text(0, '%PDF-1.7\n'), 'pdf'],
    [
      'a JPEG',
      0,
      (slot: Uint8Array) => new Put(slot, 0).u8(0, 0xff, 0xd8, 0xff, 0xe0, 0, 16).text(6, 'JFIF\0'),
      'jpeg',
    ],
    ['an ELF program', 0, (slot: Uint8Array) => new Put(slot, 0).text(0, '\x7fELF\x02\x01\x01'), 'elf'],
    ['a zip archive', 0, (slot: Uint8Array) => writeZip(slot), 'zip'],
    [
      'a gzip file',
      0x100000,
      (slot: Uint8Array) => new Put(slot, 0).u8(0, 0x1f, 0x8b, 8, 8, 1, 2, 3, 4, 0, 3),
      'gzip',
    ],
    ['plain text', 0x200000, writeText, 'text'],
  ])('explains %s', (_, offset, write, id) => {
    const slot = new Uint8Array(SLOT_BYTES);
    write(slot);
    const match = recogniseInSlot(slot, BigInt(offset));
    expect(match?.id).toBe(id);
    expect(match !== undefined && match.offset >= offset && match.offset < offset + SLOT_BYTES).toBe(true);
  });

  test('what belongs elsewhere on the device is not taken for this slot', () => {
    const slot = new Uint8Array(SLOT_BYTES);
    new Put(slot, 0).text(0, 'SKUL\xba\xbe').u16be(6, 2).u64be(256, 0x4000n);
    expect(recogniseInSlot(slot, 0x80000n)).toBeUndefined();
  });

  test('a slot that the image cuts short is looked at as far as it goes', () => {
    const slot = new Uint8Array(2048);
    writeExt4(slot);
    expect(recogniseInSlot(slot, 0n)?.id).toBe('ext4');
    for (const length of [0, 1, 511, 1100])
      expect(recogniseInSlot(slot.subarray(0, length), 0n)).toBeUndefined();
  });
});

function writeSecondLuksHeader(slot: Uint8Array): void {
  new Put(slot, 0).text(0, 'SKUL\xba\xbe').u16be(6, 2).u64be(256, 0x80000n);
}

function writeZip(slot: Uint8Array): void {
  new Put(slot, 0).text(0, 'PK\x03\x04').u16(4, 20).u16(26, 5).text(30, 'a.txt');
}

function writeText(slot: Uint8Array): void {
  new Put(slot, 0).text(
    0,
    'Dear diary,\n\ntoday I wrote to /dev/sdb, and it was the wrong disk altogether.\n',
  );
}

describe('hostile bytes', () => {
  test('damaged and mixed signatures never throw, and reads stay few', () => {
    const change = fc.record({
      content: fc.nat(FOREIGN_CONTENT.length - 1),
      other: fc.nat(FOREIGN_CONTENT.length - 1),
      near: fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 12 }),
      cut: fc.nat(CONTENT_BYTES),
    });
    fc.assert(
      fc.property(change, ({ content, other, near, cut }) => {
        const bytes = new Uint8Array(CONTENT_BYTES);
        for (const index of [other, content]) FOREIGN_CONTENT[index]?.write(bytes);
        for (const match of recognise(bytes)) {
          for (const [step, value] of near) {
            const at = Number(match.offset) + step - 64;
            if (at >= 0 && at < bytes.length) bytes[at] = value;
          }
        }
        const { source, bytesRead } = countingSource(bytes.subarray(0, cut % bytes.length));
        recogniseContent(source, { base: 0n, length: source.sizeBytes });
        expect(bytesRead()).toBeLessThan(8 * 1024 * 1024);
        recogniseInSlot(bytes.subarray(0, SLOT_BYTES), BigInt(cut & ~511));
      }),
      { numRuns: 150 },
    );
  });

  test('magics in noise, at every place of the table', () => {
    const base = noise(256 * 1024, 99);
    fc.assert(
      fc.property(fc.nat(SIGNATURES.length - 1), fc.nat(0xffff), (index, seed) => {
        const wanted = SIGNATURES[index];
        const bytes = base.slice(seed & 0xff00, (seed & 0xff00) + 192 * 1024);
        for (const place of wanted?.at ?? []) {
          const start =
            (typeof place === 'number' ? place : Number(place(BigInt(bytes.length)))) +
            (wanted?.magicAt ?? 0);
          const magic = wanted?.magics[seed % wanted.magics.length] ?? new Uint8Array();
          if (start >= 0 && start + magic.length <= bytes.length) bytes.set(magic, start);
        }
        for (const match of recognise(bytes)) {
          for (const { start, end } of match.wipe)
            expect(start >= 0n && start < end && end <= bytes.length).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
