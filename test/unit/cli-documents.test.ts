// SPDX-License-Identifier: GPL-2.0-or-later
// What is made from an option table: help, man page, completions; and what is said when a command fails.
import { spawnSync } from 'node:child_process';
import { bashCompletion, fishCompletion, zshCompletion } from '../../src/cli/completion';
import { generatedFiles } from '../../src/cli/generate';
import { helpText, versionText } from '../../src/cli/help';
import { manPage } from '../../src/cli/man';
import { asFault, failureDocument, failureText } from '../../src/cli/report';
import { wrap } from '../../src/render/wrap';
import { Fault } from '../../src/core/faults';
import { version } from '../../package.json';
import { EXAMPLE } from '../support/example-command';
import { testWith } from '../support/tools';

describe('--help', () => {
  const help = helpText(EXAMPLE);

  test('fits 80 columns', () => {
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('begins with every form of the synopsis', () => {
    expect(help).toMatch(
      /^Usage: dmremap-example \[-n\|-p\|-y\] \[OPTION\]\.\.\. INPUT\.\.\.\n {7}dmremap-example --explain ID\n/,
    );
  });

  test('has every option with all its names, values and choices, the common ones too', () => {
    expect(help).toContain('  -n                      Change nothing.\n');
    expect(help).toContain('  -p, -a, --preen         Repair what is beyond doubt.\n');
    expect(help).toContain('  -o, --offset N[s|B|K|M]\n                          Where: [here] or there.\n');
    expect(help).toMatch(/--level LEVEL +How deep\. It's a choice\. One of: basic, complete\.\n/);
    for (const name of [
      '--json',
      '-q, --quiet',
      '-v, --verbose',
      '--no-color',
      '-h, --help',
      '-V, --version',
    ]) {
      expect(help).toContain(`  ${name} `);
    }
  });

  test('has the examples and the exit status', () => {
    expect(help).toContain("      dmremap-example -n 'a b.img'\n");
    expect(help).toContain('Exit status: 0 fine, 1 errors corrected, 4 errors left, 8 operational error, 16');
  });
});

test('--version names command, toolkit and version', () => {
  expect(versionText(EXAMPLE)).toBe(`dmremap-example (dm-remap-toolkit) ${version}\n`);
});

describe('man page', () => {
  const page = manPage(EXAMPLE);

  test('has its sections in the usual order', () => {
    expect(page.match(/^\.SH .*$/gm)).toEqual([
      '.SH NAME',
      '.SH SYNOPSIS',
      '.SH DESCRIPTION',
      '.SH OPTIONS',
      '.SH "EXIT STATUS"',
      '.SH ENVIRONMENT',
      '.SH FILES',
      '.SH EXAMPLES',
      '.SH "SEE ALSO"',
    ]);
  });

  test('carries the version and no date, so that the same table gives the same page', () => {
    expect(page).toContain(`.TH "DMREMAP\\-EXAMPLE" 8 "" "dm\\-remap\\-toolkit ${version}" "dm-remap"\n`);
  });

  test('takes no text for a request or an escape', () => {
    expect(page).toContain('\n\\&.The second begins with a dot \\e and has \\(dqquotes\\(dq.\n');
  });

  test('has the options in bold, the values in italics, and what only the page says', () => {
    expect(page).toContain('.TP\n\\fB\\-o\\fR \\fIN[s|B|K|M]\\fR, \\fB\\-\\-offset\\fR \\fIN[s|B|K|M]\\fR\n');
    expect(page).toContain('.IP\nMore about \\fB\\-\\-choose\\fR.\n');
  });

  test('is pure ASCII', () => {
    expect(manPage({ ...EXAMPLE, summary: 'café 東' })).toContain('caf\\[u00E9] \\[u6771]');
  });

  testWith('man')('passes man --warnings', () => {
    const done = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', '-'], {
      input: page,
      encoding: 'utf8',
    });
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
  });

  testWith('groff')('passes groff with every warning', () => {
    const done = spawnSync('groff', ['-ww', '-man', '-Tutf8'], { input: page, encoding: 'utf8' });
    expect(done.stderr).toBe('');
    expect(done.stdout).toContain('.The second begins with a dot \\ and has "quotes".');
  });
});

describe('bash completion', () => {
  /** What bash offers when TAB is pressed at the end of `words`. */
  function offered(...words: string[]): string[] {
    const script = `${bashCompletion(EXAMPLE)}
      COMP_WORDS=(dmremap-example "$@"); COMP_CWORD=$#
      _dmremap_example; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd: __dirname });
    expect(done.stderr).toBe('');
    return done.stdout.split('\n').filter((line) => line !== '');
  }

  test('offers options', () => {
    expect(offered('--no')).toEqual(['--no-undo', '--no-color']);
    expect(offered('-')).toEqual(expect.arrayContaining(['-n', '-a', '--preen', '--json', '-V']));
  });

  test('offers the choices of a value, attached or not', () => {
    expect(offered('--level', 'b')).toEqual(['basic']);
    expect(offered('--level', '=', 'c')).toEqual(['complete']);
    expect(offered('--level', '=')).toEqual(['basic', 'complete']);
  });

  test('offers files where a file belongs, directories where a directory belongs, nothing where it cannot know', () => {
    expect(offered('cli-docu')).toEqual(['cli-documents.test.ts']);
    expect(offered('--mapfile', 'cli-docu')).toEqual(['cli-documents.test.ts']);
    expect(offered('--undo-dir', 'cli-docu')).toEqual([]);
    expect(offered('--undo-dir', '../un')).toEqual(['../unit']);
    expect(offered('--offset', 'cli-docu')).toEqual([]);
  });

  test('offers no options after --', () => {
    expect(offered('--', '--js')).toEqual([]);
  });
});

describe('zsh and fish completion', () => {
  test('zsh: quotes, brackets and colons are escaped, excluded options named', () => {
    const text = zshCompletion(EXAMPLE);
    expect(text).toMatch(/^#compdef dmremap-example\n/);
    expect(text).toContain("'(--level)--level=[How deep]:LEVEL:(basic complete)'");
    expect(text).toContain("'(--offset -o)-o+[Where\\: \\[here\\] or there]:N\\[s|B|K|M\\]: '");
    expect(text).toContain("'(-n -p -a --preen -y)-n[Change nothing]'");
    expect(text).toContain("'*--choose=[A side]:SPARE\\:COPY: '");
    expect(text).toContain("'(--diff)--diff=[Compare two]:A B: :A B: '");
    expect(text).toContain("'*:INPUT:_files'");
  });

  test('fish: one line for each option', () => {
    const text = fishCompletion(EXAMPLE);
    expect(text).toContain(
      "complete -c dmremap-example -s p -s a -l preen -d 'Repair what is beyond doubt'\n",
    );
    expect(text).toContain("complete -c dmremap-example -l level -x -a 'basic complete' -d 'How deep'\n");
    expect(text).toContain("complete -c dmremap-example -l mapfile -r -d 'A map'\n");
  });

  testWith('zsh')('zsh accepts its file', () => {
    const done = spawnSync('zsh', ['-n'], { input: zshCompletion(EXAMPLE), encoding: 'utf8' });
    expect(done.stderr).toBe('');
  });

  testWith('fish')('fish accepts its file', () => {
    const done = spawnSync('fish', ['--no-execute'], { input: fishCompletion(EXAMPLE), encoding: 'utf8' });
    expect(done.stderr).toBe('');
  });
});

test('every command gets a man page and three completions, by the names the system looks for', () => {
  expect(generatedFiles([EXAMPLE]).map(([path]) => path)).toEqual([
    'man/dmremap-example.8',
    'completions/bash/dmremap-example',
    'completions/zsh/_dmremap-example',
    'completions/fish/dmremap-example.fish',
  ]);
});

describe('failures', () => {
  test('sentence and hint, harmless for a terminal', () => {
    const fault = new Fault('NO_PERMISSION', { path: 'a\u001b[2J', doing: 'open' });
    expect(failureText('dmremap-fsck', fault, undefined)).toBe(
      'dmremap-fsck: a\\x1b[2J: permission denied (open)\nRun the command as root, or as the owner of the image.\n',
    );
  });

  test('a usage error that a command found itself names the command in its hint', () => {
    const fault = asFault(new Fault('USAGE', { what: 'no' }), 'dmremap-undo');
    expect(fault.hint).toBe("Try 'dmremap-undo --help'.");
  });

  test('anything else that is thrown is an internal error on one line; the stack only when asked for', () => {
    const error = new TypeError('x is\nnot a function');
    const fault = asFault(error, 'dmremap-fsck');
    expect([fault.code, fault.exit]).toEqual(['INTERNAL', 8]);
    expect(failureText('dmremap-fsck', fault, undefined).split('\n')).toEqual([
      'dmremap-fsck: internal error: x is\\x0anot a function',
      expect.stringContaining('Please report it'),
      '',
    ]);
    expect(failureText('dmremap-fsck', fault, error)).toContain('cli-documents.test.ts');
    expect(asFault('text', 'c').sentence).toBe('internal error: text');
  });

  test('the document has the schema of the command, or is its own', () => {
    const fault = new Fault('NOT_FOUND', { path: 'x' });
    const run = () => Promise.resolve(0);
    expect(failureDocument({ spec: EXAMPLE, run }, fault)).toEqual({
      schema: 'dmremap.example/1',
      tool: { name: 'dm-remap-toolkit', version },
      exitCode: 8,
      error: { code: 'NOT_FOUND', fields: { path: 'x' }, message: 'x: no such file or device', hint: null },
    });
    const own = {
      spec: EXAMPLE,
      run,
      failureDocument: (failure: { exitCode: number }) => ({ exit: failure.exitCode }),
    };
    expect(failureDocument(own, fault)).toEqual({ exit: 8 });
  });
});

describe('wrap', () => {
  test('breaks between words and indents', () => {
    expect(wrap('aa bb  cc\ndd', 7, 2)).toEqual(['  aa bb', '  cc dd']);
  });

  test('keeps a long word whole, and gives no line for no text', () => {
    expect(wrap('a bbbbbbbbbb c', 5, 0)).toEqual(['a', 'bbbbbbbbbb', 'c']);
    expect(wrap('', 5, 0)).toEqual([]);
  });
});
