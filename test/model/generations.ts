// SPDX-License-Identifier: GPL-2.0-or-later
// The generations of the model: what each is made from and knows of, and its real bytes. What lies where on the
// spares is in world.ts.
import { equalBytes, textField } from '../../src/core/bytes';
import { decode, encode } from '../../src/core/codec';
import type { Generation } from '../../src/core/generation';
import {
  encodeConfig,
  encodeDevices,
  encodeEvents,
  encodeHealth,
  encodeRemaps,
  makeGeneration,
  writerField,
} from '../../src/core/assemble';
import { sectionBytes } from '../../src/core/generation';
import { CONFIG, DEVICE, EVENT, HEALTH, SECTION } from '../../src/core/layout';
import type { DeviceRecord } from '../../src/core/layout';

export const SETUP_UUID = 'a0000000-0000-4000-8000-000000000001';
/** Nanoseconds: when the setup was made, and the time at which the toolkit looks at it. */
export const CREATED_NS = 1_700_000_000_000_000_000n;
export const NOW_NS = CREATED_NS + 10n ** 15n;

export function spareUuid(index: number): string {
  return `b000000${index}-0000-4000-8000-000000000001`;
}

/** What DEVICES records of a spare. */
export interface SpareRecord {
  readonly last: bigint;
  readonly base: bigint;
  readonly run: bigint;
  /** DEVICE_RETIRED and the like; 0 unless told. */
  readonly flags?: number;
}

/** What a generation is made with. */
export interface NewGen {
  readonly run: bigint;
  readonly sequence: bigint;
  /** The generation whose contents it goes on from. */
  readonly parent: Gen | null;
  readonly records: readonly SpareRecord[];
  /** The contents, as a number; a repair keeps it. */
  readonly value: number;
  readonly minCopies: number;
  /** What the run that makes it knows besides its parent's line. */
  readonly seen: readonly Gen[];
}

/** A generation, as symbols; its real bytes are made when they are asked for. */
export class Gen {
  readonly run: bigint;
  readonly sequence: bigint;
  readonly writtenNs: bigint;
  readonly records: readonly SpareRecord[];
  readonly value: number;
  readonly minCopies: number;
  /** The generation whose REMAPS bytes it shares: itself, unless only DEVICES changed. */
  readonly remapsOf: Gen;
  /** Itself and all it was made from. */
  readonly line: ReadonlySet<Gen>;
  /** `line`, and every generation whose header a run of that line saw when it began, or made itself. */
  readonly informed: ReadonlySet<Gen>;
  /** I/O that waited for it was acknowledged. */
  acknowledged = false;
  /** A person chose another side of a split. */
  abandoned = false;
  readonly #choices: NewGen;
  #bytes: Generation | null;

  /** `made`: the real bytes, where a tool made them out of `parent`. */
  constructor(choices: NewGen, made: Generation | null = null) {
    const { parent } = choices;
    this.run = choices.run;
    this.sequence = choices.sequence;
    this.records = choices.records;
    this.value = choices.value;
    this.minCopies = choices.minCopies;
    this.writtenNs = made?.header.writtenNs ?? (parent?.writtenNs ?? CREATED_NS) + 1_000_000_000n;
    this.remapsOf =
      made !== null && parent !== null && sameRemaps(made, parent.bytes) ? parent.remapsOf : this;
    this.line = new Set([...(parent?.line ?? []), this]);
    this.informed = new Set([...(parent?.informed ?? []), ...choices.seen, this]);
    this.#choices = choices;
    this.#bytes = made === null ? null : shared(`made ${identityOf(made)}`, () => made);
  }

  /** Generations of different histories share their bytes where these are equal. */
  get bytes(): Generation {
    return (this.#bytes ??= shared(recipeOf(this.#choices, this.writtenNs), () =>
      bytesOf(this.#choices, this.writtenNs),
    ));
  }
}

const known = new Map<string, Generation>();

function shared(key: string, make: () => Generation): Generation {
  let found = known.get(key);
  if (found === undefined) known.set(key, (found = make()));
  return found;
}

function identityOf({ header }: Generation): string {
  const { runId, sequence, parentCrc, overallCrc, writtenNs } = header;
  return [runId, sequence, parentCrc, overallCrc, writtenNs].join();
}

/** All that bytesOf() looks at. */
function recipeOf({ run, sequence, parent, records, value, minCopies }: NewGen, writtenNs: bigint): string {
  const devices = records.map(({ last, base, run: lastRun, flags = 0 }) =>
    [last, base, lastRun, flags].join(),
  );
  return [
    ...[run, sequence, parent?.bytes.header.overallCrc ?? 0, value, minCopies, writtenNs],
    ...devices,
  ].join(' ');
}

const SPARE_SECTORS = 16384n;
const SPARE_DATA_START = 10240n;
const MAIN_SECTORS = 1n << 20n;

function device(role: number, index: number, uuid: string, start: bigint, size: bigint): DeviceRecord {
  const known = {
    role,
    index,
    deviceUuid: uuid,
    dataStart: start,
    dataSectors: size - start,
    sizeSectors: size,
  };
  const blocks = { logicalBlockSize: 512, physicalBlockSize: 512 };
  return decode(DEVICE, encode(DEVICE, { ...known, ...blocks, healthScore: 100 }));
}

function bytesOf(
  { run, sequence, parent, records, value, minCopies }: NewGen,
  writtenNs: bigint,
): Generation {
  const devices = [
    device(0, 0, 'c0000000-0000-4000-8000-000000000001', 0n, MAIN_SECTORS),
    ...records.map(({ last, base, run: lastRun, flags = 0 }, index) => ({
      ...device(1, index, spareUuid(index), SPARE_DATA_START, SPARE_SECTORS),
      lastSequence: last,
      baseSequence: base,
      lastRun,
      flags,
    })),
  ];
  const config = decode(
    CONFIG,
    encode(CONFIG, {
      name: textField('model', 128),
      targetSectors: MAIN_SECTORS,
      remapUnit: 8,
      minCopies,
      reassemblyVersion: 1,
      allowDegraded: 1,
    }),
  );
  const at = BigInt(value % 700) * 8n;
  const entry = {
    mainSector: at,
    spareSector: SPARE_DATA_START + at,
    length: 8,
    spareIndex: 0,
    reason: 1,
    flags: 0,
  };
  const none = decode(EVENT, new Uint8Array(EVENT.size));
  const generation = makeGeneration(
    {
      sequence,
      writtenNs,
      createdNs: CREATED_NS,
      parentCrc: parent?.bytes.header.overallCrc ?? 0,
      state: 0,
      setupUuid: SETUP_UUID,
      spareCount: records.length,
      runId: run,
      writer: writerField('model'),
    },
    [
      encodeDevices(devices),
      encodeConfig(config),
      encodeHealth(decode(HEALTH, encode(HEALTH, { score: 100 }))),
      encodeEvents(Array.from({ length: 128 }, () => none)),
      encodeRemaps([{ ...entry, createdNs: CREATED_NS + BigInt(value) }], () => sequence),
    ],
  );
  if (generation === null) throw new Error('the model generation does not fit');
  return generation;
}

function sameRemaps(a: Generation, b: Generation): boolean {
  return equalBytes(sectionBytes(a, SECTION.remaps), sectionBytes(b, SECTION.remaps));
}

/** The records of DEVICES in real bytes, to compare with the model's. */
export function recordsIn(generation: Generation): SpareRecord[] {
  const bytes = sectionBytes(generation, SECTION.devices);
  const records: SpareRecord[] = [];
  for (let at = DEVICE.size; at < bytes.length; at += DEVICE.size) {
    const { lastSequence, baseSequence, lastRun, flags } = decode(DEVICE, bytes, at);
    records.push({ last: lastSequence, base: baseSequence, run: lastRun, flags });
  }
  return records;
}
