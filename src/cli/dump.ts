// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-dump on the command line: its option table, and the dump to stdout. The work is in src/commands/dump.ts, the
// form of a dump in src/core/dumpform.ts.
import type { DumpResult } from '../commands/dump';
import { runDump } from '../commands/dump';
import { DUMP_SCHEMA, dumpDocument } from '../core/dumpform';
import { EXIT } from '../core/faults';
import type { Finding } from '../core/findings';
import { findingSpec } from '../core/findings';
import { MAX_SPARES } from '../core/layout';
import { findingLines } from '../render/fsck-text';
import { jsonPieces } from '../render/json';
import { styleFor } from '../render/style';
import type { Binding, CliIo, CommandSpec } from './spec';
import { printPieces, step } from './stream';

const NAME = 'dmremap-dump';

export const spec: CommandSpec = {
  name: NAME,
  summary: 'print the metadata of a dm-remap setup as JSON',
  usage: ['[OPTION]... SPARE... > setup.json'],
  description: [
    'Prints the whole winning generation of a setup as readable JSON: every field of every record, flags and enumerations by their names, sections and bytes of unknown meaning as they are. dmremap-restore makes the same copies from it again, byte for byte.',
    'What differs from copy to copy, checksums, and whatever follows from the rest are not in it, so the same generation gives the same dump from every spare.',
    'If errors are left in the setup, but the winning generation is whole or was recovered in full, it is dumped all the same, and the exit status has 4 in it. If it is in doubt which generation wins (a split), or part of it is missing, nothing is dumped: see dmremap-fsck.',
  ],
  operands: [
    {
      name: 'SPARE',
      min: 1,
      max: null,
      help: `The spares of one setup (up to ${MAX_SPARES}), images or block devices, in any order. One is enough if it is up to date.`,
      completes: 'device',
    },
  ],
  options: [],
  schema: DUMP_SCHEMA,
  examples: [
    {
      command: 'dmremap-dump /dev/sdc1 /dev/sdd1 > setup.json',
      explains: 'Keep a copy of the metadata elsewhere.',
    },
    { command: 'dmremap-dump spare.img | jq .remaps', explains: 'Work with the entries.' },
  ],
  seeAlso: ['thin_dump(8)', 'vgcfgbackup(8)'],
};

export const binding: Binding = {
  spec,
  async run(args, io) {
    const result = await runDump(
      io.host,
      args.operands,
      (findings) => {
        tell(findings, io);
      },
      () => step(io),
    );
    tell(result.findings, io);
    io.note(sourceText(result));
    await printPieces(io, jsonPieces(dumpDocument(result.generation)));
    return result.exitCode;
  },
};

/** Errors and warnings; notes only for those who want to hear more. */
function tell(findings: readonly Finding[], io: CliIo): void {
  for (const finding of findings) {
    if (findingSpec(finding.id).severity === 'note' && io.verbose === 0) continue;
    for (const line of findingLines(finding, { style: styleFor(false), columns: io.columns }))
      io.err(`${line}\n`);
  }
}

/** Which copy it is, where that is not obvious. */
function sourceText({ winner, exitCode }: DumpResult): string {
  const { sequence, spareIndex, copyIndex } = winner.header;
  if (winner.salvage !== null) {
    return `${NAME}: sequence ${sequence}, put together from ${winner.salvage.sources.join(', ')}\n`;
  }
  if (exitCode === EXIT.fine) return '';
  return `${NAME}: sequence ${sequence}, from spare ${spareIndex} copy ${copyIndex}; there are errors left in the setup, see dmremap-fsck -n\n`;
}
