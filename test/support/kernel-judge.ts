// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the user-space build of the kernel's format code (kernel/test/judge.c) about spares in memory: many questions to
// one process. Holding its answers against the toolkit's is in kernel-agreement.ts.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writevSync } from 'node:fs';
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

/** The judge, `quick` for the suites that ask it about what a real kernel made or will see. */
export function buildJudge(folder: string, sanitizers: 'sanitized' | 'quick' = 'sanitized'): string {
  return buildProgram(folder, 'judge', [...FORMAT_SOURCES, 'test/judging.c', 'test/judge.c'], sanitizers);
}

/** So many bytes go to one process. */
const BATCH_BYTES = 64 << 20;
/**
 * It ends after some answers: looking for leaks would take longer than all of them, and that is the fuzzer's business. The
 * memory that was freed is not kept for long either, for each question makes new.
 */
const SANITIZERS = { ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=4' };

const isSame = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;

/** What is sent for a question after another one. Slots that are the same memory as there are not sent again. */
function linesOf(question: KernelQuestion, before: KernelQuestion | null): Uint8Array[] {
  const sent: Uint8Array[] = [];
  const words = question.spares.map((slots, spare) => {
    if (slots === null) return '-';
    const lengths = slots.map((slot, copy) => {
      if (isSame(slot, before?.spares[spare]?.[copy])) return '.';
      sent.push(slot);
      return slot.length;
    });
    return `=${lengths.join()}`;
  });
  return [Buffer.from(`judge ${question.setupUuid ?? '-'} ${words.join(' ')}\n`), ...sent];
}

/** Runs the program on a file of these bytes: a pipe would take a switch of processes for each 64 KiB. What it printed. */
function answersTo(program: string, parts: readonly Uint8Array[]): string {
  const path = `${program}.${process.pid}.in`;
  const file = openSync(path, 'w+');
  try {
    // At places, so that the program begins to read at the start of the file.
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (writevSync(file, parts, 0) !== length) throw new Error(`${path} can't be written`);
    const env = { ...process.env, ...SANITIZERS };
    const done = spawnSync(program, [], { stdio: [file, 'pipe', 'pipe'], env, maxBuffer: 1 << 30 });
    if (done.error !== undefined) throw done.error;
    if (done.status !== 0)
      throw new Error(`judge: status ${String(done.status)}\n${done.stderr.toString('utf8')}`);
    return done.stdout.toString('latin1');
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

/** Asks in as few processes as the batch size allows. */
function ask<Q, A>(
  program: string,
  questions: Iterable<Q>,
  encode: (one: Q, before: Q | null) => Uint8Array[],
): A[] {
  const answers: A[] = [];
  let before: Q | null = null;
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (parts.length === 0) return;
    for (const line of answersTo(program, parts).split('\n'))
      if (line !== '') answers.push(JSON.parse(line) as A);
    [parts, bytes] = [[], 0];
  };
  for (const question of questions) {
    const encoded = encode(question, parts.length === 0 ? null : before);
    before = question;
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
