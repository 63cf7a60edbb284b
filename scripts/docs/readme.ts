// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of README.md that are made: what the commands print for a damaged spare, and the tables of verdicts, commands
// and exit statuses. The session is run with the built commands; nothing in it is typed by hand.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slotAt } from '../../fixtures/build';
import { AT } from '../../fixtures/damage';
import { EXIT_STATUS } from '../../src/cli/common';
import { SLOT_ROOM_BYTES } from '../../src/core/layout';
import type { Verdict } from '../../src/core/model';
import { VERDICT_SAYS } from '../../src/render/fsck-text';
import { flipBit, makeImage, MIB, writeBytes } from '../lib/images';
import { Session } from '../lib/session';
import { COMMAND_SPECS } from './commands';
import type { Parts } from './splice';
import { codeBlock, table } from './splice';

/** What stands for the temporary directory: its name would be another one each time. */
const SHOWN_FOLDER = '/img';
/** 2025-06-01T12:00:00Z. */
const EPOCH = '1748779200';
const SETUP_UUID = '6f1d3a52-0c4b-4e7e-9b1a-2d5c8e7f9a10';

interface Pieces {
  readonly check: string;
  readonly repair: string;
  readonly undo: string;
}

/** A spare with two damaged copies: looked at, repaired, looked at again, and the repair taken back. */
function session(root: string): Pieces {
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-readme-'));
  try {
    let text = '';
    const environment = { SOURCE_DATE_EPOCH: EPOCH };
    const commands = new Session({ root, folder, environment }, (more) => (text += more));
    const piece = (): string => {
      const done = text.split(folder).join(SHOWN_FOLDER);
      text = '';
      return done;
    };
    makeImage(join(folder, 'main.img'), 64 * MIB);
    makeImage(join(folder, 'spare.img'), 16 * MIB);
    const identity = ['--name', 'data', '--uuid', SETUP_UUID];
    commands.run(0, 'dmremap-format', ...identity, '--main', 'main.img', 'spare.img');
    flipBit(join(folder, 'spare.img'), slotAt(1) + AT.config + 7, 2);
    writeBytes(join(folder, 'spare.img'), slotAt(3), new Uint8Array(SLOT_ROOM_BYTES));
    piece();
    commands.run(4, 'dmremap-fsck', '-n', 'spare.img');
    const check = piece();
    const { output } = commands.run(1, 'dmremap-fsck', '-p', 'spare.img');
    const repair = shortened(piece());
    commands.run(0, 'dmremap-fsck', '-n', 'spare.img');
    const again = piece();
    const journal = /dmremap-undo \S*\/(\S+)/.exec(output)?.[1] ?? '';
    commands.run(0, 'dmremap-undo', journal);
    const undo = piece();
    for (const { line, status, expected } of commands.ran) {
      if (status !== expected)
        throw new Error(`${line}: exit status ${status ?? 'of a signal'} instead of ${expected}`);
    }
    return { check, repair: `${repair}${again}`, undo };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without the lines about copies and findings, which the check before it has shown. */
function shortened(repair: string): string {
  const lines = repair.split('\n');
  const done = lines.findIndex((line) => line.startsWith('  done '));
  if (done < 3) throw new Error('the repair does not tell what was done');
  return [...lines.slice(0, 3), '  [as above]', ...lines.slice(done)].join('\n');
}

const STOP = '**stop**';

/** What each verdict means and what to do about it; the words of the verdict itself are those that are printed. */
const VERDICTS: Readonly<Record<Verdict, readonly [means: string, action: string]>> = {
  clean: ['nothing is wrong', 'nothing'],
  repairable: ['copies are bad, but the newest generation is whole in others', '`-p`'],
  repaired: ['copies were bad, and were put back', 'nothing'],
  salvageable: ['the pieces of all copies make a whole', '`-y`'],
  partial: ['a newer state existed; not all of it is left', STOP],
  split: ['either history may hold your data', STOP],
  inconsistent: [
    'the checksums are right, but a rule of the format is broken, or two inputs claim to be one spare',
    STOP,
  ],
  lost: ['there are traces only', STOP],
};

/** The tables of verdicts, commands and exit statuses: these need no build. */
export function readmeTables(): Parts {
  return {
    verdicts: table(
      ['verdict', 'what it means', 'what to do'],
      (Object.keys(VERDICT_SAYS) as Verdict[]).map((verdict) => [
        VERDICT_SAYS[verdict],
        ...VERDICTS[verdict],
      ]),
    ),
    commands: table(
      ['command', 'what it does'],
      COMMAND_SPECS.map(({ name, summary }) => [`\`${name}\``, summary]),
    ),
    'exit-status': table(
      ['status', 'meaning'],
      EXIT_STATUS.map(({ status, meaning }) => [String(status), meaning]),
    ),
  };
}

/** The session: needs the built commands. */
export function readmeSession(root: string): Parts {
  const { check, repair, undo } = session(root);
  return { check: codeBlock(check), repair: codeBlock(repair), undo: codeBlock(undo) };
}
