// SPDX-License-Identifier: GPL-2.0-or-later
// One setup under test with a model of what each of its sectors must hold: made afresh on the disks of a lab, used through
// a guest, and compared block by block both through the mapped device and from outside, by the toolkit's reading of the
// spares. Which faults come when is the scenarios' affair.
import { createHash } from 'node:crypto';
import { contentsOf } from '../../../src/core/generation';
import type { Contents, Generation } from '../../../src/core/generation';
import { RETIRED_MAIN_SECTOR } from '../../../src/core/layout';
import type { RemapEntry } from '../../../src/core/layout';
import type { FormatOptions } from '../../../src/commands/format-plan';
import { readRegion } from '../../../src/core/extents';
import { SLOT_ROOM_BYTES, SLOT_SECTORS } from '../../../src/core/layout';
import { decideSetup } from '../../../src/core/setup';
import type { SetupDecision } from '../../../src/core/model';
import { PageStore } from '../page-store';
import { onlySetup } from '../repair-world';
import type { VirtualDisk } from './disk';
import { SECTOR } from './disk';
import type { Guest, RequestOptions } from './guest';
import type { Lab } from './lab';
import { contentOf, formatRuns, joinRuns, parseRuns, patternRange } from './pattern';
import type { Run } from './pattern';
import { checkDisks, formatDisks } from './toolkit';

/** What main holds before anything is written to it, so that zeros are never right. */
const FIRST = 1;
/** What lies in the data of the spares: sectors far away, so that they are never right anywhere. */
const FOREIGN_VERSION = 99;
const FOREIGN_SECTORS = 1_000_000;
const LOST = 'lost';

const prepared = new Map<string, PageStore>();

/** A store of patterns, made once for each size. */
function patterned(sectors: number, first: number, version: number): PageStore {
  const key = `${sectors} ${first} ${version}`;
  const known = prepared.get(key) ?? PageStore.of(patternRange(first, sectors, version));
  prepared.set(key, known);
  return known.clone();
}

/** Puts foreign patterns into the data of a spare whose metadata is in place. */
export function fillSpare(disk: VirtualDisk, dataStart = 10240): void {
  const filled = patterned(disk.sectors, FOREIGN_SECTORS, FOREIGN_VERSION);
  filled.write(0, disk.peek(0, dataStart));
  disk.load(filled);
}

/** One hash over all of these bytes. */
export function hashOf(...chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

/** What all disks of a lab hold, and how often they were written to, as one hash. */
export function hashOfDisks(lab: Lab): string {
  const hash = createHash('sha256');
  for (const disk of lab.rack.disks) {
    hash.update(`${disk.name} ${disk.counts.write}`);
    for (const [offset, page] of disk.snapshot().usedPages()) hash.update(`${offset}`).update(page);
  }
  return hash.digest('hex');
}

/** What most scenarios need: a main device and two spares. */
export const USUAL_DISKS = [
  { name: 'main', sectors: 8192 },
  { name: 's0', sectors: 16384 },
  { name: 's1', sectors: 16384 },
] as const;

export interface ScenarioOptions extends Partial<FormatOptions> {
  readonly main?: string;
  readonly spares?: readonly string[];
  readonly name?: string;
}

/** "rw 5 10/10 …" by name. */
export interface StatusFields {
  readonly mode: string;
  readonly sequence: number;
  readonly copies: string;
  readonly extents: number;
  readonly room: number;
  readonly lost: number;
  readonly used: number;
  readonly space: number;
  readonly health: number;
  readonly scan: string;
  readonly readErrors: number;
  readonly writeErrors: number;
  readonly spares: string;
}

export function parseStatus(line: string): StatusFields {
  const words = line.split(' ');
  if (words.length !== 11) throw new Error(`no status: ${line}`);
  const word = (index: number): string => words[index] ?? '';
  const pair = (index: number): number[] => word(index).split('/').map(Number);
  return {
    mode: word(0),
    sequence: Number(word(1)),
    copies: word(2),
    extents: pair(3)[0] ?? NaN,
    room: pair(3)[1] ?? NaN,
    lost: Number(word(4)),
    used: pair(5)[0] ?? NaN,
    space: pair(5)[1] ?? NaN,
    health: Number(word(6)),
    scan: word(7),
    readErrors: Number(word(8)),
    writeErrors: Number(word(9)),
    spares: word(10),
  };
}

export class Scenario {
  /** By sector of the mapped device: "v3", "v1|v3" where either is right, "zero", "lost". */
  readonly memory: string[];

  private constructor(
    readonly lab: Lab,
    readonly name: string,
    readonly main: string,
    readonly spares: readonly string[],
    readonly table: string,
    readonly setupUuid: string,
    /** The sector of main at which the mapped device begins. */
    readonly start: number,
    sectors: number,
    /** Sectors of the smallest request. */
    readonly block: number,
    /** Where main begins on its disk: not at 0 if it is a partition. */
    private readonly offset: number,
  ) {
    this.memory = Array.from({ length: sectors }, () => `v${FIRST}`);
  }

  /** A new setup on healed disks, all of main in version 1. */
  static async make(lab: Lab, options: ScenarioOptions = {}): Promise<Scenario> {
    const { main = 'main', spares = ['s0', 's1'], name = 'data', ...more } = options;
    for (const disk of lab.rack.disks) disk.heal();
    const disk = lab.disk(main);
    disk.load(patterned(disk.sectors, 0, FIRST));
    for (const spare of spares) lab.disk(spare).load(PageStore.of(lab.disk(spare).sectors * SECTOR));
    const made = await formatDisks(lab.rack, main, spares, { name, ...more });
    for (const spare of spares) fillSpare(lab.disk(spare));
    return Scenario.over(lab, { name, main, spares, table: made.table, setupUuid: made.setupUuid });
  }

  /** A setup that is there already. */
  static over(
    lab: Lab,
    setup: {
      readonly name: string;
      readonly main: string;
      readonly spares: readonly string[];
      readonly table: string;
      readonly setupUuid: string;
      readonly offset?: number;
    },
  ): Scenario {
    const words = setup.table.split(' ');
    const big = [setup.main, ...setup.spares].some(
      (each) => lab.disk(each).options.logicalBlockSize === 4096,
    );
    return new Scenario(
      lab,
      setup.name,
      setup.main,
      setup.spares,
      setup.table,
      setup.setupUuid,
      Number(words[4]),
      Number(words[1]),
      big ? 8 : 1,
      setup.offset ?? 0,
    );
  }

  get guest(): Guest {
    return this.lab.guest;
  }

  get mainDisk(): VirtualDisk {
    return this.lab.disk(this.main);
  }

  spare(index: number): VirtualDisk {
    return this.lab.disk(this.spares[index] ?? '');
  }

  /** The table with these features, and with "-" for some spares. */
  tableWith(features = '', without: readonly number[] = []): string {
    const words = this.table.split(' ');
    for (const index of without) words[6 + index] = '-';
    const count = features === '' ? 0 : features.split(' ').length;
    return count === 0 ? words.join(' ') : `${words.join(' ')} ${count} ${features}`;
  }

  async up(features = '', without: readonly number[] = [], ...words: readonly string[]): Promise<void> {
    await this.guest.create(this.name, this.tableWith(features, without), ...words);
  }

  /** A table that must be refused, whose reason the kernel gives in these words; the error's name. */
  async refused(table: string, why: RegExp, ...words: readonly string[]): Promise<string> {
    const { console } = this.guest;
    const { mark } = console;
    const { error } = await this.guest.tryDm('create', this.name, table, ...words);
    if (error === 'ok') throw new Error(`the table was taken: ${table}`);
    await console.until(why, mark);
    return error;
  }

  async down(): Promise<void> {
    await this.guest.dm('remove', this.name);
  }

  async status(): Promise<StatusFields> {
    return parseStatus(await this.guest.status(this.name));
  }

  async message(...words: readonly string[]): Promise<string> {
    return await this.guest.message(this.name, ...words);
  }

  async tryMessage(...words: readonly string[]): Promise<string> {
    return (await this.guest.tryDm('message', this.name, ...words)).error;
  }

  /** Does something, and waits for an event of it. */
  async next(act: () => Promise<unknown>): Promise<void> {
    const event = this.guest.event(this.name, await this.guest.eventNumber(this.name));
    await Promise.all([event, act()]);
  }

  /** Entries as the target lists them, one line each. */
  async list(): Promise<string[]> {
    return (await this.message('list')).split('\n').filter((line) => line !== '');
  }

  // --- using it, and knowing what it must hold ------------------------------------------------------------------

  note(first: number, count: number, state: string): void {
    this.memory.fill(state, first, first + count);
  }

  /** A write that must go well. */
  async write(first: number, count: number, version: number, options: RequestOptions = {}): Promise<void> {
    const result = await this.guest.write(this.name, first, count, version, options);
    if (result !== `${first}+${count}:ok`) throw new Error(`a write of v${version}: ${result}`);
    this.note(first, count, `v${version}`);
  }

  /** Makes a sector of main bad and writes to it, so that it moves. */
  async force(sector: number, version: number): Promise<void> {
    this.mainDisk.failWrites(sector);
    await this.write(sector, 1, version);
  }

  /** A write that must fail: what its sectors hold afterwards is the old or the new. */
  async writeFails(
    first: number,
    count: number,
    version: number,
    options: RequestOptions = {},
  ): Promise<void> {
    const result = await this.guest.write(this.name, first, count, version, options);
    if (result !== `${first}+${count}:EIO`) throw new Error(`a write of v${version}: ${result}`);
    for (let at = first; at < first + count; at++)
      if (this.memory[at] !== LOST) this.memory[at] = `${this.memory[at] ?? ''}|v${version}`;
  }

  async read(first: number, count: number, options: RequestOptions = {}): Promise<string> {
    return await this.guest.read(this.name, first, count, options);
  }

  /** What the model says of a range, in runs. */
  expected(): Run[] {
    return joinRuns(this.memory.map((state, sector) => ({ sector, count: 1, state })));
  }

  /** Where these runs are not what they must be. */
  private differences(found: readonly Run[]): string {
    const wrong = found.flatMap(({ sector, count, state }) =>
      Array.from({ length: count }, (_, i) => ({ sector: sector + i, count: 1, state })).filter(
        ({ sector: at }) => !(this.memory[at] ?? '').split('|').includes(state),
      ),
    );
    return formatRuns(joinRuns(wrong));
  }

  /** Reads all of it through the mapped device: each sector as it must be, EIO for what is lost. */
  async checkInside(): Promise<void> {
    const text = await this.read(0, this.memory.length, { chunk: 128, piece: this.block });
    const found = parseRuns(text).map((run) => (run.state === 'EIO' ? { ...run, state: LOST } : run));
    expect(this.differences(found)).toBe('');
  }

  // --- from outside ---------------------------------------------------------------------------------------------

  /** What the toolkit makes of the spares: by default all, as the disks are now. */
  decide(spares = this.spares): SetupDecision {
    const reads = spares.map((label) => {
      const source = this.lab.disk(label).source();
      const slots = SLOT_SECTORS.map((sector) => readRegion(source, sector * 512n, SLOT_ROOM_BYTES));
      return { label, base: 0n, slots };
    });
    return decideSetup({
      ...{ setupUuid: this.setupUuid, spares: reads, strays: [], level: 'forensic' },
      now: 1_770_000_000_000_000_000n,
    });
  }

  generation(spares = this.spares): Generation {
    const generation = this.decide(spares).winner?.generation ?? null;
    if (generation === null) throw new Error('no generation is left on the spares');
    return generation;
  }

  contents(spares = this.spares): Contents {
    return contentsOf(this.generation(spares));
  }

  /** Events since the setup was made, oldest first, as "KIND@SECTOR+LENGTH". */
  events(): string[] {
    return this.contents()
      .events.filter(({ serial }) => serial !== 0)
      .sort((a, b) => a.serial - b.serial)
      .map(({ kind, device, sector, length }) => `${kind}:${device}@${sector}+${length}`);
  }

  /** The bytes of each sector of the mapped device by what lies on the disks alone; null: lost. */
  bytesOutside(): (Uint8Array | null)[] {
    const entries = this.contents().remaps.filter(({ mainSector }) => mainSector !== RETIRED_MAIN_SECTOR);
    const owner = new Map<number, RemapEntry>();
    for (const entry of entries)
      for (let i = 0; i < entry.length; i++) owner.set(Number(entry.mainSector) + i, entry);
    return this.memory.map((_, index) => {
      const sector = this.start + index;
      const entry = owner.get(sector);
      if (entry === undefined) return this.mainDisk.peek(this.offset + sector);
      if ((entry.flags & 1) !== 0) return null;
      return this.spare(entry.spareIndex).peek(Number(entry.spareSector) + sector - Number(entry.mainSector));
    });
  }

  /** What each sector holds, in the words of the model. */
  contentOutside(): Run[] {
    return this.bytesOutside().map((bytes, sector) => ({
      ...{ sector, count: 1 },
      state: bytes === null ? LOST : contentOf(sector, bytes),
    }));
  }

  checkOutside(): void {
    expect(this.differences(this.contentOutside())).toBe('');
  }

  /** dmremap-fsck --level forensic on the spares: its verdict and what it found, but for where the generation comes from. */
  async fsck(spares = this.spares): Promise<string> {
    const run = await checkDisks(this.lab.rack, spares);
    const report = onlySetup(run);
    const bad = [...run.findings, ...report.findings].filter(({ id }) => id !== 'lineage');
    return [report.verdict, ...bad.map(({ id }) => id)].join(' ');
  }

  /**
   * The end of a scenario: right inside, then stopped, right outside, and clean to the toolkit. Errors that the disks
   * were given stay: nobody may need what they hit.
   */
  async finish(): Promise<void> {
    await this.checkInside();
    await this.down();
    this.checkOutside();
    expect(await this.fsck()).toBe('clean');
  }

  /** Stops and starts it, with everything looked at before, between and behind. */
  async restart(features = ''): Promise<void> {
    await this.finish();
    await this.up(features);
    await this.checkInside();
  }
}
