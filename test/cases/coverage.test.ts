// SPDX-License-Identifier: GPL-2.0-or-later
// That the cases leave nothing out: every finding, every state of a copy, every verdict, every permission. Also how many
// there are of each kind: npx jest test/cases/coverage -t counts --verbose
import type { DefectCase, Outcome } from '../../fixtures/case';
import { ALL_CASES, casesByKind } from '../../fixtures';
import { FINDINGS } from '../../src/core/findings';

function outcomesOf(one: DefectCase): Outcome[] {
  return [one.preen, one.yes, ...(one.more ?? []).map(({ then }) => then)];
}

function findingsOf(one: DefectCase): string[] {
  const notes = [
    ...one.found.setups.flatMap(({ findings = [], notes = [] }) => [...findings, ...notes]),
    ...(one.found.inputs ?? []),
    ...(one.forensic ?? []),
    ...outcomesOf(one).flatMap(({ troubles = [] }) => troubles),
    ...Object.keys(one.says ?? {}),
  ];
  return notes.map((note) => note.split(' ')[0] ?? '');
}

test('every finding is found in some case', () => {
  const found = new Set(ALL_CASES.flatMap(findingsOf));
  expect(Object.keys(FINDINGS).filter((id) => !found.has(id))).toEqual([]);
});

test('every state of a copy is found in some case', () => {
  const states = new Set(
    ALL_CASES.flatMap(({ found }) => found.setups.flatMap(({ states = {} }) => Object.values(states))),
  );
  // What is not told of is valid.
  expect([...states, 'valid'].sort()).toEqual([
    'absent',
    'corrupt',
    'foreign',
    'misplaced',
    'overwritten',
    'stale',
    'torn',
    'truncated',
    'unread',
    'unsupported',
    'valid',
    'zeroed',
  ]);
});

test('every verdict is reached in some case', () => {
  const verdicts = new Set(
    ALL_CASES.flatMap((one) => [
      ...one.found.setups.map(({ verdict }) => verdict),
      ...outcomesOf(one).flatMap(({ verdicts }) => verdicts),
    ]),
  );
  expect([...verdicts].sort()).toEqual([
    'clean',
    'inconsistent',
    'lost',
    'partial',
    'repairable',
    'repaired',
    'salvageable',
    'split',
  ]);
});

test('every permission is needed in some case, and enough', () => {
  const needed = (option: string): DefectCase[] =>
    ALL_CASES.filter(
      ({ yes, more = [] }) =>
        !yes.writes && more.some((further) => further.with.includes(option) && further.then.writes),
    );
  for (const option of ['--choose', '--accept-partial', '--force']) expect(needed(option)).not.toEqual([]);
  expect(ALL_CASES.filter(({ preen, yes }) => !preen.writes && yes.writes)).not.toEqual([]);
});

test('no two cases have the same name', () => {
  const names = ALL_CASES.map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test.each([...casesByKind(), ['all', ALL_CASES.length] as const])('counts: %s: %i', (kind, count) => {
  expect(count).toBeGreaterThanOrEqual(kind === 'all' ? 130 : 5);
});
