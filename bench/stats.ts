// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers of a benchmark: medians with their extremes, and targets beside them. Measures nothing itself.

export interface Series {
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

export type Target = { readonly atMost: number } | { readonly atLeast: number };

/** A number with its target; `meets` is what the summary goes by. */
export interface Measure {
  readonly unit: string;
  readonly value: number;
  readonly target: Target;
  readonly meets: boolean;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the median of nothing');
  const sorted = values.slice().sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Four digits are more than any of the measurements is good for. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

export function series(unit: string, values: readonly number[]): Series {
  return {
    unit,
    median: rounded(median(values)),
    min: rounded(Math.min(...values)),
    max: rounded(Math.max(...values)),
    runs: values.length,
  };
}

export function measure(unit: string, value: number, target: Target): Measure {
  const meets = 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
  return { unit, value: rounded(value), target, meets };
}

/** A series with a target for its median. */
export function against(values: Series, target: Target): Series & Pick<Measure, 'target' | 'meets'> {
  return { ...values, target, meets: measure(values.unit, values.median, target).meets };
}

/** The places of all measures in a document that miss their targets: `benches.many.rss10000`. */
export function missed(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('meets' in value && 'target' in value) return value.meets === true ? [] : [path];
  return Object.entries(value).flatMap(([name, inner]) =>
    missed(inner, path === '' ? name : `${path}.${name}`),
  );
}
