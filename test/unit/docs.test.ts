// SPDX-License-Identifier: GPL-2.0-or-later
// The documents against the code: generated parts are in sync, and what is named in the text exists. What needs the built
// commands is in test/cli/docs.test.ts.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { scripts, version } from '../../package.json';
import { documentsFromSources } from '../../scripts/docs/documents';
import { COMMAND_SPECS } from '../../scripts/docs/commands';
import { splice } from '../../scripts/docs/splice';
import { allOptions, COMMANDS, dashed, EXIT_STATUS, namesOf } from '../../src/cli/common';
import { EXIT, FAULTS } from '../../src/core/faults';
import { FINDINGS, isFindingId } from '../../src/core/findings';
import { EVENT_KIND, REMAP_REASON } from '../../src/core/layout';

const root = join(__dirname, '..', '..');

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? markdownIn(join(folder, entry.name))
      : entry.name.endsWith('.md')
        ? [join(folder, entry.name)]
        : [],
  );
}

const documents = ['README.md', ...markdownIn('docs')].map((path) => ({
  path,
  text: readFileSync(join(root, path), 'utf8'),
}));
const readme = documents[0]?.text ?? '';

/** Without code blocks and inline code: running text and links. */
const prose = (text: string): string => text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
const codeBlocks = (text: string): string[] =>
  [...text.matchAll(/```\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

describe('generated parts', () => {
  test.each(documentsFromSources(root).map(([path, text]) => ({ path, text })))(
    '$path is what `npm run docs` makes of the sources',
    ({ path, text }) => {
      expect(readFileSync(join(root, path), 'utf8')).toBe(text);
    },
  );

  test('a part without a place, and a place without a part, are mistakes and not silence', () => {
    const place = '<!-- generated: one -->\nold\n<!-- /generated -->\n';
    expect(splice(`a\n${place}b\n`, { one: 'new' })).toBe(
      'a\n<!-- generated: one -->\n\nnew\n\n<!-- /generated -->\nb\n',
    );
    expect(() => splice(place, {})).toThrow("no generated part 'one'");
    expect(() => splice('nothing', { one: 'new' })).toThrow('no place for: one');
    expect(() => splice('nothing', {}, ['other'])).toThrow('no place for: other');
  });

  test('FORMAT.md names every kind of event and every reason', () => {
    const format = documents.find(({ path }) => path === 'docs/FORMAT.md')?.text ?? '';
    EVENT_KIND.forEach((name, kind) => {
      if (kind > 0) expect(format).toContain(`| \`event.kind\` | ${kind} | ${name} |`);
    });
    REMAP_REASON.forEach((name, reason) => {
      if (reason > 0) expect(format).toContain(`| \`remap_entry.reason\` | ${reason} | ${name} |`);
    });
  });

  test('FINDINGS.md has a row and a section for every finding', () => {
    const findings = documents.find(({ path }) => path === 'docs/FINDINGS.md')?.text ?? '';
    for (const id of Object.keys(FINDINGS)) {
      expect(findings).toContain(`| [\`${id}\`](#${id}) |`);
      expect(findings).toContain(`\n### ${id}\n`);
    }
  });
});

/** The anchors that GitHub gives the headings of a document. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replace(/```[\s\S]*?```/g, '').matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replace(/ /g, '-'),
    ),
  );
}

describe.each(documents)('$path', ({ path, text }) => {
  test('every relative link leads somewhere', () => {
    for (const [, target = ''] of prose(text.replace(/\[`([^`]*)`\]/g, '[$1]')).matchAll(
      /\]\(([^)\s]+)\)/g,
    )) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const there = file === '' ? path : relative(root, join(root, dirname(path), file));
      expect({ target, exists: existsSync(join(root, there)) }).toEqual({ target, exists: true });
      if (anchor === undefined) continue;
      expect([...anchorsOf(readFileSync(join(root, there), 'utf8'))]).toContain(anchor);
    }
  });

  test('every finding that it names exists', () => {
    const prefixes = [...new Set(Object.keys(FINDINGS).map((id) => id.split('-')[0]))].join('|');
    const named = [
      ...text.matchAll(new RegExp(`\`((?:${prefixes})-[a-z-]*[a-z])\``, 'g')),
      ...text.matchAll(/--explain ([a-z][a-z-]+)/g),
      ...text.matchAll(/ \[([a-z]+-[a-z-]+)\]$/gm),
    ].map((match) => match[1] ?? '');
    expect(named.filter((id) => !isFindingId(id))).toEqual([]);
  });

  test('every exit status that it names is a sum of bits that there are', () => {
    const bits = Object.values(EXIT).reduce<number>((sum, bit) => sum | bit, 0);
    for (const [, status] of text.matchAll(/exit status (\d+)/g)) expect(Number(status) & ~bits).toBe(0);
  });

  test('every command and option that it names exists', () => {
    for (const [, name] of text.matchAll(/\b(dmremap-[a-z]+)\b(?![.-])/g)) expect(COMMANDS).toContain(name);
    for (const [, name, rest = ''] of text.matchAll(/(dmremap-[a-z]+)((?: (?!dmremap-)[^`\n| ]+)*)/g)) {
      const spec = COMMAND_SPECS.find((one) => one.name === name);
      if (spec === undefined) continue;
      const known = allOptions(spec).flatMap(namesOf).map(dashed);
      for (const [, option] of rest.matchAll(/(?<= )(--[a-z][a-z-]*|-[a-z])(?=[\s=,;.]|$)/g))
        expect(known).toContain(option);
    }
  });

  test('every file of the checkout that it names exists', () => {
    const folders = 'src|test|docs|scripts|bench|fixtures|bin|man|completions';
    const named = [...text.matchAll(new RegExp(`(?<![\\w./-])((?:${folders})/[\\w./-]*\\w)`, 'g'))].map(
      ([path = '']) => path,
    );
    const missing = named.filter((name) => !/[A-Z]{3}/.test(name) && !existsSync(join(root, name)));
    expect(missing).toEqual([]);
  });

  test('every npm script that it names exists', () => {
    for (const [, name = ''] of text.matchAll(/npm run ([a-z:-]+)/g))
      expect(Object.keys(scripts)).toContain(name);
  });

  test('code blocks fit 80 columns', () => {
    const long = codeBlocks(text).flatMap((block) => block.split('\n').filter((line) => line.length > 80));
    expect(long).toEqual([]);
  });
});

describe('README.md', () => {
  test('speaks of the broken disk first, and is short', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(200);
    expect(readme.indexOf('Do not write to it')).toBeLessThan(500);
    expect(codeBlocks(readme)[0]).toMatch(/^\.\/bin\/dmremap-fsck -n /);
  });

  test('has the commands of this package, in the version that it has', () => {
    for (const name of COMMANDS) expect(readme).toContain(`| \`${name}\` |`);
    for (const [, program = ''] of readme.matchAll(/\.\/(bin\/[a-z-]+)/g))
      expect(existsSync(join(root, program))).toBe(true);
    expect(readme).toContain(`dm-remap-toolkit-${version}.tgz`);
  });

  test('has the exit statuses that the code has', () => {
    expect(EXIT_STATUS.map(({ status }) => status)).toEqual(Object.values(EXIT));
    for (const { exit } of Object.values(FAULTS)) expect(Object.values<number>(EXIT)).toContain(exit);
    for (const { status, meaning } of EXIT_STATUS) expect(readme).toContain(`| ${status} | ${meaning} |`);
  });
});

test('LICENSE is the GPL, version 2, and package.json says that later ones are allowed', () => {
  expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toMatch(
    /GNU GENERAL PUBLIC LICENSE\s+Version 2, June 1991/,
  );
  expect(readFileSync(join(root, 'package.json'), 'utf8')).toContain('"license": "GPL-2.0-or-later"');
});

test('every schema is listed in docs/schemas', () => {
  const list = documents.find(({ path }) => path === 'docs/schemas/README.md')?.text ?? '';
  for (const { schema } of COMMAND_SPECS) expect(list).toContain(`| \`${schema}\` |`);
});
