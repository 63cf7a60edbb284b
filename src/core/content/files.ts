// SPDX-License-Identifier: GPL-2.0-or-later
// Signatures of ordinary files, which explain what was copied over a device. Only magics that are certain; disk images
// and archives that hold one are in containers.ts.
import { type Block, magicBytes } from './probe';
import { type Signature, signature } from './signature';

function file(id: string, name: string, magics: readonly string[], magicAt = 0): Signature {
  return signature(id, name, 'other', [0], magics, { magicAt });
}

export const FILES: readonly Signature[] = [
  file('elf', 'ELF program', [
    '\x7fELF\x01\x01\x01',
    '\x7fELF\x02\x01\x01',
    '\x7fELF\x01\x02\x01',
    '\x7fELF\x02\x02\x01',
  ]),
  file('pdf', 'PDF document', ['%PDF-1.', '%PDF-2.']),
  file('png', 'PNG image', ['\x89PNG\r\n\x1a\n']),
  signature('jpeg', 'JPEG image', 'other', [0], ['JFIF\x00', 'Exif\x00'], {
    magicAt: 6,
    check: ({ block }) => block.has(0, magicBytes('\xff\xd8\xff')),
  }),
  file('gif', 'GIF image', ['GIF87a', 'GIF89a']),
  file(
    'mp4',
    'MP4 or QuickTime film',
    ['ftypisom', 'ftypmp42', 'ftypmp41', 'ftypavc1', 'ftypqt  ', 'ftypM4V '],
    4,
  ),
  file('matroska', 'Matroska or WebM film', ['\x1a\x45\xdf\xa3']),
  file('sqlite', 'SQLite database', ['SQLite format 3\x00']),
  file('ole', 'Microsoft Office document', ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1']),
  file('xml', 'XML document', ['<?xml version=']),
  file('html', 'HTML document', ['<!DOCTYPE html', '<!doctype html']),
  file('script', 'script', ['#!/bin/', '#!/usr/']),
  file('android-boot', 'Android boot image', ['ANDROID!']),
  file('ddrescue-fill', 'sectors that ddrescue filled because they could not be read', ['\n# position 0x']),
];

/** Bytes of text that a block must begin with before it is called text. */
const TEXT_BYTES = 64;
/** Fewer different characters than this are a test pattern (0x55 is "U"), not text. */
const TEXT_VARIETY = 6;

/** True if the block begins with printable ASCII: random bytes never do. */
export function looksLikeText(block: Block): boolean {
  if (block.bytes.length < TEXT_BYTES) return false;
  for (let i = 0; i < TEXT_BYTES; i++) {
    const byte = block.u8(i);
    if ((byte < 0x20 || byte > 0x7e) && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  }
  return new Set(block.bytes.subarray(0, TEXT_BYTES)).size >= TEXT_VARIETY;
}
