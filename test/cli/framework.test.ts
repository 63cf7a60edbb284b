// SPDX-License-Identifier: GPL-2.0-or-later
// What every command has from the framework: exit status, streams, broken pipes, signals, questions, colours. A probe
// command is started as a process of its own, as a user would.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testWith } from '../support/tools';

const root = join(__dirname, '..', '..');
let folder = '';
let probe = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dmremap-framework-'));
  probe = join(folder, 'probe.js');
  const esbuild = join(root, 'node_modules', '.bin', 'esbuild');
  const source = join(root, 'test', 'support', 'probe-command.ts');
  execFileSync(esbuild, [source, '--bundle', '--platform=node', `--outfile=${probe}`, '--log-level=error']);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The environment without what colours depend on. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => name !== 'NO_COLOR' && name !== 'FORCE_COLOR',
  );
  return { ...Object.fromEntries(inherited), TERM: 'xterm', ...extra };
}

function run(...argv: string[]) {
  const done = spawnSync(process.execPath, [probe, ...argv], { encoding: 'utf8', env: environment() });
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** A shell pipeline in which $PROBE is the command. */
function shell(script: string) {
  const env = environment({ PROBE: `${process.execPath} ${probe}` });
  const done = spawnSync('bash', ['-c', script], { encoding: 'utf8', env, maxBuffer: 1 << 26 });
  return { status: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** Runs on a terminal of its own: stdin, stdout and stderr. `keys` are typed as soon as it asks. */
async function onTerminal(argv: string, keys = '', env: Readonly<Record<string, string>> = {}) {
  const command = `stty cols 72 -echo; exec ${process.execPath} ${probe} ${argv}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: environment({ SHELL: '/bin/sh', ...env }),
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    const asked = output.includes('Repair? ');
    output += data.toString();
    if (!asked && output.includes('Repair? ')) child.stdin.write(keys);
  });
  const status = await new Promise((settle) => child.on('close', settle));
  child.stdin.destroy();
  return { status, output: output.replace(/\r\n/g, '\n') };
}

describe('exit status and streams', () => {
  test('results on stdout, remarks and warnings on stderr, the bits of the command as status', () => {
    expect(run('left')).toEqual({ status: 5, stdout: 'text\n', stderr: 'a remark\na warning\n' });
  });

  test('--quiet leaves out remarks and nothing else', () => {
    expect(run('left', '-q')).toEqual({ status: 5, stdout: 'text\n', stderr: 'a warning\n' });
  });

  test('operands and verbosity arrive as typed', () => {
    const { stdout } = run('facts', '-nvv', '007', '1e3', 'true', '--', '-q');
    expect(JSON.parse(stdout)).toEqual({
      json: false,
      quiet: false,
      verbose: 2,
      color: false,
      columns: 80,
      isTTY: { stdin: false, stdout: false, stderr: false },
      operands: ['facts', '007', '1e3', 'true', '-q'],
    });
  });

  test('a fault is one line on stderr, harmless for a terminal', () => {
    expect(run('fault')).toEqual({
      status: 8,
      stdout: '',
      stderr: 'dmremap-probe: a\\x1b[2Jb: no such file or device\n',
    });
  });

  test('a usage error is 16, with a hint, whether the framework or the command finds it', () => {
    const hint = "Try 'dmremap-probe --help'.\n";
    expect(run('--foo')).toEqual({
      status: 16,
      stdout: '',
      stderr: `dmremap-probe: unknown option --foo\n${hint}`,
    });
    expect(run()).toEqual({
      status: 16,
      stdout: '',
      stderr: `dmremap-probe: ACTION is missing: What to do.\n${hint}`,
    });
    expect(run('usage')).toEqual({
      status: 16,
      stdout: '',
      stderr: `dmremap-probe: that makes no sense\n${hint}`,
    });
  });

  test('an exception is an internal error: two lines, 8, the stack with -vv only', () => {
    const short = run('crash');
    expect(short.status).toBe(8);
    expect(short.stderr).toMatch(
      /^dmremap-probe: internal error: a mistake\nThis is a mistake in the program.*\n$/,
    );
    expect(run('crash', '-v').stderr).toBe(short.stderr);
    expect(run('crash', '-vv').stderr).toContain('TypeError: a mistake');
  });

  test('an exception outside the course of the command is reported too, and its status added', () => {
    const late = run('late');
    expect(late.status).toBe(9);
    expect(late.stderr).toContain('internal error: in a timer');
  });
});

describe('--help and --version', () => {
  test('need no operands and exit with 0', () => {
    const help = run('--help');
    expect([help.status, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toMatch(/^Usage: dmremap-probe ACTION \[OPERAND\]\.\.\.\n/);
    expect(run('-h').stdout).toBe(help.stdout);
    expect(run('-V').stdout).toMatch(/^dmremap-probe \(dm-remap-toolkit\) \d+\.\d+\.\d+\n$/);
  });

  test('do nothing else, and are documents with --json', () => {
    expect(run('crash', '--help').status).toBe(0);
    const { schema, text } = JSON.parse(run('--json', '--version').stdout) as {
      schema: string;
      text: string;
    };
    expect(schema).toBe('dmremap.about/1');
    expect(text).toBe(run('--version').stdout);
  });
});

describe('--json: one document on stdout at every exit status but 16 and 32', () => {
  test('the error document of a fault, besides the message', () => {
    const failed = run('fault', '--json');
    expect([failed.status, failed.stderr]).toEqual([
      8,
      'dmremap-probe: a\\x1b[2Jb: no such file or device\n',
    ]);
    expect(JSON.parse(failed.stdout)).toMatchObject({
      schema: 'dmremap.probe/1',
      exitCode: 8,
      error: { code: 'NOT_FOUND', fields: { path: 'a\u001b[2Jb' } },
    });
    expect(failed.stdout).not.toContain('\u001b');
  });

  test('also after an exception', () => {
    expect(JSON.parse(run('crash', '--json').stdout)).toMatchObject({
      exitCode: 8,
      error: { code: 'INTERNAL' },
    });
  });

  test('never a second one', () => {
    expect(run('halfway', '--json')).toMatchObject({ status: 8, stdout: '{}\n' });
  });

  test('none at 16 and 32', () => {
    expect(run('--json', '--foo')).toMatchObject({ status: 16, stdout: '' });
    expect(run('--json', 'usage')).toMatchObject({ status: 16, stdout: '' });
    expect(run('--json', 'cut')).toMatchObject({
      status: 32,
      stdout: '',
      stderr: 'dmremap-probe: interrupted\n',
    });
  });
});

describe('pipes and disks', () => {
  test('a large output arrives whole at a slow reader, and the status is kept', () => {
    const { stdout } = shell('$PROBE large | { sleep 0.3; wc -c; }; echo ${PIPESTATUS[0]}');
    expect(stdout).toMatch(/^\s*10000010\n4\n$/);
  });

  test('a large output arrives whole in a file', () => {
    const { stdout } = shell(
      `$PROBE large > ${folder}/large; echo $?; wc -c < ${folder}/large; tail -n 1 ${folder}/large`,
    );
    expect(stdout).toMatch(/^4\n\s*10000010\nend\n$/);
  });

  test('a large output arrives whole through a pipe that does not block', () => {
    // A parent can leave the pipe in that mode; then a write says EAGAIN.
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, [process.argv[1], 'large'], { stdio: ['ignore', 'pipe', 'inherit'] });
      let bytes = 0;
      setTimeout(() => child.stdout.on('data', (data) => (bytes += data.length)), 300);
      child.on('close', (status) => console.log(bytes, status));`;
    const done = spawnSync(process.execPath, ['-e', script, probe], { encoding: 'utf8' });
    expect(done.stdout).toBe('10000010 4\n');
  });

  test('a broken stdout is silent and the status is kept', () => {
    const { stdout, stderr } = shell('$PROBE large | head -c 6; echo ${PIPESTATUS[0]}');
    expect([stdout, stderr]).toEqual(['begin\n4\n', '']);
  });

  test('a command that asks may stop when nobody reads, and needs no memory for what it printed', () => {
    const { stdout, stderr } = shell('$PROBE endless | head -c 300000000 | wc -c; echo ${PIPESTATUS[0]}');
    expect(stdout).toMatch(/^\s*300000000\n4\n$/);
    expect(stderr).toBe('small\n');
  });

  test('a broken stderr is silent and the status is kept', () => {
    const { stdout } = shell('{ sleep 0.3; $PROBE left; echo $?; } 2> >(exec true)');
    expect(stdout).toBe('text\n5\n');
  });

  test('closed streams are no reason to crash', () => {
    expect(shell('$PROBE left >&- 2>&-; echo $?').stdout).toMatch(/^(5|13)\n$/);
  });

  test('a full disk is an operational error, said on stderr', () => {
    const { stdout, stderr } = shell('$PROBE left > /dev/full; echo $?');
    expect(stdout).toBe('13\n');
    expect(stderr).toMatch(/dmremap-probe: cannot write the output: ENOSPC/);
  });
});

describe('signals', () => {
  /** Starts the probe, sends `signals` one after another as it says something, and gives its end. */
  async function signalled(action: string, ...signals: NodeJS.Signals[]) {
    const child: ChildProcess = spawn(process.execPath, [probe, action], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr?.on('data', (data: Buffer) => {
      stderr += data.toString();
      const signal = signals.shift();
      if (signal !== undefined) child.kill(signal);
    });
    const status = await new Promise((settle) => child.on('close', (code, signal) => settle(code ?? signal)));
    return { status, stdout, stderr };
  }

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s: the command comes to an end in good order, 32',
    async (signal) => {
      const { status, stderr } = await signalled('patient', signal);
      expect(status).toBe(32);
      expect(stderr).toBe('ready\nputting things in order\ndmremap-probe: interrupted\n');
    },
  );

  test('a command that had done its work by then has its own status', async () => {
    expect(await signalled('finishing', 'SIGINT')).toMatchObject({
      status: 1,
      stdout: 'the last step was done anyway\n',
    });
  });

  test('the second one ends it at once, 32', async () => {
    expect(await signalled('stubborn', 'SIGINT', 'SIGINT')).toMatchObject({
      status: 32,
      stderr: 'ready\nnot now\n',
    });
  });
});

describe('questions', () => {
  test('without a terminal the answer is none, and nothing is printed', () => {
    const done = spawnSync(process.execPath, [probe, 'ask'], { input: 'yes\n', encoding: 'utf8' });
    expect([done.status, done.stdout, done.stderr]).toEqual([0, 'answer: none\n', '']);
  });

  testWith('script')('on a terminal each takes one line, also one typed ahead', async () => {
    expect(await onTerminal('ask', 'yes\n\nend\n')).toEqual({
      status: 0,
      output: 'Repair? answer: yes\nRepair? answer: \nRepair? answer: end\n',
    });
  });

  testWith('script')('end of input is no answer', async () => {
    expect(await onTerminal('ask', '\u0004')).toEqual({ status: 0, output: 'Repair? \nanswer: none\n' });
  });

  testWith('script')('with --json nothing is asked, on a terminal neither', async () => {
    expect(await onTerminal('ask --json')).toEqual({ status: 0, output: 'answer: none\n' });
  });

  testWith('script')('^C at a question is an interrupt, 32', async () => {
    const { status, output } = await onTerminal('ask', '\u0003');
    expect(output.replace('^C', '')).toBe('Repair? \ndmremap-probe: interrupted\n');
    expect(status).toBe(32);
  });
});

describe('colours, width and progress', () => {
  const RED = '\u001b[31mred\u001b[39m\n';

  test('no escapes into pipes, not even when the environment asks for them', () => {
    expect(run('paint').stdout).toBe('red\n');
    expect(shell('FORCE_COLOR=1 $PROBE paint | cat').stdout).toBe('red\n');
  });

  testWith('script')(
    'colours on a terminal, unless NO_COLOR, --no-color, --json or a dumb terminal say otherwise',
    async () => {
      expect((await onTerminal('paint')).output).toBe(RED);
      expect((await onTerminal('paint', '', { NO_COLOR: '' })).output).toBe(RED);
      expect((await onTerminal('paint', '', { NO_COLOR: '1' })).output).toBe('red\n');
      expect((await onTerminal('paint', '', { TERM: 'dumb' })).output).toBe('red\n');
      expect((await onTerminal('paint --no-color')).output).toBe('red\n');
      expect((await onTerminal('paint --json')).output).toBe('red\n');
    },
  );

  testWith('script')('the width is that of the terminal', async () => {
    const facts = JSON.parse((await onTerminal('facts')).output) as unknown;
    expect(facts).toMatchObject({
      columns: 72,
      isTTY: { stdin: true, stdout: true, stderr: true },
      color: true,
    });
  });

  testWith('script')('a bar on a terminal, taken away before results', async () => {
    const { output } = await onTerminal('work');
    expect(output).toMatch(/\rWorking \[#*-*\] \d+\/100 \(\d+%\)\u001b\[K/);
    expect(output).toMatch(/\r\u001b\[Kdone\n$/);
    expect((await onTerminal('work -q')).output).toBe('done\n');
  });

  test('nothing of it elsewhere within five seconds', () => {
    expect(run('work')).toEqual({ status: 0, stdout: 'done\n', stderr: '' });
  });

  test('/dev/null is no terminal', () => {
    const fd = openSync('/dev/null', 'r+');
    const done = spawnSync(process.execPath, [probe, 'facts'], { stdio: [fd, 'pipe', fd], encoding: 'utf8' });
    closeSync(fd);
    expect(JSON.parse(done.stdout)).toMatchObject({ isTTY: { stdin: false, stdout: false, stderr: false } });
  });
});
