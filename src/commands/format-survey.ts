// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-format looks at before it may write: that the devices are different, free and suitable, and what they
// hold. Everything is opened for reading only; what is then made of it is in format.ts.
import { fromHex } from '../core/bytes';
import { recogniseContainer } from '../core/containers';
import type { ContentHints, DeviceFacts } from '../core/device-facts';
import { gapWithin, readRegion } from '../core/extents';
import { Fault } from '../core/faults';
import { CONTENT_HASH_SECTORS } from '../core/layout';
import type { Geometry, NewDevice } from '../core/newgeometry';
import { metadataTrace } from '../core/newtraces';
import { recogniseContent } from '../core/signatures';
import type { ByteRange, ContentMatch } from '../core/signatures';
import { contentOfSmallBlocks } from '../core/smallblocks';
import type { Host, ReadHandle } from '../host/host';

/** Main or a spare, open for reading. */
export interface FormatInput extends NewDevice {
  /** 'main', 'spare 0', ... */
  readonly role: string;
  readonly handle: ReadHandle;
}

/** Opens main and the spares, main first. `sectorSize`: what image files count as; null: as they are. */
export function openInputs(
  host: Host,
  main: string,
  spares: readonly string[],
  sectorSize: 512 | 4096 | null,
): FormatInput[] {
  const inputs: FormatInput[] = [];
  try {
    for (const [i, path] of [main, ...spares].entries()) {
      const handle = host.openRead(path);
      const facts = withSectorSize(host.facts(path), sectorSize);
      inputs.push({ role: i === 0 ? 'main' : `spare ${i - 1}`, path, handle, facts });
    }
    return inputs;
  } catch (error) {
    closeInputs(inputs);
    throw error;
  }
}

export function closeInputs(inputs: readonly FormatInput[]): void {
  for (const { handle } of inputs) handle.close();
}

function withSectorSize(facts: DeviceFacts, size: 512 | 4096 | null): DeviceFacts {
  if (size === null || facts.kind !== 'image') return facts;
  return { ...facts, logicalBlockSize: size, physicalBlockSize: Math.max(size, facts.physicalBlockSize) };
}

/** What no option overrides: one device in two roles, a device in use or that cannot be written to. */
export function refuseUnsuitable(host: Host, inputs: readonly FormatInput[]): void {
  for (const [i, input] of inputs.entries()) {
    for (const other of inputs.slice(0, i)) refusePair(input, other);
  }
  for (const [i, { path, facts }] of inputs.entries()) {
    // Main too: what is mounted now could not be opened by the target, and its bad sectors may change meanwhile.
    const uses = host.inUse(path);
    if (uses.length > 0) throw new Fault('IN_USE', { path, reason: uses.join('; ') });
    if (i === 0 || !facts.readOnly) continue;
    const reason = facts.kind === 'block' ? 'the kernel has it marked so' : 'no permission to write to it';
    throw new Fault('READ_ONLY', { path, reason });
  }
}

function refusePair(input: FormatInput, other: FormatInput): void {
  const names = { path: input.path, role: input.role, other: other.path, otherRole: other.role };
  if (input.handle.identity === other.handle.identity) throw new Fault('SAME_DEVICE', names);
  if (input.facts.wholeDisk === other.handle.identity) throw new Fault('OVERLAPPING', names);
  if (other.facts.wholeDisk === input.handle.identity) {
    throw new Fault('OVERLAPPING', {
      path: other.path,
      role: other.role,
      other: input.path,
      otherRole: input.role,
    });
  }
}

/** What a spare holds now. */
export interface SpareContent {
  /** In words, for a person; text from the disk is in it. */
  readonly recognised: readonly string[];
  /** The bytes by which other content is recognised, absolute. */
  readonly wipe: readonly ByteRange[];
}

/**
 * Looks for other content and for dm-remap metadata. Without `force`, whatever is found is a Fault: HOLDS_METADATA,
 * HOLDS_CONTENT, or SPARE_UNREADABLE where that cannot be told.
 */
export function surveySpare(input: FormatInput, dataStart: bigint, force: boolean): SpareContent {
  const { path, handle } = input;
  const trace = metadataTrace(handle);
  const matches = recogniseContent(handle, { base: 0n, length: handle.sizeBytes });
  if (!force) {
    if (trace !== null) {
      throw new Fault('HOLDS_METADATA', {
        path,
        found: trace.text,
        unfinished: trace.unfinished ? 'yes' : 'no',
      });
    }
    if (matches.length > 0)
      throw new Fault('HOLDS_CONTENT', { path, found: matches.map(inWords).join('; ') });
    refuseUnread(input, dataStart);
  }
  return {
    recognised: [...(trace === null ? [] : [trace.text]), ...matches.map(inWords)],
    wipe: matches.flatMap((match) => match.wipe),
  };
}

function inWords(match: ContentMatch): string {
  const detail = match.detail === undefined ? '' : ` (${match.detail})`;
  return `${match.name}${detail} at byte ${match.offset}`;
}

/** Bytes of one read while looking for bad sectors. */
const PIECE_BYTES = 1024 * 1024;

function refuseUnread({ path, handle }: FormatInput, dataStart: bigint): void {
  const end = dataStart * 512n;
  for (let at = 0n; at < end; at += BigInt(PIECE_BYTES)) {
    const length = end - at < BigInt(PIECE_BYTES) ? Number(end - at) : PIECE_BYTES;
    const gap = gapWithin(readRegion(handle, at, length), 0, length);
    if (gap === undefined) continue;
    throw new Fault('SPARE_UNREADABLE', { path, offset: String(at + BigInt(gap.start)), reason: gap.reason });
  }
}

/** What is known of main's contents. */
export interface MainContent {
  readonly hints: ContentHints;
  readonly contentSha256: Uint8Array;
  readonly warnings: readonly string[];
}

/**
 * Looks at main. Fault BLOCKS_TOO_LARGE, without `force`, where a spare makes the blocks of the remapped device so large
 * that what main holds could not be read through it.
 */
export function surveyMain(
  host: Host,
  main: FormatInput,
  spares: readonly FormatInput[],
  geometry: Geometry,
  force: boolean,
): MainContent {
  const { path, handle, facts } = main;
  const warnings: string[] = [];
  const hints = host.contentHints(path);
  if (geometry.blockSectors === 8n && facts.logicalBlockSize === 512) {
    const matches = recogniseContent(handle, { base: 0n, length: handle.sizeBytes });
    const found = contentOfSmallBlocks(handle, matches, hints);
    const spare = spares.find((one) => one.facts.logicalBlockSize === 4096)?.path ?? '?';
    if (found !== null && !force) throw new Fault('BLOCKS_TOO_LARGE', { path, found, spare });
    if (found !== null)
      warnings.push(
        `${path}: ${found} cannot be read through the remapped device, which has blocks of 4096 bytes`,
      );
  }
  const container = recogniseContainer(handle);
  if (container !== undefined && !container.rawInside) {
    warnings.push(`${path}: is a ${container.name}, but is taken as a raw disk`);
  }
  if (metadataTrace(handle) !== null) {
    warnings.push(`${path}: holds dm-remap metadata; is it a spare, and not main?`);
  }
  const contentSha256 = hashOfSectors(host, handle);
  if (contentSha256 === null) {
    warnings.push(`${path}: not all of the sectors whose hash is recorded could be read; none is recorded`);
  }
  return { hints, contentSha256: contentSha256 ?? new Uint8Array(32), warnings };
}

/** content_sha256 of FORMAT.md section 3; null if a sector was not read, or main is too short to have it. */
function hashOfSectors(host: Host, handle: ReadHandle): Uint8Array | null {
  const sectors: Uint8Array[] = [];
  for (const sector of CONTENT_HASH_SECTORS) {
    const region = readRegion(handle, sector * 512n, 512);
    if (region.gaps.length > 0) return null;
    sectors.push(region.bytes);
  }
  return fromHex(host.sha256(...sectors));
}
