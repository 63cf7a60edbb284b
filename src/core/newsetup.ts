// SPDX-License-Identifier: GPL-2.0-or-later
// The first generation of a new setup: its policy and its sections. Sizes are newgeometry.ts, identifiers newidentity.ts,
// sectors of main that are lost from the start newentries.ts; how the copies get to the spares is commands/format.ts.
import { ZERO_UUID, encodeUtf8, formatUuid, parseUuid, textField } from './bytes';
import type { ContentHints } from './device-facts';
import {
  encodeConfig,
  encodeDevices,
  encodeEvents,
  encodeHealth,
  encodeRemaps,
  makeGeneration,
  writerField,
} from './assemble';
import type { SectionParts } from './assemble';
import type { Generation } from './generation';
import type { Sha256 } from './journal';
import { DEVICE_PRIMARY, EVENT_CREATED, EVENT_RING, STATE_MAINTENANCE } from './layout';
import type { ConfigRecord, DeviceRecord, HealthRecord, RemapEntry } from './layout';
import type { Geometry, NewDevice } from './newgeometry';
import { digest, runIdOf } from './newidentity';
import type { Identities } from './newidentity';
import { nameDefect } from './rules';

/**
 * The CONFIG fields that are a choice (all but names, sizes, reserved bytes and what follows from other fields), with the
 * defaults of FORMAT.md section 3.
 */
export const DEFAULT_POLICY = {
  scanIntervalS: 86400,
  scanChunkMin: 64,
  scanChunkMax: 2048,
  slowIoMs: 500,
  remapThreshold: 1,
  alertThreshold: 60,
  autoRemap: 1,
  maintenanceMode: 0,
  sparePolicy: 0,
  minCopies: 3,
  requireConfirmation: 0,
  readOnly: 0,
  allowDegraded: 1,
  allowSizeMismatch: 0,
  checkMainSize: 1,
  checkSpareSize: 1,
  checkFsUuid: 0,
  preChecks: 0,
  postChecks: 0,
} as const satisfies Partial<ConfigRecord>;
export type PolicyField = keyof typeof DEFAULT_POLICY;
export type Policy = Readonly<Record<PolicyField, number>>;

/** The only version of the eight reassembly bytes. */
const REASSEMBLY_VERSION = 1;

/** Names that dmsetup(8) or the kernel give a meaning of their own. */
const RESERVED_NAMES: readonly string[] = ['.', '..', 'control'];

/** Why `name` can't be a new setup's name (FORMAT.md section 3), or null if it can. */
export function newNameDefect(name: string): string | null {
  if (RESERVED_NAMES.includes(name)) return 'is not possible for a device-mapper device';
  const bytes = encodeUtf8(name);
  // As long as it takes: cut to the field's 128 bytes, a long name would be another one.
  const field = new Uint8Array(bytes.length + 1);
  field.set(bytes);
  return nameDefect(field);
}

/** All that the first generation is made of. Times in ns. */
export interface NewSetup {
  readonly name: string;
  readonly description: string;
  readonly identities: Identities;
  readonly createdNs: bigint;
  readonly geometry: Geometry;
  readonly main: NewDevice & { readonly hints: ContentHints; readonly contentSha256: Uint8Array };
  readonly spares: readonly NewDevice[];
  readonly policy: Policy;
  readonly tunables: readonly { readonly name: string; readonly value: bigint }[];
  /** Sorted, as newentries.ts makes them. */
  readonly entries: readonly RemapEntry[];
  readonly writer: string;
}

/** The first generation: sequence 1, no parent, never activated. `runId` is not 0. */
export function firstGeneration(setup: NewSetup, runId: bigint): Generation {
  const generation = makeGeneration(
    {
      sequence: 1n,
      writtenNs: setup.createdNs,
      createdNs: setup.createdNs,
      parentCrc: 0,
      state: setup.policy.maintenanceMode === 1 ? STATE_MAINTENANCE : 0,
      setupUuid: setup.identities.setupUuid,
      spareCount: setup.spares.length,
      runId,
      writer: writerField(setup.writer),
    },
    sectionsOf(setup, runId),
  );
  // newentries.ts keeps to the 15,494 entries that fit and there is no unknown section, so this is a mistake of ours.
  if (generation === null) throw new RangeError('the entries do not fit a slot');
  return generation;
}

/**
 * A run_id that follows from everything the generation says: the same input gives the same bytes, but two setups that
 * differ in anything never share a (run_id, sequence), which FORMAT.md section 6 forbids, even under one --uuid.
 */
export function derivedRunId(setup: NewSetup, sha256: Sha256): bigint {
  const sections = sectionsOf(setup, 0n).map((section) => section.bytes);
  return runIdOf(digest(sha256, setup.identities.setupUuid, 'run', ...sections));
}

function sectionsOf(setup: NewSetup, runId: bigint): SectionParts[] {
  const created = {
    timeNs: setup.createdNs,
    sector: 0n,
    kind: EVENT_CREATED,
    device: 0,
    length: 0,
    value: 0,
  };
  const empty = { timeNs: 0n, sector: 0n, kind: 0, device: 0, length: 0, value: 0, serial: 0 };
  return [
    encodeDevices([mainRecord(setup), ...setup.spares.map((_, i) => spareRecord(setup, i, runId))]),
    encodeConfig(configRecord(setup)),
    encodeHealth(HEALTHY),
    encodeEvents([{ ...created, serial: 1 }, ...Array.from({ length: EVENT_RING - 1 }, () => empty)]),
    encodeRemaps(setup.entries, () => 1n),
  ];
}

const HEALTHY: HealthRecord = {
  score: 100,
  flags: 0,
  scanPosition: 0n,
  lastFullScanNs: 0n,
  nextScanNs: 0n,
  scansCompleted: 0n,
  sectorsScanned: 0n,
  readErrors: 0n,
  writeErrors: 0n,
  slowSectors: 0n,
  predictiveRemaps: 0n,
  repairedCopies: 0n,
  reserved: new Uint8Array(420),
  crc: 0,
};

/** Of a device record's path, its NUL included. */
const PATH_BYTES = 128;

/** What main's and the spares' records have in common. */
function deviceRecord({
  facts,
}: NewDevice): Omit<
  DeviceRecord,
  'role' | 'index' | 'flags' | 'sizeSectors' | 'dataStart' | 'dataSectors' | 'deviceUuid'
> {
  return {
    logicalBlockSize: facts.logicalBlockSize,
    physicalBlockSize: facts.physicalBlockSize,
    reserved0: 0,
    fsUuid: ZERO_UUID,
    fsType: new Uint8Array(16),
    partUuid: uuidOrZero(facts.partUuid),
    wwn: textField(facts.wwn ?? '', 64),
    serial: textField(facts.serial ?? '', 64),
    model: textField(facts.model ?? '', 64),
    path: wholeTextField(facts.stablePath, PATH_BYTES),
    contentSha256: new Uint8Array(32),
    healthScore: 100,
    reserved1: 0,
    lastCheckedNs: 0n,
    usedSectors: 0n,
    lastSequence: 0n,
    baseSequence: 0n,
    lastRun: 0n,
    reserved2: 0,
    crc: 0,
  };
}

function mainRecord({ main, geometry, identities }: NewSetup): DeviceRecord {
  return {
    ...deviceRecord(main),
    role: 0,
    index: 0,
    flags: 0,
    sizeSectors: geometry.mainSizeSectors,
    dataStart: 0n,
    dataSectors: geometry.mainDataSectors,
    deviceUuid: identities.mainUuid,
    fsUuid: uuidOrZero(main.hints.fsUuid),
    fsType: textField(main.hints.fsType ?? '', 16),
    contentSha256: main.contentSha256,
  };
}

function spareRecord(setup: NewSetup, index: number, runId: bigint): DeviceRecord {
  const { spares, geometry, identities, entries } = setup;
  const spare = spares[index];
  const area = geometry.spares[index];
  const deviceUuid = identities.spareUuids[index];
  if (spare === undefined || area === undefined || deviceUuid === undefined)
    throw new RangeError(`no spare ${index}`);
  return {
    ...deviceRecord(spare),
    role: 1,
    index,
    flags: index === 0 ? DEVICE_PRIMARY : 0,
    sizeSectors: area.sizeSectors,
    dataStart: area.dataStart,
    dataSectors: area.dataSectors,
    deviceUuid,
    usedSectors: usedSectors(entries, index),
    lastSequence: 1n,
    lastRun: runId,
  };
}

/** Sectors of a spare that the entries take (the field is information only: FORMAT.md section 3). */
export function usedSectors(entries: readonly RemapEntry[], spareIndex: number): bigint {
  return entries.reduce(
    (sum, entry) => (entry.spareIndex === spareIndex ? sum + BigInt(entry.length) : sum),
    0n,
  );
}

/** Of CONFIG's params, the NUL included. */
const PARAMS_BYTES = 512;

function configRecord(setup: NewSetup): ConfigRecord {
  return {
    ...setup.policy,
    name: textField(setup.name, 128),
    params: wholeTextField(targetArguments(setup), PARAMS_BYTES),
    targetSectors: setup.geometry.mainDataSectors,
    remapUnit: setup.geometry.remapUnit,
    reassemblyVersion: REASSEMBLY_VERSION,
    tunableCount: setup.tunables.length,
    tunables: setup.tunables.map(({ name, value }) => ({ name: textField(name, 32), value })),
    description: textField(setup.description, 128),
    reserved0: 0,
    reserved1: 0,
    reserved2: 0,
    reserved3: new Uint8Array(56),
    reserved4: new Uint8Array(1916),
    crc: 0,
  };
}

/** The arguments of the kernel target that opens this setup: MAIN MAIN_START #SPARES SPARE... */
export function targetArguments({ main, spares }: Pick<NewSetup, 'main' | 'spares'>): string {
  const path = (device: NewDevice): string => tableWord(device.facts.stablePath);
  return [path(main), '0', String(spares.length), ...spares.map(path)].join(' ');
}

/** The whole line for dmsetup(8): start, length, target, arguments. */
export function tableLine(setup: Pick<NewSetup, 'main' | 'spares' | 'geometry'>): string {
  return `0 ${setup.geometry.mainDataSectors} remap ${targetArguments(setup)}`;
}

/** A path as one word of a device-mapper table, which takes a backslash before white space and backslashes. */
function tableWord(path: string): string {
  return path.replace(/[\s\\]/g, '\\$&');
}

/** Text that is stored whole or not at all: the first half of a path is another path. */
function wholeTextField(text: string, size: number): Uint8Array {
  return encodeUtf8(text).length < size ? textField(text, size) : new Uint8Array(size);
}

function uuidOrZero(text: string | null): string {
  const raw = text === null ? null : parseUuid(text);
  return raw === null ? ZERO_UUID : formatUuid(raw);
}

/** Whether the path of a device fits its record; where it does not, the record has none. */
export function pathFits(device: NewDevice): boolean {
  return encodeUtf8(device.facts.stablePath).length < PATH_BYTES;
}

/** Whether the target's arguments fit CONFIG; where they do not, params is empty (FORMAT.md section 3). */
export function paramsFit(setup: Pick<NewSetup, 'main' | 'spares'>): boolean {
  return encodeUtf8(targetArguments(setup)).length < PARAMS_BYTES;
}
