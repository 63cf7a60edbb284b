// SPDX-License-Identifier: GPL-2.0-or-later
// A command that does on request what commands can do to the framework. Started as a process by test/cli/framework.test.ts.
import { main } from '../../src/cli/run';
import type { Binding, CliIo, ParsedArgs } from '../../src/cli/spec';
import { EXIT, Fault } from '../../src/core/faults';
import { jsonText } from '../../src/render/json';
import { styleFor } from '../../src/render/style';

const LINE = `${'0123456789'.repeat(9)}012345678\n`;

const ACTIONS: Readonly<Record<string, (io: CliIo, args: ParsedArgs) => Promise<number> | number>> = {
  facts: (io, args) => {
    const { json, quiet, verbose, color, columns, isTTY } = io;
    io.out(jsonText({ json, quiet, verbose, color, columns, isTTY, operands: args.operands }));
    return EXIT.fine;
  },
  left: (io) => {
    io.out(io.json ? jsonText({}) : 'text\n');
    io.note('a remark\n');
    io.err('a warning\n');
    return EXIT.corrected | EXIT.errorsLeft;
  },
  paint: (io) => {
    io.out(`${styleFor(io.color).red('red')}\n`);
    return EXIT.fine;
  },
  fault: () => {
    throw new Fault('NOT_FOUND', { path: 'a\u001b[2Jb' });
  },
  usage: () => {
    throw new Fault('USAGE', { what: 'that makes no sense' });
  },
  cut: () => {
    throw new Fault('INTERRUPTED');
  },
  crash: () => {
    throw new TypeError('a mistake');
  },
  halfway: (io) => {
    io.out('{}\n');
    throw new Fault('NOT_FOUND', { path: 'x' });
  },
  late: async () => {
    setTimeout(() => {
      throw new Error('in a timer');
    }, 10);
    await new Promise((settle) => setTimeout(settle, 50));
    return EXIT.corrected;
  },
  // 10 MB, far more than a pipe holds.
  large: (io) => {
    io.out('begin\n');
    for (let i = 0; i < 100; i++) io.out(LINE.repeat(1000));
    io.out('end\n');
    return EXIT.errorsLeft;
  },
  // As much as anyone reads, without ever holding it.
  endless: async (io) => {
    for (let i = 0; ; i++) {
      io.out(LINE.repeat(1000));
      if (await io.drained()) break;
      if (i > 10_000) throw new Error('nobody stopped reading');
    }
    io.err(`${process.memoryUsage().rss < 150e6 ? 'small' : 'large'}\n`);
    return EXIT.errorsLeft;
  },
  patient: async (io) => {
    io.err('ready\n');
    while (!io.interrupted()) await io.breathe();
    io.err('putting things in order\n');
    throw new Fault('INTERRUPTED');
  },
  finishing: async (io) => {
    io.err('ready\n');
    while (!io.interrupted()) await io.breathe();
    io.out('the last step was done anyway\n');
    return EXIT.corrected;
  },
  stubborn: async (io) => {
    io.err('ready\n');
    for (;;) {
      await io.breathe();
      if (io.interrupted()) {
        io.err('not now\n');
        while (io.interrupted()) await io.breathe();
      }
    }
  },
  ask: async (io) => {
    for (;;) {
      const answer = await io.ask('Repair? ');
      io.out(`answer: ${answer ?? 'none'}\n`);
      if (answer === null || answer === 'end') return EXIT.fine;
    }
  },
  // Longer than the silent first second.
  work: async (io) => {
    io.progress.begin('Working', 100);
    const end = Date.now() + 1500;
    for (let i = 0; Date.now() < end; i = (i + 1) % 100) {
      io.progress.update(i);
      await io.breathe();
    }
    io.out('done\n');
    return EXIT.fine;
  },
};

const binding: Binding = {
  spec: {
    name: 'dmremap-probe',
    summary: 'a probe',
    usage: ['ACTION [OPERAND]...'],
    description: ['Does what it is told.'],
    operands: [
      { name: 'ACTION', min: 1, max: 1, help: 'What to do.', completes: 'none' },
      { name: 'OPERAND', min: 0, max: null, help: 'Anything.', completes: 'none' },
    ],
    options: [{ name: 'n', kind: 'flag', help: 'Nothing.' }],
    schema: 'dmremap.probe/1',
    examples: [{ command: 'dmremap-probe facts', explains: 'Print facts.' }],
  },
  run: async (args, io) => {
    const action = ACTIONS[args.operands[0] ?? ''];
    if (action === undefined) throw new Fault('USAGE', { what: 'no such action' });
    return action(io, args);
  },
};

void main(binding, process.argv.slice(2));
