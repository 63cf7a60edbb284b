// SPDX-License-Identifier: GPL-2.0-or-later
// The one table of faults: reasons why a command could not do its work (as opposed to findings, which are about the
// metadata). Each has a stable code, named fields, a message, a hint and the exit bits. Nothing is printed here.

/** Exit status bits, as in fsck(8); they are added up. */
export const EXIT = {
  fine: 0,
  corrected: 1,
  errorsLeft: 4,
  operational: 8,
  usage: 16,
  interrupted: 32,
} as const;

type Fields = Readonly<Record<string, string>>;

interface FaultSpec {
  readonly exit: number;
  readonly message: (f: Fields) => string;
  /** What to do or type next; shown on a line of its own. */
  readonly hint?: (f: Fields) => string;
}

const text = (f: Fields, name: string): string => f[name] ?? '?';

export const FAULTS = {
  USAGE: {
    exit: EXIT.usage,
    message: (f) => text(f, 'what'),
    hint: (f) => `Try '${text(f, 'command')} --help'.`,
  },
  NOT_FOUND: { exit: EXIT.operational, message: (f) => `${text(f, 'path')}: no such file or device` },
  IS_DIRECTORY: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: is a directory; an image file or a block device is needed`,
  },
  NO_PERMISSION: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: permission denied (${text(f, 'doing')})`,
    hint: () => 'Run the command as root, or as the owner of the image.',
  },
  EMPTY: { exit: EXIT.operational, message: (f) => `${text(f, 'path')}: is empty (0 bytes)` },
  NOT_A_DEVICE_OR_FILE: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: is a ${text(f, 'what')}; an image file or a block device is needed`,
  },
  OPEN_FAILED: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: cannot open: ${text(f, 'reason')}`,
  },
  READ_FAILED: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: read of ${text(f, 'length')} bytes at byte ${text(f, 'offset')} failed: ${text(f, 'reason')}`,
  },
  WRITE_FAILED: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: write of ${text(f, 'length')} bytes at byte ${text(f, 'offset')} failed: ${text(f, 'reason')}`,
  },
  SYNC_FAILED: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: sync failed: ${text(f, 'reason')}`,
  },
  IN_USE: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: is in use: ${text(f, 'reason')}; nothing was written`,
    hint: () => 'Stop what uses it (umount, dmsetup remove, losetup -d) and run the command again.',
  },
  READ_ONLY: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: is read-only: ${text(f, 'reason')}; nothing was written`,
  },
  FILE_EXISTS: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: exists already; not overwritten`,
  },
  FILE_FAILED: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: cannot ${text(f, 'doing')}: ${text(f, 'reason')}`,
  },
  CHANGED_BEFORE_WRITE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: byte ${text(f, 'offset')} changed after it was checked; nothing was written`,
    hint: () => 'Something else writes to it. Stop that, and run the command again.',
  },
  READ_BACK_DIFFERS: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: byte ${text(f, 'offset')} reads back as ${text(f, 'found')} after ${text(f, 'expected')} was written`,
  },
  JOURNAL_TOO_LARGE: {
    exit: EXIT.operational,
    message: (f) =>
      `an undo journal cannot hold this: ${text(f, 'what')} ${text(f, 'have')}, limit ${text(f, 'limit')}; nothing was written`,
  },
  JOURNAL_INVALID: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: is not a usable undo journal: ${text(f, 'what')}; nothing was written`,
    hint: () =>
      'If power failed while it was being made, nothing had been changed yet and there is nothing to undo: look with dmremap-fsck -n.',
  },
  JOURNAL_INCOMPLETE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: the undo journal is not complete: ${text(f, 'what')}; nothing was written`,
    hint: () =>
      'A repair changes nothing before its journal is complete, so if it was cut off there, there is nothing to undo: look with dmremap-fsck -n. If this is a copy of a journal, copy it again.',
  },
  JOURNAL_UNSUPPORTED: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: is an undo journal of version ${text(f, 'version')}; this program knows version 1`,
    hint: () => 'Use the release of the toolkit that made it, or a later one.',
  },
  CHANGED_SINCE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: has changed since: byte ${text(f, 'offset')} (${text(f, 'group')}) is ${text(f, 'found')}, expected ${text(f, 'expected')}; nothing was written`,
    hint: () =>
      'If a later repair did that, undo the later journal first. --force puts the old bytes back whatever is there now (what is there goes into a journal of its own).',
  },
  TARGET_MISSING: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: is not there, and neither is ${text(f, 'beside')}; nothing was written`,
    hint: () => 'Attach the device, or put the image beside the journal, under the name it had.',
  },
  TARGET_AMBIGUOUS: {
    exit: EXIT.operational,
    message: (f) =>
      `the journal was moved, and both ${text(f, 'path')} and ${text(f, 'beside')} could be meant; nothing was written`,
    hint: (f) =>
      `Put the journal back as ${text(f, 'journal')} to mean the first, or take the first away to mean the second.`,
  },
  TARGET_SIZE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: has ${text(f, 'found')} bytes, but had ${text(f, 'expected')} when the journal was made; nothing was written`,
  },
  TARGET_TWICE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')} and ${text(f, 'other')} are the same file or device; nothing was written`,
  },
  BAD_ENVIRONMENT: {
    exit: EXIT.usage,
    message: (f) => `the environment has ${text(f, 'name')}=${text(f, 'value')}: ${text(f, 'reason')}`,
    hint: (f) => `Correct ${text(f, 'name')}, or unset it.`,
  },
  // ── making a setup ────────────────────────────────────────────────────────────────────────────────────────────
  BLOCK_SIZE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: has logical blocks of ${text(f, 'bytes')} bytes; only 512 and 4096 are possible; nothing was written`,
  },
  ZONED: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: is a zoned device, which cannot be written to at any place; nothing was written`,
  },
  TOO_SMALL: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: is too small: ${text(f, 'sectors')} sectors of 512 bytes, at least ${text(f, 'needed')} are needed; nothing was written`,
  },
  UNIT_TOO_SMALL: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: has logical blocks of 4096 bytes, so the remap unit must be 8 sectors; nothing was written`,
    hint: () => 'Leave --remap-unit out, or give --remap-unit 8.',
  },
  SAME_DEVICE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')} (${text(f, 'role')}) and ${text(f, 'other')} (${text(f, 'otherRole')}) are the same file or device; nothing was written`,
  },
  OVERLAPPING: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')} (${text(f, 'role')}) is a partition of ${text(f, 'other')} (${text(f, 'otherRole')}); nothing was written`,
    hint: () => 'Main and the spares must not share sectors. Give two partitions, or two devices.',
  },
  HOLDS_CONTENT: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: holds ${text(f, 'found')}; nothing was written`,
    hint: () =>
      'If it may go, run the command again with --force: the old bytes go into an undo journal first.',
  },
  HOLDS_METADATA: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: holds ${text(f, 'found')}; nothing was written`,
    hint: (f) =>
      f['unfinished'] === 'yes'
        ? 'It looks like a dmremap-format that did not come to its end. If so, run the command again with --force.'
        : `Look at it with dmremap-inspect ${text(f, 'path')}. If it may go, run the command again with --force.`,
  },
  SPARE_UNREADABLE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: byte ${text(f, 'offset')} cannot be read (${text(f, 'reason')}), so what is there is not known; nothing was written`,
    hint: () =>
      'A spare with bad sectors is a poor spare: take another one. --force writes to it all the same.',
  },
  BLOCKS_TOO_LARGE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: holds ${text(f, 'found')}, which would become unreadable: with the spare ${text(f, 'spare')} the remapped device has blocks of 4096 bytes; nothing was written`,
    hint: () => 'Use a spare with logical blocks of 512 bytes. --force makes the setup all the same.',
  },
  BAD_AREA_OUTSIDE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'list')}: names a bad area at bytes ${text(f, 'start')} to ${text(f, 'end')}, behind the end of ${text(f, 'path')} at ${text(f, 'size')}; nothing was written`,
    hint: (f) => text(f, 'advice'),
  },
  UNTRIED_AREAS: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'list')}: ${text(f, 'bytes')} bytes in ${text(f, 'areas')} areas were not tried yet, the first at byte ${text(f, 'first')}; nothing was written`,
    hint: () => 'Let ddrescue finish, or count them as lost with --untried-lost.',
  },
  LIST_INVALID: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'list')}: ${text(f, 'why')}; nothing was written`,
  },
  NO_ROOM: {
    exit: EXIT.operational,
    message: (f) =>
      `the bad areas need ${text(f, 'needed')} sectors, but the spares hold ${text(f, 'room')}; nothing was written`,
    hint: () => 'Give more or larger spares.',
  },
  TOO_MANY_ENTRIES: {
    exit: EXIT.operational,
    message: (f) =>
      `the bad areas need ${text(f, 'needed')} entries, but a setup holds ${text(f, 'room')}; nothing was written`,
    hint: () => 'A disk with so many bad areas is beyond remapping: copy what can be read to another one.',
  },
  FORMAT_INCOMPLETE: {
    exit: EXIT.operational,
    message: (f) => `the setup was not made: ${text(f, 'reason')}`,
    hint: (f) =>
      f['undo'] === ''
        ? 'The spares have been written to in part. Correct the cause and run the command again with --force.'
        : `The spares have been written to in part. Correct the cause and run the command again with --force, or put the old bytes back: dmremap-undo ${text(f, 'undo')}`,
  },
  FORMAT_INTERRUPTED: {
    exit: EXIT.interrupted,
    message: () => 'interrupted before the setup was made',
    hint: (f) =>
      f['undo'] === ''
        ? 'The spares may have been written to in part. Run the command again, with --force if it finds the traces of this one.'
        : `The spares may have been written to in part. Run the command again with --force, or put the old bytes back: dmremap-undo ${text(f, 'undo')}`,
  },
  // ── showing, dumping and restoring ────────────────────────────────────────────────────────────────────────────
  NO_SUCH_COPY: {
    exit: EXIT.operational,
    message: (f) => `spare ${text(f, 'spare')} copy ${text(f, 'copy')} is not among the inputs`,
    hint: () => 'dmremap-inspect INPUT... lists the spares that were found in them.',
  },
  NO_SETUP: {
    exit: EXIT.operational,
    message: () => 'no dm-remap setup was found in the inputs',
    hint: () => 'Give the spares of a setup, not its main device: main carries no metadata.',
  },
  SEVERAL_SETUPS: {
    exit: EXIT.operational,
    message: (f) => `the inputs belong to several setups: ${text(f, 'setups')}`,
    hint: () => 'Give only the spares of one of them. dmremap-inspect INPUT... tells which are which.',
  },
  NOT_WHOLE: {
    exit: EXIT.errorsLeft,
    message: (f) =>
      `the setup ${text(f, 'setupUuid')} has no generation that is whole and beyond doubt (verdict: ${text(f, 'verdict')})`,
    hint: () =>
      'Run dmremap-fsck -n INPUT... : it tells what can be recovered, and how. After that it can be dumped.',
  },
  DUMP_INVALID: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: is no dump that can be restored: ${text(f, 'problem')}; nothing was written`,
    hint: () => 'A dump is what dmremap-dump prints; dmremap-fsck keeps some as text backups.',
  },
  DUMP_UNSOUND: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: the generation in it breaks a rule of the format: ${text(f, 'problem')}; nothing was written`,
    hint: () => 'Correct the dump by hand, or take an older one.',
  },
  SPARE_TOO_SMALL: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: has ${text(f, 'sectors')} sectors; spare ${text(f, 'spare')} of the dump needs ${text(f, 'needed')}; nothing was written`,
  },
  SPARE_DIFFERS: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: does not match spare ${text(f, 'spare')} of the dump: ${text(f, 'why')}; nothing was written`,
    hint: () =>
      'Give the spares in the order of their indexes. If it is meant all the same, run the command again with --force.',
  },
  NEWER_THERE: {
    exit: EXIT.operational,
    message: (f) =>
      `${text(f, 'path')}: copy ${text(f, 'copy')} has sequence ${text(f, 'found')} with other contents; the dump has ${text(f, 'sequence')}; nothing was written`,
    hint: () =>
      'With --force the contents of the dump become a new generation, above everything that is there.',
  },
  NEEDS_NEWER_TOOL: {
    exit: EXIT.operational,
    message: (f) => `${text(f, 'path')}: ${text(f, 'what')} (${text(f, 'why')}); nothing was written`,
    hint: () => 'Use the tools of the version that wrote it.',
  },
  SEQUENCE_EXHAUSTED: {
    exit: EXIT.operational,
    message: () =>
      'there is no sequence left for a new generation, or its sections do not fit; nothing was written',
  },
  LAST_COPIES: {
    exit: EXIT.operational,
    message: () =>
      'each place that would be written holds the last whole copy of a generation that may be the one to keep; nothing was written',
    hint: () =>
      'Settle that first: dmremap-fsck -n SPARE... shows what there is, and --choose puts one in force.',
  },
  INTERRUPTED: { exit: EXIT.interrupted, message: () => 'interrupted' },
  OUTPUT_FAILED: { exit: EXIT.operational, message: (f) => `cannot write the output: ${text(f, 'reason')}` },
  INTERNAL: {
    exit: EXIT.operational,
    message: (f) => `internal error: ${text(f, 'what')}`,
    hint: () =>
      'This is a mistake in the program, not in your input. Please report it with the output of -vv.',
  },
} as const satisfies Readonly<Record<string, FaultSpec>>;

export type FaultCode = keyof typeof FAULTS;

/** An error as data: callers narrow on `code` and read `fields`; only src/cli turns it into words and an exit status. */
export class Fault extends Error {
  constructor(
    readonly code: FaultCode,
    readonly fields: Fields = {},
  ) {
    super(`${code}: ${(FAULTS[code] as FaultSpec).message(fields)}`);
    this.name = 'Fault';
  }

  /** The sentence for a person, without the code. Not yet escaped for a terminal. */
  get sentence(): string {
    return (FAULTS[this.code] as FaultSpec).message(this.fields);
  }

  get hint(): string | undefined {
    return (FAULTS[this.code] as FaultSpec).hint?.(this.fields);
  }

  get exit(): number {
    return (FAULTS[this.code] as FaultSpec).exit;
  }

  toJSON(): { code: FaultCode; fields: Fields } {
    return { code: this.code, fields: this.fields };
  }
}
