// SPDX-License-Identifier: GPL-2.0-or-later
// Inputs that belong to a setup and yet sit on none of its seats: why, and what their headers still say. Seats are given
// in seats.ts; what a person can type next is told in src/commands, where the paths are known.
import { allRefs, evidenceOf } from './choose';
import { damagedIdentity } from './identity';
import { MAX_SPARES, SECTOR_BYTES_BIG, SLOT_SECTORS } from './layout';
import type { Identity, JudgedSpare, Seat, Unplaced } from './model';

/** So many intact copies must agree before they show where a spare begins: a single one may just be a stray write. */
const LEAST_WITNESSES = 2;

/** What keeps an input from every seat. `seats`: those of the setup, as seatsOf has given them. */
export function unplacedInput(
  setupUuid: string,
  spare: JudgedSpare,
  seats: readonly Pick<Seat, 'index' | 'uuid' | 'spare'>[],
): Unplaced {
  const { read } = spare;
  const shown = evidenceOf(allRefs([spare]), setupUuid);
  const claims = claimOf(spare, setupUuid);
  if (shown.length === 0) return { read, why: whyUnread(claims, seats), begins: null, claims };
  const misplaced = shown.filter(({ header, ref }) => header.copyIndex !== ref.copyIndex);
  const inPlace = shown.filter((one) => !misplaced.includes(one));
  if (inPlace.length > 0) {
    const indexes = [...new Set(inPlace.map(({ header }) => header.spareIndex))].sort((a, b) => a - b);
    const why = `its copies say that it is spare ${indexes.join(' or ')}, but a setup has spares 0 to ${MAX_SPARES - 1}`;
    return { read, why, begins: null, claims };
  }
  const places = misplaced.map(({ header, ref }) => `copy ${header.copyIndex} in slot ${ref.copyIndex}`);
  const starts = new Set(
    misplaced.map(({ header, ref }) => {
      const own = SLOT_SECTORS[header.copyIndex];
      return own === undefined ? null : read.base + (slotSector(ref.copyIndex) - own) * SECTOR_BYTES_BIG;
    }),
  );
  const [start = null] = starts;
  const begins = starts.size === 1 && misplaced.length >= LEAST_WITNESSES ? start : null;
  const every = shown.length === 1 ? 'the only intact copy on it lies' : 'all intact copies on it lie';
  const why = `${every} in a wrong place (${places.join(', ')})${beginsText(begins)}`;
  return { read, why, begins, claims };
}

function beginsText(begins: bigint | null): string {
  if (begins === null) return '';
  return begins < 0n
    ? `: the first ${-begins} bytes of the spare seem to be missing from it`
    : `: the spare seems to begin at byte ${begins} of it`;
}

function slotSector(copyIndex: number): bigint {
  return SLOT_SECTORS[copyIndex] ?? 0n;
}

/** Which spare all intact headers say that it is, or else the damaged ones; null where they differ or say nothing. */
function claimOf(spare: JudgedSpare, setupUuid: string): Identity | null {
  const [first, ...others] = evidenceOf(allRefs([spare]), setupUuid).map(({ header }) => header);
  if (first === undefined) {
    const damaged = damagedIdentity(spare.slots);
    return damaged?.setupUuid === setupUuid ? { uuid: damaged.uuid, index: damaged.index } : null;
  }
  const same = others.every(
    (one) => one.spareUuid === first.spareUuid && one.spareIndex === first.spareIndex,
  );
  return same ? { uuid: first.spareUuid, index: first.spareIndex } : null;
}

/** No header on it is intact, and what the damaged ones show was not enough for a seat. */
function whyUnread(
  claims: Identity | null,
  seats: readonly Pick<Seat, 'index' | 'uuid' | 'spare'>[],
): string {
  if (claims === null) return 'no header on it is intact';
  const shows = `no header on it is intact; what is left of them shows spare ${claims.index} (${claims.uuid})`;
  const sitting = seats.find(({ index, uuid }) => index === claims.index && uuid === claims.uuid)?.spare;
  return sitting === undefined || sitting === null
    ? `${shows}, which the setup does not have`
    : `${shows}, and that is ${sitting.read.label}`;
}
