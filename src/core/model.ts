// SPDX-License-Identifier: GPL-2.0-or-later
// The vocabulary of a judged setup: what was read, whose copy it is, what state it is in, who wins. Types only; the
// deciding is in setup.ts.
import type { Region } from './extents';
import type { Finding } from './findings';
import type { Contents, Generation } from './generation';
import type { SlotJudgement } from './judge';
import type { Header } from './layout';
import type { SalvageReport } from './salvage';

/** The five slots of one place where a spare may lie: an input, or a partition in one. */
export interface SpareRead {
  /** What the caller calls the input; for messages. */
  readonly label: string;
  /** Byte in the input at which the spare begins. */
  readonly base: bigint;
  /** Slot by copy index: the bytes from the slot's start, as far as they were needed. */
  readonly slots: readonly Region[];
}

export type CopyState =
  | 'valid'
  | 'stale'
  | 'torn'
  | 'corrupt'
  | 'zeroed'
  | 'overwritten'
  | 'misplaced'
  | 'foreign'
  | 'unread'
  | 'truncated'
  | 'unsupported'
  | 'absent';

export type Verdict =
  'clean' | 'repairable' | 'repaired' | 'salvageable' | 'partial' | 'split' | 'inconsistent' | 'lost';

/** Which spare a place is, as its copies say. */
export interface Identity {
  readonly uuid: string;
  readonly index: number;
}

export interface JudgedSpare {
  readonly read: SpareRead;
  readonly slots: readonly SlotJudgement[];
  /** Null when the copies disagree or say nothing. */
  readonly identity: Identity | null;
}

/** One slot on one spare. */
export interface CopyRef {
  readonly spare: JudgedSpare;
  readonly copyIndex: number;
  readonly judgement: SlotJudgement;
}

/** The generation that wins, or that would win. */
export interface Winner {
  readonly header: Header;
  /** Null at level basic, where only headers are looked at. */
  readonly generation: Generation | null;
  readonly contents: Contents | null;
  /** The copy that wins; for a salvaged generation the place whose header it has. */
  readonly from: CopyRef;
  /** Not null: no whole copy is left. */
  readonly salvage: SalvageReport | null;
}

/** How a spare stands to the winner (FORMAT.md sections 5 and 6). */
export type Standing = 'current' | 'behind' | 'diverged' | 'retired' | 'absent';

export interface CopyVerdict {
  readonly copyIndex: number;
  readonly state: CopyState;
  readonly sequence: bigint | null;
  readonly findings: readonly Finding[];
}

/** A spare of the setup, given or not. */
export interface Seat {
  readonly index: number;
  readonly uuid: string;
  readonly spare: JudgedSpare | null;
  readonly standing: Standing;
  /** The highest sequence that a header on it shows; 0 if none does. */
  readonly highestShown: bigint;
  readonly copies: readonly CopyVerdict[];
}

/** An input that belongs to the setup and sits on no seat, where nothing else that is found says why. */
export interface Unplaced {
  readonly read: SpareRead;
  /** A clause: what keeps it from a seat. */
  readonly why: string;
  /**
   * Byte in the input at which the spare seems to begin, where several copies agree about it; below 0 if the input lacks
   * the beginning of the spare. Null: nothing says so.
   */
  readonly begins: bigint | null;
  /** Which spare its headers say that it is, as far as they say one thing. */
  readonly claims: Identity | null;
}

/** A generation that could be put in force by --choose. */
export interface Candidate {
  readonly generation: Generation;
  /** Where copies of it lie (a whole one, or the header of a salvaged one). */
  readonly places: readonly CopyRef[];
  /** Not null: no whole copy is left, but all of it was recovered. */
  readonly salvage: SalvageReport | null;
}

export interface SetupDecision {
  readonly setupUuid: string;
  readonly verdict: Exclude<Verdict, 'repaired'>;
  readonly winner: Winner | null;
  /** By spare index. */
  readonly seats: readonly Seat[];
  /** Inputs without a seat, in the order given. */
  readonly unplaced: readonly Unplaced[];
  /** Findings of the copies included; sorted. */
  readonly findings: readonly Finding[];
  /** Newest first. */
  readonly candidates: readonly Candidate[];
  /** The partial result, when the newest generation (one, and not several rivals) could be recovered only in part. */
  readonly partial: SalvageReport | null;
  /** The highest sequence in any header with a right checksum. */
  readonly highestSeen: bigint;
  /** A header was unread or bad, or a spare is missing: the next commit skips a sequence (FORMAT.md section 6). */
  readonly uncertain: boolean;
  /** Why nothing may be written at all, or null. */
  readonly refusal: string | null;
}
