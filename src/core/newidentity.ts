// SPDX-License-Identifier: GPL-2.0-or-later
// Identifiers of a new setup: from random bytes, or derived from the setup's own uuid. No source of randomness here.
import { encodeUtf8, formatUuid, fromHex } from './bytes';
import type { Sha256 } from './journal';

/** Who is who in a setup; all in 8-4-4-4-12 form. */
export interface Identities {
  readonly setupUuid: string;
  readonly mainUuid: string;
  readonly spareUuids: readonly string[];
}

/** 16 bytes as a UUID of the given version (RFC 9562: 4 random, 8 derived in a way of one's own). */
export function uuidOf(bytes: Uint8Array, version: 4 | 8): string {
  const raw = bytes.slice(0, 16);
  raw[6] = ((raw[6] ?? 0) & 0x0f) | (version << 4);
  raw[8] = ((raw[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(raw);
}

/** Identifiers that follow from the setup's own, so that the same command line makes the same images. */
export function derivedIdentities(setupUuid: string, spares: number, sha256: Sha256): Identities {
  const derive = (what: string): string => uuidOf(digest(sha256, setupUuid, what), 8);
  return {
    setupUuid,
    mainUuid: derive('main'),
    spareUuids: Array.from({ length: spares }, (_, i) => derive(`spare ${i}`)),
  };
}

/** 32 bytes that follow from a setup's uuid, a word and whatever else is given. */
export function digest(
  sha256: Sha256,
  setupUuid: string,
  what: string,
  ...more: readonly Uint8Array[]
): Uint8Array {
  const hex = sha256(encodeUtf8(`dm-remap ${setupUuid} ${what}\n`), ...more);
  return fromHex(hex) ?? new Uint8Array(32);
}

/** A run_id from 8 bytes: little-endian, never 0 (FORMAT.md section 2). */
export function runIdOf(bytes: Uint8Array): bigint {
  const id = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return id === 0n ? 1n : id;
}
