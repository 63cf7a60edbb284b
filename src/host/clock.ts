// SPDX-License-Identifier: GPL-2.0-or-later
// The clock, and SOURCE_DATE_EPOCH in its place. Nothing else tells the time.
import { Fault } from '../core/faults';

const NS_PER_SECOND = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;
const LARGEST_U64 = (1n << 64n) - 1n;

/**
 * SOURCE_DATE_EPOCH (whole seconds since 1970) in nanoseconds, or null when it is not set. Fault BAD_ENVIRONMENT when
 * it is no such number: an image that was to be reproducible must not silently get the current time.
 */
export function sourceDateEpochNs(value: string | undefined): bigint | null {
  if (value === undefined || value === '') return null;
  const ns = /^\d{1,20}$/.test(value) ? BigInt(value) * NS_PER_SECOND : null;
  if (ns === null || ns > LARGEST_U64) {
    throw new Fault('BAD_ENVIRONMENT', {
      name: 'SOURCE_DATE_EPOCH',
      value,
      reason: 'it must be a whole number of seconds since 1970',
    });
  }
  return ns;
}

/** Nanoseconds since the epoch, to the millisecond. */
export function wallClockNs(): bigint {
  return BigInt(Date.now()) * NS_PER_MS;
}
