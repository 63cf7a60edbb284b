// SPDX-License-Identifier: GPL-2.0-or-later
// Sectors that say what they are: the same pattern as the guest's (test/kernel/guest/pattern.c), and runs of sectors
// with the same contents or the same result. Sector numbers here are plain numbers: the disks of the lab are small.

const SECTOR = 512;
const MAGIC = 0x54524d44;
const WORDS = 128;
const HEAD = 4;
const LOW = 0x100000000;

/** Neighbouring sectors of which the same is to be said: a content ("v3", "zero", "other") or a result ("ok", "EIO"). */
export interface Run {
  readonly sector: number;
  readonly count: number;
  readonly state: string;
}

function fillWords(sector: number, version: number): Uint32Array {
  const words = new Uint32Array(WORDS);
  const low = sector % LOW;
  const high = Math.floor(sector / LOW);
  let state = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
  state = Math.imul(state ^ version, 0xc2b2ae35) >>> 0;
  state = (state ^ (state >>> 15)) >>> 0;
  if (state === 0) state = 1;
  words.set([MAGIC, version, low, high]);
  for (let i = HEAD; i < WORDS; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return words;
}

/** The pattern of one sector; versions are 1..2^32-1. */
export function patternSector(sector: number, version: number): Uint8Array {
  return new Uint8Array(fillWords(sector, version).buffer);
}

/** The pattern of a range of sectors. */
export function patternRange(sector: number, count: number, version: number): Uint8Array {
  const bytes = new Uint8Array(count * SECTOR);
  for (let i = 0; i < count; i++) bytes.set(patternSector(sector + i, version), i * SECTOR);
  return bytes;
}

const ZEROS = Buffer.alloc(SECTOR);

/**
 * What 512 bytes hold: "zero", "v3" (the pattern of this sector in version 3), "s7v3" (that of sector 7), or "other",
 * which torn sectors are too.
 */
export function contentOf(sector: number, bytes: Uint8Array): string {
  if (ZEROS.equals(bytes)) return 'zero';
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  if (view.getUint32(0, true) !== MAGIC) return 'other';
  const version = view.getUint32(4, true);
  const own = view.getUint32(8, true) + view.getUint32(12, true) * LOW;
  if (!Buffer.from(patternSector(own, version).buffer).equals(bytes)) return 'other';
  return own === sector ? `v${version}` : `s${own}v${version}`;
}

/** Joins neighbours of the same state. */
export function joinRuns(runs: Iterable<Run>): Run[] {
  const joined: Run[] = [];
  for (const run of runs) {
    const last = joined.at(-1);
    if (last?.state === run.state && last.sector + last.count === run.sector)
      joined[joined.length - 1] = { ...last, count: last.count + run.count };
    else joined.push(run);
  }
  return joined;
}

/** What the sectors from `sector` on hold. */
export function contentRuns(sector: number, bytes: Uint8Array): Run[] {
  const runs = Array.from({ length: bytes.length / SECTOR }, (_, i) => ({
    sector: sector + i,
    count: 1,
    state: contentOf(sector + i, bytes.subarray(i * SECTOR, (i + 1) * SECTOR)),
  }));
  return joinRuns(runs);
}

/** "0+8:v3 8+1:EIO" as runs: how the guest reports, and a short form for expectations. */
export function parseRuns(text: string): Run[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const match = /^(\d+)\+(\d+):(\S+)$/.exec(word);
      if (match === null) throw new Error(`"${word}" is no run of sectors`);
      return { sector: Number(match[1]), count: Number(match[2]), state: match[3] ?? '' };
    });
}

export const formatRuns = (runs: readonly Run[]): string =>
  runs.map(({ sector, count, state }) => `${sector}+${count}:${state}`).join(' ');
