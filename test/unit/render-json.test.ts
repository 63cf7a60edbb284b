// SPDX-License-Identifier: GPL-2.0-or-later
// The form of every JSON document: order, indentation, numbers, and text that a terminal must not obey.
import fc from 'fast-check';
import { JsonList } from '../../src/core/record-json';
import { jsonPieces, jsonText, RawJson } from '../../src/render/json';

test('keys are sorted, two spaces, a newline at the end', () => {
  expect(jsonText({ b: 1, a: [{ d: null, c: true }, []], aa: {} })).toBe(
    '{\n  "a": [\n    {\n      "c": true,\n      "d": null\n    },\n    []\n  ],\n  "aa": {},\n  "b": 1\n}\n',
  );
});

test('the order is by code unit, whatever the locale', () => {
  expect(Object.keys(JSON.parse(jsonText({ é: 1, z: 2, Z: 3, _: 4 })) as object)).toEqual([
    'Z',
    '_',
    'z',
    'é',
  ]);
});

test('a bigint is a string, a property that is undefined is left out', () => {
  expect(jsonText({ big: 18446744073709551615n, gone: undefined })).toBe(
    '{\n  "big": "18446744073709551615"\n}\n',
  );
});

test('what JSON cannot say is refused', () => {
  expect(() => jsonText({ a: NaN })).toThrow('NaN');
  expect(() => jsonText({ a: Infinity })).toThrow('Infinity');
  expect(() => jsonText([undefined])).toThrow('undefined');
  expect(() => jsonText(() => 1)).toThrow('function');
});

test('controls, bidirectional and invisible characters are escaped, in keys too', () => {
  const text = jsonText({ '\u009b': 'a\u001b\u007f\u202e\u200b\u2028\ufeff\u{e0041}b' });
  expect(text).toBe('{\n  "\\u009b": "a\\u001b\\u007f\\u202e\\u200b\\u2028\\ufeff\\udb40\\udc41b"\n}\n');
});

test('property: what is printed reads back as the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary', noUnicodeString: false } as object), (value) => {
      // -0 is the one number that JSON cannot keep.
      expect(JSON.parse(jsonText(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('property: no character of the output but newline is a control or invisible one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(jsonText({ [text]: text })).not.toMatch(
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e]/,
      );
    }),
  );
});

test('raw parts give the same bytes as the values they were made of', () => {
  const setup = { uuid: 'x', spares: [{ index: 0, empty: [] }], path: null };
  const plain = jsonText({ exitCode: 0, setups: [setup, setup] });
  const spliced = { exitCode: 0, setups: [RawJson.of(setup, 2), RawJson.of(setup, 2)] };
  expect(jsonText(spliced)).toBe(plain);
  expect([...jsonPieces(spliced)].join('')).toBe(plain);
});

/** The same value with every list made while it is written. */
function listed(value: unknown): unknown {
  if (Array.isArray(value)) return new JsonList(() => value.map(listed)[Symbol.iterator]());
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, listed(member)]));
}

test('property: lists that are made while they are written give the same bytes, whole, in pieces and spliced', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const plain = jsonText(value);
      expect(jsonText(listed(value))).toBe(plain);
      expect([...jsonPieces(value)].join('')).toBe(plain);
      expect([...jsonPieces(listed(value))].join('')).toBe(plain);
      const outer = jsonText({ list: [value, value] });
      const raw = RawJson.of(listed(value), 2);
      expect(jsonText({ list: [raw, raw] })).toBe(outer);
      expect([...jsonPieces({ list: new JsonList(() => [raw, value][Symbol.iterator]()) })].join('')).toBe(
        outer,
      );
    }),
  );
});

test('of such a list no more is made than was asked for', () => {
  let made = 0;
  const rows = new JsonList(function* () {
    for (; made < 100_000; made++)
      yield { sector: BigInt(made), flags: ['DATA_LOST'], text: 'x'.repeat(100) };
  });
  const pieces = jsonPieces({ setups: [{ spares: [{ copies: [{ rows }] }] }] });
  for (let i = 0; i < 20; i++) pieces.next();
  expect(made).toBeGreaterThan(10);
  expect(made).toBeLessThan(2000);
});

test('a long text that needs no escaping can come in pieces', () => {
  const hex = RawJson.plainString(() => ['00ff', '??', '7f']);
  expect(jsonText({ hex })).toBe(jsonText({ hex: '00ff??7f' }));
  expect([...jsonPieces({ setups: [{ hex }] })].join('')).toBe(jsonText({ setups: [{ hex: '00ff??7f' }] }));
});
