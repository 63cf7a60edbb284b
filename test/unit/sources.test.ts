// SPDX-License-Identifier: GPL-2.0-or-later
// Byte sources: memory with bad regions, slices of other sources, the copy-on-write overlay.
import type { Extent } from '../../src/core/extents';
import { readRegion } from '../../src/core/extents';
import { joinExtents } from '../../src/source/cover';
import { MemorySource } from '../../src/source/memory';
import { exactly, OverlaySource } from '../../src/source/overlay';
import { SliceSource } from '../../src/source/slice';
import { prng } from '../support/prng';
import { faultOf } from '../support/temporary';

const ramp = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (i * 13 + (i >> 8)) & 0xff);
const shape = (extents: readonly Extent[]): string[] =>
  extents.map((each) => `${each.kind} ${each.start}-${each.end}`);

describe('memory', () => {
  test('gives data, and what lies past it as beyond the end', () => {
    const source = new MemorySource(ramp(1000));
    expect(source.readAt(900n, 200)).toEqual([
      { kind: 'data', start: 900n, end: 1000n, bytes: ramp(1000).subarray(900) },
      { kind: 'beyond-end', start: 1000n, end: 1100n },
    ]);
    expect(shape(source.readAt(5000n, 1))).toEqual(['beyond-end 5000-5001']);
    expect(source.readAt(0n, 0)).toEqual([]);
  });

  test('results do not change when the bytes do', () => {
    const bytes = ramp(100);
    const region = readRegion(new MemorySource(bytes), 0n, 100);
    bytes.fill(0);
    expect(region.bytes).toEqual(ramp(100));
  });

  test('bad regions, overlapping and out of order, are unread', () => {
    const bad = [
      { start: 300n, end: 400n, reason: 'b' },
      { start: 100n, end: 200n, reason: 'a' },
      { start: 150n, end: 250n, reason: 'c' },
    ];
    const source = new MemorySource(ramp(1000), { bad });
    expect(shape(source.readAt(50n, 300))).toEqual([
      'data 50-100',
      'unread 100-200',
      'unread 200-250',
      'data 250-300',
      'unread 300-350',
    ]);
  });

  test('impossible requests are mistakes, not findings', () => {
    expect(() => new MemorySource(ramp(10)).readAt(-1n, 4)).toThrow(RangeError);
    expect(() => new MemorySource(ramp(10)).readAt(0n, -4)).toThrow(RangeError);
  });
});

test('joining keeps different reasons apart', () => {
  const unread = (start: bigint, reason: string): Extent => ({
    kind: 'unread',
    start,
    end: start + 1n,
    reason,
  });
  expect(joinExtents([unread(0n, 'a'), unread(1n, 'a'), unread(2n, 'b')])).toEqual([
    { kind: 'unread', start: 0n, end: 2n, reason: 'a' },
    { kind: 'unread', start: 2n, end: 3n, reason: 'b' },
  ]);
});

describe('slice', () => {
  const inner = new MemorySource(ramp(10000), {
    bad: [{ start: 4000n, end: 4100n, reason: 'EIO' }],
    logicalBlockSize: 4096,
  });

  test('has coordinates of its own', () => {
    const slice = new SliceSource(inner, 3000n, 2000n);
    expect(slice.sizeBytes).toBe(2000n);
    expect(slice.logicalBlockSize).toBe(4096);
    expect(shape(slice.readAt(900n, 300))).toEqual(['data 900-1000', 'unread 1000-1100', 'data 1100-1200']);
    expect(readRegion(slice, 0n, 100).bytes).toEqual(ramp(10000).subarray(3000, 3100));
  });

  test('does not show what follows it', () => {
    const slice = new SliceSource(inner, 0n, 100n);
    expect(shape(slice.readAt(50n, 100))).toEqual(['data 50-100', 'beyond-end 100-150']);
  });

  test('of a truncated image ends where the image does', () => {
    expect(new SliceSource(inner, 9000n, 5000n).sizeBytes).toBe(1000n);
    expect(shape(new SliceSource(inner, 9000n, 5000n).readAt(900n, 200))).toEqual([
      'data 900-1000',
      'beyond-end 1000-1100',
    ]);
    expect(new SliceSource(inner, 20000n, 5000n).sizeBytes).toBe(0n);
  });

  test('slices nest', () => {
    const nested = new SliceSource(new SliceSource(inner, 1000n, 5000n), 500n, 100n);
    expect(readRegion(nested, 10n, 20).bytes).toEqual(ramp(10000).subarray(1510, 1530));
  });
});

describe('overlay', () => {
  test('reads see writes, the base does not', () => {
    const base = new MemorySource(ramp(1000));
    const overlay = new OverlaySource(base);
    overlay.writeAt(100n, new Uint8Array(50).fill(0xaa));
    const expected = ramp(1000);
    expected.fill(0xaa, 100, 150);
    expect(readRegion(overlay, 0n, 1000).bytes).toEqual(expected);
    expect(readRegion(base, 0n, 1000).bytes).toEqual(ramp(1000));
    expect(overlay.written()).toEqual([{ start: 100n, end: 150n }]);
  });

  test('what was written can be read, though the base cannot', () => {
    const overlay = new OverlaySource(
      new MemorySource(ramp(1000), { bad: [{ start: 100n, end: 200n, reason: 'EIO' }] }),
    );
    overlay.writeAt(120n, new Uint8Array(20));
    expect(shape(overlay.readAt(90n, 120))).toEqual([
      'data 90-100',
      'unread 100-120',
      'data 120-140',
      'unread 140-200',
      'data 200-210',
    ]);
  });

  test('the writer refuses to grow it, and tells what cannot be read', () => {
    const overlay = new OverlaySource(
      new MemorySource(ramp(1000), { bad: [{ start: 500n, end: 512n, reason: 'EIO: i/o error' }] }),
    );
    const writer = overlay.writer('spare.img');
    expect(faultOf(() => writer.writeAt(990n, new Uint8Array(20))).code).toBe('WRITE_FAILED');
    const fault = faultOf(() => writer.readAt(490n, 100));
    expect(fault.code).toBe('READ_FAILED');
    expect(fault.fields).toEqual({
      path: 'spare.img',
      offset: '500',
      length: '12',
      reason: 'EIO: i/o error',
    });
    expect(faultOf(() => writer.readAt(990n, 20)).fields['reason']).toBe('it lies past the end');
    writer.writeAt(500n, new Uint8Array(12));
    expect(writer.readAt(500n, 12)).toEqual(new Uint8Array(12));
  });

  test('any sequence of writes gives what a plain array gives', () => {
    const next = prng(7);
    for (let round = 0; round < 100; round++) {
      const model = ramp(2000);
      const overlay = new OverlaySource(new MemorySource(ramp(2000)));
      for (let write = 0; write < 30; write++) {
        const start = next() % 1900;
        const bytes = new Uint8Array(next() % 100).fill(next() & 0xff);
        model.set(bytes, start);
        overlay.writeAt(BigInt(start), bytes);
      }
      const from = next() % 1000;
      const length = next() % 1000;
      expect(exactly(overlay, 'x', BigInt(from), length)).toEqual(model.subarray(from, from + length));
      let last = -1n;
      for (const { start, end } of overlay.written()) {
        expect(start >= last && end > start).toBe(true);
        last = end;
      }
    }
  });
});
