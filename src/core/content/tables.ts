// SPDX-License-Identifier: GPL-2.0-or-later
// Signatures of partition tables and boot sectors. The partitions in them are listed by partitions.ts.
import { GPT_MAGIC, readGptEntries, readGptHeader } from '../gpt';
import { BOOT_SIGNATURE_AT, parseMbr } from '../mbr';
import { isPowerOfTwo, magicBytes } from './probe';
import { type Candidate, fromEnd, type Recognised, type Signature, signature } from './signature';

const TABLE = 'partition-table';

/** A header lies in LBA 1 or in the last LBA, for blocks of 512 and of 4096 bytes. */
function checkGpt({ probe, start }: Candidate): Recognised {
  for (const blockSize of [512, 4096]) {
    if (start % BigInt(blockSize) !== 0n) continue;
    const found = readGptHeader(probe, start / BigInt(blockSize), blockSize);
    if (found.state !== 'good') continue;
    const entries = readGptEntries(probe, found.header);
    const which = found.header.lba === 1n ? 'GPT' : 'backup GPT';
    const count = entries === null ? 'its entries are damaged' : `${entries.length} partition(s)`;
    return { name: `${which} partition table`, detail: `${count}, disk uuid ${found.header.diskUuid}` };
  }
  return { name: 'GPT partition table (header damaged)' };
}

function checkMbr({ block }: Candidate): Recognised | boolean {
  const mbr = parseMbr(block);
  if (mbr !== null) {
    if (mbr.entries.length === 0) return { name: 'protective MBR of a GPT' };
    return { name: 'MBR partition table', detail: `${mbr.entries.length} partition(s)` };
  }
  const loader = bootLoader(block.bytes.subarray(0, 446));
  return loader === undefined ? false : { name: 'boot sector', detail: loader };
}

/** Messages that boot code carries; a boot sector without partitions is known by them. */
const LOADER_TEXTS = [
  'GRUB ',
  'LILO',
  'ISOLINUX',
  'SYSLINUX',
  'Missing operating system',
  'Error loading operating system',
  'Invalid partition table',
  'BOOTMGR',
  'NTLDR is missing',
  'Boot loader load error',
];

function bootLoader(code: Uint8Array): string | undefined {
  // Real-mode code begins with a jump, cli, xor or the like; text alone (a document about boot loaders) does not.
  if (code[0] === undefined || ![0xeb, 0xe9, 0xfa, 0x33, 0x31, 0x0e, 0xfc, 0x8c].includes(code[0]))
    return undefined;
  let text = '';
  for (const byte of code) text += String.fromCharCode(byte);
  return LOADER_TEXTS.find((each) => text.includes(each));
}

function checkApple({ block }: Candidate): Recognised | boolean {
  const blockSize = block.u16be(2);
  if (!isPowerOfTwo(blockSize) || blockSize < 512 || blockSize > 4096) return false;
  if (!block.has(blockSize, magicBytes('PM')) || block.u32be(blockSize + 4) > 256) return false;
  return {
    wipe: [
      { at: 0, length: 2 },
      { at: blockSize, length: 2 },
    ],
  };
}

/** The 16-bit words of a Sun label add up (exclusive or) to nothing. */
function checkSun({ block }: Candidate): boolean {
  let sum = 0;
  for (let at = 0; at < 512; at += 2) sum ^= block.u16be(at);
  return sum === 0;
}

function checkBsd({ block }: Candidate): boolean {
  return block.u32(0) === block.u32(132);
}

export const TABLES: readonly Signature[] = [
  signature(
    'gpt',
    'GPT partition table',
    TABLE,
    [512, 4096, fromEnd(1n, 512n), fromEnd(1n, 4096n)],
    [GPT_MAGIC],
    {
      check: checkGpt,
    },
  ),
  signature('mbr', 'MBR partition table', TABLE, [0], ['\x55\xaa'], {
    magicAt: BOOT_SIGNATURE_AT,
    check: checkMbr,
  }),
  signature('apm', 'Apple partition map', TABLE, [0], ['ER'], { size: 4104, check: checkApple }),
  signature('sun', 'Sun disk label', TABLE, [0], ['\xda\xbe'], { magicAt: 508, size: 512, check: checkSun }),
  signature('sgi', 'SGI disk label', TABLE, [0], ['\x0b\xe5\xa9\x41']),
  signature('bsd', 'BSD disk label', TABLE, [0, 64, 512], ['\x57\x45\x56\x82'], {
    size: 136,
    check: checkBsd,
  }),
  signature('ldm', 'Windows dynamic disk (LDM)', 'lvm', [3072, fromEnd(1n, 512n)], ['PRIVHEAD']),
];
