// SPDX-License-Identifier: GPL-2.0-or-later
// The name and version of the toolkit, as every document and man page gives them. package.json is their only source.
import { name, version } from '../../package.json';

export const TOOLKIT: { readonly name: string; readonly version: string } = { name, version };
