// SPDX-License-Identifier: GPL-2.0-or-later
// The results of dmremap-inspect as the values of its JSON document, dmremap.inspect/1 (docs/schemas/inspect.json).
import type { InspectedSetup, InspectedSlot } from '../commands/inspect';
import { contentsOfSlot } from '../commands/inspect';
import type { ScanResult } from '../commands/scan';
import { slotHex } from '../core/annotate';
import { contentsJson } from '../core/describe';
import { remapTotals } from '../core/totals';
import type { SlotDifferences } from '../core/differences';
import { SLOT_SECTORS } from '../core/layout';
import { JsonList } from '../core/record-json';
import { findingJson, winnerJson } from './fsck-json';
import { RawJson } from './json';

export const INSPECT_SCHEMA = 'dmremap.inspect/1';

export interface InspectJsonOptions {
  /** Only this copy of each spare, with what stands in it; null: all copies in short. */
  readonly copy: number | null;
  readonly hex: boolean;
}

/** One element of `setups`. What is large in it is made while it is written: it holds on to the setup until then. */
export function inspectedJson(
  setup: InspectedSetup,
  differences: { readonly a: string; readonly b: string; readonly found: SlotDifferences } | null,
  options: InspectJsonOptions,
): unknown {
  const { decision, contents } = setup;
  const totals = remapTotals(contents?.remaps ?? []);
  return {
    format: 'dmremap-v4',
    setupUuid: setup.setupUuid,
    name: setup.name,
    verdict: decision.verdict,
    winner: winnerJson(decision.winner),
    remapCount: totals.entries,
    lostSectors: totals.lostSectors,
    ...(contents === null
      ? { header: null, devices: [], config: null, health: null, events: [], remaps: [] }
      : contentsJson(contents)),
    spares: setup.spares.map((spare) => ({
      index: spare.index,
      uuid: spare.uuid,
      path: spare.located?.path ?? null,
      label: spare.located?.label ?? null,
      copies: new JsonList(() => copiesJson(spare.slots, options)),
    })),
    findings: setup.findings.map(findingJson),
    differences: differences === null ? null : differencesJson(differences),
  };
}

function* copiesJson(slots: readonly InspectedSlot[], options: InspectJsonOptions): Generator {
  for (const slot of slots)
    if (options.copy === null || slot.copyIndex === options.copy) yield copyJson(slot, options);
}

function copyJson(slot: InspectedSlot, options: InspectJsonOptions): unknown {
  const { verdict, judgement } = slot;
  return {
    index: slot.copyIndex,
    sector: SLOT_SECTORS[slot.copyIndex] ?? 0n,
    state: verdict?.state ?? null,
    sequence: verdict?.sequence ?? null,
    findings: [...new Set((verdict?.findings ?? []).map(({ id }) => id))].sort(),
    header: judgement.header.state,
    valid: judgement.valid,
    badSections: judgement.sections
      .filter(({ crcOk, badRecords }) => !crcOk || badRecords.length > 0)
      .map(({ entry, crcOk, badRecords }) => ({ type: entry.type, crcOk, badRecords })),
    unread: slot.region.gaps.map(({ start, end, reason }) => ({
      start: String(start),
      end: String(end),
      reason,
    })),
    contents: options.copy === null ? undefined : contentsJson(contentsOfSlot(slot)),
    hex: options.hex ? RawJson.plainString(() => slotHex(slot.region)) : undefined,
  };
}

function differencesJson({ a, b, found }: { a: string; b: string; found: SlotDifferences }): unknown {
  return {
    a,
    b,
    fields: found.fields,
    ranges: found.ranges.map(({ where, start, end }) => ({ where, start: String(start), end: String(end) })),
    omitted: found.omitted,
  };
}

/** The whole document; `setups` are the elements in order. */
export function inspectDocument(
  scan: ScanResult,
  setups: readonly unknown[],
  facts: { readonly exitCode: number; readonly tool: { readonly name: string; readonly version: string } },
): unknown {
  return {
    schema: INSPECT_SCHEMA,
    tool: facts.tool,
    exitCode: facts.exitCode,
    inputs: scan.inputs.map(({ path, kind, sizeBytes }) => ({ path, kind, sizeBytes })),
    setups,
    findings: scan.findings.map(findingJson),
  };
}
