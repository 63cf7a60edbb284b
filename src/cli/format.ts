// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format on the command line: its option table, and the way from arguments to the command and from its result to
// output. The work is in src/commands/format.ts.
import { encodeUtf8, parseUuid, ZERO_UUID } from '../core/bytes';
import { forTerminal } from '../core/escape';
import { Fault } from '../core/faults';
import { MAX_SPARES } from '../core/layout';
import { newNameDefect } from '../core/newsetup';
import type { BadList, FormatOptions } from '../commands/format-plan';
import { runFormat } from '../commands/format';
import { FORMAT_SCHEMA, formatDocument, formatText } from '../render/format';
import { jsonText } from '../render/json';
import { styleFor } from '../render/style';
import { policyFrom, policyOptionSpecs, tunablesFrom } from './format-policy';
import { numberOption } from './numbers';
import type { Binding, CommandSpec, ParsedArgs } from './spec';
import { TOOLKIT } from './toolkit';
import { UNDO_EXCLUSIVE, UNDO_OPTIONS, undoOption, writerOf } from './writing';

const NAME = 'dmremap-format';

/** Of the description, the NUL included. */
const DESCRIPTION_BYTES = 128;
const LARGEST_BLOCK = 1n << 26n;

const spec: CommandSpec = {
  name: NAME,
  summary: 'make a dm-remap setup of a main device and its spares',
  usage: ['--name NAME --main MAIN [OPTION]... SPARE...'],
  description: [
    'Makes a setup: five copies of its metadata on each of one to eight spares, images or block devices. Nothing is written to main, which keeps its contents and is adopted in place.',
    'All of a spare before sector 10240 (5 MiB) becomes metadata or zero. The copies are written in an order that leaves no half of an old setup beside the new one should power fail, and are read back and judged. It succeeds only if all five were written on every spare.',
    'A spare that holds a file system, partition table, RAID, LVM, encryption, swap or dm-remap metadata is refused, and what was found is named. So are devices that are in use, too small, zoned, or given twice. Whatever is overwritten, other than zeros, goes into an undo journal first (see dmremap-undo).',
    'Bad sectors that are known already can be given with --bad-blocks or --mapfile. They become entries with DATA_LOST: reading them fails until they are written to, and then they are on a spare.',
  ],
  operands: [
    {
      name: 'SPARE',
      min: 1,
      max: MAX_SPARES,
      help: 'A spare: an image or a block device of at least 8 MiB. The first one is the primary spare.',
      completes: 'device',
    },
  ],
  options: [
    {
      name: 'name',
      kind: 'value',
      value: 'NAME',
      help: "Name of the remapped device: 1 to 89 bytes, without '/' and control characters. Must be given.",
    },
    {
      name: 'main',
      kind: 'value',
      value: 'MAIN',
      completes: 'device',
      help: 'The device whose bad sectors are to be remapped. It is only read. Must be given.',
    },
    {
      name: 'n',
      aliases: ['dry-run'],
      kind: 'flag',
      help: 'Show the plan. Opens everything for reading only.',
    },
    {
      name: 'force',
      kind: 'flag',
      help: 'Overwrite a spare that holds other content or dm-remap metadata, after its old bytes went into an undo journal.',
      more: [
        'The signatures of the other content are wiped too, also those at the end of the device, so that nothing takes the spare for what it was.',
        'It also allows spares with unreadable sectors, and spares with blocks of 4096 bytes for a main that holds smaller ones. It never overrides "in use", main among the spares, sizes or capacity.',
      ],
    },
    { name: 'description', kind: 'value', value: 'TEXT', help: 'Free text of up to 127 bytes.' },
    {
      name: 'uuid',
      kind: 'value',
      value: 'UUID',
      help: "The setup's uuid. Default: random.",
      more: [
        'All other identifiers are derived from it. Together with SOURCE_DATE_EPOCH in the environment, the same command line then makes the same bytes.',
      ],
    },
    {
      name: 'remap-unit',
      kind: 'value',
      value: 'SECTORS',
      choices: ['1', '8'],
      help: 'Sectors that are remapped together. Default: 8 if a device has physical blocks of 4096 bytes, else 1.',
    },
    {
      name: 'sector-size',
      kind: 'value',
      value: 'BYTES',
      choices: ['512', '4096'],
      help: 'Logical block size that image files count as. Default 512. Block devices tell their own.',
    },
    {
      name: 'bad-blocks',
      kind: 'value',
      value: 'FILE',
      completes: 'file',
      help: 'Output of badblocks(8) on main: these blocks are lost from the start. Needs --block-size.',
    },
    {
      name: 'block-size',
      kind: 'value',
      value: 'BYTES',
      help: 'Size of the blocks in the list, as given to badblocks -b (its default is 1024).',
    },
    {
      name: 'mapfile',
      kind: 'value',
      value: 'FILE',
      completes: 'file',
      help: 'GNU ddrescue mapfile of main: areas with the status -, * or / are lost from the start.',
    },
    {
      name: 'untried-lost',
      kind: 'flag',
      help: 'Areas that the mapfile shows as not tried (?), or not at all, are lost too. Without it they are refused.',
    },
    ...policyOptionSpecs(),
    {
      name: 'tunable',
      kind: 'list',
      value: 'NAME=VALUE',
      help: 'A tunable of the kernel target. May be given up to 32 times.',
    },
    ...UNDO_OPTIONS,
  ],
  exclusive: [['bad-blocks', 'mapfile'], UNDO_EXCLUSIVE],
  schema: FORMAT_SCHEMA,
  examples: [
    {
      command: 'dmremap-format --name data --main /dev/sdb -n /dev/sdc1',
      explains: 'Show what would be done.',
    },
    {
      command: 'dmremap-format --name data --main /dev/sdb /dev/sdc1 /dev/sdd1',
      explains: 'Make a setup with two spares.',
    },
    {
      command: 'dmremap-format --name d --main d.img --mapfile d.map spare.img',
      explains: 'Make a setup for a rescued disk, with what could not be read as lost.',
    },
    {
      command: 'dmremap-format --name data --main /dev/sdb --force /dev/sdc1',
      explains: 'Overwrite what the spare holds; dmremap-undo takes it back.',
    },
  ],
  files: [
    { path: '/var/lib/dmremap/undo', explains: 'Undo journals of block devices.' },
    { path: 'IMAGE.dmremap-undo-UUID8-NNN', explains: 'Undo journals of images.' },
  ],
  seeAlso: ['badblocks(8)', 'ddrescue(1)', 'dmsetup(8)', 'wipefs(8)'],
};

export const binding: Binding = {
  spec,
  async run(args, io) {
    const options = optionsFrom(args);
    io.progress.begin('writing', null);
    const result = await runFormat(io.host, {
      ...options,
      signals: io,
      progress: (done) => io.progress.update(done),
    });
    io.progress.end();
    for (const warning of result.warnings) io.note(`${NAME}: ${forTerminal(warning)}\n`);
    if (io.json) {
      io.out(jsonText(formatDocument(result, TOOLKIT)));
    } else {
      io.out(formatText(result, styleFor(io.color), io));
    }
    return result.exitCode;
  },
};

/** The options of the command, without what belongs to this run. Fault USAGE where they make no sense. */
export function optionsFrom(args: ParsedArgs): FormatOptions {
  const name = required(args, 'name');
  const main = required(args, 'main');
  const defect = newNameDefect(name);
  if (defect !== null) throw usage(`--name: '${name}' ${defect}`);
  const description = args.value('description') ?? '';
  if (description.includes('\0') || encodeUtf8(description).length >= DESCRIPTION_BYTES) {
    throw usage(`--description: longer than ${DESCRIPTION_BYTES - 1} bytes`);
  }
  const unit = args.value('remap-unit');
  const sectorSize = args.value('sector-size');
  const force = args.flag('force');
  return {
    name,
    description,
    main,
    spares: args.operands,
    uuid: uuidFrom(args.value('uuid')),
    policy: policyFrom(args),
    tunables: tunablesFrom(args.list('tunable')),
    remapUnit: unit === undefined ? null : unit === '8' ? 8 : 1,
    sectorSize: sectorSize === undefined ? null : sectorSize === '4096' ? 4096 : 512,
    badList: badListFrom(args),
    dryRun: args.flag('n'),
    force,
    undo: undoOption(args),
    ...writerOf(NAME, args),
  };
}

function usage(what: string): Fault {
  return new Fault('USAGE', { what });
}

function required(args: ParsedArgs, name: string): string {
  const value = args.value(name);
  if (value === undefined) throw usage(`option --${name} must be given`);
  if (value === '') throw usage(`option --${name} is empty`);
  return value;
}

function uuidFrom(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (parseUuid(text) === null || text === ZERO_UUID) throw usage(`--uuid: '${text}' is not a usable uuid`);
  return text.toLowerCase();
}

function badListFrom(args: ParsedArgs): BadList | null {
  const badBlocks = args.value('bad-blocks');
  const mapfile = args.value('mapfile');
  const blockSize = args.value('block-size');
  if (badBlocks === undefined && blockSize !== undefined) throw usage('--block-size needs --bad-blocks');
  if (mapfile === undefined && args.flag('untried-lost')) throw usage('--untried-lost needs --mapfile');
  if (mapfile !== undefined)
    return { kind: 'mapfile', path: mapfile, untriedLost: args.flag('untried-lost') };
  if (badBlocks === undefined) return null;
  // The list does not say it, and a wrong guess would give up good sectors and trust bad ones.
  if (blockSize === undefined) throw usage('--bad-blocks needs --block-size: the list does not tell it');
  const bytes = numberOption('--block-size', blockSize, 512n, LARGEST_BLOCK);
  if (bytes % 512n !== 0n) throw usage(`--block-size: ${blockSize} is not a multiple of 512`);
  return { kind: 'bad-blocks', path: badBlocks, blockSize: Number(bytes) };
}
