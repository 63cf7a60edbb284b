// SPDX-License-Identifier: GPL-2.0-or-later
// Paths as strings: the few operations that commands need to name files beside other files. Nothing is looked up here.
import { encodeUtf8 } from './bytes';

/** The directory of an absolute path: '/a/b' gives '/a', '/a' gives '/'. */
export function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** What follows the last slash. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** 'name' in 'directory', with one slash between. */
export function inDirectory(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}

/** As much of the beginning of a name as fits into `limit` bytes of UTF-8. File names end at 255. */
export function fitted(name: string, limit: number): string {
  let out = '';
  let room = limit;
  for (const character of name) {
    room -= encodeUtf8(character).length;
    if (room < 0) break;
    out += character;
  }
  return out;
}

/** A word as it can be typed into a shell; quoted only where that is needed. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}
