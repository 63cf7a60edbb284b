// SPDX-License-Identifier: GPL-2.0-or-later
// An annotated hex dump of a slot: the name and value of each field beside its bytes, from the field tables. Only what is
// used is shown. How lines are laid out on a terminal is in src/render; text from the disk is not escaped here.
import { isZero } from './bytes';
import type { Field, FieldRange, Struct } from './codec';
import { decode, fieldRanges, fieldSize } from './codec';
import type { Region } from './extents';
import { gapWithin } from './extents';
import type { FieldValue } from './forms';
import { isReserved, showValue } from './forms';
import { BLOCK_BYTES } from './layout';
import type { MappedRecord, SlotMap } from './slotmap';
import { HEADER_RECORD, mapSlot, recordsOf, unownedRanges } from './slotmap';

/**
 * title: a heading for what follows. bytes: up to 16 bytes; `label` and `value` on the first line of a field, empty on
 * the others. zeros: one or more lines of zeros were left out.
 */
export type AnnotatedLine =
  | { readonly kind: 'title'; readonly offset: number; readonly text: string }
  | {
      readonly kind: 'bytes';
      readonly offset: number;
      readonly hex: readonly string[];
      readonly label: string;
      readonly value: string;
    }
  | { readonly kind: 'zeros' };

const LINE_BYTES = 16;

/** The dump of a slot, line by line; a full slot has over 100,000. Offsets in bytes from the slot's start. */
export function* annotateSlot(region: Region): Generator<AnnotatedLine> {
  let before: AnnotatedLine['kind'] = 'title';
  for (const line of linesOf(region)) {
    if (line.kind !== 'zeros' || before !== 'zeros') yield line;
    before = line.kind;
  }
}

function* linesOf(region: Region): Generator<AnnotatedLine> {
  const map = mapSlot(region);
  if (map.header === null) {
    yield { kind: 'title', offset: 0, text: 'header: not read' };
  } else {
    yield { kind: 'title', offset: 0, text: 'header' };
    yield* annotateRecord(region, HEADER_RECORD);
  }
  if (!map.byDirectory) {
    yield {
      kind: 'title',
      offset: 0,
      text: 'the directory cannot be followed: sections where v4.0 writers put them',
    };
  }
  for (const mapped of map.sections) {
    yield {
      kind: 'title',
      offset: mapped.start,
      text: `${mapped.name}, bytes ${mapped.start} to ${mapped.end}`,
    };
    let at = mapped.start;
    for (const record of recordsOf(region, mapped)) {
      at = record.start + record.struct.size;
      if (!record.used) continue;
      if (record.path !== mapped.name.toLowerCase())
        yield { kind: 'title', offset: record.start, text: record.path };
      yield* annotateRecord(region, record);
    }
    // A section of unknown type, or the rest of one whose length is wrong.
    if (at < mapped.end) yield* rawLines(region, at, mapped.end, 'bytes', '');
  }
  yield* annotateGaps(region, map);
}

function* annotateGaps(region: Region, map: SlotMap): Generator<AnnotatedLine> {
  for (const { start, end } of unownedRanges(map)) {
    if (isZero(region.bytes, start, end) && gapWithin(region, start, end) === undefined) continue;
    yield { kind: 'title', offset: start, text: `between the sections, bytes ${start} to ${end}: not zero` };
    yield* rawLines(region, start, end, 'unused', '');
  }
}

const RANGES = new Map<Struct, readonly FieldRange[]>();

/** The scalar fields of a structure; made once for each. */
export function rangesOf(struct: Struct): readonly FieldRange[] {
  const known = RANGES.get(struct);
  if (known !== undefined) return known;
  const made = fieldRanges(struct);
  RANGES.set(struct, made);
  return made;
}

function* annotateRecord(region: Region, record: MappedRecord): Generator<AnnotatedLine> {
  let empty = '';
  for (const range of rangesOf(record.struct)) {
    const start = record.start + range.start;
    const end = record.start + range.end;
    const blank = isZero(region.bytes, start, end) && gapWithin(region, start, end) === undefined;
    // Unused directory entries and tunables, and reserved bytes, say nothing when they are zero.
    if (blank && (range.path.includes('[') || isReserved(range.field))) {
      if (empty === '') yield { kind: 'zeros' };
      empty = range.path;
      continue;
    }
    empty = '';
    yield* rawLines(region, start, end, range.path, valueText(region, record, range));
  }
}

/** The value of one field, for a person, or that it was not read. */
export function valueText(region: Region, record: MappedRecord, range: FieldRange): string {
  const start = record.start + range.start;
  const gap = gapWithin(region, start, record.start + range.end);
  if (gap !== undefined) return `not read: ${gap.reason}`;
  return showValue(
    ownerOf(record.struct, range.path),
    range.field,
    readScalar(region.bytes, start, range.field),
  );
}

/** The structure whose field a path names: 'directory[2].offset' is one of section_entry. */
function ownerOf(struct: Struct, path: string): Struct {
  let owner = struct;
  for (const name of path.split('.').slice(0, -1)) {
    const field = owner.fields.find((one) => one.name === name.replace(/\[\d+\]$/, ''));
    if (field?.type === 'records') owner = field.of;
  }
  return owner;
}

/** A structure of one field each, made once: codec.ts keeps something for every structure it has seen. */
const ALONE = new Map<Field, Struct>();

/** One field by itself. */
function readScalar(bytes: Uint8Array, at: number, field: Field): FieldValue {
  let alone = ALONE.get(field);
  if (alone === undefined) {
    alone = { name: field.name, size: fieldSize(field), fields: [{ ...field, offset: 0 }] };
    ALONE.set(field, alone);
  }
  return (decode(alone, bytes, at) as unknown as Record<string, FieldValue>)[field.name] ?? 0;
}

function* rawLines(
  region: Region,
  start: number,
  end: number,
  label: string,
  value: string,
): Generator<AnnotatedLine> {
  let zeros = false;
  for (let at = start; at < end; at += LINE_BYTES) {
    const stop = Math.min(at + LINE_BYTES, end);
    const blank = isZero(region.bytes, at, stop) && gapWithin(region, at, stop) === undefined;
    if (blank && at !== start) {
      if (!zeros) yield { kind: 'zeros' };
      zeros = true;
      continue;
    }
    zeros = false;
    const first = at === start;
    yield {
      kind: 'bytes',
      offset: at,
      hex: hexOf(region, at, stop),
      label: first ? label : '',
      value: first ? value : '',
    };
  }
}

/** Two digits a byte, `??` where it was not read. */
function hexOf(region: Region, start: number, end: number): string[] {
  const out: string[] = [];
  for (let at = start; at < end; at++) {
    const unread = region.gaps.length > 0 && gapWithin(region, at, at + 1) !== undefined;
    out.push(
      unread || at >= region.bytes.length ? '??' : (region.bytes[at] ?? 0).toString(16).padStart(2, '0'),
    );
  }
  return out;
}

/** The used part of a slot in hexadecimal, `??` where it was not read: for machines. Block by block, to be joined. */
export function* slotHex(region: Region): Generator<string> {
  const { end } = mapSlot(region);
  for (let at = 0; at < end; at += BLOCK_BYTES)
    yield hexOf(region, at, Math.min(at + BLOCK_BYTES, end)).join('');
}
