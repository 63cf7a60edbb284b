// SPDX-License-Identifier: GPL-2.0-or-later
// The manifest of an undo journal: from its text to checked values. A journal decides what is written to a disk, so every
// number is checked before it is used. The file around the manifest is read in journal-parse.ts.
import { Fault } from './faults';
import {
  JOURNAL_BLOCK_BYTES,
  JOURNAL_LIMITS,
  JOURNAL_SCHEMA,
  overlap,
  placeProblem,
  unreadProblem,
} from './journal';
import type { ByteRange, JournalFacts, JournalTarget } from './journal';

/** A write as the journal records it. The bytes are in the pool: see oldBytes and newBytes. */
export interface RecordedWrite {
  readonly target: number;
  readonly offset: bigint;
  readonly length: number;
  readonly finding: string;
  readonly group: string;
  readonly unread: readonly ByteRange[];
  readonly sha256Before: string;
  readonly sha256After: string;
  /** Block numbers, all below the count of the pool. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export interface Manifest extends JournalFacts {
  readonly writes: readonly RecordedWrite[];
  readonly blockCount: number;
  readonly poolSha256: string;
}

type Json = Readonly<Record<string, unknown>>;

/** @throws Fault JOURNAL_INVALID, saying which value is wrong. `path` is that of the journal, for the message. */
export function readManifest(text: string, path: string): Manifest {
  return new ManifestReader(path).manifest(text);
}

/** Turns the manifest's text into checked values. Unknown keys are passed over; what is known must be right. */
class ManifestReader {
  constructor(private readonly path: string) {}

  manifest(text: string): Manifest {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.invalid('the manifest is not JSON');
    }
    const top = this.object(value, 'manifest');
    if (top['schema'] !== JOURNAL_SCHEMA) throw this.invalid('the manifest is of another schema');
    if (top['blockBytes'] !== JOURNAL_BLOCK_BYTES) throw this.invalid('blockBytes is not 4096');
    const blockCount = this.count(
      top['blockCount'],
      'blockCount',
      JOURNAL_LIMITS.poolBytes / JOURNAL_BLOCK_BYTES,
    );
    const tool = this.object(top['tool'], 'tool');
    const targets = this.list(top['targets'], 'targets', JOURNAL_LIMITS.targets).map((item, i) =>
      this.target(this.object(item, `target ${i}`), `target ${i}`),
    );
    const writes = this.list(top['writes'], 'writes', JOURNAL_LIMITS.writes).map((item, i) =>
      this.write(this.object(item, `write ${i}`), `write ${i}`, targets, blockCount),
    );
    this.checkTogether(writes);
    return {
      blockCount,
      command: this.list(top['command'], 'command', JOURNAL_LIMITS.commandLength).map((word) =>
        this.text(word, 'command'),
      ),
      journal: this.absolute(top['journal'], 'journal'),
      poolSha256: this.matching(top['poolSha256'], 'poolSha256', SHA256_HEX),
      setupUuid: this.matching(top['setupUuid'], 'setupUuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      targets,
      tool: {
        name: this.text(tool['name'], 'tool.name'),
        version: this.text(tool['version'], 'tool.version'),
      },
      writes,
    };
  }

  private target(item: Json, where: string): JournalTarget {
    const { kind, stablePath } = item;
    if (kind !== 'image' && kind !== 'block') throw this.invalid(`${where}: kind is wrong`);
    return {
      path: this.absolute(item['path'], `${where}: path`),
      stablePath: stablePath === null ? null : this.absolute(stablePath, `${where}: stablePath`),
      identity: this.text(item['identity'], `${where}: identity`),
      sizeBytes: this.bytes(item['sizeBytes'], `${where}: sizeBytes`),
      kind,
    };
  }

  private write(
    item: Json,
    where: string,
    targets: readonly JournalTarget[],
    blockCount: number,
  ): RecordedWrite {
    const index = this.count(item['target'], `${where}: target`, targets.length - 1);
    const target = targets[index];
    if (target === undefined) throw this.invalid(`${where}: there is no such target`);
    const offset = this.bytes(item['offset'], `${where}: offset`);
    const length = Number(this.bytes(item['length'], `${where}: length`));
    if (length > JOURNAL_LIMITS.writtenBytes) throw this.invalid(`${where}: length is too large`);
    const problem = placeProblem(offset, length, target.sizeBytes);
    if (problem !== null) throw this.invalid(`${where}: ${problem}`);
    const unread = this.list(item['unread'], `${where}: unread`, length / 512).map((pair): ByteRange => {
      const [start, end, ...more] = this.list(pair, `${where}: unread`, 2);
      if (more.length > 0) throw this.invalid(`${where}: unread is wrong`);
      return {
        start: this.count(start, `${where}: unread`, length),
        end: this.count(end, `${where}: unread`, length),
      };
    });
    const ranges = unreadProblem(unread, length);
    if (ranges !== null) throw this.invalid(`${where}: ${ranges}`);
    const blocks = (name: 'before' | 'after'): readonly number[] => {
      const want = Math.ceil(length / JOURNAL_BLOCK_BYTES);
      const numbers = this.list(item[name], `${where}: ${name}`, want);
      if (numbers.length !== want)
        throw this.invalid(`${where}: ${name} has ${numbers.length} blocks instead of ${want}`);
      return numbers.map((number) => this.count(number, `${where}: ${name}`, blockCount - 1));
    };
    return {
      target: index,
      offset,
      length,
      unread,
      finding: this.text(item['finding'], `${where}: finding`),
      group: this.text(item['group'], `${where}: group`),
      sha256Before: this.matching(item['sha256Before'], `${where}: sha256Before`, SHA256_HEX),
      sha256After: this.matching(item['sha256After'], `${where}: sha256After`, SHA256_HEX),
      before: blocks('before'),
      after: blocks('after'),
    };
  }

  private checkTogether(writes: readonly RecordedWrite[]): void {
    const total = writes.reduce((sum, write) => sum + write.length, 0);
    if (total > JOURNAL_LIMITS.writtenBytes) throw this.invalid('the writes are too long together');
    const twice = overlap(
      writes.map(({ target, offset, length }) => ({ target, start: offset, end: offset + BigInt(length) })),
    );
    if (twice !== null) throw this.invalid(`two writes touch the same bytes, at byte ${twice.start}`);
    // Undo goes by groups; one that comes twice would be undone in pieces.
    const groups = writes.map((write) => write.group).filter((group, i, all) => group !== all[i - 1]);
    if (new Set(groups).size !== groups.length)
      throw this.invalid('the writes of a group do not follow one another');
  }

  private object(value: unknown, what: string): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw this.invalid(`${what} is missing or wrong`);
    return value as Json;
  }

  private list(value: unknown, what: string, limit: number): readonly unknown[] {
    if (!Array.isArray(value)) throw this.invalid(`${what} is missing or wrong`);
    if (value.length > limit) throw this.invalid(`${what} is too long`);
    return value;
  }

  private text(value: unknown, what: string): string {
    if (typeof value !== 'string') throw this.invalid(`${what} is missing or wrong`);
    if (value.length > JOURNAL_LIMITS.textLength) throw this.invalid(`${what} is too long`);
    return value;
  }

  private matching(value: unknown, what: string, pattern: RegExp): string {
    const text = this.text(value, what);
    if (!pattern.test(text)) throw this.invalid(`${what} is wrong`);
    return text;
  }

  /** A path with a NUL in it would be cut there by the system, and mean another file. */
  private absolute(value: unknown, what: string): string {
    const text = this.text(value, what);
    if (!text.startsWith('/') || text.includes('\0')) throw this.invalid(`${what} is not an absolute path`);
    return text;
  }

  /** 0..limit, a JSON number. */
  private count(value: unknown, what: string, limit: number): number {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw this.invalid(`${what} is missing or wrong`);
    if (value > limit) throw this.invalid(`${what} is out of range`);
    return value;
  }

  /** A decimal string below 2^63. */
  private bytes(value: unknown, what: string): bigint {
    const number = BigInt(this.matching(value, what, /^(0|[1-9][0-9]{0,18})$/));
    if (number >= 1n << 63n) throw this.invalid(`${what} is out of range`);
    return number;
  }

  private invalid(what: string): Fault {
    return new Fault('JOURNAL_INVALID', { path: this.path, what });
  }
}

const SHA256_HEX = /^[0-9a-f]{64}$/;
