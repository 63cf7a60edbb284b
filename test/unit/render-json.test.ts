// SPDX-License-Identifier: GPL-2.0-or-later
// The form of every JSON document: order, indentation, numbers, and text that a terminal must not obey.
import fc from 'fast-check';
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
