// SPDX-License-Identifier: GPL-2.0-or-later
// Node modules that are loaded when first needed. Nothing else: a check of one spare needs none of them, and loading
// all three takes longer than the check itself.
import type * as ChildProcess from 'node:child_process';
import type * as Crypto from 'node:crypto';
import type * as Zlib from 'node:zlib';

/* eslint-disable @typescript-eslint/no-require-imports -- an import statement would load them at start */
export const lazyCrypto = (): typeof Crypto => require('node:crypto') as typeof Crypto;
export const lazyChildProcess = (): typeof ChildProcess =>
  require('node:child_process') as typeof ChildProcess;
export const lazyZlib = (): typeof Zlib => require('node:zlib') as typeof Zlib;
