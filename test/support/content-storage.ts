// SPDX-License-Identifier: GPL-2.0-or-later
// Generators of RAID, volume manager, encryption, swap and device-mapper signatures: the bytes by which they are
// recognised and no more. Where one lies at the end, the device is [at, end of bytes).
import { crc32 } from '../../src/core/crc32';
import { Put, UUID } from './put';

export type MdVersion = '0.90' | '1.0' | '1.1' | '1.2';

export function writeMd(bytes: Uint8Array, at = 0, version: MdVersion = '1.2'): void {
  const size = bytes.length - at;
  if (version === '0.90') {
    const put = new Put(bytes, at + (Math.floor(size / 65536) - 1) * 65536).u32(0, 0xa92b4efc).u32(8, 90);
    put
      .u32(20, 0x11111111)
      .u32(28, 1)
      .u32(32, Math.floor(size / 1024) - 128)
      .u32(36, 1)
      .u32(40, 1);
    put.u32(52, 0x22222222).u32(56, 0x33333333).u32(60, 0x44444444);
    return;
  }
  const start = version === '1.1' ? 0 : version === '1.2' ? 4096 : Math.floor((size - 8192) / 4096) * 4096;
  const put = new Put(bytes, at + start).u32(0, 0xa92b4efc).u32(4, 1).uuid(16, UUID).text(32, 'host:backup');
  put.u32(72, 1).u64(80, 16384n).u32(92, 1).u64(128, 2048n).u64(136, 16384n);
  put
    .u64(144, BigInt(start / 512))
    .uuid(168, UUID)
    .u64(200, 1n)
    .u32(220, 128);
}

export function writeImsm(bytes: Uint8Array, at = 0, sector = 512): void {
  const start = (Math.floor((bytes.length - at) / sector) - 2) * sector;
  new Put(bytes, at + start).text(0, 'Intel Raid ISM Cfg Sig. 1.3.00').u32(36, 480).u32(40, 0x1234);
}

/** The anchor in the last block and the primary header that it points to. */
export function writeDdf(bytes: Uint8Array, at = 0): void {
  const last = Math.floor((bytes.length - at) / 512) - 1;
  for (const block of [last - 256, last]) {
    const start = at + block * 512;
    bytes.fill(0xff, start, start + 512);
    const put = new Put(bytes, start).u32be(0, 0xde11de11).text(8, 'Linux-MDDE11DE1100000001');
    put.text(32, '01.02.00').u32be(40, 1).u32be(44, 0).u8(48, 0);
    put
      .u64be(96, BigInt(last - 256))
      .u64be(104, BigInt(last))
      .u8(112, block === last ? 0 : 1);
    put.u32be(4, crc32(bytes.subarray(start, start + 512)));
  }
}

export function writeLvm2(bytes: Uint8Array, at = 0, sector = 1): void {
  const start = at + sector * 512;
  const put = new Put(bytes, start)
    .text(0, 'LABELONE')
    .u64(8, BigInt(sector))
    .u32(20, 32)
    .text(24, 'LVM2 001');
  put.text(32, 'xCswvabX6iEEVpp0cuvnwKcnhbIhxtFz').u64(64, BigInt(bytes.length - at));
  // LVM's own CRC: the usual polynomial, started from a constant and not inverted.
  put.u32(16, (crc32(bytes.subarray(start + 20, start + 512), ~0xf597a6cf >>> 0) ^ 0xffffffff) >>> 0);
}

export function writeLuks1(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).text(0, 'LUKS\xba\xbe').u16be(6, 1).text(8, 'aes').text(40, 'xts-plain64');
  put.text(72, 'sha256').u32be(104, 4096).u32be(108, 64).text(168, UUID);
}

/** Both headers; the second lies behind a JSON area of `headerBytes` less 4 KiB. */
export function writeLuks2(bytes: Uint8Array, at = 0, headerBytes = 0x4000): void {
  [0, headerBytes].forEach((start, i) => {
    const put = new Put(bytes, at + start).text(0, i === 0 ? 'LUKS\xba\xbe' : 'SKUL\xba\xbe').u16be(6, 2);
    put.u64be(8, BigInt(headerBytes)).u64be(16, 3n).text(24, 'backup').text(72, 'sha256');
    put.text(168, UUID).u64be(256, BigInt(start));
  });
}

export function writeBitLocker(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).u8(0, 0xeb, 0x52, 0x90).text(3, '-FVE-FS-').u16(11, 512).u8(13, 8);
  put.u8(21, 0xf8).u8(510, 0x55, 0xaa);
}

export function writeSwap(bytes: Uint8Array, at = 0, page = 4096, magic = 'SWAPSPACE2'): void {
  const put = new Put(bytes, at).text(page - 10, magic);
  if (magic !== 'SWAP-SPACE') put.u32(1024, 1).u32(1028, 255).uuid(1036, UUID).text(1052, 'backup');
}

/** Uberblocks in all four labels, as a new pool has them. */
export function writeZfs(bytes: Uint8Array, at = 0): void {
  const label = 262144;
  const labels = Math.floor((bytes.length - at) / label);
  for (const index of [0, 1, labels - 2, labels - 1]) {
    for (const slot of [4, 8]) {
      const put = new Put(bytes, at + index * label + 131072 + slot * 1024).u64(0, 0x00bab10cn);
      put.u64(8, 5000n).u64(16, BigInt(slot)).u64(32, 1700000000n);
    }
  }
}

export function writeDrbd(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at + (Math.floor((bytes.length - at) / 4096) - 1) * 4096).u64be(0, 16000n);
  put.u64be(8, 4n).u64be(40, 0x1122334455667788n).u32be(60, 0x8374026d).u32be(64, 80).u32be(80, 4096);
}

export function writeVdo(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(0, 'dmvdo001').uuid(40, UUID);
}

/** The bcache checksum is left out. */
export function writeBcache(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at + 4096)
    .u64(8, 8n)
    .u64(16, 1n)
    .uuid(24, 'c68573f6-4e1a-45ca-8265-f57f48ba6d81');
  put.uuid(40, UUID).uuid(56, UUID).text(72, 'backup');
}

export function writeStratis(bytes: Uint8Array, at = 0): void {
  for (const start of [512, 4608])
    new Put(bytes, at + start).text(4, '!Stra0tis\x86\xff\x02^\x41rh').u64(20, 16384n);
}

export function writeDmIntegrity(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(0, 'integrt').u8(8, 4, 15).u16(10, 4);
}

export function writeDmVerity(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(0, 'verity').u32(8, 1).u32(12, 1).uuid(16, UUID).text(32, 'sha256').u32(64, 4096);
}

export const PERSISTENT_DATA_MAGICS = {
  'dm-thin': 27022010,
  'dm-cache': 0o6142003,
  'dm-era': 2126579579,
  'dm-clone': 0x8af27f64,
} as const;

export function writePersistentData(
  bytes: Uint8Array,
  at: number,
  kind: keyof typeof PERSISTENT_DATA_MAGICS,
): void {
  new Put(bytes, at).u32(0, 0xeba8f4b0).u64(32, BigInt(PERSISTENT_DATA_MAGICS[kind])).u32(40, 1);
}

export function writeDmSnapshot(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(0, 'SnAp').u32(4, 1).u32(8, 1).u32(12, 8);
}

export function writeDmWritecache(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).u32(0, 0x23489321).u32(4, 1).u32(8, 4096);
}

export function writeBlueStore(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(0, `bluestore block device\n${UUID}\n`);
}

export type Dmr4Kind = 'kernel' | 'script';

/** The other metadata that is called dm-remap v4: its magic and the field that tells its two layouts apart. */
export function writeDmr4(bytes: Uint8Array, at = 0, kind: Dmr4Kind = 'kernel'): void {
  const sectors = kind === 'kernel' ? [0, 256, 512, 768, 1024] : [0, 1024, 2048, 4096, 8192];
  for (const sector of sectors) {
    const put = new Put(bytes, at + sector * 512).text(0, '4RMD').u32(4, 4).u64(8, 2n);
    put.u32(32, kind === 'kernel' ? 84288 : 2048);
  }
}
