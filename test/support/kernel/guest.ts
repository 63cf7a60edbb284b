// SPDX-License-Identifier: GPL-2.0-or-later
// A running guest as a test sees it: commands that its agent (test/kernel/guest) carries out, one promise each. Ranges are
// in sectors; results are runs in their short form, "100+8:ok", see pattern.ts. Booting is in lab.ts.
import type { Socket } from 'node:net';
import { AgentLine } from './agent-line';
import type { GuestConsole } from './console';
import { SLOWER } from './environment';
import type { Machine } from './machine';
import type { Run } from './pattern';
import { parseRuns } from './pattern';

/** A device in the guest: the name of a disk or of a mapped device, or a path. */
export type Device = string;

export interface RequestOptions {
  /** Sectors per request: as many as are asked for, but 2048 at most, unless given. */
  readonly chunk?: number;
  /** Of reads: a request that failed is made again in pieces of so many sectors. */
  readonly piece?: number;
  readonly fua?: boolean;
  /** Fail with EAGAIN where the request would have to wait. */
  readonly nowait?: boolean;
  /** Through the page cache. */
  readonly buffered?: boolean;
  /** Bytes by which the memory is off the beginning of a page; a multiple of 512. */
  readonly shift?: number;
}

export interface HammerOptions {
  /** How long, or how many requests; one of them is needed. */
  readonly seconds?: number;
  readonly ops?: number;
  readonly seed?: number;
  readonly depth?: number;
  /** Sectors that are always written together: those of a logical block. */
  readonly unit?: number;
  /** The longest request in sectors. */
  readonly largest?: number;
  /** Per cent of the requests that are reads. */
  readonly reads?: number;
  /** One request in so many is a flush; none without. */
  readonly flushes?: number;
  /** Per cent of the writes that are to be durable when they are done. */
  readonly fua?: number;
  /** Per cent of the writes that are write-zeroes, or discards, after which a sector holds what it held or zeros. */
  readonly zeroes?: number;
  readonly discards?: number;
  /** Versions begin above this. */
  readonly version?: number;
  /** The version that all of it holds; without, whatever a sector is first read to hold is right. 0: zeros. */
  readonly holds?: number;
  /** Gets a line for each write and flush that is done: see hammer.c. */
  readonly report?: (line: string) => void;
  /** Do not read all of it at the end. */
  readonly unchecked?: boolean;
}

export interface HammerResult {
  readonly counts: Readonly<
    Record<
      | 'ms'
      | 'reads'
      | 'writes'
      | 'flushes'
      | 'read_errors'
      | 'write_errors'
      | 'flush_errors'
      | 'unreadable'
      | 'violations'
      | 'fua'
      | 'zeroes'
      | 'discards',
      number
    >
  >;
  /** What failed, but for flushes: "read-EIO", and so write, fua, zeroes, discard. */
  readonly failures: readonly Run[];
  /** What each sector may hold: "v3", "v3|v7" after a failed write, "?" if it was never read or written; v0 is zeros. */
  readonly memory: readonly Run[];
  /** The violations in words; empty if there were none. */
  readonly violations: string;
}

export interface BenchResult {
  /** Nanoseconds per read (instructions, in a guest that counts them). */
  readonly a: number;
  readonly b: number;
  readonly ratio: number;
  readonly min: number;
  readonly max: number;
}

/** The answer to a call of device mapper: "ok" or the error's name, and what was asked for. */
export interface DmAnswer {
  readonly error: string;
  readonly text: string;
}

const PATIENCE_MS = 20_000 * SLOWER;

export class Guest {
  private readonly line: AgentLine;

  constructor(
    readonly machine: Machine,
    socket: Socket,
    private readonly diskNames: readonly string[],
  ) {
    this.line = new AgentLine(machine, socket);
  }

  get console(): GuestConsole {
    return this.machine.console;
  }

  /** See AgentLine.ready(). */
  async ready(patienceMs: number): Promise<string[]> {
    return await this.line.ready(patienceMs);
  }

  /** Everything that waits fails, and all that is asked from now on. */
  fail(why: string): void {
    this.line.fail(why);
  }

  /** Has the agent do a command; its answer. Throws when it can't, or after `patienceMs`. */
  async call(words: readonly string[], patienceMs = PATIENCE_MS): Promise<string> {
    return await this.line.call(words, patienceMs);
  }

  /** The path of a device. */
  path(device: Device): string {
    if (device.startsWith('/')) return device;
    return this.diskNames.includes(device) ? `/dev/lab/${device}` : `/dev/mapper/${device}`;
  }

  // --- the shell ----------------------------------------------------------------------------------------------

  /** Runs a line of shell (busybox, dmsetup); never throws for its status. */
  async shell(
    command: string,
    patienceMs = PATIENCE_MS,
  ): Promise<{ readonly status: number; readonly output: string }> {
    const text = await this.call(['sh', command], patienceMs);
    const cut = text.lastIndexOf(' ');
    return { status: Number(text.slice(cut + 1)), output: text.slice(0, cut) };
  }

  /** Runs a line of shell that is to succeed; what it printed, without the last newline. */
  async sh(command: string, patienceMs = PATIENCE_MS): Promise<string> {
    const { status, output } = await this.shell(command, patienceMs);
    if (status !== 0) throw new Error(`${command}: status ${status}\n${output}`);
    return output.replace(/\n$/, '');
  }

  // --- requests -----------------------------------------------------------------------------------------------

  private requestWords(options: RequestOptions, more: readonly string[] = []): string[] {
    const flags = [...more];
    if (options.fua === true) flags.push('fua');
    if (options.nowait === true) flags.push('nowait');
    if (options.buffered === true) flags.push('buffered');
    return [
      ...(flags.length > 0 ? [`flags=${flags.join(',')}`] : []),
      ...(options.chunk === undefined ? [] : [`chunk=${options.chunk}`]),
      ...(options.piece === undefined ? [] : [`piece=${options.piece}`]),
      ...(options.shift === undefined ? [] : [`shift=${options.shift}`]),
    ];
  }

  private range(verb: string, device: Device, first: number, count: number): string[] {
    return [verb, this.path(device), String(first), String(count)];
  }

  /** Writes the pattern of each sector in a version: "100+8:ok", or the error's name for what failed. */
  async write(
    device: Device,
    first: number,
    count: number,
    version: number,
    options: RequestOptions = {},
  ): Promise<string> {
    const words = [
      ...this.range('write', device, first, count),
      String(version),
      ...this.requestWords(options),
    ];
    return await this.call(words);
  }

  async writeZeros(
    device: Device,
    first: number,
    count: number,
    options: RequestOptions = {},
  ): Promise<string> {
    return await this.call([
      ...this.range('write', device, first, count),
      'fill=zero',
      ...this.requestWords(options),
    ]);
  }

  /** What sectors hold, "100+8:v3 108+1:zero"; the error's name for a request that failed. */
  async read(device: Device, first: number, count: number, options: RequestOptions = {}): Promise<string> {
    return await this.call([...this.range('read', device, first, count), ...this.requestWords(options)]);
  }

  /** The bytes of a few sectors; null for a read that failed. */
  async peek(device: Device, first: number, count = 1): Promise<Uint8Array | null> {
    const text = await this.call([...this.range('peek', device, first, count), `chunk=${count}`]);
    return /^[0-9a-f]*$/.test(text) ? Uint8Array.from(Buffer.from(text, 'hex')) : null;
  }

  /** "ok" or the error's name; so are the next four. */
  async ioctl(device: Device, request: number): Promise<string> {
    return await this.call(['ioctl', this.path(device), String(request)]);
  }

  async flush(device: Device): Promise<string> {
    return await this.call(['flush', this.path(device)]);
  }

  async discard(device: Device, first: number, count: number): Promise<string> {
    return await this.call(this.range('discard', device, first, count));
  }

  async secureDiscard(device: Device, first: number, count: number): Promise<string> {
    return await this.call([...this.range('discard', device, first, count), 'flags=secure']);
  }

  async zeroOut(device: Device, first: number, count: number): Promise<string> {
    return await this.call(this.range('zeroout', device, first, count));
  }

  /** Many requests at once, checked as they come back. The region must not be written by anybody else. */
  async hammer(device: Device, first: number, count: number, options: HammerOptions): Promise<HammerResult> {
    const { report, unchecked, ...numbers } = options;
    const flags = [...(report === undefined ? [] : ['report']), ...(unchecked === true ? ['unchecked'] : [])];
    const words = Object.entries(numbers).map(([name, value]) => `${name}=${value}`);
    if (flags.length > 0) words.push(`flags=${flags.join(',')}`);
    const stop = this.line.listen((line) => {
      if (line.startsWith('hammer ')) report?.(line.slice('hammer '.length));
    });
    try {
      const patienceMs = PATIENCE_MS + (options.seconds ?? 30) * 1000;
      return parseHammer(
        await this.call([...this.range('hammer', device, first, count), ...words], patienceMs),
      );
    } finally {
      stop();
    }
  }

  /** Random 4 KiB reads of two devices in turn. `sectors` from the beginning of each; all without. */
  async bench(
    a: Device,
    b: Device,
    options: {
      readonly depth?: number;
      readonly reads?: number;
      readonly rounds?: number;
      readonly sectors?: number;
    } = {},
  ): Promise<BenchResult> {
    const { sectors, ...numbers } = options;
    const words = Object.entries(numbers).map(([name, value]) => `${name}=${value}`);
    if (sectors !== undefined) words.push(`count=${sectors}`);
    const text = await this.call(['bench', this.path(a), this.path(b), ...words], 60_000);
    const value = (name: string): number => Number(new RegExp(`\\b${name}=([0-9.]+)`).exec(text)?.[1]);
    return { a: value('a'), b: value('b'), ratio: value('ratio'), min: value('min'), max: value('max') };
  }

  // --- device mapper ------------------------------------------------------------------------------------------

  /** A call of device mapper by its verb: see dm.c. Its error is a part of the answer. */
  async tryDm(verb: string, name: string, ...words: readonly string[]): Promise<DmAnswer> {
    const text = await this.call(['dm', verb, name, ...words]);
    const cut = text.indexOf(' ');
    return { error: text.slice(0, cut), text: text.slice(cut + 1) };
  }

  /** The same, for calls that are to succeed. */
  async dm(verb: string, name: string, ...words: readonly string[]): Promise<string> {
    const mark = this.console.mark;
    const { error, text } = await this.tryDm(verb, name, ...words);
    if (error !== 'ok') {
      // The kernel's own words for it come over the console, and may be a little late.
      await new Promise((resolve) => setTimeout(resolve, 200));
      throw new Error(`dm ${verb} ${name} ${words.join(' ')}: ${error}\n${this.console.since(mark)}`);
    }
    return text;
  }

  /** Makes a device of a table ("0 1000 linear /dev/lab/main 0", lines), live. */
  async create(name: string, table: string, ...words: readonly string[]): Promise<void> {
    await this.dm('create', name, table, ...words);
  }

  /** Makes a device of a table that is to be refused; what the kernel said about it. */
  async refusal(name: string, table: string, ...words: readonly string[]): Promise<string> {
    const mark = this.console.mark;
    const { error } = await this.tryDm('create', name, table, ...words);
    if (error === 'ok') throw new Error(`the table was taken: ${table}`);
    const said = await this.console.until(/device-mapper: .*\n/, mark);
    return `${error}: ${said.trim()}`;
  }

  async message(name: string, ...words: readonly string[]): Promise<string> {
    return await this.dm('message', name, ...words);
  }

  /** What is behind the target's name in the one line of status. */
  async status(name: string): Promise<string> {
    return (await this.dm('status', name)).split(' ').slice(3).join(' ');
  }

  /** Number of the last event of a device. */
  async eventNumber(name: string): Promise<number> {
    return Number(/event=(\d+)/.exec(await this.dm('info', name))?.[1]);
  }

  /** Waits for the event after number `after`. */
  async event(name: string, after: number): Promise<number> {
    return Number(/event=(\d+)/.exec(await this.dm('wait', name, String(after)))?.[1]);
  }
}

const FAILED = 'failed=';

function parseHammer(text: string): HammerResult {
  const cut = text.indexOf(';');
  const words = (cut === -1 ? text : text.slice(0, cut)).split(' ').filter((word) => word !== '');
  const [failed, names] = [true, false].map((wanted) =>
    words.filter((word) => word.includes('=') && word.startsWith(FAILED) === wanted),
  );
  const counts = Object.fromEntries(
    (names ?? []).map((word) => word.split('=')).map(([name = '', value]) => [name, Number(value)]),
  ) as HammerResult['counts'];
  return {
    counts,
    failures: parseRuns((failed ?? []).map((word) => word.slice(FAILED.length)).join(' ')),
    memory: parseRuns(words.filter((word) => !word.includes('=')).join(' ')),
    violations: cut === -1 ? '' : text.slice(cut + 2),
  };
}
