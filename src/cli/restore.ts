// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-restore on the command line: its option table, and the way from arguments to the command and from its result
// to output. The work is in src/commands/restore.ts.
import { runRestore } from '../commands/restore';
import { MAX_SPARES } from '../core/layout';
import { jsonText } from '../render/json';
import { RESTORE_SCHEMA, restoreDocument, restoreFailureDocument, restoreText } from '../render/restore';
import { styleFor } from '../render/style';
import type { Binding, CommandSpec } from './spec';
import { TOOLKIT } from './toolkit';
import { troubleText, UNDO_EXCLUSIVE, UNDO_OPTIONS, undoOption, writerOf } from './writing';

const NAME = 'dmremap-restore';

export const spec: CommandSpec = {
  name: NAME,
  summary: 'put the metadata of a dm-remap setup back from a dump',
  usage: ['[OPTION]... setup.json SPARE...'],
  description: [
    'Makes the copies on the spares of a setup again from what dmremap-dump printed, byte for byte, in the order of a commit, after the old bytes went into an undo journal (see dmremap-undo). Copies that are there already are left alone. Only metadata is restored: the data of remapped sectors is on the spares and is not touched.',
    'All of the dump is validated first: its form, and every rule of the format. Then each SPARE is held against it: its size, its block size, the metadata that is still there (which must be of the same setup and the same spare), and that it holds nothing else. What does not match is refused.',
    'If a copy with an equal or higher sequence and other contents is there, the setup went on after the dump was made, and restoring it would take that back: it is refused. With --force the contents of the dump become a new generation, above all that was seen.',
    'A spare that this generation was not put on, because it was missing then or is retired, is left alone.',
  ],
  operands: [
    {
      name: 'setup.json',
      min: 1,
      max: 1,
      help: 'What dmremap-dump printed, or a text backup of dmremap-fsck.',
      completes: 'file',
    },
    {
      name: 'SPARE',
      min: 1,
      max: MAX_SPARES,
      help: 'All spares of the setup, in the order of their indexes; - in the place of one that is missing.',
      completes: 'device',
    },
  ],
  options: [
    {
      name: 'n',
      aliases: ['dry-run'],
      kind: 'flag',
      help: 'Only tell what would be written. Opens everything for reading only.',
    },
    {
      name: 'force',
      kind: 'flag',
      help: 'Write to spares that do not match or hold other content, and above a newer generation.',
      more: [
        'It never overrides "in use", a spare that is too small, or a rule of the format that the dump breaks.',
      ],
    },
    ...UNDO_OPTIONS,
  ],
  exclusive: [UNDO_EXCLUSIVE],
  schema: RESTORE_SCHEMA,
  examples: [
    { command: 'dmremap-restore -n setup.json /dev/sdc1 /dev/sdd1', explains: 'Show what would be written.' },
    {
      command: 'dmremap-restore setup.json /dev/sdc1 /dev/sdd1',
      explains: 'Restore both spares of a setup.',
    },
    {
      command: 'dmremap-restore setup.json - /dev/sdd1',
      explains: 'The same while the first spare is missing.',
    },
  ],
  files: [
    { path: '/var/lib/dmremap/undo', explains: 'Undo journals of block devices.' },
    { path: '/var/backups/dmremap', explains: 'Text backups that dmremap-fsck made; they are dumps.' },
  ],
  seeAlso: ['thin_restore(8)', 'vgcfgrestore(8)'],
};

export const binding: Binding = {
  spec,
  async run(args, io) {
    const [dump = '', ...spares] = args.operands;
    io.progress.begin('restoring', null);
    const result = await runRestore(io.host, {
      dump,
      spares: spares.map((path) => (path === '-' ? null : path)),
      dryRun: args.flag('n'),
      force: args.flag('force'),
      undo: undoOption(args),
      ...writerOf(NAME, args),
      signals: io,
      progress: (done) => {
        io.progress.update(done);
      },
    });
    io.progress.end();
    io.out(
      io.json ? jsonText(restoreDocument(result, TOOLKIT)) : restoreText(result, styleFor(io.color), io),
    );
    io.err(troubleText(NAME, result));
    return result.exitCode;
  },
  failureDocument: ({ exitCode, tool, error }) => restoreFailureDocument(exitCode, tool, error),
};
