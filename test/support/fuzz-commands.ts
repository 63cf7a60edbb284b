// SPDX-License-Identifier: GPL-2.0-or-later
// The commands on mutated spares, from words to what is printed: no exception, an exit status that is defined, nothing in
// the text that could steer a terminal, documents as their schemas say. The spares are made in fuzz-images.ts.
import Ajv2020 from 'ajv/dist/2020';
import type { ValidateFunction } from 'ajv/dist/2020';
import dumpSchema from '../../docs/schemas/dump.json';
import fsckSchema from '../../docs/schemas/fsck.json';
import inspectSchema from '../../docs/schemas/inspect.json';
import { binding as dump } from '../../src/cli/dump';
import { binding as fsck } from '../../src/cli/fsck';
import { binding as inspect } from '../../src/cli/inspect';
import type { Binding } from '../../src/cli/spec';
import { SPARE_BYTES, slotAt } from '../../fixtures/build';
import { NOW_NS } from './bench';
import { fuzzImage } from './fuzz-images';
import type { FuzzImage } from './fuzz-images';
import { recordFailure } from './fuzz-harness';
import type { FuzzTotals } from './fuzz-harness';
import type { History } from './histories';
import { MemoryHost } from './memory-host';
import { runBinding } from './run-binding';

const ajv = new Ajv2020({ strict: true, allErrors: false, allowUnionTypes: true });

/**
 * Images after which garbage is collected, where fuzz-suite.ts allows it. When the engine does so by itself depends on how
 * fast the machine is, and so would the memory that is measured: commands leave much garbage.
 */
const COLLECT_EVERY = 8;

interface Run {
  readonly binding: Binding;
  readonly words: readonly string[];
  /** For --json: what the document must be. */
  readonly schema?: ValidateFunction;
}

const READING: readonly Run[] = [
  { binding: fsck, words: ['-n', '-v'] },
  { binding: fsck, words: ['-n', '--level', 'forensic'] },
  { binding: fsck, words: ['-n', '--json'], schema: ajv.compile(fsckSchema) },
  { binding: inspect, words: ['--remaps', '--events', '--devices', '--config'] },
  { binding: inspect, words: ['--copy', '1', '--devices', '--config', '--events'] },
  { binding: inspect, words: ['--hex', '--copy', '0'] },
  { binding: inspect, words: ['--diff', '0:0', '0:1'] },
  { binding: inspect, words: ['--json'], schema: ajv.compile(inspectSchema) },
];
const DUMPING: Run = { binding: dump, words: [], schema: ajv.compile(dumpSchema) };
const REPAIRING: Run = { binding: fsck, words: ['-y', '--json'], schema: ajv.compile(fsckSchema) };

function machineOf({ spares }: FuzzImage): MemoryHost {
  const host = new MemoryHost({ nowNs: NOW_NS });
  spares.forEach(({ slots, gaps }, spare) => {
    const path = pathOf(spare);
    host.addImage(path, SPARE_BYTES);
    slots.forEach((slot, copy) => {
      host.poke(path, slotAt(copy), slot);
      for (const { start, end } of gaps?.[copy] ?? []) {
        // Devices fail in whole sectors.
        const [from, to] = [Math.floor(start / 512) * 512, Math.ceil(end / 512) * 512];
        host.failReads(path, BigInt(slotAt(copy) + from), BigInt(slotAt(copy) + to));
      }
    });
  });
  return host;
}

const pathOf = (spare: number): string => `/img/spare${spare}.img`;

/** Escapes, carriage returns, bells, bytes of the C1 set, and what turns the direction of text. */
const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

async function holdRun(host: MemoryHost, paths: readonly string[], run: Run): Promise<number> {
  const name = `${run.binding.spec.name} ${run.words.join(' ')}`;
  const { status, out, err } = await runBinding(run.binding, host, [...run.words, ...paths]);
  if (status < 0 || status > 63) throw new Error(`${name}: exit status ${status}`);
  const text = out + err;
  const bad = STEERING.exec(text);
  if (bad !== null) {
    const code = bad[0].charCodeAt(0).toString(16);
    throw new Error(
      `${name}: U+${code} in ${JSON.stringify(text.slice(Math.max(0, bad.index - 40), bad.index + 40))}`,
    );
  }
  if (run.schema !== undefined && out !== '') {
    const document: unknown = JSON.parse(out);
    const failure = (document as { readonly error?: unknown }).error;
    if (failure === undefined && !run.schema(document)) {
      throw new Error(`${name}: not as its schema says: ${ajv.errorsText(run.schema.errors)}`);
    }
  }
  return status;
}

/** As fuzz() of fuzz-harness.ts, with commands. Every fourth image is repaired, and looked at again. */
export async function fuzzCommands(
  histories: readonly History[],
  first: number,
  count: number,
  totals: FuzzTotals,
): Promise<void> {
  for (let seed = first; seed < first + count && totals.failures.length === 0; seed++) {
    const image = fuzzImage(histories, seed);
    totals.images++;
    const begin = performance.now();
    try {
      const host = machineOf(image);
      const paths = image.spares.map((_spare, i) => pathOf(i));
      for (const run of READING) await holdRun(host, paths, run);
      await holdRun(host, paths, DUMPING);
      if (host.log.length > 0) throw new Error('something was written by a command that only looks');
      if (seed % 4 === 0) await holdRepair(host, paths, totals);
    } catch (error) {
      recordFailure(totals, seed, image, error);
    }
    const took = performance.now() - begin;
    if (took > totals.slowestMs) Object.assign(totals, { slowestMs: took, slowestSeed: seed });
    if (totals.images % COLLECT_EVERY === 0) globalThis.gc?.();
  }
}

/** Whatever it was: where the repair left no error and failed nowhere, the next run is clean. */
async function holdRepair(host: MemoryHost, paths: readonly string[], totals: FuzzTotals): Promise<void> {
  const status = await holdRun(host, paths, REPAIRING);
  const key = `exit ${status}`;
  totals.verdicts.set(key, (totals.verdicts.get(key) ?? 0) + 1);
  const again = await holdRun(host, paths, { binding: fsck, words: ['-n'] });
  if (status === 1 && again !== 0) throw new Error(`repaired, but then exit status ${again}`);
  const writes = host.log.length;
  await holdRun(host, paths, REPAIRING);
  if (status <= 1 && host.log.length !== writes) throw new Error('a third run had something to write');
}
