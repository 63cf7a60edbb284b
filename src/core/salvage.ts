// SPDX-License-Identifier: GPL-2.0-or-later
// Salvage (FORMAT.md section 5): recovers a generation of which a right header is left but no whole copy, section by
// section and remap block by remap block, from wherever they survive. Decides nothing about who wins.
import { equalBytes } from './bytes';
import { crc32 } from './crc32';
import { decode } from './codec';
import type { Region } from './extents';
import { gapWithin } from './extents';
import type { Generation, Section } from './generation';
import { usedDirectory } from './generation';
import type { HeaderJudgement } from './header';
import { judgeHeader, sameGenerationHeader } from './header';
import { badRecordsOf } from './judge';
import type { DirectoryEntry, Header } from './layout';
import {
  BLOCK_BYTES,
  ENTRIES_PER_BLOCK,
  KNOWN_SECTIONS,
  REMAP_BLOCK_MAGIC,
  SECTION,
  SECTION_NAME,
  SECTION_OFFSET,
  TRAILER,
  TRAILER_AT,
} from './layout';

/** FORMAT.md section 5: at most so many combinations of remap blocks are tried. */
export const MAX_COMBINATIONS = 4096;

/** A slot that salvage may take bytes from; `name` is for the report ("spare 0 copy 3"). */
export interface SalvageSource {
  readonly name: string;
  readonly region: Region;
}

/** How one section was recovered, or what is missing of it. */
export interface SectionSalvage {
  readonly entry: DirectoryEntry;
  /** The proven bytes, or null. */
  readonly bytes: Uint8Array | null;
  /** What it was pieced together from: the section as a whole, or each block; of each piece all places that hold it. */
  readonly pieces: readonly (readonly SalvageSource[])[];
  /** For REMAPS: the best block found for each place (own crc right), whether or not the whole is proven. */
  readonly blocks: readonly (Uint8Array | null)[];
  readonly why: string | null;
}

export interface SalvageReport {
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly sections: readonly SectionSalvage[];
  /** The whole generation, if every section matches: recovered in full. */
  readonly generation: Generation | null;
  /** In words, what is missing or unproven; empty if nothing is. */
  readonly missing: readonly string[];
  /** Names of the places that contributed to what is proven. */
  readonly sources: readonly string[];
  /** The header and every piece of a section that was found, proven or not, each with all the places that hold it. */
  readonly pieces: readonly (readonly Region[])[];
}

interface Pool {
  readonly source: SalvageSource;
  readonly header: HeaderJudgement;
}

/** Tries to recover the generation of a usable header from all places that were read. */
export function salvage(
  judged: HeaderJudgement & { header: Header },
  sources: readonly SalvageSource[],
): SalvageReport {
  const { header } = judged;
  const pool = sources.map((source) => ({ source, header: judgeHeader(source.region) }));
  const sections = usedDirectory(header).map((entry) =>
    entry.type === SECTION.remaps ? salvageRemaps(header, entry, pool) : salvageSection(entry, pool),
  );
  const missing = sections.flatMap((section) =>
    section.bytes === null ? [`${sectionName(section.entry.type)} ${section.why ?? 'is missing'}`] : [],
  );
  let generation: Generation | null = null;
  if (missing.length === 0) {
    let overall = 0;
    for (const section of sections) overall = crc32(section.bytes ?? new Uint8Array(0), overall);
    if (overall === header.overallCrc) {
      generation = { header, headerBytes: judged.bytes.slice(), sections: sections.map(asSection) };
    } else missing.push('the sections together do not pass overall_crc');
  }
  const proven = new Set(sections.flatMap(({ bytes, pieces }) => (bytes === null ? [] : pieces.flat())));
  const headers = pool.filter(({ header: { bytes } }) => sameGenerationHeader(bytes, judged.bytes));
  const pieces = [headers.map(({ source }) => source), ...sections.flatMap((section) => section.pieces)];
  return {
    header,
    headerBytes: judged.bytes.slice(),
    sections,
    generation,
    missing,
    sources: sources.filter((source) => proven.has(source)).map((source) => source.name),
    pieces: pieces.map((places) => places.map(({ region }) => region)),
  };
}

function asSection({ entry, bytes }: SectionSalvage): Section {
  return {
    type: entry.type,
    offset: entry.offset,
    recordCount: entry.recordCount,
    reserved: entry.reserved,
    bytes: bytes ?? new Uint8Array(0),
  };
}

export function sectionName(type: number): string {
  return SECTION_NAME[type] ?? `section ${type}`;
}

/** Bytes [start, start + length) of a region, or null where any of them was not read. */
function readable(region: Region, start: number, length: number): Uint8Array | null {
  if (start + length > region.bytes.length || gapWithin(region, start, start + length) !== undefined)
    return null;
  return region.bytes.subarray(start, start + length);
}

/** Where a place may hold a section: as the wanted header says, as its own header says, as v4.0 writers do. */
function offsetsOf(entry: DirectoryEntry, header: HeaderJudgement): number[] {
  const offsets = new Set([entry.offset]);
  if (header.usable && header.header !== null) {
    for (const own of usedDirectory(header.header)) if (own.type === entry.type) offsets.add(own.offset);
  }
  const standard = KNOWN_SECTIONS.find((type) => type === entry.type);
  if (standard !== undefined) offsets.add(SECTION_OFFSET[standard]);
  return [...offsets];
}

function salvageSection(entry: DirectoryEntry, pool: readonly Pool[]): SectionSalvage {
  const found: { bytes: Uint8Array; from: SalvageSource[] }[] = [];
  for (const { source, header } of pool) {
    for (const offset of offsetsOf(entry, header)) {
      const bytes = readable(source.region, offset, entry.length);
      if (bytes === null || crc32(bytes) !== entry.crc || badRecordsOf(entry.type, bytes).length > 0)
        continue;
      const same = found.find((other) => equalBytes(other.bytes, bytes));
      if (same === undefined) found.push({ bytes, from: [source] });
      else if (!same.from.includes(source)) same.from.push(source);
    }
  }
  const only = found[0];
  if (found.length === 1 && only !== undefined)
    return { entry, bytes: only.bytes, pieces: [only.from], blocks: [], why: null };
  const why =
    found.length === 0 ? 'was found nowhere' : 'was found with two different contents that both match';
  return { entry, bytes: null, pieces: [], blocks: [], why };
}

interface BlockChoice {
  readonly bytes: Uint8Array;
  readonly sequence: bigint;
  readonly from: SalvageSource[];
}

/** No bytes lie in no place; but they too have to pass the crc in the header, or the copy made of them would not. */
function emptySection(entry: DirectoryEntry): SectionSalvage {
  const none = new Uint8Array(0);
  const why =
    entry.crc === crc32(none) ? null : 'is empty, but its crc in the header is not that of no bytes';
  return { entry, bytes: why === null ? none : null, pieces: [], blocks: [], why };
}

/** REMAPS: whole where it survives whole, else block by block. */
function salvageRemaps(header: Header, entry: DirectoryEntry, pool: readonly Pool[]): SectionSalvage {
  if (entry.length === 0) return emptySection(entry);
  const whole = salvageSection(entry, pool);
  const blocks = entry.length / BLOCK_BYTES;
  const choices: BlockChoice[][] = [];
  for (let block = 0; block < blocks; block++) choices.push(blockChoices(header, entry, block, blocks, pool));
  const best = choices.map((choice) => choice[0]?.bytes ?? null);
  const found = choices.flatMap(([choice]) => (choice === undefined ? [] : [choice.from]));
  if (whole.bytes !== null) return { ...whole, blocks: best };
  const lacking = choices.flatMap((choice, block) => (choice.length === 0 ? [block] : []));
  if (lacking.length > 0) {
    const which = `${lacking.slice(0, 8).join(', ')}${lacking.length > 8 ? ', …' : ''}`;
    const why = `lacks ${lacking.length} of ${blocks} blocks (${which})`;
    return { entry, bytes: null, pieces: found, blocks: best, why };
  }
  const match = combine(choices, entry.crc);
  if (match.length === 1 && match[0] !== undefined) {
    const bytes = new Uint8Array(entry.length);
    match[0].forEach((choice, block) => {
      bytes.set(choice.bytes, block * BLOCK_BYTES);
    });
    return {
      entry,
      bytes,
      pieces: match[0].map((choice) => choice.from),
      blocks: best,
      why: null,
    };
  }
  const why =
    match.length === 0
      ? 'was found, but no combination of its blocks passes the crc in the header'
      : 'was found with two different contents that both match';
  return { entry, bytes: null, pieces: found, blocks: best, why };
}

/** Distinct blocks that could be block `index` of this generation, newest first. */
function blockChoices(
  header: Header,
  entry: DirectoryEntry,
  index: number,
  blocks: number,
  pool: readonly Pool[],
): BlockChoice[] {
  const count = index < blocks - 1 ? ENTRIES_PER_BLOCK : entry.recordCount - (blocks - 1) * ENTRIES_PER_BLOCK;
  const found: BlockChoice[] = [];
  for (const { source } of pool) {
    // REMAPS lies at the same offset in every generation (FORMAT.md section 2).
    const bytes = readable(source.region, SECTION_OFFSET[SECTION.remaps] + index * BLOCK_BYTES, BLOCK_BYTES);
    if (bytes === null) continue;
    const trailer = decode(TRAILER, bytes, TRAILER_AT);
    if (trailer.magic !== REMAP_BLOCK_MAGIC || trailer.blockIndex !== index) continue;
    if (trailer.sequence > header.sequence || trailer.entryCount !== count) continue;
    if (badRecordsOf(SECTION.remaps, bytes).length > 0) continue;
    const same = found.find((other) => equalBytes(other.bytes, bytes));
    if (same === undefined) found.push({ bytes, sequence: trailer.sequence, from: [source] });
    else same.from.push(source);
  }
  return found.sort((a, b) => (a.sequence === b.sequence ? 0 : a.sequence > b.sequence ? -1 : 1));
}

/**
 * Combinations of one block a place whose bytes have the wanted crc: at most two are returned, since two different
 * matches are no match. The newest of every block is tried first; later blocks vary fastest, so that the crc of the
 * unchanged beginning is computed once. At most MAX_COMBINATIONS whole combinations are tried.
 */
function combine(choices: readonly BlockChoice[][], wanted: number): BlockChoice[][] {
  const matches: BlockChoice[][] = [];
  let tried = 0;
  const chosen: BlockChoice[] = [];
  const descend = (block: number, crc: number): void => {
    const options = choices[block];
    if (options === undefined) {
      tried++;
      if (crc === wanted) matches.push(chosen.slice());
      return;
    }
    for (const option of options) {
      if (tried >= MAX_COMBINATIONS || matches.length > 1) return;
      chosen.push(option);
      descend(block + 1, crc32(option.bytes, crc));
      chosen.pop();
    }
  };
  descend(0, 0);
  return matches;
}
