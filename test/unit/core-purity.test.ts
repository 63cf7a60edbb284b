// SPDX-License-Identifier: GPL-2.0-or-later
// The core runs wherever ECMAScript 2022 does: everything in src/core, bundled, decides about the vectors in a context that
// has nothing but the language, and decides the same as here. And what it imports, it imports from itself.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createContext, Script } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import type { BuildResult } from 'esbuild';
import { buildSync } from 'esbuild';
import * as setup from '../../src/core/setup';
import * as plan from '../../src/core/plan';
import * as findings from '../../src/core/findings';

const root = join(__dirname, '..', '..');
const core = join(root, 'src', 'core');

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((one) =>
    one.isDirectory() ? filesIn(join(folder, one.name)) : [join(folder, one.name)],
  );
}

const files = filesIn(core).sort();

/** All of src/core as one script that leaves an object `core` behind, module by module. */
function bundle(): BuildResult<{ write: false; metafile: true }> {
  const modules = files.map((file, i) => `export * as m${i} from ${JSON.stringify(file)};`);
  return buildSync({
    stdin: { contents: modules.join('\n'), resolveDir: root },
    bundle: true,
    write: false,
    metafile: true,
    format: 'iife',
    globalName: 'core',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    logLevel: 'silent',
  });
}

/** Decides about one setup from the bytes of its spares' slots in hexadecimal; runs here and in the bare context. */
const DECIDE = `(function decide(modules, question) {
  const bytesOf = (hex) => Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  const spares = question.spares.map((slots, i) => ({
    label: 'spare' + i,
    base: 0n,
    slots: slots.map((hex) => ({ bytes: bytesOf(hex), gaps: [] })),
  }));
  const decision = modules.decideSetup({
    setupUuid: question.setupUuid, spares, strays: [], level: question.level, now: 1760000000000000000n,
  });
  const permissions = { grant: 'yes', choose: null, acceptPartial: false, force: false };
  const planned = modules.planRepair(decision, permissions);
  return JSON.stringify({
    verdict: decision.verdict,
    sequence: decision.winner && String(decision.winner.header.sequence),
    entries: decision.winner && decision.winner.contents.remaps.length,
    states: decision.seats.map((seat) => seat.copies.map((copy) => copy.state)),
    findings: decision.findings.map((one) => [one.id, one.spare, one.copy, String(one.byte), modules.findingMessage(one)]),
    plan: [planned.kind, planned.copies.map((one) => [one.seat.index, one.copy.copyIndex, one.finding])],
  });
})`;

interface Question {
  readonly setupUuid: string;
  readonly level: string;
  readonly spares: string[][];
}

interface Modules {
  readonly decideSetup: typeof setup.decideSetup;
  readonly planRepair: typeof plan.planRepair;
  readonly findingMessage: typeof findings.findingMessage;
}

type Decide = (modules: Modules, question: Question) => string;

const SLOTS = [0, 1024, 2048, 4096, 8192];

/** The slots of a vector's spares; `damage` may change them. */
function vector(name: string, damage: (slots: Buffer[][]) => void, level = 'forensic'): Question {
  const folder = join(root, 'fixtures', 'vectors', name);
  const images = readdirSync(folder)
    .filter((one) => one.startsWith('spare'))
    .sort();
  const slots = images.map((image) => {
    const bytes = gunzipSync(readFileSync(join(folder, image)));
    return SLOTS.map((sector) => Buffer.from(bytes.subarray(sector * 512, sector * 512 + 40_960)));
  });
  damage(slots);
  const truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as { setup_uuid: string };
  return {
    setupUuid: truth.setup_uuid,
    level,
    spares: slots.map((spare) => spare.map((bytes) => bytes.toString('hex'))),
  };
}

const QUESTIONS: readonly (readonly [string, string, Question])[] = [
  ['empty, healthy', 'clean', vector('empty', () => undefined)],
  ['one, healthy', 'clean', vector('one', () => undefined)],
  ['three, healthy', 'clean', vector('three', () => undefined)],
  [
    'one, a flipped bit and a zeroed copy',
    'repairable',
    vector('one', ([spare]) => {
      spare![1]![12_300]! ^= 4;
      spare![3]!.fill(0);
    }),
  ],
  [
    'three, every copy of every spare damaged',
    'salvageable',
    vector('three', (spares) => {
      spares.forEach((slots, spare) =>
        slots.forEach((slot, copy) => {
          slot[(spare + copy) % 2 === 0 ? 4100 : 12_300]! ^= 0xff;
        }),
      );
    }),
  ],
  [
    'one, the same section lost everywhere',
    'partial',
    vector('one', ([spare]) => {
      for (const slot of spare!) slot[16_400]! ^= 0xff;
    }),
  ],
];

describe('in a context that has nothing but the language', () => {
  const context = createContext(Object.create(null) as object);
  const run = (text: string): unknown => new Script(text).runInContext(context);
  let decide: Decide;
  let modules: Modules;

  beforeAll(() => {
    // V8 gives every context a console and WebAssembly; a clock and chance are part of the language, but not of the core.
    run(
      'delete globalThis.console; delete globalThis.WebAssembly; Date = undefined; Math.random = undefined;',
    );
    run(bundle().outputFiles[0]!.text);
    run('globalThis.all = Object.assign({}, ...Object.values(core)); core = undefined;');
    modules = run('all') as Modules;
    decide = run(DECIDE) as Decide;
  });

  test('which really has nothing of Node', () => {
    const names = [
      'Buffer',
      'process',
      'require',
      'TextDecoder',
      'TextEncoder',
      'console',
      'setTimeout',
      'URL',
      'fetch',
    ];
    expect(names.filter((name) => run(`typeof ${name}`) !== 'undefined')).toEqual([]);
    expect(typeof modules.decideSetup).toBe('function');
  });

  test.each(QUESTIONS)('%s: %s, as here', (_name, verdict, question) => {
    const here = (0, eval)(DECIDE) as Decide;
    const own: Modules = { ...setup, ...plan, ...findings };
    const text = decide(modules, question);
    expect(JSON.parse(text)).toMatchObject({ verdict });
    expect(text).toBe(here(own, question));
  });
});

describe('what the core imports', () => {
  test('is in src/core, or the crc-32 package', () => {
    const { inputs } = bundle().metafile;
    const strange = Object.keys(inputs).filter((path) => {
      const inside = relative(core, resolve(root, path));
      return inside.startsWith('..') && path !== '<stdin>' && !/^node_modules\/crc-32\//.test(path);
    });
    expect(strange).toEqual([]);
    expect(Object.keys(inputs).filter((path) => path.startsWith('src/core/')).length).toBe(files.length);
  });

  test('types included, which a bundle does not show', () => {
    const strange = files.flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      const named = text.matchAll(/\bfrom\s+'([^']+)'|\bimport\s*\(?\s*'([^']+)'|\brequire\s*\(/g);
      return [...named].flatMap(([whole, from, bare]) => {
        const name = from ?? bare ?? whole;
        const inside = relative(core, resolve(file, '..', name));
        const fine = name === 'crc-32' || (name.startsWith('.') && !inside.startsWith('..'));
        return fine ? [] : [`${relative(root, file)}: ${name}`];
      });
    });
    expect(strange).toEqual([]);
  });
});
