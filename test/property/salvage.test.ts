// SPDX-License-Identifier: GPL-2.0-or-later
// Salvage succeeds in full whenever a right header, each section and each remap block of the newest generation survive
// somewhere, even with every copy on every spare damaged; and where something is missing for good, nothing is written.
import fc from 'fast-check';
import { usedDirectory } from '../../src/core/generation';
import { judgeSlot, sameGeneration } from '../../src/core/judge';
import { SECTION } from '../../src/core/layout';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';
import { copyOf, HISTORIES } from '../support/histories';
import type { History } from '../support/histories';
import type { MemoryHost } from '../support/memory-host';
import {
  differingPlaces,
  healthySpares,
  onlySetup,
  pathsOf,
  pokeSlot,
  putCopy,
  runFsck,
  slotBytes,
} from '../support/repair-world';

jest.setTimeout(PATIENCE_MS);

/** A part that has to survive somewhere: the header, a section, or a remap block. Bytes of the slot, half-open. */
interface Unit {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

function unitsOf({ newest }: History): Unit[] {
  const units: Unit[] = [{ name: 'header', start: 0, end: 512 }];
  for (const { type, offset, length } of usedDirectory(newest.header)) {
    const step = type === SECTION.remaps ? 4096 : length;
    for (let at = 0; at < length; at += step) {
      units.push({ name: `section ${type} byte ${at}`, start: offset + at, end: offset + at + step });
    }
  }
  return units;
}

/** What stands in a unit's place where it does not survive. */
const loss = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero' as const), at: fc.nat(), length: fc.nat(4096) }),
  fc.record({ kind: fc.constant('noise' as const), at: fc.nat(), length: fc.nat(4096) }),
  // The same part of an older generation, with right checksums of its own.
  fc.record({ kind: fc.constant('older' as const), age: fc.integer({ min: 1, max: 6 }) }),
);
type Loss = typeof loss extends fc.Arbitrary<infer T> ? T : never;

const scene = fc.constantFrom(...HISTORIES).chain((history) => {
  const places = history.spares * 5;
  const units = unitsOf(history).length;
  return fc.record({
    history: fc.constant(history),
    /** Unit by unit, the place where it survives for certain. */
    survivors: fc.array(fc.nat(places - 1), { minLength: units, maxLength: units }),
    /** Place by place, unit by unit: what became of it, unless it survives there. */
    losses: fc.array(fc.array(fc.option(loss, { freq: 6 }), { minLength: units, maxLength: units }), {
      minLength: places,
      maxLength: places,
    }),
    /** Whether the place's header is that of an older generation: a commit that was cut before its header. */
    oldHeader: fc.array(fc.option(fc.integer({ min: 1, max: 6 }), { freq: 2 }), {
      minLength: places,
      maxLength: places,
    }),
    filler: loss,
  });
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

/** The header's own identity stays readable: magic, setup, spare. */
const HEADER_TAIL = 0x74;

function lose(host: MemoryHost, history: History, place: number, unit: Unit, one: Loss): void {
  const [spare, copy] = [Math.floor(place / 5), place % 5];
  const start = unit.start === 0 ? HEADER_TAIL : unit.start;
  const size = unit.end - start;
  if (one.kind === 'older') {
    const older = history.line[history.line.length - 1 - one.age]!;
    const from = copyOf(older, spare, copy).subarray(unit.start, unit.end);
    pokeSlot(host, spare, copy, unit.start, from);
    return;
  }
  const at = start + (one.at % size);
  if (one.kind === 'flip') {
    const [byte = 0] = slotBytes(host, spare, copy, at, at + 1);
    pokeSlot(host, spare, copy, at, Uint8Array.of(byte ^ (1 << one.bit)));
    return;
  }
  const length = Math.max(1, Math.min(one.length, unit.end - at));
  const bytes = new Uint8Array(length);
  if (one.kind === 'noise') bytes.forEach((_byte, i) => (bytes[i] = 0x80 | (i * 37 + at)));
  pokeSlot(host, spare, copy, at, bytes);
}

function isWholeNewest(host: MemoryHost, { newest }: History, place: number): boolean {
  const [spare, copy] = [Math.floor(place / 5), place % 5];
  const bytes = slotBytes(host, spare, copy, 0, newest.header.slotBytes);
  const { valid, header } = judgeSlot({ bytes, gaps: [] }, 'integrity');
  return valid && header.header?.sequence === newest.header.sequence;
}

/** The machine, and whether there is a place where every unit survives (then nothing needs salvage). */
function builtFrom({ history, survivors, losses, oldHeader, filler }: Scene): {
  host: MemoryHost;
  whole: boolean;
} {
  const units = unitsOf(history);
  const host = healthySpares(history.newest);
  let whole = false;
  losses.forEach((list, place) => {
    const own = units.map((_unit, i) => survivors[i] === place);
    list.forEach((one, i) => {
      const age = i === 0 ? oldHeader[place] : null;
      if (own[i] === true) return;
      if (age !== null && age !== undefined) lose(host, history, place, units[0]!, { kind: 'older', age });
      else if (one !== null) lose(host, history, place, units[i]!, one);
    });
    // What was lost may be the same in an older generation, and then it was not lost: break something else.
    for (const [i, unit] of units.entries()) {
      if (!isWholeNewest(host, history, place)) break;
      if (own[i] === false)
        lose(
          host,
          history,
          place,
          unit,
          filler.kind === 'older' ? { kind: 'flip', at: 300, bit: 0 } : filler,
        );
    }
    whole ||= isWholeNewest(host, history, place);
  });
  return { host, whole };
}

test('every copy damaged, every piece somewhere: recovered in full and put back everywhere by -y', async () => {
  let salvaged = 0;
  await fc.assert(
    fc.asyncProperty(scene, async (one) => {
      const { history } = one;
      const { host, whole } = builtFrom(one);
      const paths = pathsOf(history.spares);
      const check = onlySetup(await runFsck(host, paths, { mode: 'check' }));
      expect(host.log).toEqual([]);
      expect(check.examined.decision.verdict).toBe(whole ? 'repairable' : 'salvageable');
      expect(sameGeneration(check.examined.decision.winner!.generation!, history.newest)).toBe(true);
      if (!whole) {
        // Not beyond doubt enough for -p: all of it comes from damaged copies.
        await runFsck(host, paths, { mode: 'preen' });
        expect(host.log).toEqual([]);
        salvaged++;
      }
      const run = await runFsck(host, paths);
      expect([run.exit, onlySetup(run).verdict]).toEqual([1, 'repaired']);
      expect(differingPlaces(host, history.newest)).toEqual([]);
      const second = await runFsck(host, paths, { mode: 'check' });
      expect([second.exit, onlySetup(second).verdict]).toEqual([0, 'clean']);
    }),
    fixedRuns(120),
  );
  expect(salvaged).toBeGreaterThan(80);
});

test('pieces on a spare that no longer says which it is are found too, and that spare is left alone', async () => {
  const several = scene.filter(({ history }) => history.spares > 1);
  let used = 0;
  await fc.assert(
    fc.asyncProperty(several, async (one) => {
      const { history, survivors } = one;
      const last = history.spares - 1;
      const { host, whole } = builtFrom({ ...one, survivors: [0, ...survivors.slice(1)] });
      for (let copy = 0; copy < 5; copy++) pokeSlot(host, last, copy, 0, new Uint8Array(512));
      const paths = pathsOf(history.spares);
      const before = host.bytesOf(paths[last]!);
      const run = await runFsck(host, paths);
      const setup = run.setups.find(({ examined }) => examined.decision.setupUuid === history.setupUuid)!;
      expect([setup.verdict, setup.errorsLeft]).toEqual(['repaired', []]);
      const others = differingPlaces(host, history.newest).filter((place) => !place.startsWith(`${last}:`));
      expect(others).toEqual([]);
      // Nobody knows whose spare it is: a setup of its own, lost, and never written to.
      expect(Buffer.compare(host.bytesOf(paths[last]!), before)).toBe(0);
      expect(run.exit).toBe(5);
      const needed = survivors.slice(1).some((place) => Math.floor(place / 5) === last);
      if (needed && !whole) used++;
    }),
    fixedRuns(40),
  );
  expect(used).toBeGreaterThan(10);
});

test('one piece lost in every copy: nothing is written, neither by -p nor by -y, and the older copies are not chosen', async () => {
  let partial = 0;
  const withLost = scene.chain((one) =>
    fc.record({ one: fc.constant(one), unit: fc.nat(), older: fc.nat(4) }),
  );
  await fc.assert(
    fc.asyncProperty(withLost, async ({ one, unit: which, older }) => {
      const { history } = one;
      const { host } = builtFrom(one);
      const units = unitsOf(history);
      const unit = units[1 + (which % (units.length - 1))]!;
      const places = history.spares * 5;
      for (let place = 0; place < places; place++) {
        lose(host, history, place, unit, { kind: 'noise', at: 0, length: 64 });
      }
      // A whole older copy tempts; but not in a place where something survives.
      if (!one.survivors.includes(older)) putCopy(host, history.line.at(-2)!, 0, older);
      const isNewest = (bytes: Uint8Array): boolean =>
        bytes.every((byte, i) => byte === copyOf(history.newest, 0, 0)[unit.start + i]);
      const brought = slotBytes(host, 0, older, unit.start, unit.end);
      const paths = pathsOf(history.spares);
      for (const mode of ['check', 'preen', 'repair'] as const) {
        const run = await runFsck(host, paths, { mode });
        const { decision } = onlySetup(run).examined;
        if (isNewest(brought)) {
          // The older generation has the very same part: then nothing is lost after all.
          expect(decision.winner?.header.sequence).toBe(history.newest.header.sequence);
          return;
        }
        expect(['partial', 'lost']).toContain(decision.verdict);
        expect([run.exit & 5, decision.winner]).toEqual([4, null]);
        expect(host.log).toEqual([]);
      }
      partial++;
    }),
    fixedRuns(120),
  );
  expect(partial).toBeGreaterThan(60);
});

test('blocks that a cut commit left behind the end of an older copy are read, though its header does not reach there', async () => {
  const history = HISTORIES.find(({ name }) => name === 'three spares, three blocks')!;
  const { newest, line } = history;
  const older = line.find(({ header }) => header.slotBytes < newest.header.slotBytes)!;
  const host = healthySpares(newest);
  const last = newest.header.slotBytes - 4096;
  for (let spare = 0; spare < 3; spare++) {
    for (let copy = 0; copy < 5; copy++) pokeSlot(host, spare, copy, last, new Uint8Array(4096));
  }
  // Here the blocks are all new, and only the header is still that of the commit before.
  putCopy(host, newest, 2, 3);
  pokeSlot(host, 2, 3, 0, copyOf(older, 2, 3).subarray(0, 4096));
  const run = await runFsck(host, pathsOf(3));
  expect([onlySetup(run).examined.decision.verdict, run.exit]).toEqual(['salvageable', 1]);
  expect(differingPlaces(host, newest)).toEqual([]);
});
