// SPDX-License-Identifier: GPL-2.0-or-later
// No damage, and no mixture of pieces of different generations, lines or setups, ever passes for a generation that was
// not written, nor for an older one while evidence of a newer one is left. A single mixture is looked at by the core alone.
import fc from 'fast-check';
import type { Generation } from '../../src/core/generation';
import { encodeCopy } from '../../src/core/generation';
import { sameGeneration } from '../../src/core/judge';
import { SECTION_OFFSET } from '../../src/core/layout';
import type { SetupDecision } from '../../src/core/model';
import { planRepair } from '../../src/core/plan';
import { decide, highestEvidence, isAccepted, PREEN, YES } from '../support/bench';
import type { BenchSpare } from '../support/bench';
import { fixedRuns, PATIENCE_MS } from '../support/fixed-runs';
import { copyOf, HISTORIES } from '../support/histories';
import type { History } from '../support/histories';

jest.setTimeout(PATIENCE_MS);

/** A copy that was written somewhere at some time, by number; each is taken modulo what there is. */
interface Origin {
  readonly generation: number;
  readonly spare: number;
  readonly copy: number;
}

const origin: fc.Arbitrary<Origin> = fc.record({ generation: fc.nat(40), spare: fc.nat(7), copy: fc.nat(4) });

/** What a slot holds before pieces are put into it. */
const base = fc.oneof(
  { weight: 4, arbitrary: fc.constant('newest' as const) },
  { weight: 4, arbitrary: fc.record({ older: fc.nat(40) }) },
  { weight: 2, arbitrary: origin },
  { weight: 1, arbitrary: fc.constant('zero' as const) },
);

/** A piece: a header, a section, a remap block, or some sectors. */
const piece = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'header' as const }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('section' as const), number: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('block' as const), number: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('sectors' as const),
      from: fc.nat(100),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
);

const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero' as const), at: fc.nat(), length: fc.integer({ min: 1, max: 9000 }) }),
  fc.record({ kind: fc.constant('noise' as const), at: fc.nat(), length: fc.integer({ min: 1, max: 9000 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
);

/** Slots by number, spare by spare, that a step is about: one, or most of them. */
const where = fc.oneof(
  { weight: 4, arbitrary: fc.nat(14).map((slot) => 1 << slot) },
  { weight: 3, arbitrary: fc.nat(0x7fff) },
  { weight: 1, arbitrary: fc.nat(14).map((slot) => 0x7fff ^ (1 << slot)) },
);

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ where, origin, piece }) },
  { weight: 2, arbitrary: fc.record({ where, damage }) },
);

const mixture = fc.record({
  history: fc.constantFrom(...HISTORIES),
  bases: fc.array(base, { minLength: 15, maxLength: 15 }),
  steps: fc.array(step, { maxLength: 10, size: 'max' }),
  given: fc.integer({ min: 1, max: 3 }),
});
type Mixture = typeof mixture extends fc.Arbitrary<infer T> ? T : never;
type Step = Mixture['steps'][number];
type Piece = Extract<Step, { piece: unknown }>['piece'];
type Damage = Extract<Step, { damage: unknown }>['damage'];

function originCopy(history: History, { generation, spare, copy }: Origin): Uint8Array {
  const from = history.written[generation % history.written.length]!;
  return copyOf(from, spare % from.header.spareCount, copy);
}

function baseBytes(history: History, one: Mixture['bases'][number], spare: number, copy: number): Uint8Array {
  if (one === 'newest') return copyOf(history.newest, spare, copy).slice();
  if (one === 'zero') return new Uint8Array(32768);
  if (!('older' in one)) return originCopy(history, one).slice();
  const ours = history.written.length - history.stranger.length;
  return copyOf(history.written[one.older % ours]!, spare, copy).slice();
}

/** Bytes of `from` that make up a piece; null where it has no such piece. */
function rangeOf(from: Uint8Array, what: Piece): [number, number] | null {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  switch (what.kind) {
    case 'header':
      return [0, 512];
    case 'section': {
      const entry = 0x80 + what.number * 24;
      const [start, length] = [view.getUint32(entry + 4, true), view.getUint32(entry + 8, true)];
      return length === 0 ? null : [start, start + length];
    }
    case 'block': {
      const start = SECTION_OFFSET[5] + what.number * 4096;
      return start + 4096 > from.length ? null : [start, start + 4096];
    }
    case 'sectors':
      return [what.from * 512, Math.min(from.length, (what.from + what.count) * 512)];
  }
}

function damaged(slot: Uint8Array, what: Damage): Uint8Array {
  const at = what.at % slot.length;
  switch (what.kind) {
    case 'flip':
      slot[at]! ^= 1 << what.bit;
      return slot;
    case 'zero':
      return slot.fill(0, at, at + what.length);
    case 'noise':
      for (let i = at; i < Math.min(slot.length, at + what.length); i++) slot[i] = (i * 167 + at * 31) & 0xff;
      return slot;
    case 'cut':
      return slot.subarray(0, at);
  }
}

function changed(history: History, slot: Uint8Array, one: Step): Uint8Array {
  if ('damage' in one) return slot.length === 0 ? slot : damaged(slot, one.damage);
  const from = originCopy(history, one.origin);
  const range = rangeOf(from, one.piece);
  if (range !== null && range[0] < range[1] && range[1] <= slot.length) {
    slot.set(from.subarray(...range), range[0]);
  }
  return slot;
}

function built({ history, bases, steps, given }: Mixture): BenchSpare[] {
  const count = Math.min(history.spares, given);
  const spares = Array.from({ length: count }, (_unused, spare) => ({
    slots: [0, 1, 2, 3, 4].map((copy) => baseBytes(history, bases[spare * 5 + copy]!, spare, copy)),
  }));
  for (const one of steps) {
    spares.forEach(({ slots }, spare) => {
      slots.forEach((slot, copy) => {
        if ((one.where & (1 << (spare * 5 + copy))) !== 0) slots[copy] = changed(history, slot, one);
      });
    });
  }
  return spares;
}

/** The two promises, for one decision. */
function holdPromises(history: History, spares: readonly BenchSpare[], decision: SetupDecision): void {
  const { verdict, winner } = decision;
  const shown = highestEvidence(history.setupUuid, spares);
  expect(decision.highestSeen).toBe(shown);
  if (winner !== null) {
    const generation = winner.generation!;
    expect(history.written.some((one) => sameGeneration(one, generation))).toBe(true);
    expect(winner.header.setupUuid).toBe(history.setupUuid);
  }
  if (isAccepted(decision)) expect([verdict, winner?.header.sequence]).toEqual([verdict, shown]);
  // Whatever was written is not called unsound.
  for (const finding of decision.findings) expect(finding.id).not.toMatch(/^rule-/);
  for (const permissions of [PREEN, YES]) {
    const plan = planRepair(decision, permissions);
    if (!isAccepted(decision)) expect([verdict, plan.kind]).toEqual([verdict, 'none']);
    if (plan.kind !== 'none') expect(sameGeneration(plan.base!, winner!.generation!)).toBe(true);
  }
}

/** Puts the planned copies into their places. */
function repaired(spares: readonly BenchSpare[], decision: SetupDecision, base: Generation): BenchSpare[] {
  const copies = spares.map(({ slots }) => ({ slots: slots.slice() }));
  for (const { seat, copy } of planRepair(decision, YES).copies) {
    const number = Number(seat.spare!.read.label.slice('input'.length));
    const { index: spareIndex, uuid: spareUuid } = seat;
    const place = { spareIndex, spareUuid, copyIndex: copy.copyIndex };
    copies[number]!.slots[copy.copyIndex] = encodeCopy(base, place);
  }
  return copies;
}

test('whatever is mixed: only what was written is accepted, and nothing older than what is shown', () => {
  const verdicts = new Map<string, number>();
  fc.assert(
    fc.property(mixture, (one) => {
      const spares = built(one);
      const decision = decide(one.history.setupUuid, spares);
      verdicts.set(decision.verdict, (verdicts.get(decision.verdict) ?? 0) + 1);
      holdPromises(one.history, spares, decision);
    }),
    fixedRuns(1500),
  );
  // The mixtures are worth something only if they reach every verdict that they can.
  expect([...verdicts.keys()].sort()).toEqual(
    expect.arrayContaining(['inconsistent', 'lost', 'partial', 'repairable', 'salvageable', 'split']),
  );
});

test('whatever is restored: the next look finds the same generation and nothing to do', () => {
  let restored = 0;
  fc.assert(
    fc.property(mixture, (one) => {
      const spares = built(one);
      const decision = decide(one.history.setupUuid, spares);
      const plan = planRepair(decision, YES);
      if (plan.kind !== 'restore') return;
      restored++;
      const after = decide(one.history.setupUuid, repaired(spares, decision, plan.base!));
      expect(after.winner!.salvage).toBeNull();
      expect(sameGeneration(after.winner!.generation!, decision.winner!.generation!)).toBe(true);
      if (plan.withheld.length === 0) expect(after.verdict).toBe('clean');
    }),
    fixedRuns(600),
  );
  expect(restored).toBeGreaterThan(100);
});
