// SPDX-License-Identifier: GPL-2.0-or-later
// Opens inputs for reading, finds the spares in them (whole, at an offset, in partitions) and groups them into setups.
// First only headers are read and forgotten again, then each setup by itself: ten thousand images must not lie in
// memory at once. Decides nothing about a setup; see core/setup.ts.
import { ZERO_UUID } from '../core/bytes';
import { recogniseContainer } from '../core/containers';
import type { ByteSource, Region } from '../core/extents';
import { readRegion } from '../core/extents';
import { Fault } from '../core/faults';
import type { Finding } from '../core/findings';
import { finding } from '../core/findings';
import { belongsTo, damagedIdentity, hasTrace } from '../core/identity';
import type { HeaderGlance } from '../core/header';
import type { Level } from '../core/judge';
import { glanceAtHeader, judgeHeader } from '../core/header';
import { judgeSlot } from '../core/judge';
import { headerCrcOf } from '../core/generation';
import {
  BLOCK_BYTES,
  COPY_COUNT,
  HEADER_BYTES,
  HEADER_CRC_AT,
  SLOT_BYTES_AT,
  SLOT_ROOM_BYTES,
} from '../core/layout';
import type { SpareRead } from '../core/model';
import { shellWord } from '../core/paths';
import { readPartitions } from '../core/partitions';
import { slotOffset } from '../core/copies';
import { recogniseContent } from '../core/signatures';
import type { Host, ReadHandle } from '../host/host';
import { REUSED_READ_BYTES } from '../source/buffers';
import { SliceSource } from '../source/slice';

export interface ScanOptions {
  readonly level: Level;
  /** Bytes from the start of each input at which the spare begins; null: look for it. */
  readonly offset: bigint | null;
  /** The setup asked for, where a spare carries copies of two. */
  readonly setup: string | null;
}

/** What an input turned out to be. */
export interface InputReport {
  readonly path: string;
  readonly kind: 'image' | 'block' | 'unknown';
  readonly sizeBytes: bigint;
}

/** One place where a spare lies. */
export interface Located {
  readonly path: string;
  readonly kind: 'image' | 'block';
  /** How messages call it: the path, with the partition. */
  readonly label: string;
  /** Byte in the input, and the bytes from there that belong to it. */
  readonly base: bigint;
  readonly length: bigint;
  /** True if it is the whole of its input. */
  readonly whole: boolean;
  readonly logicalBlockSize: number;
}

export interface Stray {
  readonly located: Located;
  readonly copyIndex: number;
}

/** The places of one setup. */
export interface FoundSetup {
  readonly setupUuid: string;
  readonly spares: readonly Located[];
  /** Slots with a header of this setup on spares that belong to another, or to nobody knows which. */
  readonly strays: readonly Stray[];
  /** Slots with traces that name no setup at all: material for salvage, should this setup need it. */
  readonly nameless: readonly Stray[];
}

export interface ScanResult {
  readonly inputs: readonly InputReport[];
  /** Sorted by uuid. */
  readonly setups: readonly FoundSetup[];
  /** About inputs that belong to no setup. */
  readonly findings: readonly Finding[];
  /** True if something could not be opened or read, or an input has no trace of dm-remap: exit status 8. */
  readonly operational: boolean;
}

/** More inputs than this that claim one setup are not looked at: a setup has eight spares. */
const MOST_OF_A_SETUP = 16;
/** Nor more slots than this as strays: eight spares have 40. */
const MOST_STRAYS = 40;

/** Looks at the headers of all inputs, in the order given. `step` is called after each. */
export async function scanInputs(
  host: Host,
  paths: readonly string[],
  options: ScanOptions,
  step: (done: number) => Promise<void>,
): Promise<ScanResult> {
  const scan = new Scan(host, options);
  let done = 0;
  for (const path of paths) {
    scan.look(path);
    await step(++done);
  }
  return scan.result();
}

/** What the headers of one place say. */
interface Seen {
  readonly located: Located;
  /** The setup that each slot's header is evidence of; null: none. */
  readonly slots: readonly (string | null)[];
  readonly setupUuid: string;
}

class Scan {
  readonly #host: Host;
  readonly #options: ScanOptions;
  readonly #inputs: InputReport[] = [];
  readonly #findings: Finding[] = [];
  readonly #seen: Seen[] = [];
  /** Places with equally many copies of two setups: evidence for both, a spare of neither. */
  readonly #disputed: Omit<Seen, 'setupUuid'>[] = [];
  /** Places with damaged headers only, and the setup that these still show. */
  readonly #damaged: { readonly located: Located; readonly shown: string | null }[] = [];
  readonly #identities = new Map<string, string>();
  #operational = false;

  constructor(host: Host, options: ScanOptions) {
    this.#host = host;
    this.#options = options;
  }

  look(path: string): void {
    let handle: ReadHandle;
    try {
      handle = this.#host.openRead(path);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#inputs.push({ path, kind: 'unknown', sizeBytes: 0n });
      this.#findings.push(finding('input-unopened', { what: error.sentence, path }));
      this.#operational = true;
      return;
    }
    try {
      this.#inputs.push({ path, kind: handle.kind, sizeBytes: handle.sizeBytes });
      const other = this.#identities.get(handle.identity);
      if (other !== undefined) {
        this.#findings.push(finding('input-twice', { path, other }));
        return;
      }
      this.#identities.set(handle.identity, path);
      this.#lookInside(path, handle);
    } finally {
      handle.close();
    }
  }

  result(): ScanResult {
    const setups = new Map<string, { spares: Located[]; strays: Stray[] }>();
    const groupOf = (uuid: string): { spares: Located[]; strays: Stray[] } => {
      const group = setups.get(uuid) ?? { spares: [], strays: [] };
      setups.set(uuid, group);
      return group;
    };
    for (const { located, setupUuid } of this.#seen)
      this.#join(groupOf(setupUuid).spares, located, setupUuid);
    // Damaged headers still name their setup; without one, what is there is a lost setup of its own.
    for (const { located, shown } of this.#damaged) {
      const uuid = shown ?? ZERO_UUID;
      this.#join(groupOf(uuid).spares, located, uuid);
    }
    for (const { located, slots, setupUuid } of [...this.#seen, ...this.#disputed.map(ofNoSetup)]) {
      slots.forEach((uuid, copyIndex) => {
        const group = uuid === null || uuid === setupUuid ? undefined : setups.get(uuid);
        if (group !== undefined) this.#stray(group.strays, { located, copyIndex }, uuid ?? '');
      });
    }
    const nameless = this.#damaged
      .filter(({ shown }) => shown === null)
      .flatMap(({ located }) => COPIES.map((copyIndex) => ({ located, copyIndex })))
      .slice(0, MOST_STRAYS);
    return {
      inputs: this.#inputs,
      setups: [...setups]
        .map(([setupUuid, { spares, strays }]) => ({ setupUuid, spares, strays, nameless }))
        .sort((a, b) => (a.setupUuid < b.setupUuid ? -1 : 1)),
      findings: this.#findings,
      operational: this.#operational,
    };
  }

  #join(spares: Located[], located: Located, setupUuid: string): void {
    if (spares.length < MOST_OF_A_SETUP) spares.push(located);
    else this.#leaveOut(located, setupUuid);
  }

  /** A stray that is left out could have shown a newer generation: never without a word. */
  #stray(strays: Stray[], stray: Stray, setupUuid: string): void {
    if (strays.length < MOST_STRAYS) strays.push(stray);
    else this.#leaveOut(stray.located, setupUuid);
  }

  #leaveOut(located: Located, setupUuid: string): void {
    this.#findings.push(finding('input-too-many', { path: located.label, setupUuid }));
    this.#operational = true;
  }

  #lookInside(path: string, handle: ReadHandle): void {
    const { offset } = this.#options;
    const start = offset ?? 0n;
    const whole = locate(
      path,
      handle,
      start,
      handle.sizeBytes > start ? handle.sizeBytes - start : 0n,
      start === 0n,
    );
    const headers = headersOf(sourceOf(handle, whole));
    // A partition at 1 MiB has its copies 0 and 2 where a whole spare has its copies 2 and 3. Who takes them for misplaced
    // copies of a spare that begins at byte 0 never finds the partition.
    const itsOwn = headers.some(({ evidence }, copy) => evidence?.copyIndex === copy);
    if (offset === null && !itsOwn && this.#takePartitions(path, handle)) return;
    if (this.#take(whole, handle, headers)) return;
    this.#operational = true;
    this.#findings.push(this.#nameOther(path, handle, offset));
  }

  /** Takes up a place if it shows any trace of metadata. */
  #take(located: Located, handle: ReadHandle, headers: readonly HeaderGlance[]): boolean {
    const source = sourceOf(handle, located);
    const slots = headers.map(({ evidence }) => evidence?.setupUuid ?? null);
    const uuids = new Set(slots.filter((uuid) => uuid !== null));
    if (uuids.size > 1) return this.#takeDisputed(located, source, slots);
    const [only] = uuids;
    if (only !== undefined) {
      this.#seen.push({ located, slots, setupUuid: only });
      return true;
    }
    return this.#takeDamaged(located, source, headers);
  }

  /** Copies of two setups on one spare. */
  #takeDisputed(located: Located, source: ByteSource, slots: readonly (string | null)[]): boolean {
    const judged = COPIES.map((copy) => judgeSlot(readSlot(source, copy, 'integrity'), 'integrity'));
    const belonging = belongsTo(judged, this.#options.setup);
    if (belonging.kind === 'one') this.#seen.push({ located, slots, setupUuid: belonging.setupUuid });
    else if (belonging.kind === 'tie') {
      const setups = belonging.setups.join(' and ');
      this.#disputed.push({ located, slots });
      this.#findings.push(finding('input-tie', { path: located.label, setups }));
    }
    return true;
  }

  /** No intact header: traces are damaged headers, or records with right checksums of their own. */
  #takeDamaged(located: Located, source: ByteSource, headers: readonly HeaderGlance[]): boolean {
    const readable = headers.some((header) => header.state === 'bad' || header.state === 'good');
    const dead = headers.every((header) => header.state === 'unread');
    if (!readable && !dead) return false;
    const regions = COPIES.map((copy) => readSlot(source, copy, 'integrity'));
    if (!regions.some(hasTrace)) return false;
    const shown = damagedIdentity(regions.map((region) => judgeSlot(region, 'basic')));
    this.#damaged.push({ located, shown: shown?.setupUuid ?? null });
    return true;
  }

  #takePartitions(path: string, handle: ReadHandle): boolean {
    const table = readPartitions(handle);
    let taken = false;
    const looked = new Set<bigint>();
    for (const reading of [table, ...table.alternatives]) {
      for (const partition of reading.partitions) {
        if (looked.has(partition.start)) continue;
        looked.add(partition.start);
        const located = {
          ...locate(path, handle, partition.start, partition.length, false),
          label: `${path} partition ${partition.number}`,
        };
        if (!this.#take(located, handle, headersOf(sourceOf(handle, located)))) continue;
        taken = true;
        const what = `a spare was found in partition ${partition.number}, at byte ${partition.start}`;
        this.#findings.push(finding('partition-table', { path, what }));
      }
    }
    if (taken) {
      for (const note of table.notes)
        this.#findings.push(finding('partition-table', { path, what: note.text }));
    }
    return taken;
  }

  /** What an input holds that has nothing of ours. */
  #nameOther(path: string, handle: ReadHandle, offset: bigint | null): Finding {
    const container = recogniseContainer(handle);
    if (container !== undefined && !container.rawInside) {
      const hint = container.hint === '' ? '' : `; try: ${convertCommand(container.hint, path)}`;
      return finding('input-container', { path, container: container.name, hint });
    }
    const matches = recogniseContent(handle, {
      base: offset ?? 0n,
      length: handle.sizeBytes - (offset ?? 0n),
    });
    if (matches.length > 0) {
      const names = [...new Set(matches.map((match) => match.name))].slice(0, 4).join(', ');
      return finding('input-other', { path, content: names });
    }
    const unread = COPIES.some((copy) =>
      readRegion(handle, slotOffset(copy), 512).gaps.some((gap) => gap.kind === 'unread'),
    );
    const looked = unread ? ' (parts of it could not be read)' : offset === null ? '' : ` at byte ${offset}`;
    return finding('input-none', { path, looked });
  }
}

/** The command that makes a raw image of `path`, from a hint with the words IN and OUT. */
function convertCommand(hint: string, path: string): string {
  return hint.replace(/\b(IN|OUT)\b/g, (word) => shellWord(word === 'IN' ? path : `${path}.raw`));
}

function ofNoSetup(seen: Omit<Seen, 'setupUuid'>): Seen {
  return { ...seen, setupUuid: '' };
}

const COPIES = Array.from({ length: COPY_COUNT }, (_unused, copy) => copy);

function headersOf(source: ByteSource): HeaderGlance[] {
  return COPIES.map((copy) => glanceAtHeader(readRegion(source, slotOffset(copy), HEADER_BYTES)));
}

function locate(path: string, handle: ReadHandle, base: bigint, length: bigint, whole: boolean): Located {
  const label = whole || base === 0n ? path : `${path} at byte ${base}`;
  return { path, kind: handle.kind, label, base, length, whole, logicalBlockSize: handle.logicalBlockSize };
}

/** A located spare as a source of its own. */
export function sourceOf(handle: ReadHandle, located: Located): ByteSource {
  return located.whole ? handle : new SliceSource(handle, located.base, located.length);
}

/** Enough for a header, the fixed sections and two remap blocks: most setups need no second read. */
const FIRST_READ = REUSED_READ_BYTES;

/**
 * Reads one slot: as much as its header says, or all of its room where the header says nothing that can be trusted; at
 * least `least` bytes. At level basic only the header block.
 */
export function readSlot(source: ByteSource, copyIndex: number, level: Level, least = 0): Region {
  const offset = slotOffset(copyIndex);
  if (level === 'basic') return readRegion(source, offset, BLOCK_BYTES);
  const first = readRegion(source, offset, Math.max(FIRST_READ, least));
  // A cheap look at the usual case; whether the header can be trusted is for judgeSlot to find out.
  if (first.gaps.length === 0 && isSmallCopy(first.bytes)) return first;
  const header = judgeHeader(first);
  if (header.usable && header.header !== null && header.header.slotBytes <= first.bytes.length) return first;
  if (header.state === 'beyond-end') return first;
  return readRegion(
    source,
    offset,
    header.usable && header.header !== null ? header.header.slotBytes : SLOT_ROOM_BYTES,
  );
}

/** True for bytes with an intact header whose slot_bytes lie within the first read. */
function isSmallCopy(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slotBytes = view.getUint32(SLOT_BYTES_AT, true);
  if (slotBytes > FIRST_READ || slotBytes < BLOCK_BYTES) return false;
  return headerCrcOf(bytes.subarray(0, HEADER_BYTES)) === view.getUint32(HEADER_CRC_AT, true);
}

/** Everything of a located spare that judging it needs; of each slot at least `least` bytes. */
export function readSpare(host: Host, located: Located, level: Level, least = 0): SpareRead {
  const handle = host.openRead(located.path);
  try {
    const source = sourceOf(handle, located);
    return {
      label: located.label,
      base: located.base,
      slots: COPIES.map((copy) => readSlot(source, copy, level, least)),
    };
  } finally {
    handle.close();
  }
}

/** One slot of a located spare, at least `least` bytes of it. */
export function readStray(
  host: Host,
  stray: Stray,
  level: Level,
  least = 0,
): { name: string; region: Region } {
  const handle = host.openRead(stray.located.path);
  try {
    const region = readSlot(sourceOf(handle, stray.located), stray.copyIndex, level, least);
    return { name: `${stray.located.label} slot ${stray.copyIndex}`, region };
  } finally {
    handle.close();
  }
}
