// SPDX-License-Identifier: GPL-2.0-or-later
// How errors look in every JSON document: a Fault, and the groups of writes that failed by one.
import type { FailedGroup } from '../commands/writing';
import type { Fault } from '../core/faults';

/** `{code, fields, message, hint}`; the hint is null where there is none. */
export function faultJson(fault: Fault): Readonly<Record<string, unknown>> {
  const { code, fields } = fault.toJSON();
  return { code, fields, message: fault.sentence, hint: fault.hint ?? null };
}

/** What could not be written, and why. */
export function failedJson(failed: readonly FailedGroup[]): unknown {
  return failed.map(({ group, fault }) => ({ group, message: fault.sentence }));
}
