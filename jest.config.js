// SPDX-License-Identifier: GPL-2.0-or-later
// Test projects: "commands" runs the built commands and so builds them first; "kernel" builds the kernel target and boots
// guests with it, where that is possible; "code" needs no build.
const common = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.cache/'],
};

/** Folders whose tests start the commands in dist/ as a user does. */
const commands = ['cli', 'golden', 'loop', 'package'];

module.exports = {
  testTimeout: 60_000,
  // All cores: left to itself Jest keeps one free, and on two that means no second worker at all.
  maxWorkers: '100%',
  testSequencer: '<rootDir>/test/support/longest-first.js',
  reporters: ['default', '<rootDir>/test/support/totals-reporter.js'],
  projects: [
    {
      ...common,
      displayName: 'commands',
      testMatch: commands.map((name) => `<rootDir>/test/${name}/**/*.test.ts`),
      globalSetup: '<rootDir>/test/support/build-commands.js',
    },
    {
      ...common,
      displayName: 'code',
      testPathIgnorePatterns: [
        ...common.testPathIgnorePatterns,
        `<rootDir>/test/(${[...commands, 'kernel'].join('|')})/`,
      ],
    },
    {
      ...common,
      displayName: 'kernel',
      testMatch: ['<rootDir>/test/kernel/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/kernel/global-setup.ts',
    },
  ],
};
