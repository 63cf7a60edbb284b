// SPDX-License-Identifier: GPL-2.0-or-later
// The Host of a real system, put together from the modules beside it. No work is done here.
import { installSameContents } from '../core/bytes';
import { factsOf } from './device';
import { contentHintsOf } from './blkid';
import { sourceDateEpochNs, wallClockNs } from './clock';
import {
  appendToFile,
  makeDirectories,
  modifiedNs,
  nameExists,
  namesIn,
  readWhole,
  removeIfThere,
  resolvedPath,
  writeNewFile,
} from './files';
import type { Host } from './host';
import { examine } from './input';
import { usesOf } from './inuse';
import { lazyCrypto } from './lazy';
import { openForReading } from './read';
import { systemTree } from './system';
import { openForWriting } from './write';

// Native and always loaded; the core's own loop is for engines without it.
installSameContents((a, b) => Buffer.compare(a, b) === 0);

/** The machine this runs on. Of the environment, SOURCE_DATE_EPOCH and PATH are used. */
export function createNodeHost(env: Readonly<Record<string, string | undefined>> = process.env): Host {
  const system = systemTree();
  const sourceDateEpoch = (): bigint | null => sourceDateEpochNs(env['SOURCE_DATE_EPOCH']);
  return {
    openRead: (path) => openForReading(path, system),
    openWrite: (path) => openForWriting(path, system),
    inUse: (path) => usesOf(examine(path), system),
    facts: (path) => factsOf(path, system),
    contentHints: (path) => contentHintsOf(path, env['PATH']),
    exists: nameExists,
    realPath: resolvedPath,
    readFile: readWhole,
    listDir: namesIn,
    mtimeNs: modifiedNs,
    writeFileDurably: writeNewFile,
    appendDurably: appendToFile,
    removeFile: removeIfThere,
    makeDirs: makeDirectories,
    now: () => sourceDateEpoch() ?? wallClockNs(),
    sourceDateEpoch,
    random: (length) => Uint8Array.from(lazyCrypto().randomBytes(length)),
    sha256: (...chunks) => {
      const hash = lazyCrypto().createHash('sha256');
      for (const chunk of chunks) hash.update(chunk);
      return hash.digest('hex');
    },
  };
}
