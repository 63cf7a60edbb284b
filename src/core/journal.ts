// SPDX-License-Identifier: GPL-2.0-or-later
// The undo journal as bytes: its shape, its limits, how it is made and how finished writes are marked in it. Reading one
// back is in journal-parse.ts; what follows from its contents is in undo.ts.
//
//   dmremap.undo/1 MMMMMMMM <sha256 of the manifest>\n     M: bytes of the manifest, 8 decimal digits
//   {manifest, one line of JSON, keys sorted}\n
//   pool: blockCount different blocks of 4096 bytes
//   marks, 20 bytes each: "done 00007 <check>\n", one for each write that is on the medium and was read back
//
// Old and new bytes of every write are both in the pool: only so can a write that has no mark be told from a change by
// somebody else. They are stored as block numbers, because the copies of one generation are nearly all the same: 39
// copies of 512 KiB become little more than one. Marks carry a check that is bound to this journal, so that a torn
// append, or the tail of another file, is never taken for one.
import { encodeUtf8, isZero, SECTOR_BYTES } from './bytes';
import { Fault } from './faults';
import type { Tool } from './tool';

export const JOURNAL_SCHEMA = 'dmremap.undo/1';
export const JOURNAL_BLOCK_BYTES = 4096;
/** Length of the first line, newline included. */
export const PREAMBLE_BYTES = JOURNAL_SCHEMA.length + 1 + 8 + 1 + 64 + 1;
export const MARK_BYTES = 20;

/**
 * What a journal may hold; the maker and the reader go by the same numbers. Eight spares of which all 5 MiB before
 * the data are overwritten need 40 MiB. The reader's memory stays below 200 MB even for the largest.
 */
export const JOURNAL_LIMITS = {
  manifestBytes: 2 * 1024 * 1024,
  /** Sum of the lengths of all writes. */
  writtenBytes: 44 * 1024 * 1024,
  poolBytes: 44 * 1024 * 1024,
  markBytes: 1024 * 1024,
  writes: 2048,
  targets: 64,
  textLength: 4096,
  /** Of the recorded command line, all words together: 10,000 inputs must not make the journal impossible. */
  commandLength: 16_384,
} as const;

/** No journal is longer than this. */
export const MAX_JOURNAL_BYTES =
  PREAMBLE_BYTES + JOURNAL_LIMITS.manifestBytes + 1 + JOURNAL_LIMITS.poolBytes + JOURNAL_LIMITS.markBytes;

/** Lower-case hex SHA-256 over the chunks, one after another (the host's: the core has none of its own). */
export type Sha256 = (...chunks: readonly Uint8Array[]) => string;

/** Bytes relative to the start of a write, half-open. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file or device that is written to. */
export interface JournalTarget {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** A name that survives a reboot (/dev/disk/by-id/...), where there is one. */
  readonly stablePath: string | null;
  /** As ReadHandle.identity at the time of writing. */
  readonly identity: string;
  readonly sizeBytes: bigint;
  readonly kind: 'image' | 'block';
}

/** One write as it was planned. `before` and `after` have the same length, a multiple of 512. */
export interface PlannedWrite {
  /** Index into the targets. */
  readonly target: number;
  /** Bytes from the start of the target, a multiple of 512. */
  readonly offset: bigint;
  /** What was there when the write was planned. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** Parts of `before` that could not be read (whole sectors, in order); undo leaves these as they were written. */
  readonly unread?: readonly ByteRange[];
  /** Why: the id of a finding, or what a command does ("format", "undo"). */
  readonly finding: string;
  /** What is complete or not as a whole: 'spare0/copy3'. The writes of a group follow one another. */
  readonly group: string;
}

/** What a journal says of the run that made it. */
export interface JournalFacts {
  readonly tool: Tool;
  readonly setupUuid: string;
  /** The words of the command line; only as many as fit are kept. */
  readonly command: readonly string[];
  /** Absolute path of the journal itself: one that was moved must not silently act on the files of its old place. */
  readonly journal: string;
  readonly targets: readonly JournalTarget[];
}

/** Everything a journal records apart from its marks. */
export interface JournalPlan extends JournalFacts {
  readonly writes: readonly PlannedWrite[];
}

export interface EncodedJournal {
  /** SHA-256 of the manifest; marks are bound to it. */
  readonly id: string;
  /** The file up to the first mark. Views into the planned writes where possible, so not to be changed. */
  readonly chunks: readonly Uint8Array[];
}

/**
 * Makes the journal of a plan.
 * @throws Fault JOURNAL_TOO_LARGE if the plan is beyond JOURNAL_LIMITS (nothing was written then).
 * @throws Error if the plan makes no sense (overlapping writes, odd lengths): a mistake in the program.
 */
export function encodeJournal(plan: JournalPlan, sha256: Sha256): EncodedJournal {
  checkPlan(plan.targets, plan.writes);
  const pool = new BlockPool(sha256);
  const writes = plan.writes.map((write) => ({
    after: pool.numbersOf(write.after),
    before: pool.numbersOf(write.before),
    finding: write.finding,
    group: write.group,
    length: String(write.after.length),
    offset: write.offset.toString(),
    sha256After: sha256(write.after),
    sha256Before: sha256(write.before),
    target: write.target,
    unread: (write.unread ?? []).map(({ start, end }) => [start, end]),
  }));
  const manifest = encodeUtf8(
    JSON.stringify({
      blockBytes: JOURNAL_BLOCK_BYTES,
      blockCount: pool.count,
      command: shortened(plan.command),
      journal: plan.journal,
      poolSha256: sha256(...pool.chunks),
      schema: JOURNAL_SCHEMA,
      setupUuid: plan.setupUuid,
      targets: plan.targets.map((target) => ({
        identity: target.identity,
        kind: target.kind,
        path: target.path,
        sizeBytes: target.sizeBytes.toString(),
        stablePath: target.stablePath,
      })),
      tool: { name: plan.tool.name, version: plan.tool.version },
      writes,
    }),
  );
  requireWithin('manifest', manifest.length, JOURNAL_LIMITS.manifestBytes);
  const id = sha256(manifest);
  const preamble = encodeUtf8(`${JOURNAL_SCHEMA} ${String(manifest.length).padStart(8, '0')} ${id}\n`);
  return { id, chunks: [preamble, manifest, Uint8Array.of(0x0a), ...pool.chunks] };
}

/**
 * The marks to append when these writes are finished ('done'), or when an undo of this journal is about to begin
 * ('undo', index 0). `id` is that of the journal.
 */
export function encodeMarks(
  kind: 'done' | 'undo',
  indexes: readonly number[],
  id: string,
  sha256: Sha256,
): Uint8Array {
  return encodeUtf8(indexes.map((index) => markLine(kind, index, id, sha256)).join(''));
}

/** One mark, MARK_BYTES long. */
export function markLine(kind: 'done' | 'undo', index: number, id: string, sha256: Sha256): string {
  const head = `${kind} ${String(index).padStart(5, '0')} `;
  return `${head}${sha256(encodeUtf8(head + id)).slice(0, 8)}\n`;
}

/**
 * Throws (a plain Error: the mistake is in the program) unless every write is whole sectors inside its target, no two
 * touch the same bytes, and the writes of a group follow one another. Overlapping writes could not be undone.
 */
export function checkPlan(targets: readonly JournalTarget[], writes: readonly PlannedWrite[]): void {
  const groups = new Set<string>();
  let group: string | null = null;
  let total = 0;
  const places: Place[] = [];
  for (const write of writes) {
    const { length } = write.after;
    const target = targets[write.target];
    if (target === undefined) throw new Error(`plan: no target ${write.target}`);
    const problem = placeProblem(write.offset, length, target.sizeBytes);
    if (problem !== null) throw new Error(`plan: write at byte ${write.offset}: ${problem}`);
    if (write.before.length !== length) throw new Error(`plan: old and new bytes differ in length`);
    const ranges = unreadProblem(write.unread ?? [], length);
    if (ranges !== null) throw new Error(`plan: write at byte ${write.offset}: ${ranges}`);
    for (const { start, end } of write.unread ?? []) {
      // The hash of the old bytes would otherwise depend on what happened to be in the buffer.
      if (!isZero(write.before, start, end)) throw new Error('plan: unread bytes must be zero in `before`');
    }
    if (write.group !== group) {
      if (groups.has(write.group))
        throw new Error(`plan: the writes of ${write.group} do not follow one another`);
      groups.add(write.group);
      ({ group } = write);
    }
    total += length;
    places.push({ target: write.target, start: write.offset, end: write.offset + BigInt(length) });
  }
  if (overlap(places) !== null) throw new Error('plan: two writes touch the same bytes');
  if (new Set(targets.map((target) => target.identity)).size !== targets.length) {
    throw new Error('plan: one file stands twice among the targets');
  }
  requireWithin('list of writes', writes.length, JOURNAL_LIMITS.writes);
  requireWithin('list of targets', targets.length, JOURNAL_LIMITS.targets);
  requireWithin('bytes to be changed', total, JOURNAL_LIMITS.writtenBytes);
}

/** A stretch of bytes on a target, half-open. */
export interface Place {
  readonly target: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** The later of two places that share bytes, or null if no two do. */
export function overlap(places: readonly Place[]): Place | null {
  const sorted = [...places].sort(
    (a, b) => a.target - b.target || (a.start < b.start ? -1 : a.start > b.start ? 1 : 0),
  );
  for (let i = 1; i < sorted.length; i++) {
    const [last, next] = [sorted[i - 1], sorted[i]];
    if (last && next && last.target === next.target && next.start < last.end) return next;
  }
  return null;
}

/** What is wrong with a place for a write, or null. */
export function placeProblem(offset: bigint, length: number, sizeBytes: bigint): string | null {
  if (length <= 0 || length % SECTOR_BYTES !== 0) return `a length of ${length} bytes is not whole sectors`;
  if (offset < 0n || offset % BigInt(SECTOR_BYTES) !== 0n) return 'it does not begin with a sector';
  return offset + BigInt(length) > sizeBytes ? `it ends beyond the ${sizeBytes} bytes of the target` : null;
}

/** What is wrong with a list of unread ranges, or null. */
export function unreadProblem(ranges: readonly ByteRange[], length: number): string | null {
  let last = 0;
  for (const { start, end } of ranges) {
    const whole = start % SECTOR_BYTES === 0 && end % SECTOR_BYTES === 0;
    if (!whole || start < last || end <= start || end > length) return 'a wrong range of unread bytes';
    last = end;
  }
  return null;
}

/** Different blocks, numbered in the order in which they first came. A short last block is filled up with zeros. */
class BlockPool {
  readonly chunks: Uint8Array[] = [];
  private readonly numbers = new Map<string, number>();

  constructor(private readonly sha256: Sha256) {}

  get count(): number {
    return this.numbers.size;
  }

  numbersOf(bytes: Uint8Array): number[] {
    const out: number[] = [];
    for (let at = 0; at < bytes.length; at += JOURNAL_BLOCK_BYTES) out.push(this.numberOf(bytes, at));
    return out;
  }

  private numberOf(bytes: Uint8Array, at: number): number {
    let block = bytes.subarray(at, at + JOURNAL_BLOCK_BYTES);
    if (block.length < JOURNAL_BLOCK_BYTES) {
      const padded = new Uint8Array(JOURNAL_BLOCK_BYTES);
      padded.set(block);
      block = padded;
    }
    // By SHA-256, not by a cheaper hash: contents come from disks, and could be made to collide.
    const key = this.sha256(block);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.numbers.size;
    requireWithin('contents', (number + 1) * JOURNAL_BLOCK_BYTES, JOURNAL_LIMITS.poolBytes);
    this.numbers.set(key, number);
    this.append(block);
    return number;
  }

  /** Blocks that lie side by side in memory become one chunk: thousands of 4 KiB writes would cost more than the data. */
  private append(block: Uint8Array): void {
    const last = this.chunks.at(-1);
    if (last?.buffer === block.buffer && last.byteOffset + last.length === block.byteOffset) {
      this.chunks[this.chunks.length - 1] = new Uint8Array(
        last.buffer,
        last.byteOffset,
        last.length + block.length,
      );
    } else {
      this.chunks.push(block);
    }
  }
}

function requireWithin(what: string, have: number, limit: number): void {
  if (have > limit) throw new Fault('JOURNAL_TOO_LARGE', { what, have: String(have), limit: String(limit) });
}

/** As many words as fit; what is left out shows as "...". */
function shortened(words: readonly string[]): readonly string[] {
  let room: number = JOURNAL_LIMITS.commandLength;
  const out: string[] = [];
  for (const word of words) {
    room -= word.length + 1;
    if (room < 0 || word.length > JOURNAL_LIMITS.textLength) return [...out, '...'];
    out.push(word);
  }
  return out;
}
