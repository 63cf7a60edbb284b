// SPDX-License-Identifier: GPL-2.0-or-later
// Signatures of what storage is built of: RAID, volume managers, encryption, swap and the device-mapper targets.
// No file systems and no partition tables.
import { type Block, isPowerOfTwo, magicBytes, type Probe } from './probe';
import {
  type Candidate,
  describe,
  fromEnd,
  type Place,
  type Recognised,
  type Signature,
  signature,
} from './signature';

const MD_MAGIC_LE = '\xfc\x4e\x2b\xa9';
const MD_MAGIC_BE = '\xa9\x2b\x4e\xfc';

/** Version 0.90: in the last whole 64 KiB block but one, in the byte order of the machine that made it. */
function checkMd0({ block, start }: Candidate): Recognised | boolean {
  const little = block.u8(0) === 0xfc;
  const word = (offset: number): number => (little ? block.u32(offset) : block.u32be(offset));
  if (word(4) !== 0 || word(8) < 90 || word(8) > 100) return false;
  // `size` is in KiB; the member's data lies before the superblock.
  if (BigInt(word(32)) * 1024n > start) return false;
  return {};
}

/** Version 1: the superblock names its own place, which tells 1.0, 1.1 and 1.2 apart. */
function checkMd1({ block, start, probe }: Candidate): Recognised | boolean {
  if (block.u32(4) !== 1 || block.u64(144) !== start / 512n) return false;
  const minor = start === 0n ? '1.1' : start === 4096n && !atMd10(probe, start) ? '1.2' : '1.0';
  return {
    name: `Linux RAID member (version ${minor})`,
    detail: describe({ label: block.text(32, 32), uuid: block.uuid(16) }),
  };
}

const MD10_PLACE = (size: bigint): bigint => ((size - 8192n) / 4096n) * 4096n;

function atMd10(probe: Probe, start: bigint): boolean {
  return probe.size !== null && MD10_PLACE(probe.size) === start;
}

/** Common RAID Disk Data Format: anchor in the last block; big-endian where the standard is followed. */
function checkDdf({ block }: Candidate): Recognised | boolean {
  const revision = block.text(32, 8);
  if (!/^\d\d\.\d\d\.\d\d$/.test(revision)) return false;
  return { detail: describe({ version: revision }) };
}

const LABEL_SECTORS: readonly Place[] = [0, 512, 1024, 1536];

function checkLvm2({ block, start, probe }: Candidate): Recognised | boolean {
  if (block.u64(8) !== start / 512n || !block.has(24, magicBytes('LVM2 001'))) return false;
  const header = block.u32(20);
  const uuid =
    header >= 32 && header <= 480 ? probe.block(start + BigInt(header), 32)?.text(0, 32) : undefined;
  return {
    wipe: [
      { at: 0, length: 8 },
      { at: 24, length: 8 },
    ],
    detail: uuid !== undefined && /^[0-9A-Za-z]{32}$/.test(uuid) ? `pv uuid ${uuid}` : undefined,
  };
}

function checkLuks({ block, start }: Candidate): Recognised | boolean {
  const version = block.u16be(6);
  const uuid = block.text(168, 40);
  if (version === 1 && start === 0n)
    return { id: 'luks1', name: 'LUKS1 encryption', detail: describe({ uuid }) };
  if (version !== 2 || block.u64be(256) !== start) return false;
  return {
    name: start === 0n ? 'LUKS2 encryption' : 'LUKS2 encryption (second header)',
    detail: describe({ label: block.text(24, 48), uuid }),
  };
}

/** Where LUKS2 puts its second header, by the size of its JSON area. */
const LUKS2_SECOND: readonly Place[] = [
  0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000,
];

/** The header at byte 1024, whatever the page size; null if it is none. */
function swapHeader(probe: Probe): Block | null {
  const header = probe.block(1024, 44);
  if (header === undefined || (header.u32(0) !== 1 && header.u32be(0) !== 1)) return null;
  return header.u32(4) === 0 ? null : header;
}

function checkSwap({ probe }: Candidate): Recognised | boolean {
  const header = swapHeader(probe);
  if (header === null) return false;
  return { detail: describe({ label: header.text(28, 16), uuid: header.uuid(12) }) };
}

/** The magic ends the first page, and pages have 4 to 64 KiB. */
const PAGE_ENDS: readonly Place[] = [4096, 8192, 16384, 32768, 65536].map((page) => page - 10);

const ZFS_LABEL_BYTES = 262144;
const ZFS_RING_AT = 131072;
const ZFS_UBERBLOCK_BYTES = 1024;
const ZFS_UBERBLOCKS = 128;
const ZFS_MAGICS = ['\x0c\xb1\xba\x00\x00\x00\x00\x00', '\x00\x00\x00\x00\x00\xba\xb1\x0c'].map(magicBytes);

/** A ZFS label is known by the uberblocks in the second half of it. */
function checkZfs({ probe, start }: Candidate): Recognised | boolean {
  const ring = probe.block(start + BigInt(ZFS_RING_AT), ZFS_UBERBLOCKS * ZFS_UBERBLOCK_BYTES);
  if (ring === undefined) return false;
  const wipe: { at: number; length: number }[] = [];
  for (let at = 0; at < ring.bytes.length; at += ZFS_UBERBLOCK_BYTES) {
    const [little, big] = ZFS_MAGICS.map((magic) => ring.has(at, magic));
    const version = little === true ? ring.u64(at + 8) : ring.u64be(at + 8);
    if ((little === true || big === true) && version >= 1n && version <= 5000n)
      wipe.push({ at: ZFS_RING_AT + at, length: 8 });
  }
  const first = wipe[0];
  return first === undefined ? false : { magicAt: first.at, wipe };
}

const ZFS_LABELS: readonly Place[] = [
  0,
  ZFS_LABEL_BYTES,
  fromEnd(2n, BigInt(ZFS_LABEL_BYTES)),
  fromEnd(1n, BigInt(ZFS_LABEL_BYTES)),
];

function checkDrbd({ block }: Candidate): boolean {
  const bytesPerBit = block.u32be(80);
  return block.u32be(64) !== 0 && isPowerOfTwo(bytesPerBit) && bytesPerBit >= 4096;
}

function checkBcache({ block }: Candidate): Recognised | boolean {
  if (block.u64(8) !== 8n) return false;
  return { detail: describe({ label: block.text(72, 32), uuid: block.uuid(40) }) };
}

/** The superblock that dm-thin, dm-cache, dm-era and dm-clone share: its own block number (0), then the magic. */
function checkPersistentData({ block }: Candidate): boolean {
  return block.u64(8) === 0n && block.u32(40) >= 1 && block.u32(40) <= 16;
}

function u64le(value: number): string {
  let out = '';
  for (let i = 0; i < 8; i++) out += String.fromCharCode(i < 4 ? (value >>> (8 * i)) & 0xff : 0);
  return out;
}

function deviceMapper(id: string, name: string, magic: number): Signature {
  return signature(id, name, 'lvm', [0], [u64le(magic)], {
    magicAt: 32,
    size: 44,
    check: checkPersistentData,
  });
}

export const STORAGE: readonly Signature[] = [
  signature(
    'md',
    'Linux RAID member (version 0.90)',
    'raid',
    [fromEnd(1n, 65536n)],
    [MD_MAGIC_LE, MD_MAGIC_BE],
    {
      size: 64,
      check: checkMd0,
    },
  ),
  signature('md', 'Linux RAID member', 'raid', [0, 4096, MD10_PLACE], [MD_MAGIC_LE], {
    size: 256,
    check: checkMd1,
  }),
  signature(
    'imsm',
    'Intel firmware RAID member (IMSM)',
    'raid',
    [fromEnd(2n, 512n), fromEnd(2n, 4096n)],
    ['Intel Raid ISM Cfg Sig. '],
    { size: 32, check: ({ block }) => ({ detail: describe({ version: block.text(24, 6) }) }) },
  ),
  signature(
    'ddf',
    'DDF firmware RAID member',
    'raid',
    [fromEnd(1n, 512n), fromEnd(257n, 512n), fromEnd(1n, 4096n)],
    ['\xde\x11\xde\x11', '\x11\xde\x11\xde'],
    { size: 40, check: checkDdf },
  ),
  signature('lvm2', 'LVM2 physical volume', 'lvm', LABEL_SECTORS, ['LABELONE'], {
    size: 512,
    check: checkLvm2,
  }),
  signature('luks2', 'LUKS encryption', 'crypto', [0], ['LUKS\xba\xbe'], { size: 264, check: checkLuks }),
  signature('luks2', 'LUKS2 encryption (second header)', 'crypto', LUKS2_SECOND, ['SKUL\xba\xbe'], {
    size: 264,
    check: checkLuks,
  }),
  signature('bitlocker', 'BitLocker encryption', 'crypto', [0], ['-FVE-FS-'], { magicAt: 3 }),
  signature('swap', 'Linux swap', 'swap', PAGE_ENDS, ['SWAPSPACE2'], { check: checkSwap }),
  signature('swap', 'Linux swap (version 0)', 'swap', PAGE_ENDS, ['SWAP-SPACE']),
  signature('hibernation', 'hibernation image (suspended system)', 'swap', PAGE_ENDS, [
    'S1SUSPEND',
    'S2SUSPEND',
    'ULSUSPEND',
    'LINHIB0001',
  ]),
  signature('hibernation', 'hibernation image (TuxOnIce)', 'swap', [0], ['\xed\xc3\x02\xe9\x98\x56\xe5\x0c']),
  signature('zfs', 'ZFS pool member', 'raid', ZFS_LABELS, [''], { check: checkZfs }),
  signature(
    'drbd',
    'DRBD metadata',
    'raid',
    [fromEnd(1n, 4096n)],
    ['\x83\x74\x02\x6b', '\x83\x74\x02\x6c', '\x83\x74\x02\x6d'],
    { magicAt: 60, size: 84, check: checkDrbd },
  ),
  signature('vdo', 'VDO volume', 'lvm', [0], ['dmvdo001'], {
    size: 56,
    check: ({ block }) => ({ detail: describe({ uuid: block.uuid(40) }) }),
  }),
  signature(
    'bcache',
    'bcache device',
    'lvm',
    [4096],
    ['\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81'],
    { magicAt: 24, size: 104, check: checkBcache },
  ),
  signature('stratis', 'Stratis pool member', 'lvm', [512, 4608], ['!Stra0tis\x86\xff\x02^\x41rh'], {
    magicAt: 4,
  }),
  signature('dm-integrity', 'dm-integrity device', 'crypto', [0], ['integrt\x00'], {
    size: 9,
    check: ({ block }) => block.u8(8) >= 1 && block.u8(8) <= 16,
  }),
  signature('dm-verity', 'dm-verity hash device', 'crypto', [0], ['verity\x00\x00\x01\x00\x00\x00'], {
    size: 32,
    check: ({ block }) => ({ detail: describe({ uuid: block.uuid(16) }) }),
  }),
  deviceMapper('dm-thin', 'thin-pool metadata (dm-thin)', 27022010),
  // This one is octal in the kernel.
  deviceMapper('dm-cache', 'cache metadata (dm-cache)', 0o6142003),
  deviceMapper('dm-era', 'era metadata (dm-era)', 2126579579),
  deviceMapper('dm-clone', 'clone metadata (dm-clone)', 0x8af27f64),
  signature('dm-snapshot', 'snapshot store (dm-snapshot)', 'lvm', [0], ['SnAp'], {
    size: 16,
    check: ({ block }) => block.u32(4) <= 1 && block.u32(8) === 1 && isPowerOfTwo(block.u32(12)),
  }),
  signature('dm-writecache', 'write cache (dm-writecache)', 'lvm', [0], ['\x21\x93\x48\x23'], {
    size: 12,
    check: ({ block }) =>
      block.u32(4) >= 1 && block.u32(4) <= 2 && isPowerOfTwo(block.u32(8)) && block.u32(8) >= 512,
  }),
  signature('bluestore', 'Ceph BlueStore device', 'other', [0], ['bluestore block device\n']),
];
