// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-dump: the winning generation of a setup, whole. Opens for reading only; prints nothing. What a dump looks like
// is in src/core/dumpform.ts.
import { Fault } from '../core/faults';
import type { Finding } from '../core/findings';
import type { Generation } from '../core/generation';
import type { Winner } from '../core/model';
import type { Host } from '../host/host';
import { exitOfScan, exitOfSetup, findSetups, inspectSetup } from './inspect';

export interface DumpResult {
  readonly generation: Generation;
  readonly winner: Winner;
  /** About inputs that belong to no setup, and about the setup. */
  readonly findings: readonly Finding[];
  /** Bits: errors that are left in the setup, inputs that could not be read. */
  readonly exitCode: number;
}

/** What is told before a Fault: why inputs were of no use. */
export type Tell = (findings: readonly Finding[]) => void;

/**
 * The generation that wins in the inputs, or that was recovered in full.
 * @throws Fault NO_SETUP, SEVERAL_SETUPS; NOT_WHOLE if which generation it is, or what is in it, is in doubt.
 */
export async function runDump(
  host: Host,
  inputs: readonly string[],
  tell: Tell,
  step: () => Promise<void>,
): Promise<DumpResult> {
  const scan = await findSetups(host, inputs, step);
  tell(scan.findings);
  const [found, ...others] = scan.setups;
  if (found === undefined) throw new Fault('NO_SETUP');
  if (others.length > 0) {
    throw new Fault('SEVERAL_SETUPS', { setups: scan.setups.map(({ setupUuid }) => setupUuid).join(', ') });
  }
  const setup = inspectSetup(host, found);
  const { verdict, winner, findings } = setup.decision;
  const doubtful = verdict === 'split' || verdict === 'partial' || verdict === 'lost';
  // A newer version wrote something newer: the winner is only the best that this version can read.
  const outdated = findings.some(({ id }) => id === 'setup-unsupported');
  const generation = winner?.generation ?? null;
  if (doubtful || outdated || winner === null || generation === null) {
    throw new Fault('NOT_WHOLE', {
      setupUuid: found.setupUuid,
      verdict: outdated ? 'needs a newer tool' : verdict,
    });
  }
  return {
    generation,
    winner,
    findings: setup.findings,
    exitCode: exitOfScan(scan) | exitOfSetup(setup),
  };
}
