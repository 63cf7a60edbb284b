// SPDX-License-Identifier: GPL-2.0-or-later
// When progress is shown, and what it looks like, by a clock that the test moves.
import { NO_PROGRESS, progressOn } from '../../src/cli/progress';

function display(isTTY: boolean, columns = 80) {
  let now = 1_000_000;
  const written: string[] = [];
  const progress = progressOn({ write: (text) => written.push(text), clock: () => now, isTTY, columns });
  return { progress, written, wait: (ms: number) => void (now += ms) };
}

test('nothing in the first second', () => {
  for (const isTTY of [true, false]) {
    const { progress, written, wait } = display(isTTY);
    progress.begin('Checking', 100);
    progress.update(1);
    wait(999);
    progress.update(50);
    progress.end();
    expect(written).toEqual([]);
  }
});

test('on a terminal a bar, ten times a second at most, that is taken away at the end', () => {
  const { progress, written, wait } = display(true);
  progress.begin('Checking', 200);
  wait(1000);
  progress.update(100);
  progress.update(101);
  wait(100);
  progress.update(200);
  progress.end();
  expect(written).toEqual([
    `\rChecking [${'#'.repeat(20)}${'-'.repeat(20)}] 100/200 (50%)\u001b[K`,
    `\rChecking [${'#'.repeat(40)}] 200/200 (100%)\u001b[K`,
    '\r\u001b[K',
  ]);
});

test('elsewhere a line every five seconds, without escapes', () => {
  const { progress, written, wait } = display(false);
  progress.begin('Checking', 3);
  for (let i = 0; i < 60; i++) {
    wait(200);
    progress.update(2);
  }
  progress.end();
  expect(written).toEqual(['Checking: 2/3 (66%)\n', 'Checking: 2/3 (66%)\n']);
});

test('a total that is not known, or zero, is no trouble', () => {
  const { progress, written, wait } = display(true);
  progress.begin('Searching', null);
  wait(1000);
  progress.update(7);
  progress.begin('Nothing', 0);
  wait(1000);
  progress.update(0);
  expect(written[0]).toBe('\rSearching: 7\u001b[K');
  expect(written.at(-1)).toContain('0/0 (100%)');
});

test('the bar never reaches the last column, however narrow the terminal', () => {
  for (const columns of [10, 20, 40, 60, 200]) {
    const { progress, written, wait } = display(true, columns);
    progress.begin('Checking 12 spares of a setup', 1000);
    wait(1000);
    progress.update(999);
    const visible = written[0]?.replace('\r', '').replace('\u001b[K', '') ?? '';
    expect(visible.length).toBeGreaterThan(0);
    expect(visible.length).toBeLessThan(columns);
  }
});

test('a label from outside cannot move the cursor', () => {
  const { progress, written, wait } = display(false);
  progress.begin('\u001b[2J', 1);
  wait(5000);
  progress.update(1);
  expect(written).toEqual(['\\x1b[2J: 1/1 (100%)\n']);
});

test('hiding takes the bar off once; it comes back with the next update', () => {
  const { progress, written, wait } = display(true);
  progress.begin('A', 1);
  progress.hide();
  wait(1000);
  progress.update(0);
  progress.hide();
  progress.hide();
  wait(100);
  progress.update(1);
  expect(written.map((text) => text === '\r\u001b[K')).toEqual([false, true, false]);
});

test('quiet progress does nothing', () => {
  expect(() => {
    NO_PROGRESS.begin('x', 1);
    NO_PROGRESS.update(1);
    NO_PROGRESS.hide();
    NO_PROGRESS.end();
  }).not.toThrow();
});
