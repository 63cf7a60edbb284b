// SPDX-License-Identifier: GPL-2.0-or-later
// Everything foreign that the toolkit has to name, as one list of generators for tests that go through all of it.
import * as fs from './content-filesystems';
import * as storage from './content-storage';
import * as tables from './content-tables';

export * from './content-filesystems';
export * from './content-storage';
export * from './content-tables';

/** Size of the device that `write` is given at least, so that places at start and end do not meet. */
export const CONTENT_BYTES = 8 * 1024 * 1024;

export interface ForeignContent {
  /** The id that recogniseContent gives for it. */
  readonly id: string;
  /** What the name begins with. */
  readonly name: string;
  /** Writes it over the whole device `bytes`. */
  readonly write: (bytes: Uint8Array) => void;
  /** blkid's TYPE or PTTYPE for it; absent where blkid wants more bytes than the generator writes. */
  readonly blkid?: string;
}

const DOS_ENTRIES = [
  { type: 0x83, start: 2048, length: 4096, flag: 0x80 },
  { type: 0x8e, start: 6144, length: 8192 },
];

export const FOREIGN_CONTENT: readonly ForeignContent[] = [
  ...(['ext2', 'ext3', 'ext4', 'jbd'] as const).map((id) => ({
    id,
    name: id === 'jbd' ? 'ext4 external journal' : `${id} file system`,
    write: (bytes: Uint8Array) => fs.writeExt(bytes, 0, id),
    blkid: id,
  })),
  { id: 'xfs', name: 'XFS file system', write: fs.writeXfs, blkid: 'xfs' },
  { id: 'btrfs', name: 'Btrfs file system', write: fs.writeBtrfs, blkid: 'btrfs' },
  { id: 'f2fs', name: 'F2FS file system', write: fs.writeF2fs, blkid: 'f2fs' },
  { id: 'jfs', name: 'JFS file system', write: fs.writeJfs, blkid: 'jfs' },
  { id: 'reiserfs', name: 'ReiserFS file system', write: fs.writeReiserFs, blkid: 'reiserfs' },
  { id: 'reiser4', name: 'Reiser4 file system', write: fs.writeReiser4, blkid: 'reiser4' },
  { id: 'squashfs', name: 'SquashFS file system', write: fs.writeSquashFs, blkid: 'squashfs' },
  { id: 'erofs', name: 'EROFS file system', write: fs.writeErofs, blkid: 'erofs' },
  { id: 'bcachefs', name: 'bcachefs file system', write: fs.writeBcachefs },
  { id: 'nilfs2', name: 'NILFS2 file system', write: fs.writeNilfs2, blkid: 'nilfs2' },
  { id: 'gfs2', name: 'GFS2 file system', write: fs.writeGfs2, blkid: 'gfs2' },
  { id: 'ocfs2', name: 'OCFS2 file system', write: fs.writeOcfs2, blkid: 'ocfs2' },
  { id: 'cramfs', name: 'cramfs file system', write: fs.writeCramfs },
  { id: 'romfs', name: 'romfs file system', write: fs.writeRomfs, blkid: 'romfs' },
  { id: 'ntfs', name: 'NTFS file system', write: fs.writeNtfs },
  { id: 'exfat', name: 'exFAT file system', write: fs.writeExfat, blkid: 'exfat' },
  ...([12, 16, 32] as const).map((width) => ({
    id: `fat${width}`,
    name: `FAT${width} file system`,
    write: (bytes: Uint8Array) => fs.writeFat(bytes, 0, width),
    blkid: 'vfat',
  })),
  { id: 'udf', name: 'UDF file system', write: fs.writeUdf, blkid: 'udf' },
  { id: 'iso9660', name: 'ISO 9660 file system', write: fs.writeIso9660, blkid: 'iso9660' },
  { id: 'hfsplus', name: 'HFS+ file system', write: fs.writeHfsPlus, blkid: 'hfsplus' },
  { id: 'hfs', name: 'HFS file system', write: fs.writeHfs, blkid: 'hfs' },
  { id: 'apfs', name: 'APFS container', write: fs.writeApfs, blkid: 'apfs' },
  { id: 'ufs', name: 'UFS file system', write: fs.writeUfs2, blkid: 'ufs' },
  { id: 'vmfs', name: 'VMFS volume', write: fs.writeVmfs, blkid: 'VMFS_volume_member' },
  { id: 'refs', name: 'ReFS file system', write: fs.writeRefs, blkid: 'ReFS' },
  ...(['0.90', '1.0', '1.1', '1.2'] as const).map((version) => ({
    id: 'md',
    name: `Linux RAID member (version ${version})`,
    write: (bytes: Uint8Array) => storage.writeMd(bytes, 0, version),
    blkid: 'linux_raid_member',
  })),
  {
    id: 'imsm',
    name: 'Intel firmware RAID member (IMSM)',
    write: storage.writeImsm,
    blkid: 'isw_raid_member',
  },
  { id: 'ddf', name: 'DDF firmware RAID member', write: storage.writeDdf, blkid: 'ddf_raid_member' },
  ...[0, 1, 2, 3].map((sector) => ({
    id: 'lvm2',
    name: 'LVM2 physical volume',
    write: (bytes: Uint8Array) => storage.writeLvm2(bytes, 0, sector),
    blkid: 'LVM2_member',
  })),
  { id: 'luks1', name: 'LUKS1 encryption', write: storage.writeLuks1, blkid: 'crypto_LUKS' },
  { id: 'luks2', name: 'LUKS2 encryption', write: storage.writeLuks2, blkid: 'crypto_LUKS' },
  { id: 'bitlocker', name: 'BitLocker encryption', write: storage.writeBitLocker, blkid: 'BitLocker' },
  ...[4096, 8192, 16384, 32768, 65536].map((page) => ({
    id: 'swap',
    name: 'Linux swap',
    write: (bytes: Uint8Array) => storage.writeSwap(bytes, 0, page),
    blkid: 'swap',
  })),
  {
    id: 'swap',
    name: 'Linux swap (version 0)',
    write: (bytes) => storage.writeSwap(bytes, 0, 4096, 'SWAP-SPACE'),
    blkid: 'swap',
  },
  {
    id: 'hibernation',
    name: 'hibernation image',
    write: (bytes) => storage.writeSwap(bytes, 0, 4096, 'S1SUSPEND\x00'),
    blkid: 'swsuspend',
  },
  { id: 'zfs', name: 'ZFS pool member', write: storage.writeZfs, blkid: 'zfs_member' },
  { id: 'drbd', name: 'DRBD metadata', write: storage.writeDrbd, blkid: 'drbd' },
  { id: 'vdo', name: 'VDO volume', write: storage.writeVdo, blkid: 'vdo' },
  { id: 'bcache', name: 'bcache device', write: storage.writeBcache },
  { id: 'stratis', name: 'Stratis pool member', write: storage.writeStratis },
  { id: 'dm-integrity', name: 'dm-integrity device', write: storage.writeDmIntegrity, blkid: 'DM_integrity' },
  { id: 'dm-verity', name: 'dm-verity hash device', write: storage.writeDmVerity, blkid: 'DM_verity_hash' },
  ...(['dm-thin', 'dm-cache', 'dm-era', 'dm-clone'] as const).map((id) => ({
    id,
    name:
      { 'dm-thin': 'thin-pool', 'dm-cache': 'cache', 'dm-era': 'era', 'dm-clone': 'clone' }[id] + ' metadata',
    write: (bytes: Uint8Array) => storage.writePersistentData(bytes, 0, id),
  })),
  { id: 'dm-snapshot', name: 'snapshot store', write: storage.writeDmSnapshot, blkid: 'DM_snapshot_cow' },
  { id: 'dm-writecache', name: 'write cache', write: storage.writeDmWritecache },
  { id: 'bluestore', name: 'Ceph BlueStore device', write: storage.writeBlueStore, blkid: 'ceph_bluestore' },
  { id: 'gpt', name: 'GPT partition table', write: (bytes) => tables.writeGpt(bytes), blkid: 'gpt' },
  {
    id: 'mbr',
    name: 'MBR partition table',
    write: (bytes) => tables.writeMbr(bytes, DOS_ENTRIES),
    blkid: 'dos',
  },
  { id: 'apm', name: 'Apple partition map', write: tables.writeApplePartitionMap, blkid: 'mac' },
  { id: 'sun', name: 'Sun disk label', write: tables.writeSunLabel },
  { id: 'sgi', name: 'SGI disk label', write: tables.writeSgiLabel },
  { id: 'bsd', name: 'BSD disk label', write: tables.writeBsdLabel },
  { id: 'ldm', name: 'Windows dynamic disk (LDM)', write: tables.writeLdm },
  ...(['kernel', 'script'] as const).map((kind) => ({
    id: 'dm-remap-dmr4',
    name: `dm-remap metadata of another layout (DMR4, ${kind})`,
    write: (bytes: Uint8Array) => storage.writeDmr4(bytes, 0, kind),
  })),
];
