// SPDX-License-Identifier: GPL-2.0-or-later
// All disks of a lab behind one socket, with the one log of their writes, and the power that they share. The disks live
// on when a guest is killed, and the next guest finds them as they were left. Here, not in the guest, tests look at what
// was written.
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { prng } from '../prng';
import type { DiskOptions, Keep } from './disk';
import { VirtualDisk } from './disk';
import { NbdConnection } from './nbd';
import { WriteLog } from './write-log';

/** What becomes of unflushed writes in a power cut: all are kept, all are lost, or each sector as the seed has it. */
export type Cut = 'kept' | 'lost' | { readonly seed: number };

const EIO = 5;

/** The choice of a cut. Equal seeds make equal choices, as long as the same is asked in the same order. */
export function keeper(cut: Cut): Keep {
  if (cut === 'kept') return () => true;
  if (cut === 'lost') return () => false;
  const next = prng(cut.seed);
  // Some cuts keep nearly all, some nearly nothing: a fair coin for each sector would hardly ever do either.
  const share = [16, 64, 128, 192, 240][next() % 5] ?? 128;
  return () => (next() & 0xff) < share;
}

export class Rack {
  readonly log = new WriteLog();
  readonly disks: readonly VirtualDisk[];
  private readonly servers: Server[] = [];
  private readonly connections = new Set<NbdConnection>();
  private socketPath: string | null = null;
  private tcpPort = 0;

  constructor(disks: readonly DiskOptions[]) {
    this.disks = disks.map((options, index) => new VirtualDisk(options, index, this.log));
  }

  private async serve(where: string | { readonly host: string; readonly port: number }): Promise<Server> {
    const server = createServer((socket) => {
      const connection = new NbdConnection(socket, (name) => this.disks.find((disk) => disk.name === name));
      this.connections.add(connection);
      socket.on('close', () => this.connections.delete(connection));
    });
    this.servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, resolve);
    });
    return server;
  }

  /** Listens on a unix socket for the emulator, and for the disks that a guest fetches itself on a port of this machine. */
  async listen(path: string): Promise<void> {
    await this.serve(path);
    this.socketPath = path;
    if (!this.disks.some((disk) => disk.options.driver === 'nbd')) return;
    const address = (await this.serve({ host: '127.0.0.1', port: 0 })).address();
    this.tcpPort = typeof address === 'object' && address !== null ? address.port : 0;
  }

  get path(): string {
    if (this.socketPath === null) throw new Error('the rack does not listen yet');
    return this.socketPath;
  }

  /** 0 where no disk is fetched by the guest itself. */
  get port(): number {
    return this.tcpPort;
  }

  disk(name: string): VirtualDisk {
    const found = this.disks.find((disk) => disk.name === name);
    if (found === undefined) throw new Error(`there is no disk ${name}`);
    return found;
  }

  /** Requests to all disks so far. */
  get requests(): number {
    return this.disks.reduce((sum, { counts }) => sum + counts.read + counts.write + counts.flush, 0);
  }

  /** Resolves when so many requests have come in; what came with the last of them is done then, and not yet answered. One at a time. */
  async whenRequests(target: number): Promise<void> {
    if (this.requests >= target) return;
    let missing = target - this.requests;
    await new Promise<void>((resolve) => {
      for (const disk of this.disks)
        disk.onRequest = () => {
          if (--missing === 0) resolve();
        };
    });
  }

  /** Begins the log anew, with the disks as they are. */
  beginLog(): void {
    this.log.begin(this.disks.map((disk) => disk.snapshot()));
  }

  /**
   * The power goes, for all disks at once. A guest that still runs gets an error for all that was on its way and for all
   * that it asks from now on, until powerOn(): so a test may go on in the same guest, with a new device.
   */
  cut(cut: Cut): void {
    const keep = keeper(cut);
    for (const disk of this.disks) {
      disk.losePower(keep);
      disk.vanish();
    }
    for (const connection of this.connections) connection.spoilAnswers(EIO);
  }

  powerOn(): void {
    for (const disk of this.disks) disk.appear();
  }

  /** Hangs up on the guest, whose machine is gone. */
  disconnect(): void {
    for (const connection of [...this.connections]) connection.close();
  }

  async close(): Promise<void> {
    this.disconnect();
    for (const server of this.servers.splice(0))
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
  }
}
