// SPDX-License-Identifier: GPL-2.0-or-later
// The demo: makes a setup on image files, damages it, checks, repairs, takes the repair back, wipes everything and
// restores it, with the built commands and what they really print. Ends with 1 if any of them ends otherwise than it
// should, or if bytes are not what they should be. Writes only to a temporary directory, which it removes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { commit, COMMIT_ORDER, copyBytes, slotAt } from '../fixtures/build';
import { AT } from '../fixtures/damage';
import type { Generation } from '../src/core/generation';
import { contentsOf } from '../src/core/generation';
import { judgeSlot } from '../src/core/judge';
import { BLOCK_BYTES, SLOT_ROOM_BYTES } from '../src/core/layout';
import { wrap } from '../src/render/wrap';
import { writeExt4 } from '../test/support/content-filesystems';
import { flipBit, hashOf, makeImage, MIB, readBytes, writeBytes } from './lib/images';
import { Session } from './lib/session';

const COLUMNS = 80;
const SPARES = ['spare0.img', 'spare1.img'] as const;

const root = dirname(dirname(process.argv[1] ?? ''));
const folder = mkdtempSync(join(tmpdir(), 'demo-'));
const at = (name: string): string => join(folder, name);
const print = (text: string): void => void process.stdout.write(text);
const session = new Session({ root, folder }, print);
/** What did not hold, apart from exit statuses. */
const broken: string[] = [];

function heading(text: string): void {
  const number = ++heading.count;
  print(`\n${`== ${number}. ${text} `.padEnd(COLUMNS, '=')}\n`);
}
heading.count = 0;

function tell(text: string): void {
  print(`${wrap(text, COLUMNS, 0).join('\n')}\n`);
}

/** Hashes of both spares, shown. */
function hashes(): string {
  return SPARES.map((name) => {
    const hash = hashOf(at(name));
    print(`${name}  ${hash}\n`);
    return hash;
  }).join(' ');
}

/** Shows the hashes, and says whether they are those of an earlier moment. */
function compareHashes(wanted: string, moment: string): void {
  const same = hashes() === wanted;
  if (!same) broken.push(`the spares are not as they were ${moment}`);
  tell(`${same ? 'The same' : 'NOT the same'} as ${moment}, to the byte.`);
}

/** The generation in a copy that is known to be healthy. */
function generationIn(name: string, copy: number): Generation {
  const { generation } = judgeSlot(
    { bytes: readBytes(at(name), slotAt(copy), SLOT_ROOM_BYTES), gaps: [] },
    'integrity',
  );
  if (generation === null) throw new Error(`copy ${copy} of ${name} is not valid`);
  return generation;
}

/** What the kernel target does at a write error: data to the spare, then a commit to all copies. */
function playTheTarget(parent: Generation): Generation {
  const { remaps } = contentsOf(parent);
  const spareSector = 10240n + remaps.reduce((sum, entry) => sum + BigInt(entry.length), 0n);
  const data = Buffer.alloc(BLOCK_BYTES, 'What the file system wrote to main sector 50000. ');
  writeBytes(at(SPARES[0]), Number(spareSector) * 512, data);
  const entry = {
    mainSector: 50000n,
    spareSector,
    length: 8,
    spareIndex: 0,
    reason: 1,
    flags: 0,
    createdNs: parent.header.writtenNs,
  };
  const next = commit(parent, {
    run: parent.header.runId + 1n,
    entries: [...remaps, entry],
    writer: 'npm run demo',
  });
  SPARES.forEach((name, spare) => {
    for (const copy of COMMIT_ORDER) writeBytes(at(name), slotAt(copy), copyBytes(next, spare, copy));
  });
  return next;
}

function damage(parent: Generation): void {
  const [first, second] = SPARES;
  flipBit(at(first), slotAt(1) + AT.config + 7, 2);
  print('spare 0 copy 1   one bit of CONFIG is turned over\n');
  writeBytes(at(first), slotAt(3), new Uint8Array(SLOT_ROOM_BYTES));
  print('spare 0 copy 3   zeroed, as a discard (TRIM) does\n');
  const boot = new Uint8Array(BLOCK_BYTES);
  writeExt4(boot);
  writeBytes(at(first), slotAt(0), boot);
  print('spare 0 copy 0   overwritten as mkfs.ext4 does\n');
  writeBytes(at(second), slotAt(0), copyBytes(parent, 1, 0).subarray(0, BLOCK_BYTES));
  print('spare 1 copy 0   torn: the blocks of sequence 2, the header still of sequence 1\n');
}

function journals(output: string): string {
  const journal = /dmremap-undo (\S+)/.exec(output)?.[1];
  if (journal === undefined) throw new Error('no undo journal was named');
  return journal;
}

function demo(): void {
  tell(
    'Everything happens in a temporary directory, without root. Lines that begin with $ are commands, and what follows is what they print. Hashes are SHA-256.',
  );

  heading('A setup of one main device and two spares');
  makeImage(at('main.img'), 64 * MIB);
  for (const name of SPARES) makeImage(at(name), 16 * MIB);
  writeFileSync(at('bad.txt'), '100\n101\n5000\n');
  tell('main.img has 64 MiB; blocks 100, 101 and 5000 of it are bad (badblocks -b 4096):');
  const bad = ['--bad-blocks', 'bad.txt', '--block-size', '4096'];
  session.run(0, 'dmremap-format', '--name', 'demo', '--main', 'main.img', ...bad, ...SPARES);

  heading('A write to main fails');
  const first = generationIn(SPARES[0], 1);
  playTheTarget(first);
  tell(
    'The demo plays the part of the kernel target: sector 50000 of main could not be written, so its data goes to spare 0, and a new generation (sequence 2) to all ten copies.',
  );
  session.run(0, 'dmremap-fsck', '-n', ...SPARES);
  session.run(0, 'dmremap-inspect', '--remaps', ...SPARES);
  session.runInto('setup.json', 0, 'dmremap-dump', ...SPARES);
  tell(`setup.json has ${statSync(at('setup.json')).size} bytes.`);
  const healthy = hashes();

  heading('Damage, of four kinds');
  damage(first);
  const damaged = hashes();

  heading('Looking, without changing anything');
  session.run(4, 'dmremap-fsck', '-n', '--level', 'forensic', ...SPARES);
  compareHashes(damaged, 'before that look');

  heading('Repairing what is beyond doubt');
  const preen = session.run(5, 'dmremap-fsck', '-p', ...SPARES);
  tell('5 = 1 (errors were corrected) + 4 (errors are left): the ext4 may be wanted by somebody.');

  heading('Repairing the rest, because nobody wants it');
  const forced = session.run(1, 'dmremap-fsck', '-y', '--force', ...SPARES);

  heading('The second pass is clean');
  session.run(0, 'dmremap-fsck', '-n', ...SPARES);
  compareHashes(healthy, 'before the damage');

  heading('Taking both repairs back, the later one first');
  session.run(0, 'dmremap-undo', journals(forced.output));
  session.run(0, 'dmremap-undo', journals(preen.output));
  compareHashes(damaged, 'before the repairs');

  heading('All copies on all spares are wiped');
  for (const name of SPARES) writeBytes(at(name), 0, new Uint8Array(5 * MIB));
  session.run(8, 'dmremap-fsck', '-n', ...SPARES);

  heading('Restoring from the dump');
  session.run(0, 'dmremap-restore', 'setup.json', ...SPARES);
  session.run(0, 'dmremap-fsck', '-n', ...SPARES);
  compareHashes(healthy, 'before the damage');
}

function summary(): void {
  heading('What was shown');
  for (const { line, status, expected } of session.ran) {
    const word = status === expected ? 'as it should' : `NOT ${expected}`;
    const short = line.replace(/\S*(\.dmremap-undo-\S+)/, '...$1');
    print(
      `exit ${String(status ?? 'signal').padEnd(2)} ${word}  ${short.length > 56 ? `${short.slice(0, 53)}...` : short}\n`,
    );
    if (status !== expected)
      broken.push(`${line}: exit status ${status ?? 'of a signal'} instead of ${expected}`);
  }
  for (const one of broken) tell(`FAILED: ${one}`);
  if (broken.length === 0) {
    tell(
      'A setup was made, checked, damaged in four ways, explained, repaired byte for byte, un-repaired byte for byte, wiped, and restored byte for byte.',
    );
  }
}

try {
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--quiet', '--if-stale'], {
    stdio: 'inherit',
  });
  demo();
  summary();
  process.exitCode = broken.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
