// SPDX-License-Identifier: GPL-2.0-or-later
// The command line: what is accepted, what it means, and what is a usage error. Read it as the specification.
import fc from 'fast-check';
import { checkOperands, parseArgs } from '../../src/cli/args';
import { Fault } from '../../src/core/faults';
import { EXAMPLE } from '../support/example-command';

const parse = (...argv: string[]) => parseArgs(EXAMPLE, argv);

/** The sentence of the usage error that `argv` is. */
function refusal(...argv: string[]): string {
  try {
    checkOperands(EXAMPLE, parse(...argv));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    expect(error.code).toBe('USAGE');
    expect(error.exit).toBe(16);
    expect(error.fields['command']).toBe('dmremap-example');
    return error.sentence;
  }
  throw new Error(`accepted: ${argv.join(' ')}`);
}

describe('flags', () => {
  test('are off unless given, and giving one twice is harmless', () => {
    expect(parse('x').flag('n')).toBe(false);
    expect(parse('-n', '-n', 'x').flag('n')).toBe(true);
  });

  test('take no value, in no spelling: -n5 must never mean "not -n"', () => {
    expect(refusal('-n5', 'x')).toBe('unknown option -5 in -n5');
    expect(refusal('-n=false', 'x')).toBe('option -n takes no value');
    expect(refusal('--no-undo=false', 'x')).toBe('option --no-undo takes no value');
    expect(refusal('--json=', 'x')).toBe('option --json takes no value');
    expect(refusal('-v=2', 'x')).toBe('option -v takes no value');
  });

  test('do not swallow a file named true or false', () => {
    const args = parse('-n', 'true', '--json', 'false');
    expect(args.operands).toEqual(['true', 'false']);
    expect(args.flag('n')).toBe(true);
    expect(args.flag('json')).toBe(true);
  });

  test('of one letter can be bundled', () => {
    const args = parse('-nvqv', 'x');
    expect(args.flag('n')).toBe(true);
    expect(args.flag('quiet')).toBe(true);
    expect(args.count('verbose')).toBe(2);
  });

  test('may have several names, all the same', () => {
    for (const spelling of ['-p', '-a', '--preen']) expect(parse(spelling, 'x').flag('p')).toBe(true);
  });

  test('that begin with no- are flags of their own and negate nothing', () => {
    const args = parse('--no-undo', '--no-color', 'x');
    expect(args.flag('no-undo')).toBe(true);
    expect(args.flag('no-color')).toBe(true);
    expect(refusal('--undo', 'x')).toBe('unknown option --undo');
    expect(refusal('--color', 'x')).toBe('unknown option --color');
    expect(refusal('--no-json', 'x')).toBe('unknown option --no-json');
  });
});

describe('values', () => {
  test('can be attached or follow', () => {
    for (const argv of [['--offset', '8'], ['--offset=8'], ['-o', '8'], ['-o8'], ['-o=8'], ['-no8']]) {
      expect(parse(...argv, 'x').value('offset')).toBe('8');
    }
  });

  test('stay the strings that were typed', () => {
    for (const value of [
      '007',
      '1e3',
      '0x10',
      '-5',
      '-1e3',
      '',
      'true',
      '"quoted"',
      "'",
      'a=b',
      'a\nb',
      '__proto__',
    ]) {
      expect(parse(`--offset=${value}`, 'x').value('offset')).toBe(value);
      expect(parse(`--choose=${value}`, 'x').list('choose')).toEqual([value]);
    }
  });

  test('that look like an option must be attached', () => {
    expect(refusal('--offset', '--json', 'x')).toBe('option --offset needs a value: N[s|B|K|M]');
    expect(refusal('--offset', '-n', 'x')).toBe('option --offset needs a value: N[s|B|K|M]');
    expect(refusal('--undo-dir', '--', 'x')).toBe('option --undo-dir needs a value: DIR');
    expect(parse('--undo-dir=--json', 'x').value('undo-dir')).toBe('--json');
    expect(parse('--offset', '-5', 'x').value('offset')).toBe('-5');
  });

  test('that are missing are a usage error', () => {
    expect(refusal('x', '--offset')).toBe('option --offset needs a value: N[s|B|K|M]');
    expect(refusal('x', '-no')).toBe('option -o needs a value: N[s|B|K|M]');
    expect(refusal('x', '--diff', 'a')).toBe('option --diff needs two values: A B');
  });

  test('given twice where one is meant are a usage error, even when they are equal', () => {
    expect(refusal('--offset', '1', '-o', '1', 'x')).toBe('option --offset was given more than once');
    expect(refusal('--diff', 'a', 'b', '--diff', 'a', 'b', 'x')).toBe(
      'option --diff was given more than once',
    );
  });

  test('of a fixed set are checked', () => {
    expect(parse('--level', 'basic', 'x').value('level')).toBe('basic');
    expect(refusal('--level', 'deep', 'x')).toBe(
      "option --level cannot be 'deep'; it can be basic, complete",
    );
  });

  test('of a list come one each time and leave the operands alone', () => {
    const args = parse('--choose', '0:1', 'x', '--choose=1:2', 'y');
    expect(args.list('choose')).toEqual(['0:1', '1:2']);
    expect(args.operands).toEqual(['x', 'y']);
  });

  test('of a pair are two', () => {
    expect(parse('--diff', '0:1', '0:2', 'x').pair('diff')).toEqual(['0:1', '0:2']);
    expect(parse('--diff=0:1', '0:2', 'x').pair('diff')).toEqual(['0:1', '0:2']);
    expect(parse('x').pair('diff')).toBeUndefined();
  });
});

describe('operands', () => {
  test('stay the strings that were typed, in their order', () => {
    const operands = ['007', '1e3', '-5', '-1e3', '-', '"q"', '@x', '0'];
    expect(parse(...operands).operands).toEqual(operands);
  });

  test('may begin with a dash after --', () => {
    const args = parse('-n', '--', '-y', '--json', '--');
    expect(args.operands).toEqual(['-y', '--json', '--']);
    expect(args.flag('y')).toBe(false);
    expect(args.flag('json')).toBe(false);
  });

  test('are counted', () => {
    expect(refusal()).toBe('INPUT is missing: An image.');
    expect(refusal('a', 'b', 'c', 'd')).toBe("one argument too many: 'd'");
    expect(refusal('a', '')).toBe('argument 2 is empty');
    expect(() => checkOperands(EXAMPLE, parse('a', 'b', 'c'))).not.toThrow();
  });

  test('are not asked for where an option excuses them', () => {
    expect(() => checkOperands(EXAMPLE, parse('--explain', 'X'))).not.toThrow();
  });

  test('of two sorts are asked for by name', () => {
    const file = { completes: 'file', help: 'H.' } as const;
    const spec = {
      ...EXAMPLE,
      operands: [
        { ...file, name: 'FILE', min: 1, max: 1 },
        { ...file, name: 'SPARE', min: 1, max: null },
      ],
    };
    const missing =
      (...argv: string[]) =>
      () =>
        checkOperands(spec, parseArgs(spec, argv));
    expect(missing()).toThrow('FILE is missing');
    expect(missing('a')).toThrow('SPARE is missing');
    expect(missing('a', ...Array.from({ length: 20_000 }, String))).not.toThrow();
  });
});

describe('usage errors', () => {
  test.each([
    ['--foo', 'unknown option --foo'],
    ['--foo=bar', 'unknown option --foo'],
    ['-x', 'unknown option -x'],
    ['-nx', 'unknown option -x in -nx'],
    ['-level', 'unknown option -l in -level'],
    ['--n', 'unknown option --n'],
    ['--undo-di', 'unknown option --undo-di'],
    ['--undoDir', 'unknown option --undoDir'],
    ['--_=x', 'unknown option --_'],
    ['--$0=x', 'unknown option --$0'],
    ['--__proto__=x', 'unknown option --__proto__'],
    ['--constructor', 'unknown option --constructor'],
    ['---n', 'unknown option ---n'],
    ['--=x', 'unknown option --'],
  ])('%s: %s', (argument, sentence) => {
    expect(refusal(argument, 'x')).toBe(sentence);
  });

  test('options that exclude each other, by any of their names', () => {
    expect(refusal('-n', '-y', 'x')).toBe('options -n and -y cannot be given together');
    expect(refusal('--preen', '-n', 'x')).toBe('options -n and -p cannot be given together');
    expect(refusal('-ay', 'x')).toBe('options -p and -y cannot be given together');
    expect(refusal('--no-undo', '--undo-dir=d', 'x')).toBe(
      'options --undo-dir and --no-undo cannot be given together',
    );
  });
});

describe('asking for an option', () => {
  test('that is not in the table, or by the wrong kind, is a mistake that shows at once', () => {
    const args = parse('x');
    expect(() => args.flag('nope')).toThrow('not in the table');
    expect(() => args.given('nope')).toThrow("no option 'nope'");
    expect(() => args.value('n')).toThrow("option 'n' is flag, not value");
  });

  test('tells whether it was given', () => {
    const args = parse('-n', '-v', '--offset=', '--choose=a', '--diff=a', 'b');
    const given = ['n', 'verbose', 'offset', 'choose', 'diff', 'p', 'quiet', 'level'].map((name) =>
      args.given(name),
    );
    expect(given).toEqual([true, true, true, true, true, false, false, false]);
  });
});

test('property: whatever is typed as a value or behind -- arrives unchanged', () => {
  const typed = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('true', '""', "'a'", '-', '--', '1'),
  );
  fc.assert(
    fc.property(typed, fc.array(typed), fc.array(typed), (value, list, operands) => {
      const args = parse(`--offset=${value}`, ...list.map((one) => `--choose=${one}`), '--', ...operands);
      expect(args.value('offset')).toBe(value);
      expect(args.list('choose')).toEqual(list);
      expect(args.operands).toEqual(operands);
    }),
    { numRuns: 300 },
  );
});

test('property: any command line is accepted or is a usage error, never anything else', () => {
  const token = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '-n',
      '--offset',
      '--choose',
      '--diff',
      '-o',
      '--',
      '-v',
      '=',
      '--level=basic',
      '-np',
      '--no-undo',
    ),
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (argv) => {
      try {
        checkOperands(EXAMPLE, parse(...argv));
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
        expect((error as Fault).code).toBe('USAGE');
      }
    }),
    { numRuns: 500 },
  );
});
