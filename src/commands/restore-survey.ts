// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-restore looks at before it may write: what is in the dump, and whether the spares are those that the dump
// tells of. Everything is opened for reading only; what is then written is decided in restore-plan.ts.
import { encodeCopy, contentsOf } from '../core/generation';
import type { Generation } from '../core/generation';
import { MAX_DUMP_BYTES, parseDump } from '../core/dumpform';
import type { ByteSource, Region } from '../core/extents';
import { readRegion } from '../core/extents';
import { Fault } from '../core/faults';
import { findingMessage, findingSpec } from '../core/findings';
import type { HeaderJudgement } from '../core/header';
import type { SlotJudgement } from '../core/judge';
import { isEvidence, sameGenerationHeader } from '../core/header';
import { judgeSlot, sameGeneration } from '../core/judge';
import type { DeviceRecord, Header } from '../core/layout';
import {
  DEVICE_RETIRED,
  METADATA_END_SECTOR,
  SECTION_NAME,
  SECTOR_BYTES_BIG,
  SLOT_ROOM_BYTES,
  SLOT_SECTORS,
} from '../core/layout';
import type { Problem } from '../core/record-json';
import { rulesBroken } from '../core/rules';
import { recogniseContent } from '../core/signatures';
import type { Host, ReadHandle } from '../host/host';

/** The dump, or what is wrong with it. */
export type LoadedDump =
  | { readonly ok: true; readonly generation: Generation }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly fault: Fault };

/**
 * Reads a dump and validates all of it: its form, the generation it makes (FORMAT.md section 4), and what that says
 * (sections 3 and 7). Faults: what reading the file says.
 */
export function loadDump(host: Host, path: string): LoadedDump {
  const parsed = parseDump(host.readFile(path, MAX_DUMP_BYTES));
  if (!parsed.ok) return refused('DUMP_INVALID', path, parsed.problems);
  const { generation } = parsed;
  const invalid = validityProblems(generation);
  if (invalid.length > 0) return refused('DUMP_INVALID', path, invalid);
  const broken = rulesBroken(generation).filter(({ id }) => findingSpec(id).severity === 'error');
  if (broken.length > 0) {
    return refused(
      'DUMP_UNSOUND',
      path,
      broken.map((one) => ({ path: '', problem: `${findingMessage(one)} [${one.id}]` })),
    );
  }
  return { ok: true, generation };
}

function refused(
  code: 'DUMP_INVALID' | 'DUMP_UNSOUND',
  path: string,
  problems: readonly Problem[],
): LoadedDump {
  const [first] = problems;
  const others = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const place = first === undefined || first.path === '' ? '' : `${first.path}: `;
  return {
    ok: false,
    problems,
    fault: new Fault(code, { path, problem: `${place}${first?.problem ?? ''}${others}` }),
  };
}

/** Why copies of a generation would not be valid. */
function validityProblems(generation: Generation): Problem[] {
  const bytes = encodeCopy(generation, {
    spareIndex: 0,
    spareUuid: generation.header.spareUuid,
    copyIndex: 0,
  });
  const { header, sections, valid } = judgeSlot({ bytes, gaps: [] }, 'integrity');
  if (header.unsupported !== null)
    return [{ path: 'header', problem: `it needs a newer version: ${header.unsupported}` }];
  if (generation.header.roCompat !== 0n) {
    return [{ path: 'header.roCompat', problem: 'it has features that only allow reading' }];
  }
  const problems = header.rangeProblems.map(({ field, why }) => ({
    path: 'header',
    problem: `${field}: ${why}`,
  }));
  for (const { entry, badRecords } of sections) {
    if (badRecords.length === 0) continue;
    const name = SECTION_NAME[entry.type] ?? `section ${entry.type}`;
    problems.push({
      path: 'rawSections',
      problem: `${name}: record ${badRecords.join(', ')} fails its checksum`,
    });
  }
  if (problems.length === 0 && !valid) problems.push({ path: '', problem: 'its copies would not be valid' });
  return problems;
}

/** One slot of a spare, held against the dump. */
export interface PresentSlot {
  readonly copyIndex: number;
  /** All of the slot's room. */
  readonly region: Region;
  readonly judgement: SlotJudgement;
  /** The header, if it is evidence of a generation of the dump's setup. */
  readonly evidence: Header | null;
}

/** A spare that was given. */
export interface RestoreSpare {
  readonly index: number;
  readonly record: DeviceRecord;
  readonly handle: ReadHandle;
  readonly slots: readonly PresentSlot[];
  /**
   * Whether the dump's generation was put on this spare. If not (it was absent then, or is retired), copies of that
   * generation on it would look as if it had gone on by itself.
   */
  readonly member: boolean;
}

/** What --force overrides, as it is found; without it the first is thrown. */
export interface Objections {
  readonly list: Fault[];
  /** What is there already of this setup, at or above the dump's sequence, and is not the dump's generation. */
  newer: Fault | null;
}

/** Opens the spares for reading; `null` in `paths` is one that is missing. The caller closes them. */
export function openSpares(host: Host, paths: readonly (string | null)[], opened: ReadHandle[]): void {
  for (const path of paths) {
    if (path === null) continue;
    const handle = host.openRead(path);
    opened.push(handle);
    const twin = opened.find((other) => other !== handle && other.identity === handle.identity);
    if (twin !== undefined) throw new Fault('TARGET_TWICE', { path, other: twin.path });
    const uses = host.inUse(path);
    if (uses.length > 0) throw new Fault('IN_USE', { path, reason: uses.join('; ') });
  }
}

/**
 * Looks at one spare. Faults that nothing overrides: SPARE_TOO_SMALL, NEEDS_NEWER_TOOL. Everything else that speaks
 * against it is added to the objections.
 */
export function surveySpare(
  host: Host,
  generation: Generation,
  index: number,
  handle: ReadHandle,
  objections: Objections,
): RestoreSpare {
  const record = contentsOf(generation).devices[1 + index];
  if (record === undefined) throw new RangeError(`no spare ${index} in the dump`);
  requireRoom(record, index, handle);
  const slots = SLOT_SECTORS.map((sector, copyIndex) => presentSlot(generation, handle, sector, copyIndex));
  const objectTo = (why: string): void => {
    objections.list.push(new Fault('SPARE_DIFFERS', { path: handle.path, spare: String(index), why }));
  };
  const facts = host.facts(handle.path);
  if (facts.kind === 'block' && facts.logicalBlockSize !== record.logicalBlockSize) {
    objectTo(`it has logical blocks of ${facts.logicalBlockSize} bytes, not ${record.logicalBlockSize}`);
  }
  for (const slot of slots) surveySlot(generation, index, record, handle, slot, objections, objectTo);
  const ours = slots.some(({ evidence }) => evidence !== null);
  const end = record.dataStart * SECTOR_BYTES_BIG;
  for (const match of recogniseContent(handle, { base: 0n, length: handle.sizeBytes })) {
    // Behind the metadata of a spare of this setup there is the data of main's sectors, which may look like anything.
    if (!ours || match.offset < end) objectTo(`it holds ${match.name} at byte ${match.offset}`);
  }
  const member = record.lastSequence === generation.header.sequence && (record.flags & DEVICE_RETIRED) === 0;
  return { index, record, handle, slots, member };
}

function requireRoom(record: DeviceRecord, index: number, handle: ReadHandle): void {
  const sectors = handle.sizeBytes / SECTOR_BYTES_BIG;
  const data = record.dataStart + record.dataSectors;
  const needed = data > METADATA_END_SECTOR ? data : METADATA_END_SECTOR;
  if (sectors >= needed) return;
  const fields = {
    path: handle.path,
    spare: String(index),
    sectors: String(sectors),
    needed: String(needed),
  };
  throw new Fault('SPARE_TOO_SMALL', fields);
}

function presentSlot(
  generation: Generation,
  source: ByteSource,
  sector: bigint,
  copyIndex: number,
): PresentSlot {
  const region = readRegion(source, sector * SECTOR_BYTES_BIG, SLOT_ROOM_BYTES);
  const judgement = judgeSlot(region, 'integrity');
  const evidence =
    isEvidence(judgement.header) && judgement.header.header.setupUuid === generation.header.setupUuid
      ? judgement.header.header
      : null;
  return { copyIndex, region, judgement, evidence };
}

/** Whether a header says that it lies on this spare. */
export function isSeat(header: Header, index: number, record: DeviceRecord): boolean {
  return header.spareIndex === index && header.spareUuid === record.deviceUuid;
}

function surveySlot(
  generation: Generation,
  index: number,
  record: DeviceRecord,
  handle: ReadHandle,
  slot: PresentSlot,
  objections: Objections,
  objectTo: (why: string) => void,
): void {
  const { judgement, evidence, copyIndex } = slot;
  const other = judgement.header;
  if (!isEvidence(other)) return;
  if (evidence === null) {
    objectTo(`its copy ${copyIndex} belongs to the setup ${other.header.setupUuid}`);
    return;
  }
  if (other.unsupported !== null) {
    const what = `copy ${copyIndex} needs a newer version of dm-remap`;
    throw new Fault('NEEDS_NEWER_TOOL', { path: handle.path, what, why: other.unsupported });
  }
  if (!isSeat(evidence, index, record)) {
    objectTo(`its copy ${copyIndex} says that it is spare ${evidence.spareIndex} (${evidence.spareUuid})`);
  }
  if (evidence.sequence < generation.header.sequence || isOfDump(other, generation, slot)) return;
  objections.newer ??= new Fault('NEWER_THERE', {
    path: handle.path,
    copy: String(copyIndex),
    found: String(evidence.sequence),
    sequence: String(generation.header.sequence),
  });
}

/** The dump's own generation, whole or damaged: the same header, and where the sections are intact the same sections. */
function isOfDump(header: HeaderJudgement, generation: Generation, { judgement }: PresentSlot): boolean {
  if (!sameGenerationHeader(header.bytes, generation.headerBytes)) return false;
  return judgement.generation === null || sameGeneration(judgement.generation, generation);
}
