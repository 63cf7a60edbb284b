// SPDX-License-Identifier: GPL-2.0-or-later
// Text backups of a generation, kept on the host: all copies on a spare lie in its first 4.5 MiB, and one mkfs kills
// them together. Where they go, what they are called, which old ones are removed; what is in them is the caller's.
import { encodeUtf8, equalBytes } from '../core/bytes';
import { Fault } from '../core/faults';
import { inDirectory } from '../core/paths';
import type { Host } from '../host/host';
import { journalDirectory } from './targets';
import type { JournalPlace } from './targets';

/** Where backups of block devices go. */
export const DEVICE_BACKUP_DIR = '/var/backups/dmremap';

/** The newest backups of a setup are never removed, however old they are. */
const KEEP_NEWEST = 10;
/** Nor is any younger than this. */
const KEEP_NS = 30n * 24n * 3600n * 1_000_000_000n;

export interface BackupRequest {
  /** Made if it is not there. */
  readonly directory: string;
  readonly setupName: string;
  readonly setupUuid: string;
  readonly sequence: bigint;
  /** The whole file. */
  readonly text: string;
}

export interface BackupResult {
  readonly path: string;
  /** The very same backup was there already. */
  readonly reused: boolean;
  /** Older backups of this setup that were removed. */
  readonly pruned: readonly string[];
}

/** The default directory: beside the journal for images, DEVICE_BACKUP_DIR for devices. */
export function backupDirectory(host: Host, place: Omit<JournalPlace, 'setupUuid'>): string {
  return place.kind === 'image' ? journalDirectory(host, place) : DEVICE_BACKUP_DIR;
}

/**
 * Writes a backup durably as `NAME-UUID8-seqN.json` (`-2`, `-3`, ... if there is another one of that sequence), then
 * removes old ones of the same setup. A backup that can't be written is a Fault; an old one that can't be removed
 * is left.
 */
export function writeBackup(host: Host, request: BackupRequest): BackupResult {
  const { directory } = request;
  host.makeDirs(directory);
  const bytes = encodeUtf8(request.text);
  const stem = `${safeName(request.setupName)}-${request.setupUuid.slice(0, 8)}-seq`;
  const there = ownFiles(host, directory, stem);
  const same = there.filter((file) => file.sequence === request.sequence);
  const twin = same.find((file) => hasContents(host, inDirectory(directory, file.name), bytes));
  let name = twin?.name;
  if (name === undefined) {
    const last = same.reduce((most, file) => Math.max(most, file.number), 0);
    name = `${stem}${request.sequence}${last === 0 ? '' : `-${last + 1}`}.json`;
    host.writeFileDurably(inDirectory(directory, name), [bytes], 0o600);
  }
  return {
    path: inDirectory(directory, name),
    reused: twin !== undefined,
    pruned: prune(host, directory, name, there),
  };
}

interface OwnFile {
  readonly name: string;
  readonly sequence: bigint;
  /** 1 for the first of its sequence, which has no number in its name. */
  readonly number: number;
}

/** Only names that this program would have given; anything else in the directory is somebody else's. */
function ownFiles(host: Host, directory: string, stem: string): OwnFile[] {
  const found: OwnFile[] = [];
  for (const name of host.listDir(directory)) {
    const rest = name.startsWith(stem)
      ? /^(0|[1-9][0-9]{0,19})(?:-([1-9][0-9]{0,5}))?\.json$/.exec(name.slice(stem.length))
      : null;
    if (rest?.[1] !== undefined)
      found.push({ name, sequence: BigInt(rest[1]), number: Number(rest[2] ?? '1') });
  }
  return found;
}

function hasContents(host: Host, path: string, bytes: Uint8Array): boolean {
  try {
    return equalBytes(host.readFile(path, bytes.length + 1), bytes);
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** Removes what is neither among the newest nor young; `current`, the file this run relies on, always stays. */
function prune(host: Host, directory: string, current: string, there: readonly OwnFile[]): string[] {
  // A pinned clock says nothing of the age of files.
  if (host.sourceDateEpoch() !== null) return [];
  const pruned: string[] = [];
  const now = host.now();
  const others = there
    .filter((file) => file.name !== current)
    .map((file) => ({ ...file, mtime: orNull(() => host.mtimeNs(inDirectory(directory, file.name))) }))
    .filter((file): file is OwnFile & { mtime: bigint } => file.mtime !== null)
    .sort(
      (a, b) => descending(a.mtime, b.mtime) || descending(a.sequence, b.sequence) || b.number - a.number,
    );
  for (const file of others.slice(KEEP_NEWEST - 1)) {
    if (now - file.mtime < KEEP_NS) continue;
    const path = inDirectory(directory, file.name);
    const removed = orNull(() => {
      host.removeFile(path);
      return path;
    });
    if (removed !== null) pruned.push(removed);
  }
  return pruned;
}

/** What `call` gives, or null where it throws a Fault. */
function orNull<T>(call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

function descending(a: bigint, b: bigint): number {
  return a < b ? 1 : a > b ? -1 : 0;
}

/** The setup's name as part of a file name: it comes from a disk, and may hold anything but a slash. */
function safeName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 89);
  return safe === '' || /^[.-]/.test(safe) ? `_${safe}` : safe;
}
