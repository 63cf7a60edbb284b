// SPDX-License-Identifier: GPL-2.0-or-later
// What to type next about an input that may be a spare its setup lacks: where it can't be given a place, or shows nothing
// at all. Only here are both known, the decision about a setup and the paths of its inputs; nothing is run.
import { SECTOR_BYTES_BIG } from '../core/layout';
import type { Finding } from '../core/findings';
import { finding } from '../core/findings';
import type { Seat, SetupDecision, Unplaced } from '../core/model';
import { shellWord } from '../core/paths';
import type { Located } from './scan';

type Locate = (seat: Seat) => Located | null;

/** A decision, and where its seats lie: an Examined is one. */
interface Seated {
  readonly decision: SetupDecision;
  readonly locate: Locate;
}

/** The commands that put a setup's copies onto the one spare that is missing, if that is `path`. */
interface Restoring {
  readonly missing: Seat;
  /** The spares that were given, as words for a shell. */
  readonly given: string;
  /** All of them in order of index, as dmremap-restore wants them. */
  readonly order: string;
}

/** Null unless exactly one spare is missing. */
function restoring(seats: readonly Seat[], locate: Locate, path: string): Restoring | null {
  const [missing, ...others] = seats.filter((seat) => seat.spare === null);
  if (missing === undefined || others.length > 0) return null;
  const pathOf = (seat: Seat): string => shellWord(locate(seat)?.path ?? path);
  const given = seats.filter((seat) => seat.spare !== null).map(pathOf);
  return { missing, given: given.join(' '), order: seats.map(pathOf).join(' ') };
}

/** An input without metadata beside a setup that lacks one spare: what to type if it is that spare. */
export function wipedSpare({ decision, locate }: Seated, name: string, path: string): Finding[] {
  const way = restoring(decision.seats, locate, path);
  if (way === null) return [];
  const { missing, given, order } = way;
  return [finding('input-spare-wiped', { path, spare: String(missing.index), name, given, order })];
}

/** Inputs of a setup that sit on none of its seats. `locatedOf`: where such an input lies. */
export function unplacedFindings(
  seated: Seated,
  locatedOf: (unplaced: Unplaced) => Located | null,
): Finding[] {
  return seated.decision.unplaced.map((unplaced) => {
    const located = locatedOf(unplaced);
    const next = located === null ? lookAt(unplaced.read.label) : nextFor(seated, unplaced, located);
    return finding('spare-unplaced', { path: unplaced.read.label, why: unplaced.why, next });
  });
}

const lookAt = (path: string): string => `look at it with dmremap-inspect ${shellWord(path)}`;

function nextFor({ decision, locate }: Seated, unplaced: Unplaced, located: Located): string {
  const { begins, claims } = unplaced;
  const { path } = located;
  if (begins !== null && begins >= 0n) {
    const whole = begins % SECTOR_BYTES_BIG === 0n;
    const offset = whole ? `${begins / SECTOR_BYTES_BIG}s` : String(begins);
    return `try dmremap-fsck -n --offset ${offset} ${shellWord(path)}`;
  }
  if (begins !== null) return `${lookAt(path)}, and take the image again, from where the spare begins`;
  const way = isWhole(decision) && located.whole ? restoring(decision.seats, locate, path) : null;
  if (way === null || way.missing.uuid !== claims?.uuid) return lookAt(path);
  const { missing, given, order } = way;
  return `if it is spare ${missing.index}: dmremap-dump ${given} > setup.json, then dmremap-restore setup.json ${order}`;
}

/** Whether dmremap-dump has a generation to give. */
function isWhole({ verdict, winner }: SetupDecision): boolean {
  return winner !== null && verdict !== 'split' && verdict !== 'partial' && verdict !== 'lost';
}
