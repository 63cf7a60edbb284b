// SPDX-License-Identifier: GPL-2.0-or-later
// Power may fail at any point of an undo: run again, it ends with every byte as it was.
import { parseJournal } from '../../src/core/journal-parse';
import { sha256 } from '../support/journals';
import {
  A,
  cutWorld,
  everyCut,
  faultOf,
  FIRST_JOURNAL,
  images,
  journals,
  repairedWorld,
  SECOND_JOURNAL,
  steps,
  undo,
} from '../support/undo-world';
import type { Repaired } from '../support/undo-world';

describe('power may fail at any point', () => {
  async function undoSurvives(start: Repaired, redo: 'with redo' | 'without'): Promise<number> {
    const { host, original, repaired } = start;
    return everyCut(
      host,
      () => undo(host),
      async (cut) => {
        const second = await undo(host);
        expect([cut, second.exitCode, second.fault]).toEqual([cut, 0, null]);
        expect([cut, images(host)]).toEqual([cut, original]);
        expect([cut, (await undo(host)).status]).toEqual([cut, 'nothing-to-do']);
        if (redo === 'without') return;
        // From where the second run found it, and from there, by the first run's journal, to the beginning.
        if (second.redoJournal !== null) expect((await undo(host, second.redoJournal)).exitCode).toBe(0);
        if (journals(host).includes(SECOND_JOURNAL) && second.redoJournal !== SECOND_JOURNAL) {
          const code = await faultOf(() => undo(host, SECOND_JOURNAL));
          if (code === 'none') expect([cut, images(host)]).toEqual([cut, repaired]);
          else expect(code).toMatch(/^JOURNAL_IN/);
        }
      },
    );
  }

  test('in the undo of a finished repair', async () => {
    expect(await undoSurvives(await repairedWorld(), 'with redo')).toBeGreaterThan(150);
  });

  test('in the undo of a repair that was cut itself, wherever', async () => {
    const log = await steps();
    const first = log.findIndex(({ path }) => path === A);
    let ways = 0;
    for (let at = first; at < log.length; at += 4) {
      const start = await cutWorld(at, log[at]!.kind === 'write' ? 1 : undefined);
      if (images(start.host) !== start.original) ways += await undoSurvives(start, 'without');
    }
    expect(ways).toBeGreaterThan(400);
  });

  test('in the undo of an undo', async () => {
    const { host, original, repaired } = await repairedWorld();
    const { redoJournal } = await undo(host);
    const ways = await everyCut(
      host,
      () => undo(host, redoJournal!),
      async (cut) => {
        expect([cut, (await undo(host, redoJournal!)).exitCode, images(host)]).toEqual([cut, 0, repaired]);
        expect([cut, (await undo(host)).status, images(host)]).toEqual([cut, 'undone', original]);
      },
    );
    expect(ways).toBeGreaterThan(150);
  });

  test('with a torn mark in the journal, further marks are still understood', async () => {
    const { host, original } = await repairedWorld();
    const whole = host.bytesOf(FIRST_JOURNAL);
    for (let cut = 1; cut < 20; cut++) {
      const state = host.snapshot();
      host.resize(FIRST_JOURNAL, whole.length - cut);
      await undo(host);
      expect(parseJournal(host.bytesOf(FIRST_JOURNAL), 'x', sha256)).toMatchObject({
        undoBegun: true,
        padding: 0,
      });
      expect(images(host)).toBe(original);
      host.restore(state);
    }
  });
});
