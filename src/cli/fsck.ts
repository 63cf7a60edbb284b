// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-fsck on the command line: its option table, the way from arguments to options, prompts, and the way from
// results to output. The work is in src/commands/fsck.ts.
import type { FsckOptions, FsckSummary, Person, SetupReport } from '../commands/fsck';
import { fsck } from '../commands/fsck';
import { EXIT, Fault } from '../core/faults';
import { parseUuid, formatUuid } from '../core/bytes';
import { isFindingId } from '../core/findings';
import type { Level } from '../core/judge';
import { explainFinding, explainJson } from '../render/explain';
import { FSCK_SCHEMA, fsckDocument, setupJson } from '../render/fsck-json';
import type { FsckTextOptions } from '../render/fsck-text';
import { inputFindingsText, outcomeText, setupText, unopenedText } from '../render/fsck-text';
import { RawJson, jsonPieces, jsonText } from '../render/json';
import { styleFor } from '../render/style';
import { parseOffset } from './offset';
import type { Binding, CliIo, CommandSpec, ParsedArgs } from './spec';
import { printPieces } from './stream';
import { TOOLKIT } from './toolkit';
import { writerOf } from './writing';

const NAME = 'dmremap-fsck';
const LEVELS = ['basic', 'integrity', 'complete', 'forensic'] as const;

const spec: CommandSpec = {
  name: NAME,
  summary: 'check and repair the metadata of dm-remap setups',
  usage: ['[-n|-p|-y] [OPTION]... INPUT...', '--explain ID'],
  description: [
    'Reads all five copies of the metadata on every spare that is given, says which are good and which generation wins, and repairs what may be repaired. An INPUT is a spare: a block device or a raw image, several of one or of several setups, in any order. Spares inside a partition table are found.',
    'Without -n, -p or -y it asks before each repair when it runs on a terminal (the default answer is No), and only looks otherwise.',
    'Before the first byte changes, the old bytes go into an undo journal and the generation that was found into a text backup. The path of the journal is printed: dmremap-undo takes the repair back. Each copy is written by itself, synced and read back, so that power may fail at any point.',
    'A newer generation that left only a header is recovered from the remains of all copies where that is possible. Two histories (a split), and a newest generation that can be recovered only in part, are never decided without --choose or --accept-partial.',
  ],
  operands: [
    {
      name: 'INPUT',
      min: 1,
      max: null,
      help: 'A spare: a block device or a raw image.',
      completes: 'device',
      notNeededWith: ['explain'],
    },
  ],
  options: [
    {
      name: 'n',
      aliases: ['no-change'],
      kind: 'flag',
      help: 'Only look: everything is opened for reading only, nothing is asked.',
    },
    {
      name: 'p',
      aliases: ['a', 'preen'],
      kind: 'flag',
      help: 'Make the repairs that are beyond doubt, without asking.',
      more: [
        'Corrupt, torn, zeroed, stale and misplaced copies are rewritten from a valid copy of the winning generation, and a spare that was merely absent is brought back.',
      ],
    },
    {
      name: 'y',
      aliases: ['yes'],
      kind: 'flag',
      help: 'Make every repair that loses nothing, without asking.',
      more: [
        'That adds to -p: copies that could not be read, and a generation that was recovered in full from damaged copies.',
      ],
    },
    {
      name: 'f',
      kind: 'flag',
      help: 'Check even if the setup seems clean. It always does; accepted because fsck(8) passes it.',
    },
    {
      name: 'level',
      kind: 'value',
      value: 'LEVEL',
      choices: LEVELS,
      help: 'How much to look at; complete unless told otherwise.',
      more: [
        'basic: magic, version and header. integrity: all four levels of checksums. complete: the meaning too, devices against their records, spares against each other. forensic: explains each damage, byte by byte. Repairs need complete or forensic.',
      ],
    },
    {
      name: 'main',
      kind: 'value',
      value: 'PATH',
      completes: 'device',
      help: "Compare the setup's main device with its record too.",
      more: ['If it cannot be opened, the setup is told of all the same, but nothing is written.'],
    },
    {
      name: 'offset',
      kind: 'value',
      value: 'N[s|B|K|M]',
      help: 'The spare begins N bytes (s: 512-byte sectors, K: KiB, M: MiB) into each INPUT. Partitions are then not searched.',
    },
    {
      name: 'setup',
      kind: 'value',
      value: 'UUID',
      help: 'Look at this setup only; decides for a spare that carries copies of two.',
    },
    {
      name: 'undo-dir',
      kind: 'value',
      value: 'DIR',
      completes: 'directory',
      help: 'Put the undo journal there.',
    },
    { name: 'no-undo', kind: 'flag', help: 'Write no undo journal. The repair can then not be taken back.' },
    {
      name: 'backup-dir',
      kind: 'value',
      value: 'DIR',
      completes: 'directory',
      help: 'Put the text backup there.',
    },
    { name: 'no-backup', kind: 'flag', help: 'Write no text backup.' },
    {
      name: 'choose',
      kind: 'value',
      value: 'SPARE:COPY',
      help: 'Go on with the generation of this copy: one side of a split, or an older one where the newest is only partial. With -y or a prompt.',
    },
    {
      name: 'accept-partial',
      kind: 'flag',
      help: 'Go on with what could be recovered of the newest generation. With -y or a prompt.',
    },
    {
      name: 'force',
      kind: 'flag',
      help: 'Write over recognised other content and copies of other setups too. With -y or a prompt; overrides nothing else.',
    },
    {
      name: 'explain',
      kind: 'value',
      value: 'ID',
      help: 'Say what a finding means, how it comes about and what to do, and end.',
    },
  ],
  exclusive: [
    ['n', 'p', 'y'],
    ['undo-dir', 'no-undo'],
    ['backup-dir', 'no-backup'],
    ['choose', 'accept-partial'],
  ],
  schema: FSCK_SCHEMA,
  examples: [
    { command: 'dmremap-fsck -n spare0.img', explains: 'Look at one spare, and change nothing.' },
    {
      command: 'dmremap-fsck -n --level forensic spare0.img spare1.img',
      explains: 'Explain every damaged byte.',
    },
    { command: 'dmremap-fsck -p /dev/sdb /dev/sdc', explains: 'Repair what is beyond doubt.' },
    {
      command: 'dmremap-fsck -y --choose 1:0 spare0.img spare1.img',
      explains: 'Settle a split in favour of what spare 1 holds.',
    },
    { command: 'dmremap-fsck --explain setup-split', explains: 'Say what a finding means.' },
  ],
  files: [
    { path: '/var/lib/dmremap/undo', explains: 'Undo journals of repairs of block devices.' },
    { path: 'IMAGE.dmremap-undo-UUID8-NNN', explains: 'Undo journal of a repair of an image, beside it.' },
    {
      path: '/var/backups/dmremap',
      explains: 'Text backups of block devices; those of images lie beside the journal.',
    },
  ],
  seeAlso: ['fsck(8)'],
};

export const binding: Binding = {
  spec,
  async run(args, io) {
    const id = args.value('explain');
    if (id !== undefined) return explain(id, io);
    const options = optionsOf(args, io);
    return io.json ? runJson(options, io) : runText(options, args, io);
  },
  failureDocument: ({ exitCode, tool, error }) => ({
    schema: FSCK_SCHEMA,
    tool,
    mode: 'check',
    level: 'complete',
    exitCode,
    inputs: [],
    setups: [],
    findings: [],
    error,
  }),
};

function explain(id: string, io: CliIo): number {
  const known = id.toLowerCase();
  if (!isFindingId(known)) throw new Fault('USAGE', { what: `there is no finding '${id}'`, command: NAME });
  io.out(
    io.json ? jsonText(explainJson(known, TOOLKIT)) : explainFinding(known, styleFor(io.color), io.columns),
  );
  return EXIT.fine;
}

function optionsOf(args: ParsedArgs, io: CliIo): FsckOptions {
  const usage = (what: string): Fault => new Fault('USAGE', { what, command: NAME });
  const level = (args.value('level') ?? 'complete') as Level;
  const granted = args.flag('p') || args.flag('y');
  // Nobody can answer: then it only looks, as with -n.
  const asks = !args.flag('n') && !granted && !io.json && io.isTTY.stdin && io.isTTY.stderr;
  if ((level === 'basic' || level === 'integrity') && (granted || asks)) {
    throw usage(`--level ${level} sees too little for repairs; leave it out, or add -n`);
  }
  for (const name of ['choose', 'accept-partial', 'force'] as const) {
    if (args.flag('p') && args.given(name)) throw usage(`--${name} goes with -y, not with -p`);
  }
  const setup = args.value('setup');
  const uuid = setup === undefined ? null : parseUuid(setup);
  if (setup !== undefined && uuid === null) throw usage(`--setup ${setup}: not a UUID`);
  return {
    inputs: args.operands,
    mode: args.flag('p') ? 'preen' : args.flag('y') || asks ? 'repair' : 'check',
    level,
    scan: { offset: parseOffset(args.value('offset'), NAME), setup: uuid === null ? null : formatUuid(uuid) },
    main: args.value('main') ?? null,
    choose: parseChoice(args.value('choose')),
    acceptPartial: args.flag('accept-partial'),
    force: args.flag('force'),
    person: asks
      ? personAt(io, (report) =>
          setupText(report, { ...textOptions(args, io, level, 'repair'), asking: true }),
        )
      : null,
    ...writerOf(NAME, args),
    undo: !args.flag('no-undo'),
    undoDir: args.value('undo-dir'),
    backup: !args.flag('no-backup'),
    backupDir: args.value('backup-dir'),
    signals: io,
  };
}

function parseChoice(text: string | undefined): { spare: number; copy: number } | null {
  if (text === undefined) return null;
  const match = /^([0-7]):([0-4])$/.exec(text);
  if (match === null)
    throw new Fault('USAGE', { what: `--choose ${text}: SPARE:COPY is needed, like 1:0`, command: NAME });
  return { spare: Number(match[1]), copy: Number(match[2]) };
}

/** Asks; the default is No, `a` answers all that follow with yes, and the end of input is No. */
function personAt(io: CliIo, describe: (report: SetupReport) => string): Person {
  let all = false;
  let ended = false;
  return {
    show: (report) => {
      io.progress.end();
      io.out(describe(report));
    },
    ask: async (question) => {
      if (all) return true;
      if (ended) return false;
      const answer = (await io.ask(`${question} [y/N/a] `))?.trim().toLowerCase() ?? null;
      if (answer === null) ended = true;
      if (answer === 'a' || answer === 'all') all = true;
      return all || answer === 'y' || answer === 'yes';
    },
  };
}

function textOptions(args: ParsedArgs, io: CliIo, level: Level, mode: FsckOptions['mode']): FsckTextOptions {
  return {
    style: styleFor(io.color),
    columns: io.columns,
    quiet: io.quiet,
    verbose: io.verbose,
    mode,
    level,
    asking: false,
    inputs: args.operands,
    carried: carriedWords(args),
  };
}

/** Options that the next command needs as this one did: without them it would look elsewhere. */
function carriedWords(args: ParsedArgs): string[] {
  const values = (['offset', 'setup', 'undo-dir', 'backup-dir'] as const).flatMap((name) => {
    const value = args.value(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  const flags = (['no-undo', 'no-backup'] as const).filter((name) => args.flag(name));
  return [...values, ...flags.map((name) => `--${name}`)];
}

async function runJson(options: FsckOptions, io: CliIo): Promise<number> {
  const setups: RawJson[] = [];
  const summary = await fsck(io.host, withProgress(options, io), (report) => {
    setups.push(RawJson.of(setupJson(report), 2));
  });
  const facts = { mode: options.mode, level: options.level, tool: TOOLKIT };
  await printPieces(io, jsonPieces(fsckDocument(summary, setups, facts)));
  return summary.exit;
}

async function runText(options: FsckOptions, args: ParsedArgs, io: CliIo): Promise<number> {
  const text = textOptions(args, io, options.level, options.mode);
  let gone = false;
  const show = async (report: SetupReport): Promise<void> => {
    // What was found stands on the screen already when the person was asked about it.
    const shown = options.person !== null && report.asked;
    if (!gone) io.out(shown ? outcomeText(report, text) : setupText(report, text));
    gone ||= await io.drained();
  };
  const summary = await fsck(io.host, withProgress(options, io), show);
  io.out(inputFindingsText(summary, text));
  io.err(unopenedText(summary, NAME));
  if (summary.setupCount > 1 && !io.quiet) io.out(countLine(summary));
  return summary.exit;
}

function countLine(summary: FsckSummary): string {
  return `${summary.inputs.length} inputs, ${summary.setupCount} setups\n`;
}

function withProgress(options: FsckOptions, io: CliIo): FsckOptions {
  let done = 0;
  const total = 2 * options.inputs.length;
  io.progress.begin('checking', total);
  return {
    ...options,
    signals: {
      interrupted: () => io.interrupted(),
      breathe: async () => {
        io.progress.update(Math.min(++done, total));
        await io.breathe();
      },
    },
  };
}
