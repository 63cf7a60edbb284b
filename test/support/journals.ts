// SPDX-License-Identifier: GPL-2.0-or-later
// Journals for tests: random plans, and journals forged from any manifest with all checksums right.
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import type { ByteRange, JournalPlan, PlannedWrite } from '../../src/core/journal';
import { encodeJournal, JOURNAL_BLOCK_BYTES } from '../../src/core/journal';
import { concatBytes, encodeUtf8 } from '../../src/core/bytes';
import { Fault } from '../../src/core/faults';
import { parseJournal } from '../../src/core/journal-parse';
import { prng } from './prng';

export const UUID = '1a2b3c4d-0000-4000-8000-00000000000f';
export const TOOL = { name: 'dm-remap-toolkit', version: '1.0.0' };

export function sha256(...chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

/** Pseudo-random bytes. */
export function noise(seed: number, length: number): Uint8Array {
  const next = prng(seed);
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = next();
  return out;
}

export function journalFile(plan: JournalPlan): Uint8Array {
  return concatBytes(encodeJournal(plan, sha256).chunks);
}

/** A plan of two writes in one group on one image. */
export function smallPlan(): JournalPlan {
  return {
    tool: TOOL,
    setupUuid: UUID,
    command: ['dmremap-fsck', '-y', 'a.img'],
    journal: '/img/a.img.dmremap-undo-1a2b3c4d-001',
    targets: [
      { path: '/img/a.img', stablePath: null, identity: 'f:1:1', sizeBytes: 65536n, kind: 'image' },
      { path: '/img/b.img', stablePath: null, identity: 'f:1:2', sizeBytes: 65536n, kind: 'image' },
    ],
    writes: [
      {
        target: 0,
        offset: 4096n,
        before: noise(1, 4608),
        after: noise(2, 4608),
        finding: 'X',
        group: 'copy1',
      },
      { target: 0, offset: 0n, before: noise(3, 512), after: noise(4, 512), finding: 'X', group: 'copy1' },
      { target: 1, offset: 0n, before: noise(5, 1024), after: noise(6, 1024), finding: 'Y', group: 'copy2' },
    ],
  };
}

/** The manifest of a journal file as a value that a test can change. */
export function manifestOf(file: Uint8Array): Record<string, unknown> {
  return JSON.parse(Buffer.from(file.subarray(PREAMBLE, manifestEnd(file))).toString()) as Record<
    string,
    unknown
  >;
}

/** What follows the manifest's line. */
export function poolOf(file: Uint8Array): Uint8Array {
  return file.subarray(manifestEnd(file) + 1);
}

/** A journal with this manifest, in which every checksum that can be right is right. */
export function forge(manifest: unknown, pool: Uint8Array): Uint8Array {
  return forgeText(JSON.stringify(manifest), pool);
}

export function forgeText(text: string, pool: Uint8Array): Uint8Array {
  const bytes = encodeUtf8(text);
  const head = `dmremap.undo/1 ${String(bytes.length).padStart(8, '0')} ${sha256(bytes)}\n`;
  return concatBytes([encodeUtf8(head), bytes, Uint8Array.of(0x0a), pool]);
}

const PREAMBLE = 'dmremap.undo/1 00000000 '.length + 65;

function manifestEnd(file: Uint8Array): number {
  return PREAMBLE + Number(Buffer.from(file.subarray(15, 23)).toString());
}

/** Contents in which blocks come again, some zero, some noise: what deduplication is for. */
const contents = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 8 }).map((seeds) => {
    const out = new Uint8Array(length);
    for (let at = 0, i = 0; at < length; at += JOURNAL_BLOCK_BYTES, i++) {
      const seed = seeds[i % seeds.length]!;
      if (seed > 0) out.set(noise(seed, Math.min(JOURNAL_BLOCK_BYTES, length - at)), at);
    }
    return out;
  });

const unreadRanges = (sectors: number): fc.Arbitrary<ByteRange[]> =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: sectors - 1 }), { maxLength: 3 })
    .map((list) =>
      list.sort((a, b) => a - b).map((sector) => ({ start: sector * 512, end: sector * 512 + 512 })),
    );

/** Plans that keep every rule: writes one after another on each of up to three targets, in groups of one or two. */
export const plans: fc.Arbitrary<JournalPlan> = fc
  .array(
    fc.record({
      target: fc.integer({ min: 0, max: 2 }),
      gap: fc.integer({ min: 0, max: 9 }),
      sectors: fc.integer({ min: 1, max: 20 }),
      joins: fc.boolean(),
    }),
    { maxLength: 12 },
  )
  .chain((shapes) =>
    fc.record({
      shapes: fc.constant(shapes),
      before: fc.tuple(...shapes.map(({ sectors }) => contents(sectors * 512))),
      after: fc.tuple(...shapes.map(({ sectors }) => contents(sectors * 512))),
      unread: fc.tuple(...shapes.map(({ sectors }) => unreadRanges(sectors))),
      name: fc
        .string({ unit: 'binary', maxLength: 12 })
        .map((text) => text.replace(/[\0/]|[\ud800-\udfff]/gu, '_')),
    }),
  )
  .map(({ shapes, before, after, unread, name }) => {
    const ends = [0n, 0n, 0n];
    let group = 0;
    const writes: PlannedWrite[] = shapes.map((shape, i) => {
      const offset = ends[shape.target]! + BigInt(shape.gap * 512);
      ends[shape.target] = offset + BigInt(shape.sectors * 512);
      if (!shape.joins) group++;
      const old = before[i]!.slice();
      for (const { start, end } of unread[i]!) old.fill(0, start, end);
      return {
        target: shape.target,
        offset,
        before: old,
        after: after[i]!,
        unread: unread[i]!,
        finding: 'F',
        group: `group ${group}`,
      };
    });
    return {
      tool: TOOL,
      setupUuid: UUID,
      command: ['dmremap-fsck', name],
      journal: `/img/${name}`,
      targets: ends.map((end, i) => ({
        path: `/img/${name}${i}`,
        stablePath: i === 1 ? `/dev/disk/by-id/${name}` : null,
        identity: `f:1:${i}`,
        sizeBytes: end + 512n,
        kind: i === 1 ? ('block' as const) : ('image' as const),
      })),
      writes,
    };
  });

/** 'CODE: what' of the Fault with which reading this journal ends, or 'accepted'. Any other exception goes on up. */
export function journalVerdict(file: Uint8Array): string {
  try {
    parseJournal(file, '/j', sha256);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return `${error.code}: ${error.fields['what'] ?? error.fields['version']}`;
  }
}
