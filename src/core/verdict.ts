// SPDX-License-Identifier: GPL-2.0-or-later
// What the findings about a setup add up to: its verdict, and whether it may be written to at all. What is found is decided
// in setup.ts.
import type { Finding } from './findings';
import { findingSpec } from './findings';
import type { SetupDecision, Winner } from './model';

/** Beside broken rules, what no repair can put right. */
const INCONSISTENT = new Set<string>(['spare-duplicate', 'spare-identity', 'sequence-exhausted']);

/** Findings that no permission makes writable. */
const REFUSING = new Set<string>([...INCONSISTENT, 'setup-unsupported', 'feature-ro-compat']);

/** Why nothing may be written to a setup at all, whatever is permitted; null: it may. */
export function refusalOf(
  findings: readonly Finding[],
  winner: Winner | null,
  unsupported: Finding | null,
): string | null {
  if (unsupported !== null) return 'a newer version of dm-remap wrote it';
  if (winner !== null && winner.header.roCompat !== 0n) return 'it has features that only allow reading';
  const broken = findings.find(
    (one) => REFUSING.has(one.id) || (one.id.startsWith('rule-') && findingSpec(one.id).severity === 'error'),
  );
  return broken === undefined ? null : `of the finding ${broken.id}`;
}

/** The verdict that the findings add up to. */
export function verdictOf(
  findings: readonly Finding[],
  facts: { winner: Winner | null; partial: boolean; split: boolean; unsupported: boolean },
): SetupDecision['verdict'] {
  const has = (test: (one: Finding) => boolean): boolean => findings.some(test);
  if (facts.unsupported) return 'inconsistent';
  if (has((one) => one.id === 'setup-lost')) return 'lost';
  if (facts.split) return 'split';
  if (facts.partial) return 'partial';
  if (has((one) => one.id.startsWith('rule-') || INCONSISTENT.has(one.id))) return 'inconsistent';
  if (facts.winner?.salvage) return 'salvageable';
  return has((one) => findingSpec(one.id).severity === 'error') ? 'repairable' : 'clean';
}
