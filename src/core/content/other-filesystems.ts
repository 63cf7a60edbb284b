// SPDX-License-Identifier: GPL-2.0-or-later
// Signatures of file systems of other systems and of optical media. Those from Linux are in linux-filesystems.ts.
import { type Block, isPowerOfTwo, magicBytes } from './probe';
import { type Candidate, describe, type Recognised, type Signature, signature } from './signature';

const BOOT_SIGNATURE = magicBytes('\x55\xaa');
const BOOT_SIGNATURE_AT = 510;
const BOOT_WIPE = { at: BOOT_SIGNATURE_AT, length: 2 };

/** A FAT serial number as it is written: high half, low half. */
function serial(value: number): string {
  const hex = value.toString(16).toUpperCase().padStart(8, '0');
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

function checkNtfs({ block }: Candidate): Recognised | boolean {
  const sectorSize = block.u16(11);
  const perCluster = block.u8(13);
  if (!isPowerOfTwo(sectorSize) || sectorSize < 256 || sectorSize > 4096) return false;
  // Above 0x80 it is the negative of a power of two.
  if (!isPowerOfTwo(perCluster) && perCluster < 0xf4) return false;
  if (block.u16(14) !== 0 || block.u8(16) !== 0 || block.u16(17) !== 0 || block.u16(22) !== 0) return false;
  if (block.u64(40) === 0n) return false;
  const wipe = [{ at: 3, length: 8 }];
  if (block.has(BOOT_SIGNATURE_AT, BOOT_SIGNATURE)) wipe.push(BOOT_WIPE);
  return { detail: `serial ${block.u64(72).toString(16).toUpperCase().padStart(16, '0')}`, wipe };
}

function checkExfat({ block }: Candidate): Recognised | boolean {
  for (let i = 11; i < 64; i++) if (block.u8(i) !== 0) return false;
  const sectorShift = block.u8(108);
  const fats = block.u8(110);
  if (sectorShift < 9 || sectorShift > 12 || block.u8(109) > 25 - sectorShift) return false;
  if (fats < 1 || fats > 2 || !block.has(BOOT_SIGNATURE_AT, BOOT_SIGNATURE)) return false;
  return { detail: `serial ${serial(block.u32(100))}`, wipe: [{ at: 3, length: 8 }, BOOT_WIPE] };
}

/** The BIOS parameter block's numbers, in sectors of its own size; null if they do not make a FAT. */
function fatGeometry(block: Block): { clusters: number; fat32: boolean } | null {
  const sectorSize = block.u16(11);
  const perCluster = block.u8(13);
  const reserved = block.u16(14);
  const fats = block.u8(16);
  const media = block.u8(21);
  if (!isPowerOfTwo(sectorSize) || sectorSize < 512 || sectorSize > 4096) return null;
  if (!isPowerOfTwo(perCluster) || reserved === 0 || fats < 1 || fats > 4) return null;
  if (media !== 0xf0 && media < 0xf8) return null;
  const fatLength16 = block.u16(22);
  const fatLength = fatLength16 === 0 ? block.u32(36) : fatLength16;
  const sectors = block.u16(19) === 0 ? block.u32(32) : block.u16(19);
  const rootSectors = Math.ceil((block.u16(17) * 32) / sectorSize);
  const clusters = Math.floor((sectors - reserved - fatLength * fats - rootSectors) / perCluster);
  if (fatLength === 0 || clusters < 1 || clusters > 0x0ffffff6) return null;
  if (fatLength16 !== 0 && clusters > 0xfff4) return null;
  return { clusters, fat32: fatLength16 === 0 };
}

const FAT_TYPE_STRINGS = ['FAT12   ', 'FAT16   ', 'FAT32   ', 'FAT     ', 'MSDOS', 'MSWIN'].map(magicBytes);
const FAT12_CLUSTERS = 4085;

/**
 * FAT has no magic that must be there: 55 AA stands at the end of every boot sector. The BIOS parameter block has to
 * make sense as well.
 */
function checkFat({ block }: Candidate): Recognised | boolean {
  const jump = block.u8(0);
  if (jump !== 0xeb && jump !== 0xe9) return false;
  // JFS and HPFS put a FAT-like block before themselves.
  if (['JFS', 'HPFS', 'NTFS'].includes(block.text(54, 8)) || block.has(3, magicBytes('-FVE-FS-')))
    return false;
  const geometry = fatGeometry(block);
  if (geometry === null) return false;
  const extended = geometry.fat32 ? 66 : 38;
  const typeAt = geometry.fat32 ? 82 : 54;
  const hasNames = block.u8(extended) === 0x29;
  const typeString = FAT_TYPE_STRINGS.find((text) => block.has(typeAt, text));
  const label = hasNames ? block.text(extended + 5, 11) : '';
  const width = geometry.fat32 ? 32 : geometry.clusters < FAT12_CLUSTERS ? 12 : 16;
  return {
    id: `fat${width}`,
    name: `FAT${width} file system`,
    ...(typeString === undefined ? {} : { magicAt: typeAt }),
    wipe: [...(typeString === undefined ? [] : [{ at: typeAt, length: typeString.length }]), BOOT_WIPE],
    detail: describe({
      label: label === 'NO NAME' ? '' : label,
      ...(hasNames ? { uuid: serial(block.u32(extended + 1)) } : {}),
    }),
  };
}

const VOLUME_DESCRIPTORS = ['BEA01', 'BOOT2', 'CD001', 'CDW02', 'TEA01'].map(magicBytes);
const NSR_DESCRIPTORS = ['NSR02', 'NSR03'].map(magicBytes);
/** Descriptors that a volume recognition sequence is followed through at most. */
const MAX_VOLUME_DESCRIPTORS = 64;

/** UDF: an NSR descriptor in the volume recognition sequence, whose descriptors are 2048 bytes apart (4096 on 4Kn). */
function checkUdf({ probe, start }: Candidate): Recognised | boolean {
  for (const step of [2048, 4096]) {
    for (let i = 0; i < MAX_VOLUME_DESCRIPTORS; i++) {
      const at = i * step;
      const descriptor = probe.block(start + BigInt(at), 7);
      if (descriptor === undefined) break;
      if (NSR_DESCRIPTORS.some((id) => descriptor.has(1, id))) {
        return { magicAt: at + 1, wipe: [{ at: at + 1, length: 5 }] };
      }
      if (!VOLUME_DESCRIPTORS.some((id) => descriptor.has(1, id))) break;
    }
  }
  return false;
}

function checkIso({ block }: Candidate): Recognised | boolean {
  const type = block.u8(0);
  if ((type > 3 && type !== 255) || block.u8(6) !== 1) return false;
  return { detail: describe({ label: type === 1 || type === 2 ? block.text(40, 32) : '' }) };
}

function checkHfsPlus({ block }: Candidate): Recognised | boolean {
  const version = block.u16be(2);
  const blockSize = block.u32be(40);
  const blocks = block.u32be(44);
  if (version !== (block.u8(1) === 0x58 ? 5 : 4)) return false;
  if (!isPowerOfTwo(blockSize) || blockSize < 512 || blocks === 0 || block.u32be(48) > blocks) return false;
  return { name: version === 5 ? 'HFSX file system' : 'HFS+ file system' };
}

function checkHfs({ block }: Candidate): Recognised | boolean {
  const blockSize = block.u32be(20);
  const blocks = block.u16be(18);
  const labelLength = block.u8(36);
  if (blockSize === 0 || blockSize % 512 !== 0 || blocks === 0 || block.u16be(34) > blocks) return false;
  // The volume bitmap always follows the volume's header.
  if (block.u16be(14) !== 3 || labelLength < 1 || labelLength > 27) return false;
  return { detail: describe({ label: block.text(37, labelLength) }) };
}

function checkApfs({ block }: Candidate): Recognised | boolean {
  const blockSize = block.u32(36);
  if (!isPowerOfTwo(blockSize) || blockSize < 4096 || blockSize > 65536 || block.u16(24) !== 1) return false;
  return { detail: describe({ uuid: block.uuid(72) }) };
}

const UFS1_MAGIC = 0x00011954;
const UFS2_MAGIC = 0x19540119;
const UFS_MAGIC_AT = 1372;

function checkUfs({ block }: Candidate): boolean {
  const little = [UFS1_MAGIC, UFS2_MAGIC].includes(block.u32(UFS_MAGIC_AT));
  const blockSize = little ? block.u32(48) : block.u32be(48);
  const fragment = little ? block.u32(52) : block.u32be(52);
  return (
    isPowerOfTwo(blockSize) &&
    blockSize >= 4096 &&
    blockSize <= 65536 &&
    isPowerOfTwo(fragment) &&
    fragment <= blockSize
  );
}

const FILESYSTEM = 'filesystem';
const VOLUME_RECOGNITION = 0x8000;

export const OTHER_FILESYSTEMS: readonly Signature[] = [
  signature('ntfs', 'NTFS file system', FILESYSTEM, [0], ['NTFS    '], {
    magicAt: 3,
    size: 512,
    check: checkNtfs,
  }),
  signature('exfat', 'exFAT file system', FILESYSTEM, [0], ['EXFAT   '], {
    magicAt: 3,
    size: 512,
    check: checkExfat,
  }),
  signature('fat', 'FAT file system', FILESYSTEM, [0], ['\x55\xaa'], {
    magicAt: BOOT_SIGNATURE_AT,
    check: checkFat,
  }),
  signature('udf', 'UDF file system', FILESYSTEM, [VOLUME_RECOGNITION], [''], { check: checkUdf }),
  signature('iso9660', 'ISO 9660 file system', FILESYSTEM, [VOLUME_RECOGNITION], ['CD001'], {
    magicAt: 1,
    size: 72,
    check: checkIso,
  }),
  signature('hfsplus', 'HFS+ file system', FILESYSTEM, [1024], ['H+', 'HX'], {
    size: 52,
    check: checkHfsPlus,
  }),
  signature('hfs', 'HFS file system', FILESYSTEM, [1024], ['BD'], { size: 64, check: checkHfs }),
  signature('apfs', 'APFS container', FILESYSTEM, [0], ['NXSB'], { magicAt: 32, size: 88, check: checkApfs }),
  signature(
    'ufs',
    'UFS file system',
    FILESYSTEM,
    [0x2000, 0x10000, 0, 0x40000],
    ['\x19\x01\x54\x19', '\x19\x54\x01\x19', '\x54\x19\x01\x00', '\x00\x01\x19\x54'],
    { magicAt: UFS_MAGIC_AT, check: checkUfs },
  ),
  signature('vmfs', 'VMFS volume', FILESYSTEM, [0x100000], ['\x0d\xd0\x01\xc0']),
  signature('refs', 'ReFS file system', FILESYSTEM, [0], ['\x00\x00\x00ReFS\x00']),
];
