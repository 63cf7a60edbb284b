// SPDX-License-Identifier: GPL-2.0-or-later
// Puts generated text into documents, between markers, and small helpers for Markdown. What is generated is in the files
// beside this one.

/** The text of each generated part, by the name in its markers, without markers. */
export type Parts = Readonly<Record<string, string>>;

const PART = /<!-- generated: ([a-z-]+) -->\n[\s\S]*?<!-- \/generated -->/g;

/**
 * The document with every generated part replaced; those named in `others` are made elsewhere and stay.
 * @throws Error if the document asks for a part that there is not, or lacks one: then one of the two is wrong.
 */
export function splice(document: string, parts: Parts, others: readonly string[] = []): string {
  const missing = new Set([...Object.keys(parts), ...others]);
  const spliced = document.replace(PART, (all, name: string) => {
    const text = parts[name];
    if (text === undefined && others.includes(name)) {
      missing.delete(name);
      return all;
    }
    if (text === undefined) throw new Error(`there is no generated part '${name}'`);
    missing.delete(name);
    return `<!-- generated: ${name} -->\n\n${text.trim()}\n\n<!-- /generated -->`;
  });
  if (missing.size > 0) throw new Error(`the document has no place for: ${[...missing].join(', ')}`);
  return spliced;
}

/** A table with a head and rows of cells; `|` in a cell is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

export function codeBlock(text: string): string {
  return `\`\`\`\n${text.trimEnd()}\n\`\`\``;
}
