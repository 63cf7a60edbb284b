// SPDX-License-Identifier: GPL-2.0-or-later
// dmremap-format when devices fail, when a signal comes, and when the power is cut at every step: never half of an old
// setup beside the new one, and a second run or an undo always works. On the machine in memory.
import {
  decide,
  format,
  formatWorld,
  hashOf,
  MIB,
  OTHER_UUID,
  SETUP_UUID,
  setupsOn,
  SPARES,
  undo,
} from '../support/format-world';
import { noise } from '../support/journals';
import { PowerCut } from '../support/memory-host';
import type { MemoryHost } from '../support/memory-host';
import { faultOf, journals } from '../support/undo-world';

const [S0, S1] = SPARES;

describe('errors and interruptions', () => {
  test('a bad sector anywhere on a spare stops it before the first copy exists', async () => {
    for (const start of [8192, 3 * MIB]) {
      const host = formatWorld();
      host.poke(S1, 0, noise(2, 5 * MIB));
      host.failWrites(S1, BigInt(start), BigInt(start) + 512n);
      const before = hashOf(host);
      const fault = await format(host).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code: 'FORMAT_INCOMPLETE', exit: 8 });
      for (const path of SPARES) expect(setupsOn(host, path)).toEqual(new Map());
      host.heal();
      expect(await undo(host, (fault as { fields: { undo: string } }).fields.undo)).toBe('undone');
      expect(hashOf(host)).toBe(before);
    }
  });

  test('a header that cannot be written makes it fail, though other copies are whole', async () => {
    const host = formatWorld();
    host.failWrites(S1, 1048576n, 1048576n + 512n);
    expect(await faultOf(() => format(host))).toBe('FORMAT_INCOMPLETE');
    host.heal();
    const refused = await format(host).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'HOLDS_METADATA', fields: { unfinished: 'yes' } });
    expect(await faultOf(() => format(host, { force: true, name: 'again' }))).toBe('none');
    expect(decide(host, SETUP_UUID).verdict).toBe('clean');
  });

  test('writes that are lost without an error are noticed', async () => {
    const host = formatWorld();
    host.loseWrites(S0, 4194304n, 4194304n + 4096n);
    expect(await faultOf(() => format(host))).toBe('FORMAT_INCOMPLETE');
  });

  test('a signal stops it before the first copy, and no longer after', async () => {
    const run = async (after: number): Promise<{ code: string; host: MemoryHost }> => {
      const host = formatWorld();
      let asked = 0;
      const signals = { interrupted: () => asked++ >= after, breathe: async () => undefined };
      return { code: await faultOf(() => format(host, { signals })), host };
    };
    for (const after of [0, 1, 2]) {
      const { code, host } = await run(after);
      expect(code).toBe('FORMAT_INTERRUPTED');
      expect(setupsOn(host, S0)).toEqual(new Map());
      expect(await faultOf(() => format(host, { force: true }))).toBe('none');
      expect(decide(host, SETUP_UUID).verdict).toBe('clean');
    }
    const late = await run(4);
    expect([late.code, decide(late.host, SETUP_UUID).verdict]).toEqual(['none', 'clean']);
  });
});

describe('a power cut', () => {
  interface Cut {
    readonly at: number;
    readonly tear?: { readonly sectors: number } | { readonly seed: number };
    readonly cache?: 'kept' | 'lost' | { readonly seed: number };
  }

  /** Before each mutation with the cache kept, and lost or kept in part; and inside each write to a spare. */
  function cutsOf(host: MemoryHost): Cut[] {
    return host.log.flatMap(({ kind, path }, at): Cut[] => [
      { at, cache: 'kept' },
      { at, cache: at % 2 === 0 ? 'lost' : { seed: at } },
      ...(kind === 'write' && SPARES.some((spare) => spare === path)
        ? [{ at, tear: { sectors: 1 } }, { at, tear: { seed: at }, cache: { seed: at } } as const]
        : []),
    ]);
  }

  async function everyCut(
    host: MemoryHost,
    run: () => Promise<unknown>,
    after: (cut: number) => Promise<void>,
  ): Promise<number> {
    const start = host.snapshot();
    host.reboot();
    await run();
    const cuts = cutsOf(host);
    for (const [i, cut] of cuts.entries()) {
      host.restore(start);
      host.cutPower(cut);
      await expect(run()).rejects.toThrow(PowerCut);
      host.reboot();
      await after(i);
    }
    return cuts.length;
  }

  test('on empty spares: nothing, or copies of the new setup alone; running it again makes it', async () => {
    const host = formatWorld();
    const count = await everyCut(
      host,
      () => format(host),
      async (cut) => {
        for (const path of SPARES)
          expect([...setupsOn(host, path).keys()].every((uuid) => uuid === SETUP_UUID)).toBe(true);
        expect(['clean', 'repairable', 'lost']).toContain(decide(host, SETUP_UUID).verdict);
        if (cut % 2 === 1) return;
        expect(await faultOf(() => format(host, { force: true }))).toBe('none');
        expect(decide(host, SETUP_UUID).verdict).toBe('clean');
      },
    );
    expect(count).toBeGreaterThan(100);
  });

  test('over an older setup: whole copies of old and new never stand side by side, undo and a second run both work', async () => {
    const host = formatWorld();
    await format(host, { uuid: OTHER_UUID, name: 'old' });
    host.poke(S0, 3 * MIB, noise(6, 2048));
    const old = hashOf(host);
    let undone = 0;
    const count = await everyCut(
      host,
      () => format(host, { force: true }),
      async (cut) => {
        const whole = new Set<string>();
        for (const path of SPARES) {
          for (const [uuid, copies] of setupsOn(host, path)) if (copies > 0) whole.add(uuid);
        }
        expect(whole.size).toBeLessThanOrEqual(1);
        // All cuts have been looked at; the dear part takes turns.
        if (cut % 3 === 0) {
          expect(await faultOf(() => format(host, { force: true }))).toBe('none');
          for (const path of SPARES) expect(setupsOn(host, path)).toEqual(new Map([[SETUP_UUID, 5]]));
          expect(decide(host, SETUP_UUID).verdict).toBe('clean');
        } else if (cut % 3 === 1 && hashOf(host) !== old) {
          expect(['undone', 'nothing-to-do']).toContain(await undo(host, journals(host)[0]!));
          expect(hashOf(host)).toBe(old);
          undone++;
        }
      },
    );
    expect(count).toBeGreaterThan(150);
    expect(undone).toBeGreaterThan(30);
  });
});
