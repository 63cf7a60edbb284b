// SPDX-License-Identifier: GPL-2.0-or-later
// The spares of a setup as seats: which input sits on which, how each stands to the generation in force, and what there
// is to say of a spare as a whole. Copies are judged in copies.ts, the winner is chosen in choose.ts.
import type { NewerGeneration } from './choose';
import { divergence, highestShown, isSameGeneration } from './choose';
import { decodeMany } from './codec';
import type { Finding } from './findings';
import { finding } from './findings';
import { damagedIdentity } from './identity';
import type { DeviceRecord, Header } from './layout';
import { DEVICE, DEVICE_FAILED, DEVICE_RETIRED, SECTION, SECTOR_BYTES_BIG } from './layout';
import type { CopyRef, CopyVerdict, JudgedSpare, Seat, Standing, Unplaced, Winner } from './model';

/** What the spares are held against. */
export interface Yardstick {
  /** DEVICES without main; null: nothing is known of the setup's spares but what they say themselves. */
  readonly records: readonly DeviceRecord[] | null;
  /** The generation that wins, or the newest one, of which only a part was recovered; null: there is neither. */
  readonly header: Header | null;
  /** False: the records are those of an older generation than `header`. */
  readonly own: boolean;
  readonly whole: boolean;
}

/**
 * The winner; else the newest generation, with its own DEVICES where they are proven, or those of the best whole copy.
 * Divergence must be seen in the latter case too (FORMAT.md section 5 judges it against the generation that will win):
 * whoever accepts the rest of a generation does not thereby give up what a spare went on to acknowledge by itself.
 */
export function yardstickOf(
  winner: Winner | null,
  newer: NewerGeneration | null,
  best: Winner | null,
): Yardstick {
  const recordsOf = (one: Winner | null): readonly DeviceRecord[] | null =>
    one?.contents?.devices.slice(1) ?? null;
  if (winner !== null || newer === null || newer.report === null) {
    return { records: recordsOf(winner ?? best), header: winner?.header ?? null, own: true, whole: true };
  }
  const { header, sections } = newer.report;
  const bytes = sections.find((section) => section.entry.type === SECTION.devices)?.bytes ?? null;
  const proven = bytes === null ? null : decodeMany(DEVICE, bytes, 0, bytes.length / DEVICE.size).slice(1);
  return { records: proven ?? recordsOf(best), header, own: proven !== null, whole: false };
}

export interface Seating {
  readonly seats: readonly Omit<Seat, 'copies'>[];
  readonly outsiders: readonly JudgedSpare[];
  readonly duplicates: readonly Finding[];
}

/** Puts every input on its seat: the spares of the yardstick's DEVICES, or without any the identities seen. */
export function seatsOf(setupUuid: string, spares: readonly JudgedSpare[], yardstick: Yardstick): Seating {
  const { records } = yardstick;
  const taken = new Map<number, JudgedSpare>();
  const outsiders: JudgedSpare[] = [];
  const duplicates: Finding[] = [];
  const place = (spare: JudgedSpare, uuid: string, index: number): void => {
    const sitting = taken.get(index);
    const record = records?.[index];
    if (records !== null && record?.deviceUuid !== uuid) outsiders.push(spare);
    else if (sitting !== undefined) {
      const fields = {
        path: sitting.read.label,
        other: spare.read.label,
        spareIndex: String(index),
        spareUuid: uuid,
      };
      duplicates.push(finding('spare-duplicate', fields, { spare: index }));
    } else taken.set(index, spare);
  };
  for (const spare of spares)
    if (spare.identity !== null) place(spare, spare.identity.uuid, spare.identity.index);
  for (const spare of spares) {
    // All headers damaged: what they still show is enough for a seat that nobody has, and for nothing else.
    const shown = spare.identity === null ? damagedIdentity(spare.slots) : null;
    if (shown === null || shown.setupUuid !== setupUuid || taken.has(shown.index)) continue;
    if (records !== null && records[shown.index]?.deviceUuid !== shown.uuid) continue;
    taken.set(shown.index, { ...spare, identity: { uuid: shown.uuid, index: shown.index } });
  }
  const indexes =
    records === null ? [...taken.keys()].sort((a, b) => a - b) : records.map((_record, index) => index);
  const seats = indexes.map((index) => {
    const spare = taken.get(index) ?? null;
    const uuid = records?.[index]?.deviceUuid ?? spare?.identity?.uuid ?? '';
    const shown = spare === null ? 0n : highestShown(spare, setupUuid);
    return { index, uuid, spare, standing: standingOf(spare, index, yardstick), highestShown: shown };
  });
  return { seats, outsiders, duplicates };
}

function standingOf(spare: JudgedSpare | null, index: number, yardstick: Yardstick): Standing {
  const { records, header, whole } = yardstick;
  const record = records?.[index];
  const retired = record !== undefined && (record.flags & DEVICE_RETIRED) !== 0;
  if (spare === null) return retired ? 'retired' : 'absent';
  if (record === undefined || header === null) return retired ? 'retired' : 'current';
  // A retired spare too: others may have retired it while it went on and acknowledged writes.
  if (strayed(spare, record, yardstick) !== null) return 'diverged';
  if (retired) return 'retired';
  return whole && record.lastSequence < header.sequence ? 'behind' : 'current';
}

/** The header that shows that a spare went on without the others, or null. */
function strayed(spare: JudgedSpare, record: DeviceRecord, { header, own }: Yardstick): Header | null {
  if (header === null) return null;
  // Where the newest DEVICES are lost, the run that wrote them is known for what it put on the spares until then.
  return divergence(spare, record, header.setupUuid, own ? null : header);
}

/** A split: valid copies of the highest sequence that differ, or a spare that went on without the others. */
export function splitFindings(
  ordered: readonly CopyRef[],
  winner: Winner | null,
  seats: readonly Omit<Seat, 'copies'>[],
  { header }: Yardstick,
): Finding[] {
  const diverged = seats.filter((seat) => seat.standing === 'diverged');
  const rivals =
    winner === null || winner.salvage !== null
      ? []
      : ordered.filter(
          (ref) =>
            ref.judgement.header.header?.sequence === winner.header.sequence &&
            !isSameGeneration(ref, winner.from),
        );
  if (rivals.length === 0 && diverged.length === 0) return [];
  const name = (ref: CopyRef): string => `spare ${ref.spare.identity?.index ?? '?'} copy ${ref.copyIndex}`;
  const side =
    winner === null
      ? `of sequence ${header?.sequence ?? 0n}, the newest, only a part was recovered`
      : `sequence ${winner.header.sequence} (${name(winner.from)}) would win`;
  const others = [
    ...rivals.slice(0, 1).map((ref) => `${name(ref)} has the same sequence with other contents`),
    ...diverged.map((seat) => `spare ${seat.index} went on by itself to sequence ${seat.highestShown}`),
  ];
  return [finding('setup-split', { sides: [side, ...others].join('; ') })];
}

/** Findings about a spare as a whole. `unplaced`: inputs without a seat, one of which may be the spare. */
export function seatFindings(seat: Seat, yardstick: Yardstick, unplaced: readonly Unplaced[]): Finding[] {
  const found: Finding[] = [];
  const { header } = yardstick;
  const record = header === null ? undefined : yardstick.records?.[seat.index];
  if (seat.standing === 'absent') {
    const size = record === undefined ? '' : ` (${describeRecord(record)})`;
    const maybe = unplaced.find(({ claims }) => claims?.uuid === seat.uuid);
    const known = maybe === undefined ? size : `${size}, unless ${maybe.read.label} is it`;
    found.push(
      finding('spare-absent', { spare: String(seat.index), uuid: seat.uuid, known }, { spare: seat.index }),
    );
  }
  if (seat.spare === null || header === null) return found;
  if (seat.standing === 'behind') {
    const fields = { sequence: String(seat.highestShown), winner: String(header.sequence) };
    found.push(finding('spare-behind', fields, { spare: seat.index }));
  }
  if (seat.standing === 'diverged' && record !== undefined) {
    const shown = strayed(seat.spare, record, yardstick);
    const fields = { sequence: String(shown?.sequence ?? 0n), run: (shown?.runId ?? 0n).toString(16) };
    found.push(finding('spare-diverged', fields, { spare: seat.index }));
  }
  if (seat.standing === 'retired') found.push(finding('spare-retired', {}, { spare: seat.index }));
  if (record !== undefined && (record.flags & DEVICE_FAILED) !== 0)
    found.push(finding('spare-failed', {}, { spare: seat.index }));
  return found;
}

function describeRecord(record: DeviceRecord): string {
  const mebibytes = (record.sizeSectors * SECTOR_BYTES_BIG) / 1048576n;
  return `${mebibytes} MiB, generation ${record.lastSequence} at most`;
}

/** The copies of a spare that was not given. */
export function absentCopies(): CopyVerdict[] {
  return [0, 1, 2, 3, 4].map((copyIndex) => ({ copyIndex, state: 'absent', sequence: null, findings: [] }));
}
