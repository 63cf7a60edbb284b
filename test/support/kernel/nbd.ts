// SPDX-License-Identifier: GPL-2.0-or-later
// The server's side of the network block device protocol, as far as an emulator needs it: fixed newstyle negotiation and
// simple replies. Which disk an export is, is the rack's affair; what a request does, the disk's.
import type { Socket } from 'node:net';
import type { Operation } from './faults';
import type { Outcome, VirtualDisk } from './disk';
import { SECTOR } from './disk';

const HELLO = 'NBDMAGICIHAVEOPT';
const OPTION_REPLY = 0x0003e889045565a9n;
const REQUEST = 0x25609513;
const REPLY = 0x67446698;

const OPTION = { exportName: 1, abort: 2, info: 6, go: 7 };
const ANSWER = { ack: 1, info: 3, unsupported: 0x80000001, unknown: 0x80000006 };
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, zero: 6 };
/** Has flags, flush, FUA, trim, write zeroes. */
const FEATURES = 0x01 | 0x04 | 0x08 | 0x20 | 0x40;
const READ_ONLY = 0x02;
const FUA = 0x01;
const EINVAL = 22;

/** Bytes that came in and were not yet taken. */
class Inbox {
  private chunks: Buffer[] = [];
  length = 0;

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  /** The next bytes, without taking them; null if so many are not there yet. */
  peek(length: number): Buffer | null {
    if (this.length < length) return null;
    let first = this.chunks[0] ?? Buffer.alloc(0);
    if (first.length < length) {
      first = Buffer.concat(this.chunks);
      this.chunks = [first];
    }
    return first.subarray(0, length);
  }

  take(length: number): Buffer | null {
    const bytes = this.peek(length);
    if (bytes === null) return null;
    this.length -= length;
    const rest = this.chunks[0]?.subarray(length) ?? Buffer.alloc(0);
    if (rest.length === 0) this.chunks.shift();
    else this.chunks[0] = rest;
    return bytes;
  }
}

interface Request {
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
  readonly payload: Buffer;
}

const OPERATIONS: Readonly<Record<number, Operation | undefined>> = {
  [COMMAND.read]: 'read',
  [COMMAND.write]: 'write',
  [COMMAND.zero]: 'write',
  [COMMAND.trim]: 'write',
  [COMMAND.flush]: 'flush',
};

/** Serves one connection until it ends. `find` gives the disk of an export's name. */
export class NbdConnection {
  private readonly inbox = new Inbox();
  private phase: 'flags' | 'options' | 'requests' | 'closed' = 'flags';
  private disk: VirtualDisk | null = null;
  private replies: { readonly head: Buffer; readonly outcome: Outcome }[] = [];

  constructor(
    private readonly socket: Socket,
    private readonly find: (name: string) => VirtualDisk | undefined,
  ) {
    const hello = Buffer.alloc(18);
    hello.write(HELLO, 'latin1');
    hello.writeUInt16BE(3, 16); // fixed newstyle, no padding of zeros
    socket.write(hello);
    socket.on('data', (chunk) => {
      this.inbox.push(chunk);
      while (this.step());
    });
    // A guest that was killed resets its connections.
    socket.on('error', () => this.close());
    socket.on('close', () => this.close());
  }

  /** Drops the connection and all answers that are not out yet. */
  close(): void {
    this.phase = 'closed';
    this.replies = [];
    this.socket.destroy();
  }

  /** Drops the answers that are not out yet: the guest gets an error for each. For a power cut with a living guest. */
  spoilAnswers(error: number): void {
    this.replies = this.replies.map(({ head }) => ({ head, outcome: { error } }));
  }

  private step(): boolean {
    if (this.phase === 'flags') {
      if (this.inbox.take(4) === null) return false;
      this.phase = 'options';
      return true;
    }
    if (this.phase === 'options') return this.option();
    return this.phase === 'requests' && this.request();
  }

  private option(): boolean {
    const head = this.inbox.peek(16);
    if (head === null) return false;
    const option = head.readUInt32BE(8);
    const length = head.readUInt32BE(12);
    const data = this.inbox.take(16 + length)?.subarray(16);
    if (data === undefined) return false;
    const answer = (type: number, body: Uint8Array = new Uint8Array(0)): void => {
      const reply = Buffer.alloc(20);
      reply.writeBigUInt64BE(OPTION_REPLY, 0);
      reply.writeUInt32BE(option, 8);
      reply.writeUInt32BE(type, 12);
      reply.writeUInt32BE(body.length, 16);
      this.socket.write(Buffer.concat([reply, body]));
    };
    if (option === OPTION.abort) {
      answer(ANSWER.ack);
      this.close();
    } else if (option === OPTION.info || option === OPTION.go) {
      const disk = this.find(data.toString('utf8', 4, 4 + data.readUInt32BE(0)));
      if (disk === undefined) {
        answer(ANSWER.unknown);
        return true;
      }
      answer(ANSWER.info, describeExport(disk));
      answer(ANSWER.ack);
      if (option === OPTION.go) this.begin(disk);
    } else if (option === OPTION.exportName) {
      // The old way has no means to refuse but to hang up.
      const disk = this.find(data.toString('utf8'));
      if (disk === undefined) this.close();
      else {
        this.socket.write(describeExport(disk).subarray(2));
        this.begin(disk);
      }
    } else answer(ANSWER.unsupported);
    return true;
  }

  private begin(disk: VirtualDisk): void {
    this.disk = disk;
    this.phase = 'requests';
  }

  private request(): boolean {
    const head = this.inbox.peek(28);
    if (head === null) return false;
    if (head.readUInt32BE(0) !== REQUEST) {
      this.close();
      return false;
    }
    const length = head.readUInt32BE(24);
    const command = head.readUInt16BE(6);
    const whole = this.inbox.take(28 + (command === COMMAND.write ? length : 0));
    if (whole === null) return false;
    this.accept({
      flags: whole.readUInt16BE(4),
      command,
      cookie: whole.readBigUInt64BE(8),
      offset: Number(whole.readBigUInt64BE(16)),
      length,
      payload: whole.subarray(28),
    });
    return true;
  }

  /** Does a request now, or when the hold that it runs into lets it go. */
  private accept(request: Request): void {
    const disk = this.disk;
    if (disk === null || request.command === COMMAND.disconnect) {
      this.close();
      return;
    }
    const operation = OPERATIONS[request.command];
    const start = Math.floor(request.offset / SECTOR);
    const end = operation === 'flush' ? Infinity : Math.ceil((request.offset + request.length) / SECTOR);
    const hold = operation === undefined ? undefined : disk.holdFor(operation, start, end);
    if (hold !== undefined) {
      // Its payload is a part of the inbox, which goes on.
      const kept = { ...request, payload: Buffer.from(request.payload) };
      hold.keep(() => this.accept(kept));
      return;
    }
    this.reply(request.cookie, perform(disk, request));
  }

  /**
   * Answers go out together, after all that came in with them was done: requests that were on their way at the same
   * time are so told apart from those that came after an answer.
   */
  private reply(cookie: bigint, outcome: Outcome): void {
    if (this.phase === 'closed') return;
    const head = Buffer.alloc(16);
    head.writeUInt32BE(REPLY, 0);
    head.writeBigUInt64BE(cookie, 8);
    this.replies.push({ head, outcome });
    if (this.replies.length === 1) setImmediate(() => this.sendReplies());
  }

  private sendReplies(): void {
    const pieces: Uint8Array[] = [];
    for (const { head, outcome } of this.replies.splice(0)) {
      head.writeUInt32BE(outcome.error, 4);
      pieces.push(head);
      if (outcome.bytes !== undefined) pieces.push(outcome.bytes);
      outcome.answered?.();
    }
    if (pieces.length > 0 && this.phase !== 'closed') this.socket.write(Buffer.concat(pieces));
  }
}

function describeExport(disk: VirtualDisk): Buffer {
  const info = Buffer.alloc(12);
  info.writeUInt16BE(0, 0);
  info.writeBigUInt64BE(BigInt(disk.sectors * SECTOR), 2);
  info.writeUInt16BE(FEATURES | (disk.options.readOnly === true ? READ_ONLY : 0), 10);
  return info;
}

function perform(disk: VirtualDisk, request: Request): Outcome {
  const { command, offset, length } = request;
  const fua = (request.flags & FUA) !== 0;
  if (command === COMMAND.read) return disk.read(offset, length);
  if (command === COMMAND.flush) return disk.flush();
  const data = command === COMMAND.write ? request.payload : length / SECTOR;
  const whole = offset % SECTOR === 0 && length % SECTOR === 0;
  if (OPERATIONS[command] !== 'write' || !whole) return { error: EINVAL };
  return disk.write(offset / SECTOR, data, fua);
}
