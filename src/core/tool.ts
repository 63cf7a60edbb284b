// SPDX-License-Identifier: GPL-2.0-or-later
// How a program is named in documents and journals. Which one this is, is in src/cli/toolkit.ts.

export interface Tool {
  readonly name: string;
  readonly version: string;
}
