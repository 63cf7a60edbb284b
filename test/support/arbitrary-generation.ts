// SPDX-License-Identifier: GPL-2.0-or-later
// Random generations that are valid and sound (FORMAT.md sections 2, 3 and 7), with everything a reader may meet in one:
// unknown sections, reserved bytes that are not zero, retired extents, texts of any script. For property tests.
import fc from 'fast-check';
import { decode, encode } from '../../src/core/codec';
import { dumpDocument } from '../../src/core/dumpform';
import type { CopyPlace, Generation } from '../../src/core/generation';
import {
  encodeConfig,
  encodeDevices,
  encodeRemaps,
  makeGeneration,
  sealGeneration,
} from '../../src/core/assemble';
import { contentsOf, sealHeader, sealRecords } from '../../src/core/generation';
import type { DeviceRecord } from '../../src/core/layout';
import {
  BLOCK_BYTES,
  CONFIG,
  DEVICE,
  FORMAT_MAJOR,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  MAX_TUNABLES,
  SECTION,
  SLOT_ROOM_BYTES,
  TRAILER_AT,
} from '../../src/core/layout';
import { jsonText } from '../../src/render/json';
import {
  config,
  deviceParts,
  events,
  extent,
  header,
  health,
  place,
  reservedWord,
  roundUp,
  spareParts,
  unknownSection,
  uuid,
} from './arbitrary-parts';

export interface GenerationOptions {
  /** Most entries; 300 unless told otherwise. */
  readonly entries?: number;
  readonly spares?: number;
  /** Texts that are not UTF-8, have no NUL or bytes behind it: a warning, and no reason to reject a copy. */
  readonly malformedTexts?: boolean;
}

/** A valid and sound generation. Its copies: encodeCopy() with the places of copyPlaces(). */
export function arbitraryGeneration(options: GenerationOptions = {}): fc.Arbitrary<Generation> {
  const malformed = options.malformedTexts === true;
  const most = options.entries ?? 300;
  return fc
    .record({
      header,
      fourK: fc.boolean(),
      mainStart: fc.nat(1000),
      mainTail: fc.nat(500),
      main: deviceParts(malformed),
      mainUuid: uuid,
      spares: fc.uniqueArray(spareParts(malformed), {
        minLength: 1,
        maxLength: options.spares ?? 8,
        selector: (spare) => spare.uuid,
      }),
      extents: fc.oneof(
        fc.array(extent, { maxLength: Math.min(most, 20) }),
        fc.array(extent, { maxLength: most, size: 'max' }),
      ),
      blockAge: fc.array(fc.bigInt(0n, 50n), { minLength: 1, maxLength: 3 }),
      trailerReserved: reservedWord,
      config: config(malformed),
      health,
      events,
      unknown: fc.array(unknownSection, { maxLength: 3 }),
    })
    .map((parts) => {
      const block = parts.fourK ? 8n : 1n;
      const mainStart = BigInt(parts.mainStart) * 8n;
      const starts = parts.spares.map(({ start }) => 9216n + BigInt(start) * 8n);
      const { remaps, mainEnd, spareEnds } = place(parts.extents, block, mainStart, starts);
      const mainSectors = roundUp(mainEnd - mainStart + BigInt(1 + parts.mainTail), 8n);
      const main: DeviceRecord = {
        ...blankDevice(),
        ...parts.main,
        logicalBlockSize: 512,
        sizeSectors: mainStart + mainSectors,
        dataStart: mainStart,
        dataSectors: mainSectors,
        deviceUuid: parts.mainUuid,
      };
      const { sequence, runId } = parts.header;
      const spares = parts.spares.map((spare, index): DeviceRecord => {
        const dataStart = starts[index] ?? 0n;
        const end = roundUp(spareEnds[index] ?? 0n, 8n);
        const size = end > 16384n ? end : 16384n;
        const last = spare.present ? sequence : sequence > spare.lag ? sequence - spare.lag : 0n;
        return {
          ...blankDevice(),
          ...spare.device,
          role: 1,
          index,
          logicalBlockSize: parts.fourK && index === 0 ? 4096 : 512,
          sizeSectors: size,
          dataStart,
          dataSectors: size - dataStart,
          deviceUuid: spare.uuid,
          lastSequence: last,
          baseSequence: last > spare.lag ? last - spare.lag : 0n,
          lastRun: spare.present ? runId : spare.run,
        };
      });
      const age = (index: number): bigint => parts.blockAge[index % parts.blockAge.length] ?? 0n;
      const remapParts = encodeRemaps(remaps, (index) =>
        sequence > age(index) ? sequence - age(index) : sequence,
      );
      for (let at = 0; at < remapParts.bytes.length; at += BLOCK_BYTES) {
        new DataView(remapParts.bytes.buffer).setUint32(at + TRAILER_AT + 12, parts.trailerReserved, true);
      }
      sealRecords(SECTION.remaps, remapParts.bytes);
      const { unit1, extraTunables, tunables, ...settings } = parts.config;
      const named = tunables as { name: Uint8Array; value: bigint }[];
      const zero = { name: new Uint8Array(32), value: 0n };
      const template = encode(HEADER, {
        ...parts.header,
        magic: MAGIC,
        formatMajor: FORMAT_MAJOR,
        headerBytes: HEADER_BYTES,
        spareCount: spares.length,
      });
      const made = makeGeneration(
        decode(HEADER, template),
        [
          encodeDevices([main, ...spares]),
          encodeConfig({
            ...decode(CONFIG, new Uint8Array(CONFIG.size)),
            ...settings,
            targetSectors: mainSectors,
            remapUnit: unit1 === true && !parts.fourK ? 1 : 8,
            reassemblyVersion: 1,
            tunables: [...named, ...new Array<typeof zero>(MAX_TUNABLES).fill(zero)].slice(0, MAX_TUNABLES),
            tunableCount: Math.min(MAX_TUNABLES, named.length + (extraTunables as number)),
          }),
          parts.health,
          parts.events,
          remapParts,
          ...parts.unknown,
        ],
        template,
      );
      if (made === null) throw new Error('the parts of an arbitrary generation do not fit a slot');
      return legible(made);
    });
}

function blankDevice(): DeviceRecord {
  return decode(DEVICE, new Uint8Array(DEVICE.size));
}

/**
 * The same generation as a writer with other habits would lay it out: unknown sections moved apart, a slot_bytes beyond
 * the last section, noise in unused directory entries. Readers follow the directory (FORMAT.md section 1).
 */
export function arbitraryOddLayout(options: GenerationOptions = {}): fc.Arbitrary<Generation> {
  return fc
    .record({
      generation: arbitraryGeneration(options),
      gaps: fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }),
      tail: fc.nat(3),
      noise: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    })
    .map(({ generation, gaps, tail, noise }) => {
      let free = 0;
      const sections = generation.sections.map((section, i) => {
        const moved = section.type > 5 ? (gaps[i] ?? 0) * BLOCK_BYTES : 0;
        const offset = Math.max(section.offset, free) + moved;
        free = Math.ceil((offset + section.bytes.length) / BLOCK_BYTES) * BLOCK_BYTES;
        return { ...section, offset };
      });
      const slotBytes = Math.min(
        SLOT_ROOM_BYTES,
        Math.max(free, generation.header.slotBytes) + tail * BLOCK_BYTES,
      );
      const sealed = sealGeneration(generation.header, sections, slotBytes, generation.headerBytes);
      // The last directory entry is never used here; all of it but its type may hold anything.
      const headerBytes = sealed.headerBytes.slice();
      if (sections.length < 8) headerBytes.set(noise, 0x80 + 7 * 24 + 4);
      sealHeader(headerBytes);
      return legible({ header: decode(HEADER, headerBytes), headerBytes, sections });
    });
}

/** Shown as its dump when a property fails, and not as tens of thousands of bytes. */
function legible(generation: Generation): Generation {
  return Object.defineProperty(generation, fc.toStringMethod, {
    value: () => jsonText(dumpDocument(generation)),
  });
}

/** The places of all copies of a generation, spare by spare. */
export function copyPlaces(generation: Generation): CopyPlace[] {
  const spares = contentsOf(generation).devices.slice(1);
  return spares.flatMap(({ deviceUuid }, spareIndex) =>
    [0, 1, 2, 3, 4].map((copyIndex) => ({ spareIndex, spareUuid: deviceUuid, copyIndex })),
  );
}
