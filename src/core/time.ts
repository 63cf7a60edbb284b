// SPDX-License-Identifier: GPL-2.0-or-later
// Nanoseconds since the epoch as text for people. No clock here: the core does not know what time it is.

const NS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_DAY = 86_400n;

/**
 * A time in nanoseconds since 1970-01-01 (0 to 2^64 - 1) as ISO 8601 in UTC: `2024-05-01T12:00:00Z`, with as many
 * digits of the second as it has (none, or nine). Exact: Date would drop the nanoseconds, and is a host's affair.
 */
export function isoUtc(ns: bigint): string {
  const seconds = ns / NS_PER_SECOND;
  const rest = ns % NS_PER_SECOND;
  const { year, month, day } = civilFromDays(Number(seconds / SECONDS_PER_DAY));
  const ofDay = Number(seconds % SECONDS_PER_DAY);
  const date = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
  const time = `${pad(Math.floor(ofDay / 3600), 2)}:${pad(Math.floor(ofDay / 60) % 60, 2)}:${pad(ofDay % 60, 2)}`;
  const fraction = rest === 0n ? '' : `.${rest.toString().padStart(9, '0')}`;
  return `${date}T${time}${fraction}Z`;
}

/** The Gregorian date of a day counted from 1970-01-01 (0 or more). */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  // Counted in 400-year eras of years that begin in March, so that the leap day is the last one of its year.
  const sinceEra0 = days + 719_468;
  const era = Math.floor(sinceEra0 / 146_097);
  const dayOfEra = sinceEra0 - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

function pad(value: number, digits: number): string {
  return value.toString().padStart(digits, '0');
}
