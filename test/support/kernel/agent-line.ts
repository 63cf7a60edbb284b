// SPDX-License-Identifier: GPL-2.0-or-later
// The line to a guest's agent: requests and their answers, matched by number, and what to do when none comes. The words
// that are said are in guest.ts; the other end is test/kernel/guest/agent.c.
import type { Socket } from 'node:net';
import type { Machine } from './machine';

interface Waiting {
  readonly what: string;
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const encode = (word: string): string => {
  if (word === '') throw new Error('the agent knows no empty words');
  return Array.from(Buffer.from(word), (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).padStart(2, '0')}`,
  ).join('');
};

const decode = (text: string): string =>
  Buffer.from(
    text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  ).toString('utf8');

export class AgentLine {
  private readonly waiting = new Map<string, Waiting>();
  private readonly tellers: ((line: string) => void)[] = [];
  private nextId = 1;
  private received = '';
  private dead: Error | null = null;

  constructor(
    private readonly machine: Machine,
    private readonly socket: Socket,
  ) {
    socket.setEncoding('latin1').on('data', (chunk: unknown) => this.receive(String(chunk)));
    // Whatever the reason, "close" follows.
    socket.on('error', () => undefined);
    socket.on('close', () => void this.lost());
  }

  /** The line broke: as a rule the emulator has just ended, and its last words are still on their way. */
  private async lost(): Promise<void> {
    const enough = new Promise<void>((resolve) => setTimeout(resolve, 2000).unref());
    await Promise.race([this.machine.off(), enough]);
    this.fail('the guest is gone');
  }

  private receive(chunk: string): void {
    const lines = (this.received + chunk).split('\n');
    this.received = lines.pop() ?? '';
    for (const line of lines) {
      const [id = '', ...rest] = line.split(' ');
      if (id === '*') {
        for (const teller of [...this.tellers]) teller(decode(rest.join(' ')));
        continue;
      }
      const waiting = this.waiting.get(id);
      if (waiting === undefined) continue;
      this.waiting.delete(id);
      clearTimeout(waiting.timer);
      const text = decode(rest.slice(1).join(' '));
      if (rest[0] === 'ok') waiting.resolve(text);
      else waiting.reject(new Error(`${waiting.what}: ${text}`));
    }
  }

  /** Everything that waits fails, and all that is asked from now on. */
  fail(why: string): void {
    if (this.dead !== null) return;
    this.dead = new Error(why);
    for (const { what, reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new Error(`${what}: ${why}\n${this.machine.report()}`));
    }
    this.waiting.clear();
  }

  /** The agent's first words: the release, the guest's clock in milliseconds, and what it could not load or find. */
  async ready(patienceMs: number): Promise<string[]> {
    const words = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => this.fail(`it did not come up in ${patienceMs} ms`), patienceMs);
      this.waiting.set('ready', { what: 'the boot', resolve, reject, timer });
    });
    return words.split(' ');
  }

  /** Lines that answer no call. Returns the way to stop listening. */
  listen(teller: (line: string) => void): () => void {
    this.tellers.push(teller);
    return () => void this.tellers.splice(this.tellers.indexOf(teller), 1);
  }

  /** Has the agent do a command; its answer. Throws when it can't, or after `patienceMs`. */
  async call(words: readonly string[], patienceMs: number): Promise<string> {
    const what = words.join(' ');
    if (this.dead !== null) throw new Error(`${what}: ${this.dead.message}\n${this.machine.report()}`);
    const id = String(this.nextId++);
    return await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => void this.overdue(id, patienceMs), patienceMs);
      this.waiting.set(id, { what, resolve, reject, timer });
      this.socket.write(`${id} ${words.map(encode).join(' ')}\n`);
    });
  }

  /** A call took too long: has the kernel say what its tasks wait for, and fails. */
  private async overdue(id: string, patienceMs: number): Promise<void> {
    this.socket.write('0 sh echo%20w>/proc/sysrq-trigger\n');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    waiting?.reject(new Error(`${waiting.what}: no answer in ${patienceMs} ms\n${this.machine.report()}`));
  }
}
