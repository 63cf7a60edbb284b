// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-undo on the command line: its option table, and the way from arguments to the command and from its result to
// output. The work is in src/commands/undo.ts.
import { runUndo } from '../commands/undo';
import { UNDO_SCHEMA, undoDocument, undoFailureDocument, undoText } from '../render/undo';
import { jsonText } from '../render/json';
import { styleFor } from '../render/style';
import type { Binding, CommandSpec } from './spec';
import { TOOLKIT } from './toolkit';
import { troubleText, writerOf } from './writing';

const NAME = 'dmremap-undo';

const spec: CommandSpec = {
  name: NAME,
  summary: 'take back what a repair, restore or format wrote',
  usage: ['[OPTION]... JOURNAL'],
  description: [
    'Puts back the bytes that were there before dmremap-fsck, dmremap-restore, dmremap-format or dmremap-undo itself wrote, from the undo journal that the command made, and reads all of them back.',
    'Before it writes, it compares what is there now with the journal. Writes that the journal shows as finished must be there as they were written, or undone already. For the others, which power may have cut, each sector may be as before or as written. Anything else means that the image or device has changed since: then nothing is written, and the place is named.',
    'What is overwritten goes into a journal of its own, in the same directory, so that an undo can be undone. An undo that was interrupted, by a power cut too, is finished by running it again. Running it once more than needed does nothing.',
  ],
  operands: [
    {
      name: 'JOURNAL',
      min: 1,
      max: 1,
      help: 'The undo journal: named like IMAGE.dmremap-undo-1a2b3c4d-001, beside the image, or in /var/lib/dmremap/undo for devices.',
      completes: 'file',
    },
  ],
  options: [
    {
      name: 'n',
      aliases: ['dry-run'],
      kind: 'flag',
      help: 'Only tell what would be put back. Opens everything for reading only.',
    },
    {
      name: 'force',
      kind: 'flag',
      help: 'Put the old bytes back even where something has changed since, or cannot be read now.',
      more: ['It overrides neither "in use" nor a size that is not the one recorded.'],
    },
  ],
  schema: UNDO_SCHEMA,
  examples: [
    {
      command: 'dmremap-undo -n spare.img.dmremap-undo-1a2b3c4d-001',
      explains: 'Show what would be put back.',
    },
    { command: 'dmremap-undo spare.img.dmremap-undo-1a2b3c4d-001', explains: 'Take the repair back.' },
  ],
  files: [
    { path: '/var/lib/dmremap/undo', explains: 'Undo journals of block devices.' },
    {
      path: 'IMAGE.dmremap-undo-UUID8-NNN',
      explains: 'Undo journals of images: the first 8 digits of the setup, and a number.',
    },
  ],
  seeAlso: ['e2undo(8)'],
};

export const binding: Binding = {
  spec,
  async run(args, io) {
    const journal = args.operands[0] ?? '';
    const result = await runUndo(io.host, {
      journal,
      dryRun: args.flag('n'),
      force: args.flag('force'),
      ...writerOf(NAME, args),
      signals: io,
    });
    if (io.json) {
      io.out(jsonText(undoDocument(result, TOOLKIT)));
    } else {
      io.out(undoText(result, styleFor(io.color), io));
    }
    io.err(troubleText(NAME, result));
    if (!result.marked) {
      io.note(
        `${NAME}: the journal cannot be written to; should power fail during an undo, the next one needs --force\n`,
      );
    }
    return result.exitCode;
  },
  failureDocument: ({ exitCode, tool, error }) => undoFailureDocument(exitCode, tool, error),
};
