// SPDX-License-Identifier: GPL-2.0-or-later
// What reaches a terminal: text from disks and paths after escaping.
import { forTerminal } from '../../src/core/escape';

test('an escape sequence in a name is shown, not obeyed', () => {
  expect(forTerminal('a\u001b[2Jb')).toBe('a\\x1b[2Jb');
});

test('a backslash is doubled, so that the result is unambiguous', () => {
  expect(forTerminal('\\x1b')).toBe('\\\\x1b');
});

test('bidirectional controls and lone surrogates are shown as code points', () => {
  expect(forTerminal('a\u202eb\ud800c')).toBe('a\\u{202e}b\\u{d800}c');
});

test('ordinary text of any script passes unchanged', () => {
  expect(forTerminal('Büro 東京 🙂 ~')).toBe('Büro 東京 🙂 ~');
});
