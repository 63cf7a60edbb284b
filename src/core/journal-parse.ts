// SPDX-License-Identifier: GPL-2.0-or-later
// Reads an undo journal (see journal.ts for its shape). A journal decides what is written to a disk, so nothing in it is
// believed: every length, count, number and hash is checked before it is used, and any defect is a Fault.
import { decodeUtf8, isZero } from './bytes';
import { Fault } from './faults';
import {
  JOURNAL_BLOCK_BYTES,
  JOURNAL_LIMITS,
  JOURNAL_SCHEMA,
  MARK_BYTES,
  MAX_JOURNAL_BYTES,
  PREAMBLE_BYTES,
  markLine,
} from './journal';
import type { JournalFacts, Sha256 } from './journal';
import { readManifest } from './journal-manifest';
import type { RecordedWrite } from './journal-manifest';

/** A journal that passed every check. */
export interface Journal extends JournalFacts {
  /** SHA-256 of the manifest. */
  readonly id: string;
  readonly writes: readonly RecordedWrite[];
  /** Indexes of the writes that have a mark. */
  readonly finished: ReadonlySet<number>;
  /** An undo of this journal was begun at some time. */
  readonly undoBegun: boolean;
  /** Spaces to append before further marks, so that they do not become part of a torn one. */
  readonly padding: number;
  readonly pool: Uint8Array;
}

/**
 * Parses a whole journal file. `path` is for messages only.
 * @throws Fault JOURNAL_INCOMPLETE (ends before its marks: the command that made it had changed nothing yet),
 *   JOURNAL_UNSUPPORTED (another version), JOURNAL_INVALID (anything else; says what and where).
 */
export function parseJournal(bytes: Uint8Array, path: string, sha256: Sha256): Journal {
  const invalid = (what: string): Fault => new Fault('JOURNAL_INVALID', { path, what });
  const incomplete = (what: string): Fault => new Fault('JOURNAL_INCOMPLETE', { path, what });
  if (bytes.length > MAX_JOURNAL_BYTES)
    throw invalid(`it is larger than any journal (${MAX_JOURNAL_BYTES} bytes)`);

  const preamble = readPreamble(bytes, path);
  const manifestEnd = PREAMBLE_BYTES + preamble.manifestBytes;
  const manifestBytes = bytes.subarray(PREAMBLE_BYTES, manifestEnd);
  if (bytes.length <= manifestEnd) throw incomplete('it ends within its manifest');
  if (sha256(manifestBytes) !== preamble.id) throw invalid('the manifest does not match its checksum');
  if (bytes[manifestEnd] !== 0x0a) throw invalid('the manifest does not end with its line');
  const text = decodeUtf8(manifestBytes);
  if (text === null) throw invalid('the manifest is not UTF-8');

  const manifest = readManifest(text, path);
  const poolStart = manifestEnd + 1;
  const poolEnd = poolStart + manifest.blockCount * JOURNAL_BLOCK_BYTES;
  if (bytes.length < poolEnd) throw incomplete('it ends within its contents');
  const pool = bytes.subarray(poolStart, poolEnd);
  if (sha256(pool) !== manifest.poolSha256) throw invalid('the contents do not match their checksum');
  manifest.writes.forEach((write, index) => {
    for (const [name, numbers, hash] of [
      ['old', write.before, write.sha256Before],
      ['new', write.after, write.sha256After],
    ] as const) {
      if (sha256(...views(pool, numbers, write.length)) !== hash) {
        throw invalid(`the ${name} bytes of write ${index} do not match their checksum`);
      }
    }
  });
  const marks = bytes.subarray(poolEnd);
  if (marks.length > JOURNAL_LIMITS.markBytes) throw invalid('too much follows the contents');
  const { tool, setupUuid, command, journal, targets, writes } = manifest;
  return {
    id: preamble.id,
    tool,
    setupUuid,
    command,
    journal,
    targets,
    writes,
    pool,
    ...readMarks(marks, preamble.id, writes.length, sha256),
  };
}

/** The bytes that were there before the write; may be a view into the journal, so not to be changed. */
export function oldBytes(journal: Journal, write: RecordedWrite): Uint8Array {
  return joined(journal.pool, write.before, write.length);
}

/** The bytes that the write put there; may be a view as well. */
export function newBytes(journal: Journal, write: RecordedWrite): Uint8Array {
  return joined(journal.pool, write.after, write.length);
}

function joined(pool: Uint8Array, numbers: readonly number[], length: number): Uint8Array {
  const first = numbers[0] ?? 0;
  // What was unlike anything before it lies in the pool as it was: no second copy of what may be 40 MiB.
  if (numbers.every((number, i) => number === first + i)) {
    const start = first * JOURNAL_BLOCK_BYTES;
    return pool.subarray(start, start + length);
  }
  const out = new Uint8Array(length);
  views(pool, numbers, length).forEach((view, i) => out.set(view, i * JOURNAL_BLOCK_BYTES));
  return out;
}

function views(pool: Uint8Array, numbers: readonly number[], length: number): Uint8Array[] {
  return numbers.map((number, i) => {
    const start = number * JOURNAL_BLOCK_BYTES;
    return pool.subarray(start, start + Math.min(JOURNAL_BLOCK_BYTES, length - i * JOURNAL_BLOCK_BYTES));
  });
}

function readPreamble(bytes: Uint8Array, path: string): { manifestBytes: number; id: string } {
  const line = bytes.subarray(0, PREAMBLE_BYTES);
  const text = decodeUtf8(line) ?? '';
  const begins = JOURNAL_SCHEMA.slice(0, JOURNAL_SCHEMA.indexOf('/') + 1);
  // A file that was created and never filled is empty, or (on some file systems, after a power cut) all zero.
  if (isZero(line) || (line.length < begins.length && begins.startsWith(text))) {
    throw new Fault('JOURNAL_INCOMPLETE', { path, what: 'it is empty' });
  }
  if (!text.startsWith(begins))
    throw new Fault('JOURNAL_INVALID', { path, what: 'it does not begin as one' });
  if (line.length < PREAMBLE_BYTES)
    throw new Fault('JOURNAL_INCOMPLETE', { path, what: 'it ends within its first line' });
  if (!text.startsWith(`${JOURNAL_SCHEMA} `)) {
    const version = /^[0-9]{1,9}(?= )/.exec(text.slice(begins.length))?.[0] ?? '?';
    throw new Fault('JOURNAL_UNSUPPORTED', { path, version });
  }
  const match = /^ ([0-9]{8}) ([0-9a-f]{64})\n$/.exec(text.slice(JOURNAL_SCHEMA.length));
  const manifestBytes = Number(match?.[1]);
  const id = match?.[2];
  if (id === undefined || manifestBytes > JOURNAL_LIMITS.manifestBytes) {
    throw new Fault('JOURNAL_INVALID', { path, what: 'its first line is damaged' });
  }
  return { manifestBytes, id };
}

type Marks = Pick<Journal, 'finished' | 'undoBegun' | 'padding'>;

/** Records that are no mark of this journal are passed over: an append that power cut short leaves such. */
function readMarks(bytes: Uint8Array, id: string, writes: number, sha256: Sha256): Marks {
  const finished = new Set<number>();
  let undoBegun = false;
  for (let at = 0; at + MARK_BYTES <= bytes.length; at += MARK_BYTES) {
    const text = decodeUtf8(bytes.subarray(at, at + MARK_BYTES));
    const match = /^(done|undo) ([0-9]{5}) [0-9a-f]{8}\n$/.exec(text ?? '');
    if (match === null) continue;
    const kind = match[1] === 'done' ? 'done' : 'undo';
    const index = Number(match[2]);
    if (index >= Math.max(writes, 1) || markLine(kind, index, id, sha256) !== text) continue;
    if (kind === 'undo') undoBegun = true;
    else finished.add(index);
  }
  const torn = bytes.length % MARK_BYTES;
  return { finished, undoBegun, padding: torn === 0 ? 0 : MARK_BYTES - torn };
}
