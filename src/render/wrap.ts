// SPDX-License-Identifier: GPL-2.0-or-later
// Breaks prose into lines. Nothing about commands here.

/**
 * Lines of at most `width` characters, each after `indent` spaces. A word longer than a line keeps a line to itself.
 */
export function wrap(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(' '.repeat(indent) + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push(' '.repeat(indent) + line);
  return lines;
}
