// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests of the dump form share: dumps of the vectors, there and back, and what is wrong with one.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import Ajv2020 from 'ajv/dist/2020';
import { dumpDocument, parseDump } from '../../src/core/dumpform';
import type { Generation } from '../../src/core/generation';
import { encodeCopy } from '../../src/core/generation';
import { judgeSlot } from '../../src/core/judge';
import { jsonText } from '../../src/render/json';
import { copyPlaces } from '../support/arbitrary-generation';

export const root = join(__dirname, '..', '..');
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
export const printed = (generation: Generation): string => jsonText(dumpDocument(generation));

/** The hash of each copy of a generation, one after another. */
export function copiesOf(generation: Generation, places = copyPlaces(generation)): string[] {
  return places.map((place) => sha256(encodeCopy(generation, place)));
}

export function parsed(text: string): Generation {
  const result = parseDump(bytes(text));
  if (!result.ok)
    throw new Error(result.problems.map(({ path, problem }) => `${path}: ${problem}`).join('\n'));
  return result.generation;
}

/** `path: problem`, for a dump that is not taken. */
export function problemsOf(text: string): string[] {
  const result = parseDump(bytes(text));
  return result.ok ? [] : result.problems.map(({ path, problem }) => `${path}: ${problem}`);
}

/** The dump of `three`, changed by `edit`. */
export function edited(edit: (dump: Dump) => void): string {
  const dump = JSON.parse(printed(vector('three', 'spare0'))) as Dump;
  edit(dump);
  return JSON.stringify(dump);
}

export interface Dump {
  [key: string]: unknown;
  header: Record<string, unknown>;
  devices: Record<string, unknown>[];
  config: Record<string, unknown>;
  health: Record<string, unknown>;
  events: Record<string, unknown>[];
  remaps: { [key: string]: unknown; entries: Record<string, unknown>[] }[];
  layout: Record<string, unknown>[];
}

export function vector(name: string, spare: string): Generation {
  const image = gunzipSync(readFileSync(join(root, 'fixtures', 'vectors', name, `${spare}.img.gz`)));
  const judged = judgeSlot({ bytes: new Uint8Array(image.subarray(0, 524288)), gaps: [] }, 'integrity');
  if (judged.generation === null) throw new Error(`${name}/${spare}: slot 0 is not valid`);
  return judged.generation;
}

export const validate = new Ajv2020({ strict: true }).compile(
  JSON.parse(readFileSync(join(root, 'docs', 'schemas', 'dump.json'), 'utf8')) as object,
);

export function expectToFitSchema(text: string): void {
  validate(JSON.parse(text));
  expect(validate.errors ?? []).toEqual([]);
}
