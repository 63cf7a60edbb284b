// SPDX-License-Identifier: GPL-2.0-or-later
// How often properties are tried, and from which seed: the same in every run, so that a failure can be had again. The
// environment asks for more: DMREMAP_RUNS=10 tries ten times as often, DMREMAP_SEED=7 tries other examples.

const DEFAULT_SEED = 0x344d5244;

/** A whole number from the environment; `fallback` where there is none. */
export function fromEnvironment(name: string, fallback: number): number {
  const text = process.env[name] ?? '';
  if (text === '') return fallback;
  if (!/^[0-9]{1,9}$/.test(text)) throw new Error(`${name}=${text}: a whole number is needed`);
  return Number(text);
}

/** Parameters for fc.assert: `usual` runs, times DMREMAP_RUNS. */
export function fixedRuns(usual: number): { readonly numRuns: number; readonly seed: number } {
  return {
    numRuns: usual * Math.max(1, fromEnvironment('DMREMAP_RUNS', 1)),
    seed: fromEnvironment('DMREMAP_SEED', DEFAULT_SEED),
  };
}

/** For jest.setTimeout(): far more than a test of many runs takes, since machines differ and stall. */
export const PATIENCE_MS = 300_000 * Math.max(1, fromEnvironment('DMREMAP_RUNS', 1));
