// SPDX-License-Identifier: GPL-2.0-or-later
// Lint rules. Two of them hold the architecture: the core stays free of the system, and only src/cli/run.ts prints.
import tseslint from 'typescript-eslint';

/** Names that exist in Node but not in every place the core runs in (a bare vm, qjs), and the clock. */
const notInCore = [
  'AbortController',
  'Blob',
  'Buffer',
  'Date',
  'Intl',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'WebAssembly',
  'atob',
  'btoa',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
  'structuredClone',
];

const notOnlyCli = [
  {
    selector: "MemberExpression[object.name='process'][property.name='exitCode']",
    message: 'Only src/cli/run.ts sets the exit status.',
  },
  {
    selector: "MemberExpression[object.name='process'][property.name='exit']",
    message: 'Only src/cli/run.ts ends the process.',
  },
  {
    selector: "MemberExpression[object.name='process'][property.name='stdout']",
    message: 'Only src/cli/run.ts prints; use CliIo.out.',
  },
  {
    selector: "MemberExpression[object.name='process'][property.name='stderr']",
    message: 'Only src/cli/run.ts prints; use CliIo.err.',
  },
  {
    selector: "MemberExpression[object.name='process'][property.name='stdin']",
    message: 'Only src/cli/run.ts reads stdin; use CliIo.ask.',
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', 'completions/', 'man/'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts', 'fixtures/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/ban-ts-comment': [
        'error',
        { 'ts-expect-error': true, 'ts-ignore': true, 'ts-nocheck': true },
      ],
      // Numbers in messages are common and harmless; objects and undefined in them are the mistakes worth catching.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/run.ts'],
    rules: { 'no-console': 'error', 'no-restricted-syntax': ['error', ...notOnlyCli] },
  },
  {
    files: ['src/core/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...notInCore.map((name) => ({ name, message: 'The core is pure ES2022: no host, no clock.' })),
      ],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^node:', message: 'The core imports nothing of Node.' },
            {
              regex: '^(?!\\.|crc-32$)',
              message: 'The core imports no package but crc-32, which is pure too.',
            },
            {
              regex: '/(host|source|commands|render|cli)(/|$)',
              message: 'The core does not know the layers above it.',
            },
          ],
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'The core is deterministic.' },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts', 'fixtures/**/*.ts'],
    rules: {
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
