// SPDX-License-Identifier: GPL-2.0-or-later
// What every writing command does before its first write: opens its targets, and finds the place for its undo journal.
// The writing itself is in writing.ts.
import { Fault } from '../core/faults';
import type { JournalTarget } from '../core/journal';
import { directoryOf, fitted, inDirectory, nameOf } from '../core/paths';
import type { Host, WriteHandle } from '../host/host';

/** Where journals of block devices go: a device has no directory of its own that would survive a reboot. */
export const DEVICE_UNDO_DIR = '/var/lib/dmremap/undo';

/** A file or device that is open for writing. */
export interface WriteTarget {
  /** As the user knows it, for messages. */
  readonly path: string;
  readonly handle: WriteHandle;
  /** How the journal records it. */
  readonly recorded: JournalTarget;
}

/**
 * Opens all of `paths` for writing, or none.
 * @throws Fault IN_USE, TARGET_TWICE, or whatever opening says; nothing was written then.
 */
export function openTargets(host: Host, paths: readonly string[]): WriteTarget[] {
  const open: WriteTarget[] = [];
  try {
    for (const path of paths) {
      const recorded = recordedTarget(host, path);
      const twin = open.find((other) => other.recorded.identity === recorded.identity);
      if (twin !== undefined) throw new Fault('TARGET_TWICE', { path, other: twin.path });
      open.push({ path, handle: host.openWrite(path), recorded });
    }
    return open;
  } catch (error) {
    closeTargets(open);
    throw error;
  }
}

export function closeTargets(targets: readonly WriteTarget[]): void {
  for (const target of targets) target.handle.close();
}

/** What a journal says of a target, so that it can be found again. */
export function recordedTarget(host: Host, path: string): JournalTarget {
  const handle = host.openRead(path);
  try {
    const real = host.realPath(path);
    // Device names change from boot to boot; /dev/disk/by-id does not.
    const stable = handle.kind === 'block' ? host.facts(path).stablePath : real;
    return {
      path: real,
      stablePath: stable.startsWith('/') && stable !== real ? stable : null,
      identity: handle.identity,
      sizeBytes: handle.sizeBytes,
      kind: handle.kind,
    };
  } finally {
    handle.close();
  }
}

export interface JournalPlace {
  readonly kind: 'image' | 'block';
  /** The first image or device that is written to. */
  readonly firstPath: string;
  readonly setupUuid: string;
  /** Instead of the default directory. Made if it is not there. */
  readonly dir?: string | undefined;
}

/**
 * A free path for a new undo journal: `NAME.dmremap-undo-UUID8-NNN`, beside the first image, or in DEVICE_UNDO_DIR for
 * devices. Numbers only go up, so that the newest journal is the last in a listing and none is ever overwritten; there
 * is no time in the name, so that the same run gives the same names.
 */
export function journalPath(host: Host, place: JournalPlace): string {
  const directory = journalDirectory(host, place);
  host.makeDirs(directory);
  // 200 bytes leave room for the rest of the name within the 255 that file systems allow.
  const own = place.kind === 'image' ? nameOf(host.realPath(place.firstPath)) : nameOf(place.firstPath);
  const prefix = `${fitted(own, 200)}.dmremap-undo-${place.setupUuid.slice(0, 8)}-`;
  let last = 0;
  for (const name of host.listDir(directory)) {
    const number = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^[0-9]{3,6}$/.test(number)) last = Math.max(last, Number(number));
  }
  return inDirectory(host.realPath(directory), prefix + String(last + 1).padStart(3, '0'));
}

/** The directory in which journalPath puts a journal; text backups of images go there too. */
export function journalDirectory(host: Host, place: Omit<JournalPlace, 'setupUuid'>): string {
  if (place.dir !== undefined) return place.dir;
  return place.kind === 'image' ? directoryOf(host.realPath(place.firstPath)) : DEVICE_UNDO_DIR;
}
