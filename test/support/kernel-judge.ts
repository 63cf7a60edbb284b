// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the user-space build of the kernel's format code (kernel/test/judge.c) about spares in memory: many questions to
// one process. Holding its answers against the toolkit's is in kernel-agreement.ts.
import { spawnSync } from 'node:child_process';
import { buildProgram, FORMAT_SOURCES } from './kernel-c';

/** The bytes of five slots, each as far as it could be read. */
export type KernelSpare = readonly Uint8Array[];

export interface KernelQuestion {
  /** As with the feature `setup <uuid>`; null: not asked for. */
  readonly setupUuid: string | null;
  /** In the order of the table; null: missing. */
  readonly spares: readonly (KernelSpare | null)[];
}

export type KernelRefusal =
  | 'ok'
  | 'nothing'
  | 'other-setup'
  | 'two-setups'
  | 'wrong-spare'
  | 'unknown-version'
  | 'newer-lost'
  | 'spare-count'
  | 'blank-spare'
  | 'split';

export type KernelCopyState =
  'none' | 'whole' | 'stale' | 'rival' | 'bad' | 'unread' | 'misplaced' | 'foreign' | 'unknown';

export interface KernelCopy {
  readonly state: KernelCopyState;
  readonly header: 'unread' | 'none' | 'bad' | 'unknown' | 'odd' | 'good';
  readonly valid: boolean;
  readonly evidence: boolean;
  readonly sequence: string;
  readonly why: string | null;
}

/** 64-bit numbers are decimal strings. */
export interface KernelDecision {
  readonly refusal: KernelRefusal;
  readonly why: string | null;
  /** Spare and copy; -1: none. */
  readonly winner: readonly [spare: number, copy: number];
  readonly sequence: string;
  readonly highest: string;
  /** '0': none is left. */
  readonly next: string;
  readonly doubtful: boolean;
  readonly roCompat: boolean;
  readonly exhausted: boolean;
  readonly unsound: boolean;
  readonly rule: string | null;
  readonly entries: number;
  readonly spares: readonly {
    readonly present: boolean;
    readonly standing: 'absent' | 'current' | 'behind' | 'diverged' | 'retired';
    readonly shown: string;
    readonly copies: readonly KernelCopy[];
  }[];
}

/** The next generation on the place of a copy. */
export interface EncodeQuestion {
  /** A valid copy. */
  readonly copy: Uint8Array;
  /** A new DEVICES section, or null for the old one. */
  readonly devices: Uint8Array | null;
  /** All entries, 32 bytes each. */
  readonly entries: Uint8Array;
  readonly sequence: bigint;
  readonly writtenNs: bigint;
  readonly state: number;
  readonly runId: bigint;
  readonly event?: {
    readonly kind: number;
    readonly sector: bigint;
    readonly length: number;
    readonly value: number;
  };
}

export interface Encoded {
  /** Entries that fit beside sections of unknown type. */
  readonly room: number;
  /** Null: it does not fit. */
  readonly image: Uint8Array | null;
}

export function buildJudge(folder: string): string {
  return buildProgram(folder, 'judge', [...FORMAT_SOURCES, 'test/judging.c', 'test/judge.c']);
}

/** So many bytes go to one process; a pipe's answers are read when it is done. */
const BATCH_BYTES = 64 << 20;

function linesOf(question: KernelQuestion): Uint8Array[] {
  const words = question.spares.map((slots) =>
    slots === null ? '-' : `=${slots.map((slot) => slot.length).join()}`,
  );
  const line = Buffer.from(`judge ${question.setupUuid ?? '-'} ${words.join(' ')}\n`);
  return [line, ...question.spares.flatMap((slots) => slots ?? [])];
}

/** Runs the program on input in as few processes as the batch size allows. */
function ask<Q, A>(program: string, questions: Iterable<Q>, encode: (one: Q) => Uint8Array[]): A[] {
  const answers: A[] = [];
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (parts.length === 0) return;
    const done = spawnSync(program, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
    if (done.error !== undefined) throw done.error;
    if (done.status !== 0)
      throw new Error(`judge: status ${String(done.status)}\n${done.stderr.toString('utf8')}`);
    for (const line of done.stdout.toString('latin1').split('\n'))
      if (line !== '') answers.push(JSON.parse(line) as A);
    [parts, bytes] = [[], 0];
  };
  for (const question of questions) {
    const encoded = encode(question);
    parts.push(...encoded);
    bytes += encoded.reduce((sum, part) => sum + part.length, 0);
    if (bytes > BATCH_BYTES) flush();
  }
  flush();
  return answers;
}

/** One decision for each question, in order. */
export function askJudge(program: string, questions: Iterable<KernelQuestion>): KernelDecision[] {
  return ask<KernelQuestion, KernelDecision>(program, questions, linesOf);
}

/** One copy for each question, in order. */
export function askEncode(program: string, questions: Iterable<EncodeQuestion>): Encoded[] {
  const answers = ask<EncodeQuestion, { room: number; slotBytes: number; image: string }>(
    program,
    questions,
    ({ copy, devices, entries, sequence, writtenNs, state, runId, event }) => {
      const lengths = [copy.length, devices?.length ?? 0, entries.length];
      const what = event ?? { kind: 0, sector: 0n, length: 0, value: 0 };
      const words = [
        ...lengths,
        sequence,
        writtenNs,
        state,
        runId,
        what.kind,
        what.sector,
        what.length,
        what.value,
      ];
      return [
        Buffer.from(`encode ${words.join(' ')}\n`),
        copy,
        ...(devices === null ? [] : [devices]),
        entries,
      ];
    },
  );
  return answers.map(({ room, slotBytes, image }) => ({
    room,
    image: slotBytes === 0 ? null : new Uint8Array(Buffer.from(image, 'hex')),
  }));
}
