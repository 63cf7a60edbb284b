// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a spare-to-be carries dm-remap metadata already, whole or damaged: what dmremap-format must not overwrite
// unasked. Judging a setup is setup.ts; other layouts that go by the name are among the signatures (content/).
import { MAGIC_TEXT, SLOT_ROOM_BYTES, SLOT_SECTORS } from './layout';
import { SECTOR_BYTES, textOf } from './bytes';
import type { ByteSource } from './extents';
import { readRegion } from './extents';
import { contentsOf } from './generation';
import { isEvidence } from './header';
import { judgeSlot } from './judge';

export interface MetadataTrace {
  /** For a person; holds a name from the disk, so to be escaped before it is shown. */
  readonly text: string;
  /** It looks like a new setup that was never finished: nothing in it can be worth anything. */
  readonly unfinished: boolean;
}

interface SetupSeen {
  name: string | null;
  sequence: bigint;
  good: number;
  whole: number;
  byFormat: boolean;
}

/** What v4 metadata there is in the five places of a source; null if there is none. Unread places tell nothing. */
export function metadataTrace(source: ByteSource): MetadataTrace | null {
  const setups = new Map<string, SetupSeen>();
  const damaged: bigint[] = [];
  for (const sector of SLOT_SECTORS) {
    const region = readRegion(source, sector * BigInt(SECTOR_BYTES), SLOT_ROOM_BYTES);
    const slot = judgeSlot(region, 'complete');
    if (isEvidence(slot.header)) {
      const { header } = slot.header;
      const seen = setups.get(header.setupUuid) ?? {
        name: null,
        sequence: 0n,
        good: 0,
        whole: 0,
        byFormat: true,
      };
      seen.good++;
      if (slot.valid) seen.whole++;
      if (slot.generation !== null) seen.name ??= textOf(contentsOf(slot.generation).config.name);
      if (header.sequence > seen.sequence) seen.sequence = header.sequence;
      seen.byFormat &&= header.sequence === 1n && textOf(header.writer).startsWith('dmremap-format ');
      setups.set(header.setupUuid, seen);
    } else if (textOf(region.bytes.subarray(0, 16)) === MAGIC_TEXT) {
      damaged.push(sector);
    }
  }
  const texts = [...setups].map(
    ([uuid, seen]) =>
      `dm-remap metadata of the setup ${uuid} (${seen.name === null ? '' : `"${seen.name}", `}sequence ${seen.sequence}, ${seen.whole} of 5 copies whole)`,
  );
  if (damaged.length > 0) texts.push(`damaged dm-remap headers at sector ${damaged.join(', ')}`);
  if (texts.length === 0) return null;
  const [only] = setups.values();
  const unfinished =
    setups.size === 1 && only !== undefined && only.byFormat && only.whole < SLOT_SECTORS.length;
  return { text: texts.join('; '), unfinished };
}
