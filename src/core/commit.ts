// SPDX-License-Identifier: GPL-2.0-or-later
// Makes a new generation out of another one, as FORMAT.md section 6 has it for a commit by a tool. The order in which
// its copies are written is in order.ts.
import { encodeInto } from './codec';
import type { Generation } from './generation';
import { makeGeneration, partsOf, writerField } from './assemble';
import { sealRecords } from './generation';
import { DEVICE, SECTION, SEQUENCE_LIMIT, STATE_DEGRADED } from './layout';

export interface CommitFacts {
  /** The highest sequence in any header of the setup with a right checksum. */
  readonly highestSeen: bigint;
  /** A header was unread or bad, or a spare is missing: one sequence is skipped, since it may have been used there. */
  readonly uncertain: boolean;
  /** Nanoseconds. */
  readonly now: bigint;
  /** Random and not 0. */
  readonly runId: bigint;
  /** `dmremap-fsck 1.0.0`. */
  readonly writer: string;
  /** The spares that are about to be written, with the highest sequence each showed. */
  readonly present: readonly { readonly index: number; readonly highestShown: bigint }[];
  /** True if a spare of the setup is missing or given up: the generation is DEGRADED. */
  readonly degraded: boolean;
}

/** The sequence that the next commit takes (FORMAT.md section 6, "Number"). */
export function nextSequence(facts: Pick<CommitFacts, 'highestSeen' | 'uncertain'>): bigint {
  return facts.highestSeen + (facts.uncertain ? 2n : 1n);
}

/**
 * A new generation with the contents of `base`: only the sequence, run, times, lineage, writer, DEGRADED and what
 * DEVICES records of the spares that are written change. ACTIVE stays as it is: it tells of an unclean stop.
 * Null when there is no sequence left or the sections no longer fit.
 */
export function commitFrom(base: Generation, facts: CommitFacts): Generation | null {
  const sequence = nextSequence(facts);
  if (sequence >= SEQUENCE_LIMIT) return null;
  const parts = partsOf(base).map((part) => {
    if (part.type !== SECTION.devices) return part;
    const bytes = part.bytes.slice();
    for (const { index, highestShown } of facts.present) {
      const at = (1 + index) * DEVICE.size;
      encodeInto(DEVICE, bytes, at, {
        lastSequence: sequence,
        baseSequence: highestShown,
        lastRun: facts.runId,
      });
    }
    sealRecords(SECTION.devices, bytes);
    return { ...part, bytes };
  });
  const { header } = base;
  const state = facts.degraded ? header.state | STATE_DEGRADED : header.state & ~STATE_DEGRADED;
  return makeGeneration(
    {
      sequence,
      writtenNs: laterThan(header.writtenNs, facts.now),
      createdNs: header.createdNs,
      parentCrc: header.overallCrc,
      state: state >>> 0,
      setupUuid: header.setupUuid,
      spareCount: header.spareCount,
      runId: facts.runId,
      writer: writerField(facts.writer),
    },
    parts,
    base.headerBytes,
  );
}

/** The field has 64 bits: after the last of all times comes none. */
const LATEST_NS = (1n << 64n) - 1n;

/** `now`, or where the clock is behind `before` a nanosecond after that. */
export function laterThan(before: bigint, now: bigint): bigint {
  if (now > before) return now;
  return before < LATEST_NS ? before + 1n : LATEST_NS;
}
