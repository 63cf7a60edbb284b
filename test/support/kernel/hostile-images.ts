// SPDX-License-Identifier: GPL-2.0-or-later
// Mutated spares on the disks of a guest, and what the user-space build of the kernel's format code, with the sizes in
// their records, says that the target must make of them. Holding the target to it is in test/kernel/hostile.test.ts.
import { contentsOf } from '../../../src/core/generation';
import { judgeSlot } from '../../../src/core/judge';
import { SLOT_SECTORS } from '../../../src/core/layout';
import { SPARE_BYTES } from '../../../fixtures/build';
import type { Gap } from '../../../src/core/extents';
import { fuzzImage } from '../fuzz-images';
import type { History } from '../histories';
import { chance } from '../mutate';
import type { KernelDecision, KernelQuestion, KernelSpare } from '../kernel-judge';
import { PageStore } from '../page-store';
import { prng } from '../prng';
import type { VirtualDisk } from './disk';
import { SECTOR } from './disk';

/** What the fixtures' setups say of main. */
export const MAIN_SECTORS = 2_097_152;
export const SPARE_SECTORS = SPARE_BYTES / SECTOR;
const BLOCK = 4096;
const SLOT_BYTES_AT = 0x74;
const MOST_SLOT_BYTES = 524_288;
const DIRECTORY_AT = 0x80;
const DIRECTORY_END = 0x140;
const DIRECTORY_ENTRY = 24;

interface HostileSpare {
  readonly slots: readonly Uint8Array[];
  readonly gaps: readonly (readonly Gap[])[];
}

export interface Hostile {
  readonly seed: number;
  readonly story: string;
  /** By position in the table; null: missing. */
  readonly spares: readonly (HostileSpare | null)[];
  readonly setupUuid: string | null;
  readonly readOnly: boolean;
  readonly question: KernelQuestion;
}

/** Does a section that the directory lists cover anything of the block at this byte? The header's own block counts. */
function isCovered(slot: Uint8Array, at: number): boolean {
  if (at < BLOCK) return true;
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  const word = (byte: number): number => view.getUint32(byte, true);
  for (let entry = DIRECTORY_AT; entry < DIRECTORY_END && word(entry) !== 0; entry += DIRECTORY_ENTRY) {
    const [offset, length] = [word(entry + 4), word(entry + 8)];
    if (offset < at + BLOCK && offset + length > at) return true;
  }
  return false;
}

/**
 * As much of a slot as the target reads: up to where its header says that it ends, and to the first gap that a section
 * lies over. Other gaps are zeros to it.
 */
function readable(slot: Uint8Array, gaps: readonly Gap[]): Uint8Array {
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
  const claimed = slot.length >= SLOT_BYTES_AT + 4 ? view.getUint32(SLOT_BYTES_AT, true) : 0;
  const wanted = Math.max(slot.length, claimed <= MOST_SLOT_BYTES ? claimed : 0, BLOCK);
  const length = Math.min(MOST_SLOT_BYTES, Math.ceil(wanted / BLOCK) * BLOCK);
  if (gaps.length === 0 && length <= slot.length) return slot.subarray(0, length);
  const whole = new Uint8Array(length);
  whole.set(slot.subarray(0, length));
  for (let at = 0; at < whole.length; at += BLOCK) {
    if (!gaps.some(({ start, end }) => start < at + BLOCK && end > at)) continue;
    if (isCovered(whole, at)) return whole.subarray(0, at);
    whole.fill(0, at, at + BLOCK);
  }
  return whole;
}

const kernelSpare = ({ slots, gaps }: HostileSpare): KernelSpare =>
  slots.map((slot, copy) => readable(slot, gaps[copy] ?? []));

/** What the target looks at of a spare: none of it if it goes without missing ones, and can't read a header of this one. */
function seenSpare(spare: HostileSpare | null, degraded: boolean): KernelSpare | null {
  if (spare === null) return null;
  const seen = kernelSpare(spare);
  return degraded && seen.every((slot) => slot.length === 0) ? null : seen;
}

/** The same seed gives the same spares. */
export function hostile(histories: readonly History[], seed: number): Hostile {
  const image = fuzzImage(histories, seed);
  const history = histories.find(({ name }) => name === image.story[0]);
  if (history === undefined) throw new Error(`seed ${seed} is of no history`);
  const random = prng(seed ^ 0x5bd1e995);
  const spares = Array.from({ length: history.spares }, (_unused, i): HostileSpare | null => {
    const given = image.spares[i];
    return given === undefined
      ? null
      : { slots: given.slots, gaps: given.slots.map((_slot, copy) => given.gaps?.[copy] ?? []) };
  });
  const setupUuid = chance(random, 70) ? image.setupUuid : null;
  return {
    ...{ seed, spares, setupUuid },
    story: image.story.join('; '),
    readOnly: chance(random, 35),
    question: { setupUuid, spares: spares.map((spare) => seenSpare(spare, spares.includes(null))) },
  };
}

/** The table for a guest in which the disks are called main, spare0, spare1 ... */
export function tableOf({ spares, setupUuid, readOnly }: Hostile): string {
  const features = [
    ...(spares.includes(null) ? ['degraded'] : []),
    ...(readOnly ? ['read_only'] : []),
    ...(setupUuid === null ? [] : ['setup', setupUuid]),
  ];
  const paths = spares.map((spare, i) => (spare === null ? '-' : `/dev/lab/spare${i}`));
  return [
    `0 ${MAIN_SECTORS} remap /dev/lab/main 0`,
    `${spares.length} ${paths.join(' ')}`,
    `${features.length} ${features.join(' ')}`,
  ].join(' ');
}

/** Puts the image on the guest's disks. */
export function plant({ spares }: Hostile, disks: readonly VirtualDisk[]): void {
  spares.forEach((spare, i) => {
    const disk = disks[i];
    if (spare === null || disk === undefined) return;
    const store = PageStore.of(SPARE_BYTES);
    spare.slots.forEach((slot, copy) => {
      const first = Number(SLOT_SECTORS[copy] ?? 0n);
      store.write(first * SECTOR, slot.subarray(0, MOST_SLOT_BYTES));
    });
    disk.heal();
    disk.load(store);
    spare.gaps.forEach((gaps, copy) => {
      const first = Number(SLOT_SECTORS[copy] ?? 0n);
      for (const { start, end } of gaps) {
        const from = Math.floor(start / SECTOR);
        disk.failReads(first + from, Math.ceil(end / SECTOR) - from);
      }
    });
  });
}

/** The slots of a disk as they are now, for the judge. */
export function slotsOn(disk: VirtualDisk): KernelSpare {
  return SLOT_SECTORS.map((sector) => {
    const head = disk.peek(Number(sector), BLOCK / SECTOR);
    const claimed = new DataView(head.buffer, head.byteOffset).getUint32(SLOT_BYTES_AT, true);
    const bytes = Math.min(MOST_SLOT_BYTES, Math.max(BLOCK, Math.ceil(claimed / BLOCK) * BLOCK));
    return disk.peek(Number(sector), bytes / SECTOR);
  });
}

/** What the target must do, and words of its message where it refuses; several where either may come first. */
export interface Expected {
  readonly loads: 'no' | 'read-only' | 'writable' | 'maybe';
  readonly words: RegExp;
}

const refused = (words: string): Expected => ({ loads: 'no', words: new RegExp(words) });
const escape = (text: string): string => text.replace(/[^A-Za-z0-9 ]/g, '\\$&');

/** A decision as the judge prints it: with the words that the target would say. */
export type Spoken = KernelDecision & { readonly name: string };

/** What the records of the winner say about the devices, against those of the guest: a refusal, or null. */
function tableRefusal(
  image: Hostile,
  decision: Spoken,
): { readonly refusal: Expected | null; minCopies: number } {
  const [spare, copy] = decision.winner;
  const slot = image.question.spares[spare]?.[copy] ?? new Uint8Array(0);
  const { generation } = judgeSlot({ bytes: slot, gaps: [] }, 'integrity');
  if (generation === null) throw new Error('the toolkit does not take the winner for valid');
  const { devices, config } = contentsOf(generation);
  const [main, ...spares] = devices;
  const { minCopies } = config;
  const no = (words: string): { refusal: Expected; minCopies: number } => ({
    refusal: refused(words),
    minCopies,
  });
  if (main?.dataStart !== 0n || main.dataSectors !== BigInt(MAIN_SECTORS)) return no('the table maps');
  for (const [i, { dataStart, dataSectors }] of spares.entries()) {
    if (image.spares[i] === null) continue;
    if (dataStart + dataSectors > BigInt(SPARE_SECTORS)) return no('too few for its data');
  }
  const recorded = Math.max(SECTOR, ...devices.map(({ logicalBlockSize }) => logicalBlockSize));
  const unit = config.remapUnit;
  if (
    ![SECTOR, BLOCK].includes(recorded) ||
    (recorded > SECTOR && !image.readOnly) ||
    ![1, 8].includes(unit) ||
    unit < recorded / SECTOR
  )
    return no('blocks of 512 bytes, but');
  return { refusal: null, minCopies };
}

/** What the target must make of an image about which the judge decided so. */
export function expectedOf(image: Hostile, decision: Spoken): Expected {
  const { refusal, name, why, unsound, rule } = decision;
  if (refusal === 'spare-count') return refused('the table has \\d+ spares, the setup');
  if (refusal !== 'ok') return refused(escape(`${name}: ${why ?? ''}`));
  const table = tableRefusal(image, decision);
  if (table.refusal !== null) return table.refusal;
  if (unsound && !image.readOnly) return refused(escape(`unsound (${rule ?? ''})`));
  if (image.readOnly || decision.roCompat || decision.exhausted) return { loads: 'read-only', words: /^/ };
  const writable = decision.spares.map(({ present, standing, copies }) =>
    present && (standing === 'current' || standing === 'behind')
      ? copies.filter(({ state }) => state !== 'foreign' && state !== 'unknown').length
      : 0,
  );
  const few = /too few copies of the metadata can be written/;
  if (Math.max(...writable) < table.minCopies) return { loads: 'no', words: few };
  // Where something can't be read, what can be written is for the target to find out.
  const hasGaps = image.spares.some((spare) => spare?.gaps.some((gaps) => gaps.length > 0) === true);
  return hasGaps ? { loads: 'maybe', words: few } : { loads: 'writable', words: few };
}
