// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of docs/DEPENDENCIES.md: versions from package.json, licences from the installed packages, what is bundled
// from the build; only the reasons are written here, and each package must have one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Parts } from './splice';
import { table } from './splice';

/** Packages that are part of the bundles, and why. */
const BUNDLED: Readonly<Record<string, string>> = {
  yargs:
    'its parser reads the command line; help, man pages and completions come from the same option tables',
  chalk: 'colours on a terminal',
  'cli-table3': 'tables of inspect and format',
  'crc-32':
    'the CRC of the format where Node has none of its own (before 20.15), and for small inputs always',
  hexy: 'plain hex dumps of places in which there is no structure',
};

/** Packages for building and testing. */
const DEVELOPMENT: Readonly<Record<string, string>> = {
  '@swc/core': 'turns TypeScript into JavaScript for the tests',
  '@swc/jest': 'the same, as a Jest transform; types are checked apart, by tsc',
  '@types/jest': 'types',
  '@types/node': 'types, of the oldest Node that builds',
  '@types/yargs': 'types',
  ajv: 'holds every JSON document to its schema in the tests',
  esbuild: 'makes the bundles',
  eslint: 'lint; its rules hold the architecture',
  'fast-check': 'property tests',
  '@jest/test-sequencer': 'begins with the tests that take longest',
  jest: 'runs the tests',
  prettier: 'formatting',
  typescript: 'type checking',
  'typescript-eslint': 'lint rules that know the types',
};

interface Package {
  readonly version: string;
  readonly license: string;
}

export function readJson(root: string, path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

function installed(root: string, name: string): Package {
  return readJson(root, join('node_modules', name, 'package.json')) as Package;
}

/** What the bundles are made of, apart from the toolkit: name, version and licence, as the build found them. */
function thirdParty(root: string): string[][] {
  const text = readFileSync(join(root, 'dist/THIRD-PARTY.txt'), 'utf8');
  return [...text.matchAll(/(?:^|-{80}\n\n)(\S+) (\d\S*) \(([^)]+)\)\n/g)].map((match) => match.slice(1, 4));
}

function rows(root: string, reasons: Readonly<Record<string, string>>): string[][] {
  const { devDependencies } = readJson(root, 'package.json') as { devDependencies: Record<string, string> };
  return Object.keys(reasons)
    .sort()
    .map((name) => {
      const version = devDependencies[name];
      if (version === undefined) throw new Error(`${name} is not in package.json`);
      return [`\`${name}\``, version, installed(root, name).license, reasons[name] ?? ''];
    });
}

/** The parts of docs/DEPENDENCIES.md. @throws Error if a package of package.json has no reason here. */
export function dependencyParts(root: string): Parts {
  const { devDependencies, dependencies } = readJson(root, 'package.json') as {
    devDependencies: Record<string, string>;
    dependencies?: Record<string, string>;
  };
  for (const name of Object.keys({ ...devDependencies, ...dependencies })) {
    if (!(name in BUNDLED) && !(name in DEVELOPMENT))
      throw new Error(`${name} has no reason in scripts/docs`);
  }
  const head = ['package', 'version', 'licence', 'why'];
  return {
    bundled: table(head, rows(root, BUNDLED)),
    'third-party': table(
      ['package', 'version', 'licence'],
      thirdParty(root).map(([name = '', ...rest]) => [`\`${name}\``, ...rest]),
    ),
    development: table(head, rows(root, DEVELOPMENT)),
  };
}
