// SPDX-License-Identifier: GPL-2.0-or-later
// Makes text that came from a disk, a path or a file harmless before a person sees it. No colours and no layout here.

/**
 * Text as it may be shown on a terminal: every C0, DEL and C1 control character, the bidirectional controls, other
 * invisible format characters, line and paragraph separators and lone surrogates become \xNN or \u{NNNN}; a
 * backslash becomes \\, so that the result is unambiguous.
 * A device name with an escape sequence in it must not be able to rewrite the verdict on the screen.
 */
export function forTerminal(value: string): string {
  let out = '';
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\\') out += '\\\\';
    else if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (isDeceptive(code)) out += `\\u{${code.toString(16)}}`;
    else out += character;
  }
  return out;
}

function isDeceptive(code: number): boolean {
  return (
    (code >= 0xd800 && code <= 0xdfff) ||
    code === 0x00ad ||
    code === 0x061c ||
    code === 0x180e ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    code === 0xfeff ||
    (code >= 0xfff9 && code <= 0xfffb) ||
    (code >= 0xe0000 && code <= 0xe007f)
  );
}
