// SPDX-License-Identifier: GPL-2.0-or-later
// Copies that can't be written are tried again, by themselves and once a minute. The guest counts instructions, so that
// its minutes pass as soon as it has nothing to do.
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import type { StatusFields } from '../support/kernel/scenario';
import { Scenario, USUAL_DISKS } from '../support/kernel/scenario';

describeKernel('a copy that can not be written', () => {
  let lab: Lab;
  let guest: Guest;
  let data: Scenario;

  beforeAll(async () => {
    lab = await Lab.open({ icount: true, disks: USUAL_DISKS });
    guest = await lab.boot();
    // Time jumps while a disk of the host is waited for: a task then seems to hang.
    await guest.sh('echo 0 > /proc/sys/kernel/hung_task_timeout_secs');
  });
  afterAll(async () => await lab.close());
  beforeEach(async () => {
    data = await Scenario.make(lab);
    await data.up();
  });
  afterEach(async () => {
    await guest.tryDm('remove', 'data');
  });

  /** The status once all copies are good. The guest's clock runs on while it waits for its disks, so it looks again. */
  const whole = async (): Promise<StatusFields> => {
    for (let patience = 20; patience > 0; patience--) {
      const status = await data.status();
      if (status.copies === '10/10') return status;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await data.status();
  };
  const minutesUp = async (): Promise<number> =>
    Number((await guest.sh('cat /proc/uptime')).split(' ')[0]) / 60;

  test('is tried once a minute and no more often, and is whole again when it can be', async () => {
    const fault = data.spare(1).failWrites(4096 + 8, 8);
    const began = await minutesUp();
    await data.force(77, 2);
    await guest.sh('sleep 310');
    const passed = (await minutesUp()) - began;
    // Each try writes the body and stops there.
    expect(fault.hits).toBeGreaterThanOrEqual(5);
    expect(fault.hits).toBeLessThanOrEqual(Math.floor(passed) + 1);
    expect((await data.status()).copies).toBe('9/10');
    const { sequence } = await data.status();
    fault.clear();
    await guest.sh('sleep 61');
    // The copy alone was written: the generation is the same.
    expect(await whole()).toMatchObject({ mode: 'rw', copies: '10/10', sequence });
    expect(await data.fsck()).toBe('clean setup-active');
    await data.finish();
  });

  test('too few of them: what needs a commit fails, until they can be written again', async () => {
    const faults = [0, 1].flatMap((spare) =>
      [0, 1024, 2048].map((slot) => data.spare(spare).failWrites(slot, 8)),
    );
    data.mainDisk.failWrites(50);
    await data.writeFails(50, 1, 2);
    expect((await data.status()).mode).toBe('fail');
    for (const fault of faults) fault.clear();
    await guest.sh('sleep 61');
    expect(await whole()).toMatchObject({ mode: 'rw', copies: '10/10' });
    await data.write(50, 1, 3);
    await data.finish();
  });
});
