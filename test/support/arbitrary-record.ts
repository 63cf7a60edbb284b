// SPDX-License-Identifier: GPL-2.0-or-later
// Random values for every structure of layout.ts, derived from its field table alone.
import fc from 'fast-check';
import { formatUuid } from '../../src/core/bytes';
import type { Field, RecordOf, Struct } from '../../src/core/codec';
import {
  CONFIG,
  DEVICE,
  DIRECTORY_ENTRY,
  ENTRY,
  EVENT,
  HEADER,
  HEALTH,
  REMAP_BLOCK,
  TRAILER,
  TUNABLE,
} from '../../src/core/layout';

/** Every structure of the format. */
export const STRUCTS: readonly Struct[] = [
  HEADER,
  DIRECTORY_ENTRY,
  DEVICE,
  CONFIG,
  TUNABLE,
  HEALTH,
  EVENT,
  ENTRY,
  TRAILER,
  REMAP_BLOCK,
];

export const anyBytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

function valueOf(field: Field): fc.Arbitrary<unknown> {
  switch (field.type) {
    case 'u8':
      return fc.nat(0xff);
    case 'u16':
      return fc.nat(0xffff);
    case 'u32':
      return fc.nat(0xffffffff);
    case 'u64':
      return fc.bigInt(0n, (1n << 64n) - 1n);
    case 'uuid':
      return anyBytes(16).map(formatUuid);
    case 'char':
    case 'bytes':
      return anyBytes(field.count);
    case 'records':
      return fc.array(recordValues(field.of), { minLength: field.count, maxLength: field.count });
  }
}

function recordValues(struct: Struct): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(struct.fields.map((field) => [field.name, valueOf(field)])));
}

/** A record with any value in every field. */
export function arbitraryRecord<S extends Struct>(struct: S): fc.Arbitrary<RecordOf<S>> {
  return recordValues(struct).map((record) => record as RecordOf<S>);
}
