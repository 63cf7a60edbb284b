// SPDX-License-Identifier: GPL-2.0-or-later
// An option table with one option of every kind, for the tests of what is built from tables.
import type { CommandSpec } from '../../src/cli/spec';

export const EXAMPLE: CommandSpec = {
  name: 'dmremap-example',
  summary: 'an example',
  usage: ['[-n|-p|-y] [OPTION]... INPUT...', '--explain ID'],
  description: [
    'The first paragraph says what it does.',
    '.The second begins with a dot \\ and has "quotes".',
  ],
  operands: [
    { name: 'INPUT', min: 1, max: 3, help: 'An image.', completes: 'file', notNeededWith: ['explain'] },
  ],
  options: [
    { name: 'n', kind: 'flag', help: 'Change nothing.' },
    { name: 'p', aliases: ['a', 'preen'], kind: 'flag', help: 'Repair what is beyond doubt.' },
    { name: 'y', kind: 'flag', help: 'Repair all.' },
    {
      name: 'level',
      kind: 'value',
      value: 'LEVEL',
      choices: ['basic', 'complete'],
      help: "How deep. It's a choice.",
    },
    { name: 'offset', aliases: ['o'], kind: 'value', value: 'N[s|B|K|M]', help: 'Where: [here] or there.' },
    { name: 'choose', kind: 'list', value: 'SPARE:COPY', help: 'A side.', more: ['More about --choose.'] },
    { name: 'diff', kind: 'pair', value: 'A B', help: 'Compare two.' },
    { name: 'undo-dir', kind: 'value', value: 'DIR', completes: 'directory', help: 'Where journals go.' },
    { name: 'no-undo', kind: 'flag', help: 'No journal.' },
    { name: 'mapfile', kind: 'value', value: 'FILE', completes: 'file', help: 'A map.' },
    { name: 'explain', kind: 'value', value: 'ID', help: 'Explain.' },
  ],
  exclusive: [
    ['n', 'p', 'y'],
    ['undo-dir', 'no-undo'],
  ],
  schema: 'dmremap.example/1',
  examples: [{ command: "dmremap-example -n 'a b.img'", explains: 'Look at an image.' }],
  files: [{ path: '/var/lib/dmremap', explains: 'Things.' }],
  seeAlso: ['badblocks(8)'],
};
