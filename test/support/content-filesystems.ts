// SPDX-License-Identifier: GPL-2.0-or-later
// Generators of foreign file systems: the bytes by which they are recognised, as their mkfs writes them, and no more.
// All write into a buffer that stands for a device or partition beginning at byte `at` of it.
import { crc32 } from '../../src/core/crc32';
import { Put, UUID } from './put';

export type ExtKind = 'ext2' | 'ext3' | 'ext4' | 'jbd';

const EXT_FEATURES: Readonly<Record<ExtKind, readonly [number, number, number]>> = {
  ext2: [0x38, 0x2, 0x3],
  ext3: [0x3c, 0x2, 0x3],
  ext4: [0x3c, 0x2c2, 0x46b],
  jbd: [0, 0x8, 0],
};

export function writeExt(bytes: Uint8Array, at = 0, kind: ExtKind = 'ext4'): void {
  const [compat, incompat, roCompat] = EXT_FEATURES[kind];
  const put = new Put(bytes, at + 1024);
  put
    .u32(0, kind === 'jbd' ? 0 : 4096)
    .u32(4, 4096)
    .u32(12, 3000)
    .u32(16, 4000);
  put
    .u32(24, 2)
    .u32(28, 2)
    .u32(32, 32768)
    .u32(36, 32768)
    .u32(40, kind === 'jbd' ? 0 : 4096);
  put.u16(54, 0xffff).u16(56, 0xef53).u16(58, 1).u16(60, 1).u32(76, 1).u32(84, 11).u16(88, 256);
  put.u32(92, compat).u32(96, incompat).u32(100, roCompat).uuid(104, UUID).text(120, 'backup');
}

export function writeExt4(bytes: Uint8Array, at = 0): void {
  writeExt(bytes, at, 'ext4');
}

export function writeXfs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).text(0, 'XFSB').u32be(4, 4096).u64be(8, 16384n).uuid(32, UUID);
  put.u64be(48, 8196n).u64be(56, 128n).u32be(80, 1).u32be(84, 4096).u32be(88, 4).u32be(96, 1368);
  put.u16be(100, 0xb4b5).u16be(102, 512).u16be(104, 512).u16be(106, 8).text(108, 'backup');
  put.u8(120, 12, 9, 9, 3, 12, 0, 0, 25);
}

export function writeBtrfs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at + 0x10000).uuid(32, UUID).u64(48, 0x10000n).text(64, '_BHRfS_M');
  put
    .u64(112, 128n << 20n)
    .u32(144, 4096)
    .u32(148, 16384)
    .text(299, 'backup');
}

export function writeF2fs(bytes: Uint8Array, at = 0): void {
  for (const start of [1024, 5120]) {
    const put = new Put(bytes, at + start).u32(0, 0xf2f52010).u16(4, 1).u16(6, 15);
    put.u32(8, 9).u32(12, 3).u32(16, 12).u32(20, 9).uuid(108, UUID);
  }
}

export function writeJfs(bytes: Uint8Array, at = 0): void {
  for (const start of [0x8000, 0xf000]) {
    const put = new Put(bytes, at + start).text(0, 'JFS1').u32(4, 1).u64(8, 63072n);
    put.u32(16, 4096).u16(20, 12).u16(22, 3).u32(24, 512).u16(28, 9).uuid(136, UUID).text(152, 'backup');
  }
}

export function writeReiserFs(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 0x10000).u32(0, 16384).u32(12, 18).u16(44, 4096).text(52, 'ReIsEr2Fs').uuid(84, UUID);
}

export function writeReiser4(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 0x10000).text(0, 'ReIsEr4').u16(18, 4096);
}

export function writeSquashFs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).text(0, 'hsqs').u32(4, 2).u32(12, 131072).u32(16, 1);
  put.u16(20, 1).u16(22, 17).u16(28, 4).u64(40, 4096n);
}

export function writeErofs(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 1024).u32(0, 0xe0f5e1e2).u8(12, 12).uuid(48, UUID);
}

export function writeBcachefs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at + 4096).u16(16, 17).uuid(24, 'c68573f6-66ce-90a9-d96a-60cf803df7ef');
  put.uuid(40, UUID).uuid(56, UUID).text(72, 'backup').u64(104, 8n).u16(120, 8).u8(122, 0, 1);
}

/** Primary and backup superblock; the device is all of [at, end of bytes). */
export function writeNilfs2(bytes: Uint8Array, at = 0): void {
  const size = bytes.length - at;
  for (const start of [1024, (Math.floor(size / 4096) - 1) * 4096]) {
    const put = new Put(bytes, at + start).u32(0, 2).u16(6, 0x3434).u16(8, 280).u32(12, 0x9a30911e);
    put.u32(20, 2).u64(24, 19n).u64(32, BigInt(size)).uuid(152, UUID).text(168, 'backup');
    const summed = bytes.slice(at + start, at + start + 280);
    put.u32(16, (crc32(summed, ~0x9a30911e >>> 0) ^ 0xffffffff) >>> 0);
  }
}

export function writeGfs2(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 0x10000)
    .u32be(0, 0x01161970)
    .u32be(4, 1)
    .u32be(16, 100)
    .u32be(24, 1801)
    .u32be(28, 1900);
}

export function writeOcfs2(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 8192).text(0, 'OCFSV2').u16(0xc0, 0).u16(0xc2, 90);
}

export function writeCramfs(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).u32(0, 0x28cd3d45).u32(4, 4096).text(16, 'Compressed ROMFS');
}

export function writeRomfs(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(0, '-rom1fs-').u32be(8, 1024).text(16, 'backup');
}

export function writeNtfs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).u8(0, 0xeb, 0x52, 0x90).text(3, 'NTFS    ').u16(11, 512).u8(13, 8);
  put.u8(21, 0xf8).u16(24, 63).u16(26, 255).u64(40, 16383n).u64(48, 4n).u64(56, 1023n);
  put.u8(64, 0xf6).u8(68, 1).u64(72, 0x1122334455667788n).u8(510, 0x55, 0xaa);
}

export function writeExfat(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).u8(0, 0xeb, 0x76, 0x90).text(3, 'EXFAT   ').u64(72, 16384n);
  put.u32(80, 2048).u32(84, 64).u32(88, 4096).u32(92, 1536).u32(96, 4).u32(100, 0xef60260a);
  put.u16(104, 0x100).u8(108, 9, 3, 1, 0x80).u8(510, 0x55, 0xaa);
}

export function writeFat(bytes: Uint8Array, at = 0, width: 12 | 16 | 32 = 32): void {
  const put = new Put(bytes, at).u8(0, 0xeb, width === 32 ? 0x58 : 0x3c, 0x90).text(3, 'mkfs.fat');
  put
    .u16(11, 512)
    .u8(13, width === 12 ? 8 : 1)
    .u16(14, width === 32 ? 32 : 1)
    .u8(16, 2)
    .u8(21, 0xf8);
  put.u16(24, 63).u16(26, 255).u8(510, 0x55, 0xaa);
  const names = width === 32 ? 66 : 38;
  if (width === 32) put.u32(32, 131072).u32(36, 1009).u32(44, 2).u16(48, 1).u16(50, 6);
  else
    put
      .u16(17, 512)
      .u16(19, 16384)
      .u16(22, width === 12 ? 6 : 63);
  put
    .u8(names, 0x29)
    .u32(names + 1, 0x60ab4be7)
    .text(names + 5, 'BACKUP     ')
    .text(names + 16, `FAT${width}   `);
}

export function writeIso9660(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 0x8000).u8(0, 1).text(1, 'CD001').u8(6, 1).text(40, 'BACKUP'.padEnd(32));
  new Put(bytes, at + 0x8800).u8(0, 255).text(1, 'CD001').u8(6, 1);
}

/** A volume recognition sequence and the anchor in block 256; `block` is 512, 2048 or 4096 bytes. */
export function writeUdf(bytes: Uint8Array, at = 0, block = 2048): void {
  const step = block === 4096 ? 4096 : 2048;
  ['BEA01', 'NSR03', 'TEA01'].forEach((id, i) => {
    new Put(bytes, at + 0x8000 + i * step).text(1, id).u8(6, 1);
  });
  new Put(bytes, at + 256 * block).u16(0, 2).u16(2, 3).u32(12, 256);
}

export function writeHfsPlus(bytes: Uint8Array, at = 0, extended = false): void {
  const put = new Put(bytes, at + 1024).text(0, extended ? 'HX' : 'H+').u16be(2, extended ? 5 : 4);
  put.u32be(40, 4096).u32be(44, 4096).u32be(48, 4000);
}

export function writeHfs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at + 1024).text(0, 'BD').u16be(14, 3).u16be(18, 8000).u32be(20, 512);
  put.u16be(28, 20).u16be(34, 7000).u8(36, 6).text(37, 'Backup');
}

export function writeApfs(bytes: Uint8Array, at = 0): void {
  const put = new Put(bytes, at).u64(8, 1n).u64(16, 1n).u16(24, 1).u16(26, 0x8000).text(32, 'NXSB');
  put.u32(36, 4096).u64(40, 4096n).uuid(72, UUID);
  // Fletcher-64 over all but the sum itself.
  let low = 0n;
  let high = 0n;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 4096);
  for (let i = 8; i < 4096; i += 4) {
    low += BigInt(view.getUint32(i, true));
    high += low;
  }
  const invert = (value: bigint): bigint => 0xffffffffn - (value % 0xffffffffn);
  const sumLow = invert(low + high);
  put.u32(0, Number(sumLow)).u32(4, Number(invert(low + sumLow)));
}

export function writeUfs2(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 0x10000).u32(48, 32768).u32(52, 4096).u32(1372, 0x19540119);
}

export function writeVmfs(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at + 0x100000).u32(0, 0xc001d00d).u32(4, 5);
}

export function writeRefs(bytes: Uint8Array, at = 0): void {
  new Put(bytes, at).text(3, 'ReFS').text(16, 'FSRS').u16(20, 512);
}
