// SPDX-License-Identifier: GPL-2.0-or-later
// The epochs of a write log, and what a power cut in each of them may leave. An epoch is what a disk did between two moments
// at which something on it became durable: of its writes any choice may be there, and any one of them torn.
import { below } from '../mutate';
import { prng } from '../prng';
import type { Wreck } from './crash-states';
import type { Replay, Tear } from './replay';
import type { LogEntry, LoggedWrite } from './write-log';

export interface Epoch {
  readonly disk: number;
  /** The positions of the log at which a cut falls into it: `to` is the first that does not. */
  readonly from: number;
  readonly to: number;
  /** Indexes of the disk's writes in it; never none. */
  readonly writes: readonly number[];
}

/** A state, and the epoch that it stands for. */
export interface EpochWreck extends Wreck {
  readonly epoch: Epoch;
  /** `none`: of a single sector that was durable as soon as it was there, nothing is there yet. */
  readonly kind: 'subset' | 'torn' | 'none';
}

/** The moments at which a flush, or a write with FUA, was answered. */
function boundaries(entries: readonly LogEntry[], disk: number): number[] {
  const answered = entries.flatMap((entry) =>
    entry.kind !== 'mark' && entry.disk === disk && (entry.kind === 'flush' || entry.fua)
      ? [entry.answered]
      : [],
  );
  const within = answered.filter((position) => position <= entries.length);
  return [...new Set([0, ...within, entries.length + 1])].sort((a, b) => a - b);
}

/** All epochs in which something was written, disk by disk. */
export function epochsOf(entries: readonly LogEntry[], disks: number): Epoch[] {
  return Array.from({ length: disks }, (_unused, disk) => disk).flatMap((disk) => {
    const edges = boundaries(entries, disk);
    return edges.slice(1).flatMap((to, i) => {
      const from = edges[i] ?? 0;
      const writes: number[] = [];
      for (let index = from; index < to; index++) {
        const entry = entries[index];
        if (entry?.kind === 'write' && entry.disk === disk) writes.push(index);
      }
      return writes.length === 0 ? [] : [{ disk, from, to, writes }];
    });
  });
}

/** Is there a moment at which something that was written in it is not yet durable? Not so if FUA was answered at once. */
export const hasUndecided = ({ writes, to }: Epoch): boolean => (writes[0] ?? to) + 1 < to;

/** A sector is written or not, so it takes two to be torn. */
export function tearable({ writes }: Epoch, entries: readonly LogEntry[]): number[] {
  return writes.filter((index) => writeAt(entries, index).count > 1);
}

function writeAt(entries: readonly LogEntry[], index: number): LoggedWrite {
  const entry = entries[index];
  if (entry?.kind !== 'write') throw new Error(`entry ${index} of the log is no write`);
  return entry;
}

/** Some sectors of a write, but not all: its first ones, its last ones, or any. */
function tearOf(random: () => number, { count }: LoggedWrite): Tear {
  const sectors = 1 + below(random, count - 1);
  const kind = below(random, 3);
  return kind === 0 ? { first: sectors } : kind === 1 ? { last: sectors } : { seed: below(random, 1 << 30) };
}

/** Of each epoch a choice of what is not durable at some moment in it, never all of it, and a torn write. */
export function* epochStates(
  replay: Replay,
  entries: readonly LogEntry[],
  epochs: Iterable<Epoch>,
  seed: number,
): Generator<EpochWreck> {
  const random = prng(seed);
  for (const epoch of epochs) {
    const { disk, to, writes } = epoch;
    const [first = to] = writes;
    if (hasUndecided(epoch)) {
      const cut = first + 1 + below(random, to - first - 1);
      const undecided = replay.undecided(cut);
      const own = undecided.filter((index) => writeAt(entries, index).disk === disk);
      if (own.length === 0) throw new Error(`nothing is undecided at ${cut} on disk ${disk}`);
      const missing = own[below(random, own.length)];
      const kept = new Set(undecided.filter((index) => index !== missing && below(random, 2) === 0));
      const name = `at ${cut}, in an epoch of disk ${disk}, the writes ${[...kept].join()} are left`;
      yield { name, states: replay.subset(cut, kept), cut, begun: cut, epoch, kind: 'subset' };
    }
    const long = tearable(epoch, entries);
    const torn = long[below(random, Math.max(1, long.length))];
    if (torn === undefined) {
      if (hasUndecided(epoch)) continue;
      const name = `write ${first}, in an epoch of disk ${disk}, is not there`;
      yield { name, states: replay.whole(first), cut: first, begun: first + 1, epoch, kind: 'none' };
      continue;
    }
    const tear = tearOf(random, writeAt(entries, torn));
    const name = `write ${torn}, in an epoch of disk ${disk}, torn by ${JSON.stringify(tear)}`;
    yield { name, states: replay.torn(torn, tear), cut: torn, begun: torn + 1, epoch, kind: 'torn' };
  }
}
