// SPDX-License-Identifier: GPL-2.0-or-later
// Recognises images that are not raw: virtual disks, forensic formats, compressed files and archives. A container taken
// for a raw disk would be searched at offsets that mean nothing. Nothing is unpacked here.
import { type Block, isPowerOfTwo, Probe } from './content/probe';
import {
  type Candidate,
  findSignature,
  fromEnd,
  type Recognised,
  type Signature,
  signature,
} from './content/signature';
import type { ByteSource } from './extents';

export interface Container {
  readonly id: string;
  readonly name: string;
  /** How to make a raw image of it; IN and OUT stand for the files. */
  readonly hint: string;
  /** The raw disk is there as it is, from byte 0: it can be read without converting. */
  readonly rawInside: boolean;
}

interface ContainerFormat {
  readonly signature: Signature;
  readonly hint: string;
  readonly rawInside: boolean;
}

const QEMU_IMG = 'qemu-img convert -O raw IN OUT';

function format(
  id: string,
  name: string,
  magics: readonly string[],
  hint: string,
  rest: Parameters<typeof signature>[5] & {
    readonly at?: Signature['at'];
    readonly rawInside?: boolean;
  } = {},
): ContainerFormat {
  const { at = [0], rawInside = false, ...details } = rest;
  return { signature: signature(id, name, 'container', at, magics, details), hint, rawInside };
}

function checkQcow({ block }: Candidate): Recognised | boolean {
  const version = block.u32be(4);
  if (version < 1 || version > 3) return false;
  return { name: version === 1 ? 'qcow image (version 1)' : `qcow2 image (version ${version})` };
}

/** gzip's magic has two bytes: the method, the reserved flags, the level and the system have to fit as well. */
function checkGzip({ block }: Candidate): boolean {
  const system = block.u8(9);
  return (block.u8(3) & 0xe0) === 0 && [0, 2, 4].includes(block.u8(8)) && (system <= 13 || system === 255);
}

/** After the level: the magic of a compressed block, or that of the end of an empty file. */
function checkBzip2({ block }: Candidate): boolean {
  const level = block.u8(3);
  if (level < 0x31 || level > 0x39) return false;
  const head = block.u32be(4) * 0x10000 + block.u16be(8);
  return head === 0x314159265359 || head === 0x177245385090;
}

/** A zstd stream may begin with a skippable frame, as pzstd writes it. */
function checkSkippable({ block, probe, start }: Candidate): boolean {
  const inner = probe.block(start + 8n + BigInt(block.u32(4)), 4);
  return inner !== undefined && inner.u32(0) === 0xfd2fb528;
}

const AFF4_NAMES = ['container.description', 'version.txt', 'information.turtle'];

/** AFF4 is a zip file; its first member's name tells it from others. */
function checkAff4({ block, probe, start }: Candidate): boolean {
  const name = zipName(block, probe, start);
  return name !== undefined && (AFF4_NAMES.includes(name) || name.startsWith('aff4%3A'));
}

function checkZip({ block, probe, start }: Candidate): boolean {
  return zipName(block, probe, start) !== undefined;
}

/** Name of the zip member whose local header this is; undefined where the header makes no sense. */
function zipName(block: Block, probe: Probe, start: bigint): string | undefined {
  const length = block.u16(26);
  const version = block.u16(4) & 0xff;
  if (version > 63 || length === 0 || length > 4096) return undefined;
  return probe.block(start + 30n, length)?.text(0, length);
}

const VHD_TYPE_AT = 60;
const VHD_FIXED = 2;

function checkVhdFooter({ block }: Candidate): boolean {
  return block.u32be(VHD_TYPE_AT) === VHD_FIXED;
}

function checkVhdHeader({ block }: Candidate): boolean {
  const type = block.u32be(VHD_TYPE_AT);
  return type === 3 || type === 4;
}

function checkSparseAndroid({ block }: Candidate): boolean {
  return block.u16(4) === 1 && block.u16(8) >= 28 && block.u16(10) >= 12 && block.u32(12) % 4 === 0;
}

/** A VMDK header counts its grains in sectors, a power of two. */
function checkVmdk({ block }: Candidate): boolean {
  const version = block.u32(4);
  return version >= 1 && version <= 3 && isPowerOfTwo(Number(block.u64(20)));
}

const FORMATS: readonly ContainerFormat[] = [
  format('qcow2', 'qcow2 image', ['QFI\xfb'], QEMU_IMG, { size: 8, check: checkQcow }),
  format('qed', 'QED image', ['QED\x00'], QEMU_IMG),
  format('vmdk', 'VMDK image', ['KDMV'], QEMU_IMG, { size: 28, check: checkVmdk }),
  format('vmdk', 'VMDK image (ESX sparse)', ['COWD\x01\x00\x00\x00'], QEMU_IMG),
  format('vmdk', 'VMDK descriptor (the data is in other files)', ['# Disk DescriptorFile'], QEMU_IMG),
  format('vdi', 'VDI image', ['\x7f\x10\xda\xbe'], QEMU_IMG, { magicAt: 64 }),
  format('vhdx', 'VHDX image', ['vhdxfile'], QEMU_IMG),
  format('vhd', 'dynamic VHD image', ['conectix'], 'qemu-img convert -f vpc -O raw IN OUT', {
    size: 64,
    check: checkVhdHeader,
  }),
  format('parallels', 'Parallels image', ['WithoutFreeSpace', 'WithouFreSpacExt'], QEMU_IMG),
  format('ewf', 'EWF (E01) image', ['EVF\x09\x0d\x0a\xff\x00'], 'ewfexport -f raw -t OUT IN'),
  format(
    'ewf',
    'EWF (L01) logical evidence file',
    ['LVF\x09\x0d\x0a\xff\x00'],
    'ewfexport -f files -t OUT IN',
  ),
  format('ewf2', 'EWF2 (Ex01) image', ['EVF2\x0d\x0a\x81\x00'], 'ewfexport -f raw -t OUT IN'),
  format(
    'ewf2',
    'EWF2 (Lx01) logical evidence file',
    ['LEF2\x0d\x0a\x81\x00'],
    'ewfexport -f files -t OUT IN',
  ),
  format('aff', 'AFF image', ['AFF10\x0d\x0a\x00'], 'affconvert -r -o OUT IN'),
  format('aff4', 'AFF4 image', ['PK\x03\x04'], "aff4imager -e '*' --export_dir OUT IN", {
    size: 30,
    check: checkAff4,
  }),
  format('dmg', 'Apple disk image (dmg)', ['koly\x00\x00\x00\x04\x00\x00\x02\x00'], 'dmg2img IN OUT', {
    at: [fromEnd(1n, 512n)],
  }),
  format('android-sparse', 'Android sparse image', ['\x3a\xff\x26\xed'], 'simg2img IN OUT', {
    size: 16,
    check: checkSparseAndroid,
  }),
  format('partclone', 'partclone image', ['partclone-image'], 'partclone.restore -s IN -O OUT -C'),
  format('ntfsclone', 'ntfsclone image', ['\x00ntfsclone-image'], 'ntfsclone --restore-image -O OUT IN'),
  format('gzip', 'gzip file', ['\x1f\x8b\x08'], 'gunzip -k IN', { size: 10, check: checkGzip }),
  format('xz', 'xz file', ['\xfd7zXZ\x00'], 'xz -dk IN'),
  format('zstd', 'zstd file', ['\x28\xb5\x2f\xfd'], 'zstd -d IN -o OUT'),
  format(
    'zstd',
    'zstd file',
    Array.from({ length: 16 }, (_, i) => `${String.fromCharCode(0x50 + i)}\x2a\x4d\x18`),
    'zstd -d IN -o OUT',
    {
      size: 8,
      check: checkSkippable,
    },
  ),
  format('bzip2', 'bzip2 file', ['BZh'], 'bunzip2 -k IN', { size: 10, check: checkBzip2 }),
  format('lz4', 'lz4 file', ['\x04\x22\x4d\x18', '\x02\x21\x4c\x18'], 'lz4 -d IN OUT'),
  format('lzip', 'lzip file', ['LZIP\x01'], 'lzip -dk IN'),
  format('lzop', 'lzop file', ['\x89LZO\x00\x0d\x0a\x1a\x0a'], 'lzop -d IN'),
  format('7z', '7z archive', ['7z\xbc\xaf\x27\x1c'], '7z x IN'),
  format('zip', 'zip archive', ['PK\x03\x04'], 'unzip IN', { size: 30, check: checkZip }),
  format('rar', 'RAR archive', ['Rar!\x1a\x07'], 'unrar x IN'),
  format('tar', 'tar archive', ['ustar\x0000', 'ustar  \x00'], 'tar -xf IN', { magicAt: 257 }),
  format(
    'vhd-fixed',
    'fixed VHD (raw data with a footer)',
    ['conectix'],
    'qemu-img convert -f vpc -O raw IN OUT (or read it as it is: the data begins at byte 0)',
    { at: [fromEnd(1n, 512n)], size: 64, check: checkVhdFooter, rawInside: true },
  ),
];

/** The formats as signatures, for recognising them among other content. */
export const CONTAINERS: readonly Signature[] = FORMATS.map((each) => each.signature);

/** What kind of container the source is, or undefined if it is none that is known. Reads its first and last bytes. */
export function recogniseContainer(source: ByteSource): Container | undefined {
  const probe = new Probe(source, 0n, source.sizeBytes);
  for (const { signature: wanted, hint, rawInside } of FORMATS) {
    const match = findSignature(wanted, probe)[0];
    if (match !== undefined) return { id: match.id, name: match.name, hint, rawInside };
  }
  return undefined;
}
