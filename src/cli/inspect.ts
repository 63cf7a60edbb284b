// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-inspect on the command line: its option table, and the way from arguments to the command and from its results
// to output, setup by setup. The work is in src/commands/inspect.ts.
import type { CopyPlaceName, InspectedSetup } from '../commands/inspect';
import { differencesIn, exitOfScan, exitOfSetup, findSetups, inspectSetup } from '../commands/inspect';
import type { FoundSetup, ScanResult } from '../commands/scan';
import type { SlotDifferences } from '../core/differences';
import { Fault } from '../core/faults';
import { COPY_COUNT, MAX_SPARES } from '../core/layout';
import { findingLines } from '../render/fsck-text';
import { hexText } from '../render/inspect-hex';
import { INSPECT_SCHEMA, inspectDocument, inspectedJson } from '../render/inspect-json';
import type { InspectTextOptions } from '../render/inspect-text';
import { contentsText, differencesText, setupHeading, slotText, slotTitle } from '../render/inspect-text';
import { jsonPieces, RawJson } from '../render/json';
import { styleFor } from '../render/style';
import { numberOption } from './numbers';
import type { Binding, CliIo, CommandSpec, ParsedArgs } from './spec';
import { printPieces, step } from './stream';
import { TOOLKIT } from './toolkit';

const NAME = 'dmremap-inspect';

export const spec: CommandSpec = {
  name: NAME,
  summary: 'show dm-remap metadata, valid or not',
  usage: ['[OPTION]... INPUT...'],
  description: [
    'Shows what is in the five copies of the metadata on each spare: which setup they belong to, which of them win, and what the winning generation says. Nothing is changed; inputs are opened for reading only.',
    'Without --remaps, --events, --devices, --config, --hex and --diff everything is shown in short. With --copy it is shown as it stands in that copy of each spare, whatever its checksums say, instead of the winning generation.',
    'To check a setup, and to have it repaired, use dmremap-fsck.',
  ],
  operands: [
    {
      name: 'INPUT',
      min: 1,
      max: null,
      help: 'Spares, as images or block devices, in any order; also disks with partitions in which spares lie.',
      completes: 'device',
    },
  ],
  options: [
    {
      name: 'copy',
      kind: 'value',
      value: 'N',
      choices: ['0', '1', '2', '3', '4'],
      help: 'Show what stands in this copy of each spare, valid or not.',
    },
    { name: 'remaps', kind: 'flag', help: 'Show all remap entries.' },
    { name: 'events', kind: 'flag', help: 'Show all events.' },
    { name: 'devices', kind: 'flag', help: 'Show all that is recorded of main and the spares.' },
    { name: 'config', kind: 'flag', help: 'Show the whole configuration.' },
    {
      name: 'hex',
      kind: 'flag',
      help: 'Show the bytes of the copies, with the names and values of the fields beside them.',
      more: [
        'A copy without any structure is shown as a plain dump. ?? stands for bytes that could not be read, * for lines of zeros that are left out. With --json the document has the bytes without names.',
      ],
    },
    {
      name: 'diff',
      kind: 'pair',
      value: 'SPARE:COPY SPARE:COPY',
      help: 'Show the differences between two copies, field by field: --diff 0:0 1:3.',
      more: [
        'The inputs must then be those of one setup. SPARE is the index of the spare, COPY that of its copy.',
      ],
    },
  ],
  schema: INSPECT_SCHEMA,
  examples: [
    { command: 'dmremap-inspect /dev/sdc1 /dev/sdd1', explains: 'Show a setup in short.' },
    { command: 'dmremap-inspect --remaps /dev/sdc1', explains: 'List all remapped sectors.' },
    { command: 'dmremap-inspect --hex --copy 2 spare.img', explains: 'Look at the bytes of one copy.' },
    {
      command: 'dmremap-inspect --diff 0:0 0:4 spare.img',
      explains: 'Compare the first with the last copy of a spare.',
    },
  ],
  seeAlso: ['mdadm(8)', 'dumpe2fs(8)'],
};

interface Wanted {
  readonly copy: number | null;
  readonly diff: { readonly a: CopyPlaceName; readonly b: CopyPlaceName } | null;
  readonly hex: boolean;
  /** Whether the winner's contents are shown. */
  readonly contents: boolean;
}

export const binding: Binding = {
  spec,
  async run(args, io) {
    const wanted = wantedBy(args);
    const scan = await findSetups(io.host, args.operands, () => step(io));
    if (wanted.diff !== null && scan.setups.length > 1) {
      const uuids = scan.setups.map(({ setupUuid }) => setupUuid).join(', ');
      throw new Fault('USAGE', {
        what: `--diff compares copies of one setup, but the inputs hold several: ${uuids}`,
      });
    }
    return io.json ? runJson(scan, wanted, io) : runText(scan, wanted, args, io);
  },
  failureDocument: ({ exitCode, tool, error }) => ({
    schema: INSPECT_SCHEMA,
    tool,
    exitCode,
    inputs: [],
    setups: [],
    findings: [],
    error,
  }),
};

function wantedBy(args: ParsedArgs): Wanted {
  const pair = args.pair('diff');
  const copy = args.value('copy');
  const hex = args.flag('hex');
  return {
    copy: copy === undefined ? null : Number(copy),
    diff: pair === undefined ? null : { a: placeOf(pair[0]), b: placeOf(pair[1]) },
    hex,
    contents: !(hex || pair !== undefined) || SELECTING.some((name) => args.flag(name)),
  };
}

const SELECTING = ['remaps', 'events', 'devices', 'config'] as const;

/** 'SPARE:COPY' in numbers. */
function placeOf(text: string): CopyPlaceName {
  const match = /^([0-9]+):([0-9]+)$/.exec(text);
  if (match === null) throw new Fault('USAGE', { what: `--diff: '${text}' is not SPARE:COPY, as in 0:3` });
  return {
    spare: Number(numberOption('--diff', match[1] ?? '', 0n, BigInt(MAX_SPARES - 1))),
    copy: Number(numberOption('--diff', match[2] ?? '', 0n, BigInt(COPY_COUNT - 1))),
  };
}

const nameOf = ({ spare, copy }: CopyPlaceName): string => `${spare}:${copy}`;

function differences(
  setup: InspectedSetup,
  wanted: Wanted,
): { a: string; b: string; found: SlotDifferences } | null {
  if (wanted.diff === null) return null;
  const { a, b } = wanted.diff;
  return { a: nameOf(a), b: nameOf(b), found: differencesIn(setup, a, b) };
}

async function runJson(scan: ScanResult, wanted: Wanted, io: CliIo): Promise<number> {
  let exitCode = exitOfScan(scan);
  const setups: unknown[] = [];
  for (const [i, found] of scan.setups.entries()) {
    await step(io);
    const setup = inspectSetup(io.host, found);
    exitCode |= exitOfSetup(setup);
    const value = inspectedJson(setup, differences(setup, wanted), wanted);
    // The exit status comes first in the document, and only the last setup cannot change it any more.
    setups.push(i + 1 < scan.setups.length ? RawJson.of(value, 2) : value);
  }
  await printPieces(io, jsonPieces(inspectDocument(scan, setups, { exitCode, tool: TOOLKIT })));
  return exitCode;
}

async function runText(scan: ScanResult, wanted: Wanted, args: ParsedArgs, io: CliIo): Promise<number> {
  const style = styleFor(io.color);
  const selection = {
    devices: args.flag('devices'),
    config: args.flag('config'),
    events: args.flag('events'),
    remaps: args.flag('remaps'),
    short: !SELECTING.some((name) => args.flag(name)),
  };
  const options: InspectTextOptions = { style, columns: io.columns, selection };
  for (const finding of scan.findings) {
    for (const line of findingLines(finding, { style: styleFor(false), columns: io.columns }))
      io.err(`${line}\n`);
  }
  let exitCode = exitOfScan(scan);
  for (const [i, found] of scan.setups.entries()) {
    await step(io);
    if (i > 0) io.out('\n');
    const { exit, gone } = await showSetup(found, wanted, options, io);
    exitCode |= exit;
    if (gone) break;
  }
  return exitCode;
}

/** `gone`: nobody reads the output any more. */
async function showSetup(
  found: FoundSetup,
  wanted: Wanted,
  options: InspectTextOptions,
  io: CliIo,
): Promise<{ exit: number; gone: boolean }> {
  const setup = inspectSetup(io.host, found);
  const exit = exitOfSetup(setup);
  return { exit, gone: await printPieces(io, setupText(setup, wanted, options)) };
}

function* setupText(setup: InspectedSetup, wanted: Wanted, options: InspectTextOptions): Generator<string> {
  // First, because it can fail: half an answer would look like a whole one.
  const diff = differences(setup, wanted);
  yield* setupHeading(setup, options);
  if (wanted.contents && wanted.copy === null && setup.contents !== null)
    yield* contentsText(setup.contents, options);
  for (const spare of setup.spares) {
    for (const slot of spare.slots) {
      if (wanted.copy !== null && slot.copyIndex !== wanted.copy) continue;
      if (wanted.contents && wanted.copy !== null) yield* slotText(spare, slot, options);
      if (!wanted.hex) continue;
      yield `\n${slotTitle(spare, slot, options.style)}`;
      yield* hexText(slot, options.style, options.columns);
    }
  }
  if (diff !== null) yield* differencesText(diff.a, diff.b, diff.found, options);
}
