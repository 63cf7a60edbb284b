// SPDX-License-Identifier: GPL-2.0-or-later
// Signatures of file systems that come from Linux. A superblock with a wrong checksum is still named: a damaged file
// system is somebody's data too, and only the shape has to be right. Other systems' file systems are in other-filesystems.ts.
import { isPowerOfTwo } from './probe';
import { type Candidate, describe, fromEnd, type Recognised, type Signature, signature } from './signature';
import { crc32 } from '../crc32';

const EXT_COMPAT_HAS_JOURNAL = 0x4;
const EXT_INCOMPAT_JOURNAL_DEV = 0x8;
/** Feature bits that ext3 knows: filetype, recover, meta_bg; sparse_super, large_file, btree_dir. */
const EXT3_INCOMPAT = 0x2 | 0x4 | 0x10;
const EXT3_RO_COMPAT = 0x1 | 0x2 | 0x4;

function checkExt({ block }: Candidate): Recognised | boolean {
  const logBlockSize = block.u32(24);
  const revision = block.u32(76);
  if (logBlockSize > 6 || revision > 1 || block.u32(20) > 1 || block.u32(72) > 4) return false;
  const blockSize = 1024 << logBlockSize;
  const blocks = block.u32(4);
  const features = revision === 0 ? [0, 0, 0] : [block.u32(92), block.u32(96), block.u32(100)];
  const [compat = 0, incompat = 0, roCompat = 0] = features;
  const journalDevice = (incompat & EXT_INCOMPAT_JOURNAL_DEV) !== 0;
  // The upper halves of 64-bit counts are elsewhere, so a lower half of zero says nothing there.
  if ((incompat & 0x80) === 0 && (blocks === 0 || block.u32(12) > blocks)) return false;
  if (!journalDevice) {
    const inodeSize = revision === 0 ? 128 : block.u16(88);
    if (!isPowerOfTwo(inodeSize) || inodeSize < 128 || inodeSize > blockSize) return false;
    if (block.u32(0) === 0 || block.u32(32) === 0 || block.u32(40) === 0) return false;
    if (block.u32(40) > blockSize * 8) return false;
  }
  const id = journalDevice
    ? 'jbd'
    : (incompat & ~EXT3_INCOMPAT) !== 0 || (roCompat & ~EXT3_RO_COMPAT) !== 0
      ? 'ext4'
      : (compat & EXT_COMPAT_HAS_JOURNAL) !== 0
        ? 'ext3'
        : 'ext2';
  const name = journalDevice ? 'ext4 external journal' : `${id} file system`;
  return { id, name, detail: describe({ label: block.text(120, 16), uuid: block.uuid(104) }) };
}

function checkXfs({ block }: Candidate): Recognised | boolean {
  const blockSize = block.u32be(4);
  const sectorSize = block.u16be(102);
  const inodeSize = block.u16be(104);
  if (!isPowerOfTwo(blockSize) || blockSize < 512 || blockSize > 65536) return false;
  if (!isPowerOfTwo(sectorSize) || sectorSize < 512 || sectorSize > 32768) return false;
  if (!isPowerOfTwo(inodeSize) || inodeSize < 256 || inodeSize > 2048) return false;
  if (block.u64be(8) === 0n || block.u32be(84) === 0 || block.u32be(88) === 0) return false;
  return { detail: describe({ label: block.text(108, 12), uuid: block.uuid(32) }) };
}

function checkBtrfs({ block, start }: Candidate): Recognised | boolean {
  // The superblock names its own place; a stray copy of it elsewhere is no file system.
  if (block.u64(48) !== start) return false;
  return { detail: describe({ label: block.text(299, 256), uuid: block.uuid(32) }) };
}

function checkF2fs({ block }: Candidate): Recognised | boolean {
  const logSector = block.u32(8);
  const logBlock = block.u32(16);
  if (logSector < 9 || logSector > 16 || logBlock < 12 || logBlock > 16) return false;
  if (logSector + block.u32(12) !== logBlock) return false;
  return { detail: describe({ uuid: block.uuid(108) }) };
}

function checkJfs({ block }: Candidate): Recognised | boolean {
  const log = block.u16(20);
  if (log < 9 || log > 16 || block.u32(16) !== 2 ** log) return false;
  return { detail: describe({ label: block.text(152, 16), uuid: block.uuid(136) }) };
}

function checkReiser({ block }: Candidate): boolean {
  const blockSize = block.u16(44);
  return isPowerOfTwo(blockSize) && blockSize >= 512;
}

function checkSquash({ block }: Candidate): Recognised | boolean {
  const bigEndian = block.u8(0) === 0x73;
  const major = bigEndian ? block.u16be(28) : block.u16(28);
  if (major < 1 || major > 4) return false;
  const log = block.u16(22);
  if (major === 4 && (log < 12 || log > 20 || block.u32(12) !== 2 ** log)) return false;
  return { detail: describe({ version: `${major}` }) };
}

function checkErofs({ block }: Candidate): Recognised | boolean {
  const log = block.u8(12);
  if (log < 9 || log > 16) return false;
  return { detail: describe({ label: block.text(64, 16), uuid: block.uuid(48) }) };
}

/** NILFS2's magic has two bytes: only the checksum makes it certain. */
function checkNilfs({ block }: Candidate): Recognised | boolean {
  const bytes = block.u16(8);
  if (bytes < 24 || bytes > 1024) return false;
  const summed = block.bytes.slice(0, bytes);
  summed.fill(0, 16, 20);
  // The kernel's crc32_le starts from the seed as it is and does not invert the result.
  const sum = (crc32(summed, ~block.u32(12) >>> 0) ^ 0xffffffff) >>> 0;
  if (sum !== block.u32(16)) return false;
  return { detail: describe({ label: block.text(168, 80), uuid: block.uuid(152) }) };
}

/** bcache and bcachefs superblocks say in which 512-byte sector they lie. */
function checkBcachefs({ block }: Candidate): Recognised | boolean {
  return { detail: describe({ label: block.text(72, 32), uuid: block.uuid(56) }) };
}

const EXT_SUPERBLOCK = 1024;

export const LINUX_FILESYSTEMS: readonly Signature[] = [
  signature('ext', 'ext file system', 'filesystem', [EXT_SUPERBLOCK], ['\x53\xef'], {
    magicAt: 56,
    size: 136,
    check: checkExt,
  }),
  signature('xfs', 'XFS file system', 'filesystem', [0], ['XFSB'], { size: 120, check: checkXfs }),
  signature('btrfs', 'Btrfs file system', 'filesystem', [0x10000, 0x4000000, 0x4000000000], ['_BHRfS_M'], {
    magicAt: 64,
    size: 555,
    check: checkBtrfs,
  }),
  signature('f2fs', 'F2FS file system', 'filesystem', [1024, 5120], ['\x10\x20\xf5\xf2'], {
    size: 124,
    check: checkF2fs,
  }),
  signature('jfs', 'JFS file system', 'filesystem', [0x8000, 0xf000], ['JFS1'], {
    size: 168,
    check: checkJfs,
  }),
  signature(
    'reiserfs',
    'ReiserFS file system',
    'filesystem',
    [0x10000, 0x2000],
    ['ReIsErFs', 'ReIsEr2Fs', 'ReIsEr3Fs'],
    { magicAt: 52, check: checkReiser },
  ),
  signature('reiser4', 'Reiser4 file system', 'filesystem', [0x10000], ['ReIsEr4']),
  signature('squashfs', 'SquashFS file system', 'filesystem', [0], ['hsqs', 'sqsh'], {
    size: 30,
    check: checkSquash,
  }),
  signature('erofs', 'EROFS file system', 'filesystem', [1024], ['\xe2\xe1\xf5\xe0'], {
    size: 80,
    check: checkErofs,
  }),
  signature(
    'bcachefs',
    'bcachefs file system',
    'filesystem',
    [4096],
    ['\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef'],
    { magicAt: 24, size: 104, check: checkBcachefs },
  ),
  signature('nilfs2', 'NILFS2 file system', 'filesystem', [1024, fromEnd(1n, 4096n)], ['\x34\x34'], {
    magicAt: 6,
    size: 1024,
    check: checkNilfs,
  }),
  signature('gfs2', 'GFS2 file system', 'filesystem', [0x10000], ['\x01\x16\x19\x70\x00\x00\x00\x01']),
  signature('ocfs2', 'OCFS2 file system', 'filesystem', [1024, 2048, 4096, 8192], ['OCFSV2']),
  signature('cramfs', 'cramfs file system', 'filesystem', [0], ['\x45\x3d\xcd\x28'], {
    size: 32,
    check: ({ block }) => block.text(16, 16) === 'Compressed ROMFS',
  }),
  signature('romfs', 'romfs file system', 'filesystem', [0], ['-rom1fs-']),
];
