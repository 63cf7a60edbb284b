// SPDX-License-Identifier: GPL-2.0-or-later
// Healthy setups on sparse image files, made through the core without starting a process each: as dmremap-format and a
// target would leave them. How they are measured is in the other files.
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { slotOffset } from '../src/core/copies';
import type { DeviceFacts } from '../src/core/device-facts';
import type { Generation } from '../src/core/generation';
import { contentsOf, encodeCopy } from '../src/core/generation';
import type { RemapEntry } from '../src/core/layout';
import { COPY_COUNT, DEFAULT_SPARE_DATA_START, MIN_SPARE_SECTORS } from '../src/core/layout';
import { geometryOf } from '../src/core/newgeometry';
import { derivedIdentities, runIdOf, uuidOf } from '../src/core/newidentity';
import { DEFAULT_POLICY, firstGeneration } from '../src/core/newsetup';

/** 2025-06-01T12:00:00Z. */
const CREATED_NS = 1_748_779_200_000_000_000n;
const SPARE_BYTES = MIN_SPARE_SECTORS * 512n;
const MAIN_BYTES = 1n << 30n;

export const COPIES: readonly number[] = Array.from({ length: COPY_COUNT }, (_unused, copy) => copy);

function sha256(...chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

function imageFacts(path: string, sizeBytes: bigint): DeviceFacts {
  return {
    kind: 'image',
    sizeBytes,
    logicalBlockSize: 512,
    physicalBlockSize: 512,
    wwn: null,
    serial: null,
    model: null,
    stablePath: path,
    partUuid: null,
    zoned: false,
    readOnly: false,
  };
}

/** Entries of one sector, none beside another, dealt out to the spares in turn. */
function entriesOf(count: number, spares: number): RemapEntry[] {
  return Array.from({ length: count }, (_unused, i) => ({
    mainSector: BigInt(2048 + 3 * i),
    spareSector: DEFAULT_SPARE_DATA_START + BigInt(Math.floor(i / spares)),
    length: 1,
    spareIndex: i % spares,
    reason: 1,
    flags: 0,
    createdNs: CREATED_NS,
  }));
}

/** The generation of setup number `id`. */
export function generationOf(id: number, spares: number, entries: number): Generation {
  const number = new Uint8Array(32);
  new DataView(number.buffer).setUint32(0, id + 1);
  const setupUuid = uuidOf(
    number.map((byte, i) => byte ^ (i * 29)),
    8,
  );
  const main = { path: 'main.img', facts: imageFacts('/img/main.img', MAIN_BYTES) };
  const devices = Array.from({ length: spares }, (_unused, i) => {
    const path = `/img/spare${i}.img`;
    return { path, facts: imageFacts(path, SPARE_BYTES) };
  });
  return firstGeneration(
    {
      name: `bench${id}`,
      description: '',
      identities: derivedIdentities(setupUuid, spares, sha256),
      createdNs: CREATED_NS,
      geometry: geometryOf(main, devices, 1),
      main: {
        ...main,
        hints: { fsUuid: null, fsType: null, fsBlockSize: null },
        contentSha256: new Uint8Array(32),
      },
      spares: devices,
      policy: DEFAULT_POLICY,
      tunables: [],
      entries: entriesOf(entries, spares),
      writer: 'npm run bench',
    },
    runIdOf(number.map((byte) => byte ^ 0x5a)),
  );
}

/** The bytes of one copy. */
export function copyOf(generation: Generation, spareIndex: number, copyIndex: number): Uint8Array {
  const spareUuid = contentsOf(generation).devices[1 + spareIndex]?.deviceUuid ?? '';
  return encodeCopy(generation, { spareIndex, spareUuid, copyIndex });
}

/** Makes the image of one spare: five copies, and holes elsewhere. */
export function writeSpare(path: string, generation: Generation, spareIndex: number): void {
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, Number(SPARE_BYTES));
    for (const copy of COPIES) writeAll(file, copyOf(generation, spareIndex, copy), Number(slotOffset(copy)));
  } finally {
    closeSync(file);
  }
}

export function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;)
    done += writeSync(file, bytes, done, bytes.length - done, at + done);
}
