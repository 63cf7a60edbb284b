// SPDX-License-Identifier: GPL-2.0-or-later
// The lab by itself, with targets of the kernel's own: guests boot, faults come where they were ordered and nowhere else,
// a power cut takes what was not flushed and nothing else, and what the agent says agrees with what lies on the disks.
import { describeKernel } from '../support/kernel/environment';
import type { Guest } from '../support/kernel/guest';
import { Lab } from '../support/kernel/lab';
import { formatRuns, patternSector } from '../support/kernel/pattern';
import { Replay } from '../support/kernel/replay';

const MAIN = 32768;
const BIG = 16384;

describeKernel('the lab', () => {
  let lab: Lab;
  let guest: Guest;

  beforeAll(async () => {
    lab = await Lab.open({
      remap: false,
      disks: [
        { name: 'main', sectors: MAIN },
        { name: 'big', sectors: BIG, logicalBlockSize: 4096 },
        { name: 'flash', sectors: 8192, driver: 'nvme' },
        { name: 'tail', sectors: 4096, failedWrites: 'around' },
        { name: 'net', sectors: 8192, driver: 'nbd' },
      ],
    });
    guest = await lab.boot();
    await guest.create('lin', `0 4096 linear /dev/lab/main 10240`);
  });
  afterAll(async () => await lab.close());
  beforeEach(() => lab.rack.disks.forEach((disk) => disk.heal()));

  /** What the host finds on a disk, in the same form as what the guest reads. */
  const onDisk = (name: string, first: number, count: number): string =>
    formatRuns(lab.disk(name).runs(first, count));

  describe('devices', () => {
    test('have the sizes, blocks and caches that were ordered', async () => {
      const queue = async (name: string, file: string): Promise<string> =>
        await guest.sh(`cat /sys/block/$(basename $(readlink /dev/lab/${name}))/${file}`);
      expect(await queue('main', 'size')).toBe(String(MAIN));
      expect(await queue('main', 'queue/logical_block_size')).toBe('512');
      expect(await queue('big', 'size')).toBe(String(BIG));
      expect(await queue('big', 'queue/logical_block_size')).toBe('4096');
      expect(await queue('main', 'queue/write_cache')).toBe('write back');
      expect(await queue('main', 'queue/fua')).toBe('0');
      expect(await queue('net', 'size')).toBe('8192');
      expect(await queue('net', 'queue/fua')).toBe('1');
    });

    test('carry the same pattern on both sides, each sector with its own number', async () => {
      expect(await guest.write('main', 100, 24, 7)).toBe('100+24:ok');
      expect(onDisk('main', 99, 26)).toBe('99+1:zero 100+24:v7 124+1:zero');
      expect(await guest.read('main', 99, 26)).toBe('99+1:zero 100+24:v7 124+1:zero');
      // Written through a mapping, a sector carries its number above it.
      expect(await guest.write('lin', 3, 2, 0xfffffffe)).toBe('3+2:ok');
      expect(onDisk('main', 10243, 2)).toBe('10243+1:s3v4294967294 10244+1:s4v4294967294');
      lab.disk('main').poke(101, new Uint8Array(512).fill(1));
      expect(await guest.read('main', 100, 3)).toBe('100+1:v7 101+1:other 102+1:v7');
      expect(Buffer.from((await guest.peek('main', 101)) ?? []).equals(lab.disk('main').peek(101))).toBe(
        true,
      );
    });

    test('take memory at odd places and refuse half blocks', async () => {
      expect(await guest.write('main', 201, 5, 8, { shift: 512 })).toBe('201+5:ok');
      expect(await guest.read('main', 201, 5, { shift: 1536 })).toBe('201+5:v8');
      expect(await guest.write('big', 8, 8, 8)).toBe('8+8:ok');
      expect(await guest.write('big', 8, 1, 9)).toBe('8+1:EINVAL');
      expect(onDisk('big', 0, 24)).toBe('0+8:zero 8+8:v8 16+8:zero');
    });

    test('take discards and zeros', async () => {
      await guest.write('main', 300, 32, 9);
      expect(await guest.discard('main', 300, 8)).toBe('ok');
      expect(await guest.zeroOut('main', 316, 8)).toBe('ok');
      expect(await guest.writeZeros('main', 330, 1)).toBe('330+1:ok');
      expect(onDisk('main', 300, 32)).toBe('300+8:zero 308+8:v9 316+8:zero 324+6:v9 330+1:zero 331+1:v9');
    });
  });

  describe('faults', () => {
    test('of reads hit their sectors alone', async () => {
      await guest.write('main', 1000, 16, 1);
      const fault = lab.disk('main').failReads(1005, 2);
      expect(await guest.read('main', 1000, 16, { chunk: 1 })).toBe('1000+5:v1 1005+2:EIO 1007+9:v1');
      expect(await guest.read('main', 1000, 16)).toBe('1000+16:EIO');
      expect(fault.hits).toBe(3);
      expect(await guest.write('main', 1005, 2, 2)).toBe('1005+2:ok');
      expect(await guest.read('main', 1005, 2)).toBe('1005+2:EIO');
      fault.clear();
      expect(await guest.read('main', 1005, 2)).toBe('1005+2:v2');
    });

    test('of reads heal sector by sector when they are written', async () => {
      await guest.write('main', 1100, 8, 1);
      lab.disk('main').failReads(1102, 4, { healsOnWrite: true });
      expect(await guest.write('main', 1103, 2, 2)).toBe('1103+2:ok');
      expect(await guest.read('main', 1100, 8, { chunk: 1 })).toBe(
        '1100+2:v1 1102+1:EIO 1103+2:v2 1105+1:EIO 1106+2:v1',
      );
    });

    test('go away after so many times', async () => {
      await guest.write('main', 1200, 1, 1);
      lab.disk('main').failReads(1200, 1, { times: 2 });
      const seen = [1, 2, 3].map(async () => await guest.read('main', 1200, 1));
      expect((await Promise.all(seen)).sort()).toEqual(['1200+1:EIO', '1200+1:EIO', '1200+1:v1']);
    });

    test('of writes leave nothing, the front, or all but the bad sectors', async () => {
      lab.disk('main').failWrites(1303);
      expect(await guest.write('main', 1300, 8, 1)).toBe('1300+8:EIO');
      expect(onDisk('main', 1300, 8)).toBe('1300+3:v1 1303+5:zero');
      lab.disk('tail').failWrites(1303);
      expect(await guest.write('tail', 1300, 8, 1)).toBe('1300+8:EIO');
      expect(onDisk('tail', 1300, 8)).toBe('1300+3:v1 1303+1:zero 1304+4:v1');
    });

    test('come through a mapping, at the place below', async () => {
      await guest.write('lin', 64, 8, 3);
      lab.disk('main').failReads(10240 + 66);
      expect(await guest.read('lin', 64, 8, { chunk: 1 })).toBe('64+2:v3 66+1:EIO 67+5:v3');
    });

    test('of flushes', async () => {
      await guest.write('main', 1400, 1, 1);
      lab.disk('main').failFlushes(1);
      expect(await guest.flush('main')).toBe('EIO');
      expect(lab.disk('main').unflushedSectors).toBeGreaterThan(0);
      expect(await guest.flush('main')).toBe('ok');
      expect(lab.disk('main').unflushedSectors).toBe(0);
    });

    test('of a drive that says which sector it was', async () => {
      await guest.write('flash', 40, 8, 1);
      lab.disk('flash').failReads(42);
      lab.disk('net').failReads(42);
      expect(await guest.read('flash', 40, 4, { chunk: 1 })).toBe('40+2:v1 42+1:ENODATA 43+1:v1');
      expect(await guest.read('net', 40, 4, { chunk: 1 })).toBe('40+2:zero 42+1:EIO 43+1:zero');
    });

    test('of a whole disk, which comes back as it was', async () => {
      await guest.write('tail', 8, 1, 5);
      lab.disk('tail').vanish();
      expect(await guest.read('tail', 8, 1)).toBe('8+1:EIO');
      expect(await guest.write('tail', 8, 1, 6)).toBe('8+1:EIO');
      expect(await guest.flush('tail')).toBe('EIO');
      expect(await guest.read('main', 0, 1)).toBe('0+1:zero');
      lab.disk('tail').appear();
      expect(await guest.read('tail', 8, 1)).toBe('8+1:v5');
    });

    test('a request that is held hangs until it is released, and no other does', async () => {
      const hold = lab.disk('main').hold('write', 1500, 8);
      let done = false;
      const held = guest.write('main', 1500, 8, 4).then((result) => {
        done = true;
        return result;
      });
      await hold.arrived();
      expect(await guest.write('main', 1508, 8, 4)).toBe('1508+8:ok');
      expect(onDisk('main', 1500, 16)).toBe('1500+8:zero 1508+8:v4');
      expect(done).toBe(false);
      hold.release();
      expect(await held).toBe('1500+8:ok');
      expect(onDisk('main', 1500, 16)).toBe('1500+16:v4');
    });
  });

  describe('the log and the power', () => {
    test('the log replays to what is on the disks', async () => {
      lab.rack.beginLog();
      await guest.hammer('main', 2000, 512, { ops: 200, depth: 8, flushes: 20, seed: 3 });
      await guest.hammer('big', 2048, 512, { ops: 100, depth: 8, unit: 8, seed: 4 });
      await guest.discard('main', 2100, 16);
      lab.rack.log.mark('the end');
      await guest.write('main', 2100, 1, 99);
      const replay = new Replay(lab.rack.log);
      const last = replay.whole(replay.length);
      lab.rack.disks.forEach((disk, index) => {
        const size = disk.sectors * 512;
        const now = disk.snapshot().read(0, size);
        expect(Buffer.from(last[index]?.read(0, size) ?? []).equals(now)).toBe(true);
      });
      const before = replay.whole(lab.rack.log.positionOf('the end'));
      expect(Buffer.from(before[0]?.read(2100 * 512, 512) ?? []).equals(Buffer.alloc(512))).toBe(true);
      expect(lab.rack.log.entries.filter((entry) => entry.kind === 'flush').length).toBeGreaterThan(0);
    });

    test('a write with FUA is durable without a flush where the disk can do it, and else by one', async () => {
      lab.rack.beginLog();
      await guest.write('net', 0, 8, 1, { fua: true });
      expect(lab.rack.log.entries[0]).toMatchObject({
        kind: 'write',
        disk: 4,
        sector: 0,
        count: 8,
        fua: true,
      });
      lab.rack.beginLog();
      await guest.write('main', 0, 8, 1, { fua: true });
      expect(lab.rack.log.entries.slice(0, 2)).toMatchObject([
        { kind: 'write', disk: 0, fua: false },
        { kind: 'flush', disk: 0 },
      ]);
    });

    test('a cut takes what was not flushed, and the guest that runs on sees errors until the power is back', async () => {
      await guest.write('main', 3000, 64, 1);
      await guest.write('net', 3000, 64, 1);
      expect(await guest.flush('main')).toBe('ok');
      expect(await guest.flush('net')).toBe('ok');
      await guest.write('main', 3000, 32, 2);
      await guest.write('net', 3000, 8, 2);
      await guest.write('flash', 3000, 8, 2);
      lab.rack.cut('lost');
      expect(await guest.read('main', 3000, 1)).toBe('3000+1:EIO');
      lab.rack.powerOn();
      expect(await guest.read('main', 3000, 64)).toBe('3000+64:v1');
      expect(await guest.read('net', 3000, 64)).toBe('3000+64:v1');
      expect(await guest.read('flash', 3000, 16)).toBe('3000+8:v2 3008+8:zero');
    });

    test('by seed a cut keeps some of what was not flushed, and the same each time', async () => {
      const images: string[] = [];
      for (let round = 0; round < 2; round++) {
        await guest.write('main', 3100, 64, 1);
        await guest.flush('main');
        await guest.write('main', 3116, 32, 2);
        lab.rack.cut({ seed: 5 });
        lab.rack.powerOn();
        images.push(await guest.read('main', 3100, 64));
      }
      expect(images[0]).toBe(images[1]);
      expect(images[0]).toMatch(/^3100\+\d+:v1 .*v2.* \d+\+\d+:v1$/);
      expect(images[0]).not.toMatch(/other|zero/);
    });
  });

  describe('the checker of many requests', () => {
    test('finds nothing wrong while errors come and go, and agrees with the disk', async () => {
      const disk = lab.disk('main');
      const trouble = setInterval(() => {
        const sector = 4096 + ((Date.now() * 7919) % 1024);
        disk.failReads(sector, 2, { healsOnWrite: true });
        disk.failWrites(sector + 3, 1, { times: 2 });
      }, 20);
      const result = await guest.hammer('main', 4096, 1024, { seconds: 2, flushes: 40 });
      clearInterval(trouble);
      expect(result.violations).toBe('');
      expect(result.counts.violations).toBe(0);
      expect(result.counts.writes).toBeGreaterThan(100);
      expect(result.counts.read_errors).toBeGreaterThan(0);
      expect(result.counts.write_errors).toBeGreaterThan(0);
      for (const { sector, count, state } of result.memory) {
        if (state === '?') continue;
        const allowed = state.split('|').map((each) => (each === 'v0' ? 'zero' : each));
        for (const run of disk.runs(sector, count)) expect(allowed).toContain(run.state);
      }
    });

    test('finds a sector that changed behind its back', async () => {
      const disk = lab.disk('main');
      const report: string[] = [];
      const result = await guest.hammer('main', 6000, 16, {
        ops: 400,
        depth: 2,
        largest: 2,
        report: (line) => {
          if (report.push(line) === 50)
            for (let at = 0; at < 16; at++) disk.poke(6000 + at, disk.peek(6016 - at));
        },
      });
      expect(result.counts.violations).toBeGreaterThan(0);
      expect(result.violations).toMatch(/sector 60\d\d: (foreign contents|wrong version)/);
      expect(report[0]).toMatch(/^wrote 60\d\d \d+ \d+ ok$/);
    });

    test('is told what all sectors hold, and finds one that holds something else from the start', async () => {
      const disk = lab.disk('main');
      for (let at = 0; at < 32; at++) disk.poke(6100 + at, patternSector(6100 + at, at === 5 ? 6 : 7));
      const options = { ops: 200, depth: 2, largest: 2, reads: 100, holds: 7 };
      const { counts, violations } = await guest.hammer('main', 6100, 32, options);
      expect(violations).toMatch(/^sector 6105: wrong version, found kind 1 s6105 v6, may hold v7$/);
      expect(counts).toMatchObject({ violations: 1, writes: 0 });
    });

    test('tells which reads failed; discards, zeroes and FUA are a part of it', async () => {
      const fault = lab.disk('main').failReads(6205, 2);
      const options = { ops: 600, depth: 4, largest: 4, fua: 50, zeroes: 20, discards: 20 };
      const { counts, failures, violations } = await guest.hammer('main', 6200, 32, options);
      fault.clear();
      expect(violations).toBe('');
      expect(Math.min(counts.fua, counts.zeroes, counts.discards)).toBeGreaterThan(0);
      expect(failures.length).toBeGreaterThan(0);
      expect(counts.read_errors).toBe(failures.length);
      for (const { sector, count, state } of failures)
        expect([state, sector < 6207 && sector + count > 6205]).toEqual(['read-EIO', true]);
    });
  });

  describe('device mapper', () => {
    test('tables, status, suspending and reloading', async () => {
      await guest.create('dm1', '0 1000 linear /dev/lab/main 8000\n1000 24 error');
      expect(await guest.dm('table', 'dm1')).toMatch(/^0 1000 linear \d+:0 8000\n1000 24 error $/);
      expect(await guest.dm('deps', 'dm1')).toMatch(/^\d+:0$/);
      expect(await guest.read('dm1', 996, 8, { chunk: 4 })).toBe('996+4:zero 1000+4:EIO');
      await guest.dm('suspend', 'dm1');
      expect(await guest.dm('info', 'dm1')).toMatch(/^event=\d+ open=0 suspended live$/);
      const waiting = guest.read('dm1', 1000, 1);
      await guest.dm('load', 'dm1', '0 1024 linear /dev/lab/main 8000');
      expect(await guest.dm('info', 'dm1')).toMatch(/inactive/);
      await guest.dm('resume', 'dm1');
      expect(await waiting).toBe('1000+1:zero');
      await guest.dm('remove', 'dm1');
      expect((await guest.tryDm('status', 'dm1')).error).toBe('ENXIO');
    });

    test('dmsetup sees the same devices, and events arrive', async () => {
      await guest.create('dm2', '0 8 error');
      expect(await guest.sh('dmsetup status dm2')).toBe('0 8 error ');
      const event = guest.event('dm2', await guest.eventNumber('dm2'));
      await guest.sh('dmsetup rename dm2 dm3');
      expect(await event).toBeGreaterThan(0);
      await guest.dm('remove', 'dm3');
    });

    test('a refused table comes with what the kernel said, and leaves no device', async () => {
      expect(await guest.refusal('dm4', '0 8 linear /dev/lab/main x')).toMatch(
        /EINVAL: .*Invalid device sector/,
      );
      expect(await guest.sh('dmsetup ls')).not.toMatch(/dm4/);
    });
  });

  test('a command that hangs is given up, and others go on', async () => {
    await expect(guest.call(['sh', 'sleep 4'], 300)).rejects.toThrow(/sleep 4: no answer in 300 ms/);
    expect(await guest.sh('echo still here')).toBe('still here');
    expect(await guest.shell('echo %1 two; exit 3')).toEqual({ status: 3, output: '%1 two\n' });
    await expect(guest.call(['nonsense'])).rejects.toThrow(/no such command/);
  });

  test('words of a bug on the console fail the guest', async () => {
    await guest.sh('echo "<4>WARNING: made up by a test" > /dev/kmsg');
    await guest.console.until(/made up/);
    await expect(lab.kill()).rejects.toThrow(/the kernel complained:\n.*WARNING: made up/);
  });

  test('a guest that does not come up in time, or dies, says so with its last words', async () => {
    const disks = { without: lab.rack.disks.map((disk) => disk.name) };
    await expect(lab.boot({ ...disks, limitMs: 300 })).rejects.toThrow(/300 ms/);
    guest = await lab.boot(disks);
    await expect(guest.sh('echo c > /proc/sysrq-trigger')).rejects.toThrow(/guest is gone[^]*Kernel panic/);
    await expect(lab.kill()).rejects.toThrow(/the kernel complained/);
  });

  test('the next guest, another kernel, finds the disks as the power cut left them', async () => {
    guest = await lab.boot({
      kernel: '6.12',
      without: ['big', 'flash', 'tail'],
      modules: ['dm-flakey', 'scsi_debug'],
    });
    expect(await guest.sh('uname -r')).toMatch(/^6\.12\./);
    expect(await guest.sh('ls /dev/lab')).toBe('main\nnet');
    expect(await guest.write('net', 0, 8, 9, { fua: true })).toBe('0+8:ok');
    expect(await guest.sh('dmsetup targets')).toMatch(/flakey/);
    await guest.write('main', 7000, 8, 1, { fua: true });
    await guest.write('main', 7008, 8, 1);
    await lab.powerCut('lost');
    expect(onDisk('main', 7000, 16)).toBe('7000+8:v1 7008+8:zero');
    await expect(guest.read('main', 7000, 8)).rejects.toThrow(/the guest was ended/);
  });
});
