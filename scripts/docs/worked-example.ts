// SPDX-License-Identifier: GPL-2.0-or-later
// The worked example of docs/FORMAT.md: a real copy, its bytes, what they say and how its checksums come about. All
// numbers are computed from the image; an example that was typed by hand would be wrong somewhere.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { isZero } from '../../src/core/bytes';
import type { FieldRange, Struct } from '../../src/core/codec';
import { cName, decode } from '../../src/core/codec';
import { crc32 } from '../../src/core/crc32';
import { valueText } from '../../src/core/annotate';
import { headerCrcOf, recordCrcPlaces, usedDirectory } from '../../src/core/generation';
import { fieldRanges } from '../../src/core/codec';
import * as layout from '../../src/core/layout';
import type { Parts } from './splice';
import { codeBlock, table } from './splice';

const LINE = 16;

const sum = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
const place = (offset: number): string => `0x${offset.toString(16).padStart(3, '0')}`;
const hexOf = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** Bytes as hexdump -C shows them; runs of lines of zeros become one `*`. */
function dump(bytes: Uint8Array, base: number): string {
  const lines: string[] = [];
  let left = false;
  for (let at = 0; at < bytes.length; at += LINE) {
    const line = bytes.subarray(at, at + LINE);
    if (isZero(line) && at > 0 && at + LINE < bytes.length) {
      if (!left) lines.push('*');
      left = true;
      continue;
    }
    left = false;
    const text = [...line]
      .map((byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('');
    const hex = `${hexOf(line.subarray(0, 8))}  ${hexOf(line.subarray(8))}`;
    lines.push(`${(base + at).toString(16).padStart(8, '0')}  ${hex}  |${text}|`);
  }
  return codeBlock(lines.join('\n'));
}

/** Fields of the structure at `start`, with their bytes and values; zeros that say nothing are left out. */
function explained(image: Uint8Array, struct: Struct, start: number, path: string): string {
  const record = { path, struct, start, used: true };
  const region = { bytes: image, gaps: [] };
  const rows = fieldRanges(struct)
    .filter((range) => !isSilent(image, range, start))
    .map((range) => {
      const bytes = image.subarray(start + range.start, start + range.end);
      const shown = bytes.length > LINE ? `${hexOf(bytes.subarray(0, 12))} …` : hexOf(bytes);
      const name = `\`${cName(range.path)}\``;
      return [place(range.start), `\`${shown}\``, name, valueText(region, record, range).replace(/^-$/, '')];
    });
  return table(['at', 'bytes', 'field', 'value'], rows);
}

function isSilent(image: Uint8Array, range: FieldRange, start: number): boolean {
  const blank = isZero(image, start + range.start, start + range.end);
  return blank && (range.path.includes('[') || range.path.includes('reserved'));
}

/** Each checksum of the copy, from the records up, with what it is taken over. */
function checksums(slot: Uint8Array): string {
  const header = decode(layout.HEADER, slot);
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  const rows: string[][] = [];
  const used = usedDirectory(header);
  let overall = 0;
  const overWhat: string[] = [];
  used.forEach((entry, i) => {
    const name = layout.SECTION_NAME[entry.type] ?? '';
    const bytes = slot.subarray(entry.offset, entry.offset + entry.length);
    recordCrcPlaces(entry.type, entry.length).forEach(({ start, end, crcAt }, record) => {
      const stored = view.getUint32(entry.offset + crcAt, true);
      const what = `${name} record ${record}, bytes ${entry.offset + start} to ${entry.offset + end}, its crc at ${entry.offset + crcAt} as zero`;
      rows.push(['1 record', what, sum(withHole(bytes.subarray(start, end), crcAt - start)), sum(stored)]);
    });
    overall = crc32(bytes, overall);
    overWhat.push(String(entry.length));
    const what = `${name}, bytes ${entry.offset} to ${entry.offset + entry.length}`;
    rows.push(['2 section', what, sum(crc32(bytes)), `${sum(entry.crc)} in \`directory[${i}].crc\``]);
  });
  rows.push([
    '3 overall',
    `the sections one after another: ${overWhat.join(' + ')} bytes`,
    sum(overall),
    `${sum(header.overallCrc)} in \`overall_crc\``,
  ]);
  rows.push([
    '4 header',
    'bytes 0 to 512, 0x1f8 to 0x1fb as zero',
    sum(headerCrcOf(slot.subarray(0, layout.HEADER_BYTES))),
    `${sum(header.headerCrc)} in \`header_crc\``,
  ]);
  return table(['level', 'over', 'computed', 'stored'], rows);
}

/** By the words of the format: the whole record with its crc field taken as zero. */
function withHole(record: Uint8Array, crcAt: number): number {
  const bytes = record.slice();
  bytes.fill(0, crcAt, crcAt + 4);
  return crc32(bytes);
}

/** Bytes in which two copies differ, as half-open ranges of the slot. */
function differences(a: Uint8Array, b: Uint8Array): string {
  const ranges: [number, number][] = [];
  for (let at = 0; at < a.length; at++) {
    if (a[at] === b[at]) continue;
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last[1] === at) last[1] = at + 1;
    else ranges.push([at, at + 1]);
  }
  const show = (bytes: Uint8Array, [start, end]: [number, number]): string =>
    `\`${hexOf(bytes.subarray(start, end))}\``;
  const named = fieldRanges(layout.HEADER);
  const rows = ranges.map((range) => {
    const field = named.find(({ start, end }) => start <= range[0] && range[1] <= end);
    return [`\`${cName(field?.path ?? '?')}\``, place(range[0]), show(a, range), show(b, range)];
  });
  return table(['field', 'at', 'copy 0', 'copy 1'], rows);
}

/** The parts of docs/FORMAT.md that come from fixtures/vectors/one. */
export function exampleParts(root: string): Parts {
  const spare = new Uint8Array(gunzipSync(readFileSync(join(root, 'fixtures/vectors/one/spare0.img.gz'))));
  const slot = (copy: number): Uint8Array => {
    const start = Number((layout.SLOT_SECTORS[copy] ?? 0n) * layout.SECTOR_BYTES_BIG);
    const { slotBytes } = decode(layout.HEADER, spare, start);
    return spare.subarray(start, start + slotBytes);
  };
  const first = slot(0);
  const remaps = layout.SECTION_OFFSET[layout.SECTION.remaps];
  const trailer = remaps + layout.TRAILER_AT;
  return {
    'example-header': dump(first.subarray(0, layout.HEADER_BYTES), 0),
    'example-fields': explained(first, layout.HEADER, 0, 'header'),
    'example-checksums': checksums(first),
    'example-entry': dump(first.subarray(remaps, remaps + layout.ENTRY.size), remaps),
    'example-entry-fields': explained(first, layout.ENTRY, remaps, 'remaps[0]'),
    'example-trailer': dump(first.subarray(trailer, trailer + layout.TRAILER.size), trailer),
    'example-trailer-fields': explained(first, layout.TRAILER, trailer, 'block 0 trailer'),
    'example-copies': differences(first, slot(1)),
  };
}
