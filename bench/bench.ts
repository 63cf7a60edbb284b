// SPDX-License-Identifier: GPL-2.0-or-later
// npm run bench: runs the benches beside this file and prints one JSON document: the machine, every number with its
// target, and what missed. Progress goes to stderr. Exit status 0 even where a target is missed: see `missed`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { machine } from './machine';
import { largest } from './largest';
import { many } from './many';
import { one } from './one';
import type { Bench } from './shape';
import { missed } from './stats';
import { validate, validateChild } from './validate';

const BENCHES: readonly Bench[] = [one, validate, largest, many];

const USAGE = `usage: npm run bench -- [--quick] [--only NAME]... [--json]

  --quick      fewer runs and smaller inputs: to see that it works
  --only NAME  this bench only; may be given several times
  --json       one JSON document on stdout; it is always that

${BENCHES.map(({ name, what }) => `  ${name.padEnd(10)} ${what}`).join('\n')}

Needs up to 2 GB below ${tmpdir()} (TMPDIR), and gives them back.
`;

interface Options {
  readonly quick: boolean;
  readonly benches: readonly Bench[];
}

/** Null where the command line makes no sense. */
function optionsFrom(argv: readonly string[]): Options | null {
  const only: Bench[] = [];
  let quick = false;
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--quick') quick = true;
    else if (argv[i] === '--only') {
      const bench = BENCHES.find(({ name }) => name === argv[i + 1]);
      if (bench === undefined) return null;
      only.push(bench);
      i++;
    } else if (argv[i] !== '--json') return null;
  }
  return { quick, benches: only.length > 0 ? BENCHES.filter((bench) => only.includes(bench)) : BENCHES };
}

async function main(root: string, { quick, benches }: Options): Promise<void> {
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--quiet', '--if-stale'], {
    stdio: 'inherit',
  });
  const ran = machine();
  const folder = mkdtempSync(join(tmpdir(), 'dmremap-bench-'));
  // Interrupted by a signal, 2 GB would stay behind.
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      clean();
      process.exit(1);
    });
  }
  try {
    const results: Record<string, unknown> = {};
    for (const { name, what, run } of benches) {
      const own = join(folder, name);
      mkdirSync(own);
      const progress = (text: string): Promise<void> => {
        process.stderr.write(`${name}: ${text}\n`);
        return new Promise((settle) => setImmediate(settle));
      };
      const begin = process.hrtime.bigint();
      const result = await run({ root, folder: own, quick, self: __filename, progress });
      results[name] = { what, ...result };
      rmSync(own, { recursive: true, force: true });
      await progress(`took ${Number((process.hrtime.bigint() - begin) / 1_000_000n) / 1000} s`);
    }
    const document = {
      schema: 'dmremap.bench/1',
      quick,
      machine: ran,
      benches: results,
      missed: missed(results),
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } finally {
    clean();
  }
}

const [first, second, engine, batches] = process.argv.slice(2);
if (first === '--child' && second === 'validate' && (engine === 'zlib' || engine === 'crc-32')) {
  process.stdout.write(JSON.stringify(validateChild(engine, Number(batches))));
} else {
  const options = optionsFrom(process.argv.slice(2));
  if (options === null) {
    process.stderr.write(USAGE);
    process.exitCode = 16;
  } else {
    void main(dirname(dirname(process.argv[1] ?? '')), options);
  }
}
