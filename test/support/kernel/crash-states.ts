// SPDX-License-Identifier: GPL-2.0-or-later
// What is left after a power cut, judged without a guest: by the toolkit's core, by the user-space build of the kernel's
// format code, and sector by sector against a ledger of what had been promised. Where states come from is in replay.ts.
import { crc32 } from 'node:zlib';
import { commitFrom } from '../../../src/core/commit';
import type { CopyPlace, Generation } from '../../../src/core/generation';
import { encodeCopy, sectionBytes } from '../../../src/core/generation';
import type { RemapEntry } from '../../../src/core/layout';
import { ENTRY_DATA_LOST, RETIRED_MAIN_SECTOR, SECTION, SLOT_SECTORS } from '../../../src/core/layout';
import { planRepair } from '../../../src/core/plan';
import type { SetupDecision } from '../../../src/core/model';
import type { BenchSpare } from '../bench';
import { decide, isAccepted, NOW_NS, YES } from '../bench';
import { disagreements } from '../kernel-agreement';
import { askJudge } from '../kernel-judge';
import type { Placed } from '../kernel-seats';
import { placeSpares, questionOf } from '../kernel-seats';
import type { PageStore } from '../page-store';
import type { Content, Ledger, Moment } from './crash-ledger';
import { UNIT } from './crash-workload';
import { SECTOR } from './disk';
import { contentOf, patternSector } from './pattern';

/** More than these setups ever use of a slot; held by a check. */
const SLOT_BYTES = 49152;
const PAGE = 4096;
const SLOTS = SLOT_SECTORS.map((sector) => Number(sector) * SECTOR);

const crcs = new WeakMap<Uint8Array, number>();

/** Equal for equal slots. From one state to the next few pages change. */
function slotKey(store: PageStore, at: number): string {
  let key = '';
  for (let page = at; page < at + SLOT_BYTES; page += PAGE) {
    const bytes = store.pageAt(page);
    let crc = bytes === undefined ? 0 : crcs.get(bytes);
    if (bytes !== undefined && crc === undefined) crcs.set(bytes, (crc = crc32(bytes)));
    key += `${(crc ?? 0).toString(36)},`;
  }
  return key;
}

const keyOf = (store: PageStore): string => SLOTS.map((at) => slotKey(store, at)).join('');

/** The slots of a spare in some state; most are those of the state before, and must not be changed. */
export function spareIn(store: PageStore): BenchSpare {
  return { slots: SLOTS.map((at) => kept(slots, slotKey(store, at), () => store.read(at, SLOT_BYTES))) };
}

/** Contents of the disks: main first, then the spares by index; null: the spare is away. */
export type Remains = readonly (PageStore | null)[];

export interface Wreck {
  readonly name: string;
  readonly states: Remains;
  /** The moment of the cut, and the moment before which changes were begun that may be there. */
  readonly cut: Moment;
  readonly begun: Moment;
}

/** What the metadata of a state came to. */
export interface Verdict {
  /** Null: no generation that a target would load. */
  readonly entries: readonly RemapEntry[] | null;
  readonly sequence: bigint;
  /** Words for what is wrong; none is good. */
  readonly complaints: readonly string[];
  readonly kernelRefusal: string;
}

const slots = new Map<string, Uint8Array>();
const repaired = new Map<string, SetupDecision>();
const encoded = new Map<string, Uint8Array>();
/** From one commit to the next all that is kept here changes. */
const MOST_KEPT = 100;

function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  const found = map.get(key);
  if (found !== undefined) return found;
  if (map.size >= MOST_KEPT) map.clear();
  const made = make();
  map.set(key, made);
  return made;
}

function encodedSlot(generation: Generation, place: CopyPlace): Uint8Array {
  const { runId, sequence, overallCrc } = generation.header;
  return kept(encoded, [runId, sequence, overallCrc, place.spareIndex, place.copyIndex].join(), () => {
    const slot = new Uint8Array(SLOT_BYTES);
    slot.set(encodeCopy(generation, place));
    return slot;
  });
}

/** Repairs as dmremap-fsck -y would; what is wrong with the result. Many states are the same after that. */
export function repairComplaints(decision: SetupDecision, spares: readonly BenchSpare[]): string[] {
  if (decision.verdict === 'clean') return [];
  if (!isAccepted(decision)) return [`fsck can't repair it: ${decision.verdict}`];
  const plan = planRepair(decision, YES);
  if (plan.kind === 'none' || plan.base === null) return [`fsck plans nothing for ${decision.verdict}`];
  const seats = [...new Set(plan.copies.map(({ seat }) => seat))];
  const generation =
    plan.kind === 'restore'
      ? plan.base
      : commitFrom(plan.base, {
          highestSeen: decision.highestSeen,
          uncertain: decision.uncertain,
          now: NOW_NS,
          runId: 0x1234567890n,
          writer: 'dmremap-fsck 1.0.0',
          present: seats.map(({ index, highestShown }) => ({ index, highestShown })),
          degraded: false,
        });
  if (generation === null) return ['fsck has no new generation'];
  const mended = spares.map(({ slots }) => ({ slots: [...slots] }));
  for (const { seat, copy } of plan.copies) {
    const place = { spareIndex: seat.index, spareUuid: seat.uuid, copyIndex: copy.copyIndex };
    const own = mended[seat.index];
    if (own !== undefined) own.slots[copy.copyIndex] = encodedSlot(generation, place);
  }
  const key = mended.map(({ slots }) => slots.map((slot) => crc32(slot)).join()).join(';');
  const after = kept(repaired, key, () => decide(decision.setupUuid, mended));
  const found = after.winner?.generation ?? null;
  if (after.verdict !== 'clean' || found === null) return [`after fsck it is ${after.verdict}`];
  const [was, is] = [plan.base, found].map((one) => Buffer.from(sectionBytes(one, SECTION.remaps)));
  return was !== undefined && is !== undefined && was.equals(is) ? [] : ['fsck changed the entries'];
}

/** Judges many states; those with the same metadata once. */
export class Court {
  private readonly known = new Map<string, Verdict>();
  private readonly lists = new Map<string, readonly RemapEntry[]>();
  private waiting: { readonly key: string; readonly placed: Placed; readonly whole: boolean }[] = [];
  /** States taken so far. */
  entered = 0;
  /** How often the toolkit came to each verdict, over different metadata. */
  readonly verdicts = new Map<string, number>();

  constructor(
    private readonly setupUuid: string,
    private readonly judge: string,
  ) {}

  /** Different metadata seen so far. */
  get distinct(): number {
    return this.known.size + this.waiting.length;
  }

  /** Takes the metadata of a state; it is judged with others, at the latest when it is asked for. */
  enter(states: Remains): string {
    this.entered++;
    const present = states.slice(1).flatMap((state, index) => (state === null ? [] : [{ index, state }]));
    const key = present.map(({ index, state }) => `${index}:${keyOf(state)}`).join(' ');
    if (this.known.has(key) || this.waiting.some((one) => one.key === key)) return key;
    const spares = present.map(({ state }) => spareIn(state));
    const placed = placeSpares(this.setupUuid, spares);
    if (placed === null) throw new Error('more spares than a table has room for');
    this.waiting.push({ key, placed, whole: present.length === states.length - 1 });
    if (this.waiting.length >= 100) this.sit();
    return key;
  }

  verdict(key: string): Verdict {
    this.sit();
    const found = this.known.get(key);
    if (found === undefined) throw new Error('that was never entered');
    return found;
  }

  /** The same list for equal entries: there are many more states than generations. */
  private shared(entries: readonly RemapEntry[] | null): readonly RemapEntry[] | null {
    if (entries === null) return null;
    const key = entries.map((entry) => Object.values(entry).join()).join(' ');
    const found = this.lists.get(key) ?? entries;
    this.lists.set(key, found);
    return found;
  }

  private sit(): void {
    const batch = this.waiting;
    this.waiting = [];
    const answers = askJudge(
      this.judge,
      batch.map(({ placed }) => questionOf(placed)),
    );
    batch.forEach(({ key, placed, whole }, i) => {
      const { decision, table } = placed;
      const answer = answers[i];
      if (answer === undefined) throw new Error('the judge gave no answer');
      const spares = table.filter((spare) => spare !== null);
      const contents = decision.winner?.salvage === null ? decision.winner.contents : null;
      const long = (decision.winner?.header.slotBytes ?? 0) > SLOT_BYTES;
      this.verdicts.set(decision.verdict, (this.verdicts.get(decision.verdict) ?? 0) + 1);
      this.known.set(key, {
        entries: answer.refusal === 'ok' && !answer.unsound ? this.shared(contents?.remaps ?? null) : null,
        sequence: decision.winner?.header.sequence ?? 0n,
        kernelRefusal: answer.refusal,
        complaints: [
          ...(long ? ['the slots are longer than is looked at'] : []),
          ...(answer.refusal === 'ok'
            ? []
            : [`the kernel refuses it: ${answer.refusal} ${answer.why ?? ''}`]),
          ...(answer.unsound ? [`unsound: ${answer.rule ?? ''}`] : []),
          ...disagreements(placed, answer),
          ...(whole ? repairComplaints(decision, spares) : []),
        ],
      });
    });
  }
}

const patterns = new Map<string, Buffer>();
const contentsOfPages = new WeakMap<Uint8Array, Map<number, Content>>();
const PAGE_SECTORS = PAGE / SECTOR;

/** What the sector at a place of a disk holds, as a sector of the device. Pages stay the same in most states. */
function contentAt(store: PageStore, at: number, sector: number): Content {
  const page = store.pageAt(at * SECTOR);
  if (page === undefined) return 'zero';
  let known = contentsOfPages.get(page);
  if (known === undefined) contentsOfPages.set(page, (known = new Map<number, Content>()));
  const key = sector * PAGE_SECTORS + (at % PAGE_SECTORS);
  const found = known.get(key) ?? quickContent(sector, store.read(at * SECTOR, SECTOR));
  known.set(key, found);
  return found;
}

/** As contentOf(), for the same few patterns millions of times. */
function quickContent(sector: number, bytes: Uint8Array): Content {
  const version = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  const key = `${sector}v${version}`;
  const known = patterns.get(key);
  if (known?.equals(bytes) === true) return `v${version}`;
  const content = contentOf(sector, bytes);
  if (content === `v${version}`) patterns.set(key, Buffer.from(patternSector(sector, version)));
  return content;
}

/** What the entries make of each sector of the device; a spare that is away gives "away". */
export function contentsIn(entries: readonly RemapEntry[], states: Remains, count: number): Content[] {
  const place: ({ readonly disk: number; readonly sector: number } | null)[] = Array.from(
    { length: count },
    (_unused, sector) => ({ disk: 0, sector }),
  );
  for (const entry of entries) {
    if (entry.mainSector === RETIRED_MAIN_SECTOR) continue;
    for (let i = 0; i < entry.length; i++)
      place[Number(entry.mainSector) + i] =
        (entry.flags & ENTRY_DATA_LOST) !== 0
          ? null
          : { disk: 1 + entry.spareIndex, sector: Number(entry.spareSector) + i };
  }
  return place.map((at, sector) => {
    if (at === null) return 'EIO';
    const store = states[at.disk];
    return store === null || store === undefined ? 'away' : contentAt(store, at.sector, sector);
  });
}

/** Units of which something is remapped. */
export function unitsIn(entries: readonly RemapEntry[]): Set<number> {
  const units = new Set<number>();
  for (const { mainSector, length } of entries) {
    if (mainSector === RETIRED_MAIN_SECTOR) continue;
    for (let i = 0; i < length; i++) units.add(Math.floor((Number(mainSector) + i) / UNIT));
  }
  return units;
}

/** Words for every promise that the state breaks, or that its metadata does. */
export function breaches(wreck: Wreck, verdict: Verdict, ledger: Ledger): string[] {
  const { name, states, cut, begun } = wreck;
  const say = (what: string): string => `${name}: ${what}`;
  const out = verdict.complaints.map(say);
  const { entries } = verdict;
  if (entries === null) return [...out, say('nothing loads')];
  if (verdict.sequence < ledger.sequenceBy(cut))
    out.push(say(`sequence ${verdict.sequence}, but ${ledger.sequenceBy(cut)} was acknowledged`));
  const mapped = new Set<number>();
  for (const entry of entries)
    if (entry.mainSector !== RETIRED_MAIN_SECTOR)
      for (let i = 0; i < entry.length; i++) mapped.add(Number(entry.mainSector) + i);
  for (const unit of ledger.movedBy(cut))
    for (let sector = unit * UNIT; sector < (unit + 1) * UNIT; sector++)
      if (!mapped.has(sector)) out.push(say(`sector ${sector} is no longer remapped`));
  contentsIn(entries, states, ledger.count).forEach((content, sector) => {
    const allowed = ledger.allowed(sector, cut, begun);
    if (content !== 'away' && !allowed.includes(content))
      out.push(say(`sector ${sector} holds ${content}, not ${allowed.join(' or ')}`));
  });
  return out;
}
