// SPDX-License-Identifier: GPL-2.0-or-later
// What dmremap-format is told, and the setup and the writes that follow from it and from the devices. Nothing is written
// here; see format.ts.
import { MAX_BADBLOCKS_BYTES, parseBadBlocks } from '../core/badblocks';
import { Fault } from '../core/faults';
import { findingMessage, findingSpec } from '../core/findings';
import type { Generation } from '../core/generation';
import type { PlannedWrite } from '../core/journal';
import { MAX_MAPFILE_BYTES, parseMapfile } from '../core/mapfile';
import { lostEntries } from '../core/newentries';
import type { LostArea } from '../core/newentries';
import { geometryOf } from '../core/newgeometry';
import { derivedIdentities, runIdOf, uuidOf } from '../core/newidentity';
import type { Identities } from '../core/newidentity';
import { areasOfBadBlocks, areasOfMapfile } from '../core/newlost';
import { derivedRunId, firstGeneration, paramsFit, pathFits } from '../core/newsetup';
import type { NewSetup, Policy } from '../core/newsetup';
import { newSetupWrites } from '../core/newwrites';
import { rulesBroken } from '../core/rules';
import type { Host } from '../host/host';
import { surveyMain, surveySpare } from './format-survey';
import type { FormatInput, SpareContent } from './format-survey';
import type { RunOptions, UndoOption } from './writing';

/** Where bad areas of main are read from. */
export type BadList =
  | { readonly kind: 'bad-blocks'; readonly path: string; readonly blockSize: number }
  | { readonly kind: 'mapfile'; readonly path: string; readonly untriedLost: boolean };

export interface FormatOptions extends RunOptions {
  /** Checked already: see newNameDefect. */
  readonly name: string;
  readonly description: string;
  readonly main: string;
  /** 1 to 8; their order is that of their indexes. */
  readonly spares: readonly string[];
  /** The setup's uuid, 8-4-4-4-12 in lower case; null: random. All other identifiers follow from a given one. */
  readonly uuid: string | null;
  readonly policy: Policy;
  readonly tunables: readonly { readonly name: string; readonly value: bigint }[];
  readonly remapUnit: 1 | 8 | null;
  /** Logical block size that image files count as; null: 512. */
  readonly sectorSize: 512 | 4096 | null;
  readonly badList: BadList | null;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly undo: UndoOption;
}

/** A setup that is ready to be written. */
export interface Prepared {
  readonly setup: NewSetup;
  readonly generation: Generation;
  readonly main: FormatInput;
  readonly spares: readonly FormatInput[];
  readonly contents: readonly SpareContent[];
  readonly writes: readonly PlannedWrite[];
  readonly warnings: readonly string[];
}

/** Decides everything. Faults: whatever speaks against the setup; nothing is written in any case. */
export function prepare(host: Host, inputs: readonly FormatInput[], options: FormatOptions): Prepared {
  const [main, ...spares] = inputs;
  if (main === undefined) throw new RangeError('no main device');
  const geometry = geometryOf(main, spares, options.remapUnit);
  const contents = spares.map((spare, i) =>
    surveySpare(spare, geometry.spares[i]?.dataStart ?? 0n, options.force),
  );
  const content = surveyMain(host, main, spares, geometry, options.force);
  const lost = lostAreas(host, options, main);
  const createdNs = host.now();
  const sha256 = (...chunks: readonly Uint8Array[]): string => host.sha256(...chunks);
  const setup: NewSetup = {
    name: options.name,
    description: options.description,
    identities: identitiesFor(host, options),
    createdNs,
    geometry,
    main: { path: main.path, facts: main.facts, hints: content.hints, contentSha256: content.contentSha256 },
    spares,
    policy: options.policy,
    tunables: options.tunables,
    entries: lostEntries(lost.areas, geometry, createdNs),
    writer: `dmremap-format ${options.tool.version}`,
  };
  const runId = options.uuid === null ? runIdOf(host.random(8)) : derivedRunId(setup, sha256);
  const generation = firstGeneration(setup, runId);
  const broken = rulesBroken(generation).find(({ id }) => findingSpec(id).severity === 'error');
  if (broken !== undefined) {
    // Better no setup than one that fsck calls inconsistent and no tool repairs.
    throw new Fault('INTERNAL', { what: `the new setup would break a rule: ${findingMessage(broken)}` });
  }
  const writes = newSetupWrites(
    generation,
    spares.map(({ handle }, i) => ({
      target: i,
      spareIndex: i,
      spareUuid: setup.identities.spareUuids[i] ?? '',
      source: handle,
      dataStart: geometry.spares[i]?.dataStart ?? 0n,
      wipe: contents[i]?.wipe ?? [],
    })),
  );
  const warnings = [...content.warnings, ...lost.warnings, ...setupWarnings(setup, main, spares)];
  return { setup, generation, main, spares, contents, writes, warnings };
}

function identitiesFor(host: Host, options: FormatOptions): Identities {
  if (options.uuid !== null) {
    return derivedIdentities(options.uuid, options.spares.length, (...chunks) => host.sha256(...chunks));
  }
  const random = (): string => uuidOf(host.random(16), 4);
  return { setupUuid: random(), mainUuid: random(), spareUuids: options.spares.map(random) };
}

function lostAreas(
  host: Host,
  { badList }: FormatOptions,
  main: FormatInput,
): { areas: LostArea[]; warnings: string[] } {
  if (badList === null) return { areas: [], warnings: [] };
  const { path } = badList;
  const names = { list: path, main: main.path };
  const { sizeBytes } = main.facts;
  const invalid = ({ line, reason }: { line: number; reason: string }): Fault =>
    new Fault('LIST_INVALID', { list: path, why: line === 0 ? reason : `line ${line}: ${reason}` });
  if (badList.kind === 'bad-blocks') {
    const list = parseBadBlocks(host.readFile(path, MAX_BADBLOCKS_BYTES), badList.blockSize);
    if ('reason' in list) throw invalid(list);
    return { areas: areasOfBadBlocks(list.extents, badList.blockSize, sizeBytes, names), warnings: [] };
  }
  const map = parseMapfile(host.readFile(path, MAX_MAPFILE_BYTES));
  if ('reason' in map) throw invalid(map);
  const areas = areasOfMapfile(map, sizeBytes, badList.untriedLost, names);
  return { areas, warnings: map.notes.map(({ text }) => `${path}: ${text}`) };
}

function setupWarnings(setup: NewSetup, main: FormatInput, spares: readonly FormatInput[]): string[] {
  const { geometry, policy } = setup;
  const warnings: string[] = [];
  if (geometry.droppedBytes > 0n) {
    const block = geometry.blockSectors * 512n;
    warnings.push(
      `${main.path}: its last ${geometry.droppedBytes} bytes fill no block of ${block} bytes and are not part of the setup`,
    );
  }
  for (const device of [main, ...spares]) {
    if (!pathFits(device)) warnings.push(`${device.path}: its path is too long to be recorded`);
  }
  if (!paramsFit(setup)) warnings.push("the target's arguments are too long to be recorded");
  const mainDisk = main.facts.wholeDisk ?? main.handle.identity;
  for (const spare of spares) {
    if ((spare.facts.wholeDisk ?? spare.handle.identity) !== mainDisk) continue;
    warnings.push(`${spare.path}: is on the same disk as main, and will fail with it`);
  }
  if (policy.checkFsUuid === 1 && setup.main.hints.fsUuid === null) {
    warnings.push(
      `${main.path}: no file system uuid can be seen, so --check-fs-uuid has nothing to compare with`,
    );
  }
  return warnings;
}
