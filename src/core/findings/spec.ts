// SPDX-License-Identifier: GPL-2.0-or-later
// What a finding is told by: the columns of the table in ../findings.ts, and sentences that several rows share. The rows
// themselves are in the files beside this one.

export type Severity = 'error' | 'warning' | 'note';

/**
 * Which permission the repair of a finding needs: `preen` -p is enough; `yes` -y or a prompt; `choose`,
 * `accept-partial` and `force` that option on top; `never` no tool repairs it.
 */
export type RepairNeeds = 'preen' | 'yes' | 'choose' | 'accept-partial' | 'force' | 'never';

export interface FindingSpec {
  readonly severity: Severity;
  readonly repair: RepairNeeds;
  /** One line; `{name}` is replaced by the field of that name. */
  readonly message: string;
  /** For --explain: what it means, how it comes about, what to do. */
  readonly meaning: string;
  readonly causes: string;
  readonly action: string;
}

/** Rows of the table, by id. */
export type FindingRows = Readonly<Record<string, FindingSpec>>;

export const FSCK_P =
  'Run dmremap-fsck -p INPUT... to have the place rewritten from the winning copy; it can be undone.';
export const FSCK_Y = 'Run dmremap-fsck -y INPUT... ; an undo journal is written first.';
