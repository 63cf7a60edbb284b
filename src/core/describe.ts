// SPDX-License-Identifier: GPL-2.0-or-later
// What a generation, or what is left of one, says, as rows and lists for people and as values for JSON. Not escaped:
// texts from the disk are in it as they stand. How it is laid out is in src/render.
import { textOf } from './bytes';
import type { Struct } from './codec';
import { cName, decode } from './codec';
import { configJson, eventsJson } from './dump-sections';
import type { Region } from './extents';
import { gapWithin } from './extents';
import type { Contents } from './generation';
import type { FieldValue } from './forms';
import { enumName, flagsText, formOf, isReserved, showValue } from './forms';
import type { ConfigRecord, DeviceRecord, EventRecord, Header, HealthRecord, RemapEntry } from './layout';
import {
  CONFIG,
  DEVICE,
  ENTRY,
  EVENT,
  EVENT_RING,
  HEADER,
  HEALTH,
  RETIRED_MAIN_SECTOR,
  SECTOR_BYTES_BIG,
} from './layout';
import type { AnyRecord, JsonObject } from './record-json';
import { JsonList, recordJson } from './record-json';
import { mapSlot, recordsOf } from './slotmap';
import { isoUtc } from './time';

export interface Row {
  readonly label: string;
  readonly value: string;
}

export interface Listing {
  /** Short, so that the sectors of a large disk fit beside a time into 80 columns. */
  readonly head: readonly string[];
  /** As many cells in each as in the head. */
  readonly rows: readonly (readonly string[])[];
  /** Indexes of columns of numbers. */
  readonly right: readonly number[];
}

/** The records of a slot or a generation, as far as there are any. */
export interface FoundContents {
  readonly header: Header | null;
  readonly devices: readonly DeviceRecord[];
  readonly config: ConfigRecord | null;
  readonly health: HealthRecord | null;
  /** All places of the ring that were read. */
  readonly events: readonly EventRecord[];
  readonly remaps: readonly RemapEntry[];
  /** Records that were not read, by path. */
  readonly unread: readonly string[];
}

/** What stands in a slot, valid or not: records are taken as they are, whatever their checksums say. */
export function contentsFound(region: Region): FoundContents {
  const map = mapSlot(region);
  const devices: DeviceRecord[] = [];
  const events: EventRecord[] = [];
  const remaps: RemapEntry[] = [];
  const unread: string[] = [];
  let config: ConfigRecord | null = null;
  let health: HealthRecord | null = null;
  for (const mapped of map.sections) {
    for (const { path, struct, start, used } of recordsOf(region, mapped)) {
      if (gapWithin(region, start, start + struct.size) !== undefined) unread.push(path);
      else if (struct === DEVICE) devices.push(decode(DEVICE, region.bytes, start));
      else if (struct === CONFIG) config = decode(CONFIG, region.bytes, start);
      else if (struct === HEALTH) health = decode(HEALTH, region.bytes, start);
      else if (struct === EVENT) events.push(decode(EVENT, region.bytes, start));
      else if (struct === ENTRY && used) remaps.push(decode(ENTRY, region.bytes, start));
    }
  }
  return { header: map.header, devices, config, health, events, remaps, unread };
}

/** What a whole generation says. */
export function contentsOfGeneration(header: Header, contents: Contents): FoundContents {
  const { devices, config, health, events, remaps } = contents;
  return { header, devices, config, health, events, remaps, unread: [] };
}

const NOT_SHOWN: ReadonlySet<string> = new Set(['crc']);

/**
 * The same as JSON: times, sectors and counts of 64 bits are strings, enumerations and flags names. The entries are made
 * while they are written.
 */
export function contentsJson(contents: FoundContents): JsonObject {
  const { header, devices, config, health, events } = contents;
  return {
    header: header === null ? null : headerJson(header),
    devices: devices.map((device) => recordJson(DEVICE, device, NOT_SHOWN)),
    config: config === null ? null : configJson(config),
    health: health === null ? null : recordJson(HEALTH, health, NOT_SHOWN),
    events: eventsJson(ringOf(events)),
    remaps: new JsonList(() => remapsJson(contents.remaps)),
  };
}

/** The events with each at its place in the ring where all places were read; then the index of an odd one is told. */
function ringOf(events: readonly EventRecord[]): readonly EventRecord[] {
  if (events.length === EVENT_RING) return events;
  const ring = Array.from({ length: EVENT_RING }, () => decode(EVENT, new Uint8Array(EVENT.size)));
  for (const event of events) if (event.serial !== 0) ring[(event.serial - 1) % EVENT_RING] = event;
  return ring;
}

function* remapsJson(remaps: readonly RemapEntry[]): Generator<JsonObject> {
  for (const entry of remaps) yield recordJson(ENTRY, entry);
}

const HEADER_CONSTANTS: ReadonlySet<string> = new Set(['magic', 'headerBytes', 'copyCount', 'tail']);

function headerJson(header: Header): JsonObject {
  const { directory, ...rest } = header;
  return {
    ...recordJson(HEADER, rest, HEADER_CONSTANTS),
    directory: directory
      .filter((entry) => entry.type !== 0)
      .map((entry) => ({
        type: entry.type,
        offset: entry.offset.toString(),
        length: entry.length.toString(),
        recordCount: entry.recordCount,
      })),
  };
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB'];

/** Bytes for a person: `512 bytes`, `32 MiB`, `1.5 GiB`; one digit after the point at most, rounded down. */
export function bytesText(bytes: bigint): string {
  let unit = 0;
  let size = 1n;
  while (unit + 1 < UNITS.length && bytes >= size * 1024n) {
    size *= 1024n;
    unit++;
  }
  const tenths = (bytes * 10n) / size;
  const digits = tenths % 10n === 0n ? `${tenths / 10n}` : `${tenths / 10n}.${tenths % 10n}`;
  return `${digits} ${UNITS[unit] ?? ''}`;
}

/** `65536 (32 MiB)` */
export function sectorsText(sectors: bigint): string {
  return sectors === 0n ? '0' : `${sectors} (${bytesText(sectors * SECTOR_BYTES_BIG)})`;
}

/** A time to the second, or `never` for 0. */
export function timeText(ns: bigint): string {
  return ns === 0n ? 'never' : isoUtc(ns - (ns % 1_000_000_000n));
}

/** Counts of sectors that a person wants in bytes too. */
const SECTOR_FIELDS: ReadonlySet<string> = new Set([
  ...['sizeSectors', 'dataStart', 'dataSectors', 'usedSectors', 'targetSectors', 'sectorsScanned'],
]);

/** Every field of a record by its name in FORMAT.md; reserved ones and raw bytes only when they are not zero. */
export function recordRows(
  struct: Struct,
  record: AnyRecord,
  without: ReadonlySet<string> = NOT_SHOWN,
): Row[] {
  const rows: Row[] = [];
  for (const field of struct.fields) {
    if (field.type === 'records' || without.has(field.name)) continue;
    const value = record[field.name] as FieldValue;
    const shown = showValue(struct, field, value);
    if ((isReserved(field) || field.type === 'bytes') && (shown === '-' || shown === '0')) continue;
    const sectors = SECTOR_FIELDS.has(field.name) && typeof value === 'bigint';
    rows.push({ label: cName(field.name), value: sectors ? sectorsText(value) : shown });
  }
  return rows;
}

export function headerRows(header: Header): Row[] {
  return recordRows(HEADER, header, HEADER_CONSTANTS);
}

/** Devices, one line each. Under which names they are known is long, and told apart: see knownAs. */
export function deviceListing(devices: readonly DeviceRecord[]): Listing {
  return {
    head: ['device', 'size', 'data at + sectors', 'blocks', 'flags', 'health'],
    right: [5],
    rows: devices.map((device) => [
      deviceName(device),
      bytesText(device.sizeSectors * SECTOR_BYTES_BIG),
      `${device.dataStart} + ${device.dataSectors}`,
      `${device.logicalBlockSize}/${device.physicalBlockSize}`,
      namesOf(DEVICE, 'flags', device.flags),
      device.healthScore.toString(),
    ]),
  };
}

/** 'main', 'spare 2'. */
export function deviceName(device: Pick<DeviceRecord, 'role' | 'index'>): string {
  if (device.role === 0) return 'main';
  return device.role === 1 ? `spare ${device.index}` : `role ${device.role}, index ${device.index}`;
}

/** What a person needs to find a device: its path, else model and serial number, else its uuid. */
export function knownAs(device: DeviceRecord): string {
  const path = textOf(device.path);
  const label = [textOf(device.model), textOf(device.serial)].filter((text) => text !== '').join(' ');
  return path !== '' ? path : label !== '' ? label : device.deviceUuid;
}

/** Flags or an enumeration of a field by their names. */
function namesOf(struct: Struct, name: string, value: number): string {
  const field = struct.fields.find((one) => one.name === name);
  const form = field === undefined ? null : formOf(struct, field);
  if (form?.kind === 'flags') return flagsText(form.names, value);
  return form?.kind === 'enum' ? enumName(form.names, value).toString() : value.toString();
}

const CONFIG_SHORT = [
  'name',
  'targetSectors',
  'remapUnit',
  'sparePolicy',
  'minCopies',
  'autoRemap',
  'maintenanceMode',
  'description',
];

/** CONFIG: everything, or what matters most. */
export function configRows(config: ConfigRecord, everything: boolean): Row[] {
  const fields: ReadonlySet<string> = new Set(CONFIG.fields.map((field) => field.name));
  const without = everything
    ? NOT_SHOWN
    : new Set([...fields].filter((name) => !CONFIG_SHORT.includes(name)));
  const rows = recordRows(CONFIG, config, without);
  if (!everything) return rows;
  return [
    ...rows,
    ...config.tunables
      .slice(0, config.tunableCount)
      .map((tunable) => ({ label: `tunable ${textOf(tunable.name)}`, value: tunable.value.toString() })),
  ];
}

export function healthRows(health: HealthRecord): Row[] {
  return recordRows(HEALTH, health);
}

/** The used places of the ring, oldest first. */
export function usedEvents(events: readonly EventRecord[]): EventRecord[] {
  return events.filter((event) => event.serial !== 0).sort((a, b) => a.serial - b.serial);
}

export function eventListing(events: readonly EventRecord[]): Listing {
  return {
    head: ['nr', 'time', 'what', 'device', 'sector', 'len', 'value'],
    right: [0, 4, 5, 6],
    rows: usedEvents(events).map((event) => [
      event.serial.toString(),
      timeText(event.timeNs),
      namesOf(EVENT, 'kind', event.kind),
      event.device === 0 ? 'main' : `spare ${event.device - 1}`,
      event.sector.toString(),
      event.length.toString(),
      event.value.toString(),
    ]),
  };
}

export function remapListing(remaps: readonly RemapEntry[]): Listing {
  return {
    head: ['main sector', 'len', 'spare:sector', 'reason', 'flags', 'created'],
    right: [0, 1, 2],
    rows: remaps.map((entry) => [
      entry.mainSector === RETIRED_MAIN_SECTOR ? 'retired' : entry.mainSector.toString(),
      entry.length.toString(),
      `${entry.spareIndex}:${entry.spareSector}`,
      namesOf(ENTRY, 'reason', entry.reason),
      namesOf(ENTRY, 'flags', entry.flags),
      timeText(entry.createdNs),
    ]),
  };
}
