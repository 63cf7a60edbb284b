// SPDX-License-Identifier: GPL-2.0-or-later
// Images that are not raw are named, with the command that makes a raw image of them; raw ones are not.
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { recogniseContainer } from '../../src/core/containers';
import { recogniseContent } from '../../src/core/signatures';
import { MemorySource } from '../../src/source/memory';
import { CONTENT_BYTES, FOREIGN_CONTENT } from '../support/content';
import { Put } from '../support/put';
import { prng } from '../support/prng';
import { findTool, readImage, runTool, testWith, withFile } from '../support/tools';

const SIZE = 1024 * 1024;

/** A file with `magic` at `at` and noise behind it. */
function fileWith(magic: string, at = 0): Uint8Array {
  const next = prng(7);
  const bytes = Uint8Array.from({ length: 8192 }, () => next() & 0xff);
  new Put(bytes, at).text(0, magic);
  return bytes;
}

function zipWith(name: string): Uint8Array {
  const data = deflateRawSync(Buffer.from('contents'));
  const bytes = new Uint8Array(30 + name.length + data.length);
  const put = new Put(bytes, 0)
    .text(0, 'PK\x03\x04')
    .u16(4, 20)
    .u16(8, 8)
    .u16(26, name.length)
    .text(30, name);
  put.u8(30 + name.length, ...data);
  return bytes;
}

function vhdFooter(type: number): string {
  const footer = new Uint8Array(512);
  new Put(footer, 0).text(0, 'conectix').u32be(8, 2).u32be(12, 0x10000).u32be(60, type);
  return String.fromCharCode(...footer);
}

/** A header whose fields after the magic have to make sense. */
function header(fill: (put: Put) => void): Uint8Array {
  const bytes = new Uint8Array(4096);
  fill(new Put(bytes, 0));
  return bytes;
}

const CASES: readonly [name: string, id: string, bytes: Uint8Array, hint: string][] = [
  [
    'qcow image (version 1)',
    'qcow2',
    header((put) => put.text(0, 'QFI\xfb').u32be(4, 1)),
    'qemu-img convert -O raw IN OUT',
  ],
  [
    'qcow2 image (version 2)',
    'qcow2',
    header((put) => put.text(0, 'QFI\xfb').u32be(4, 2)),
    'qemu-img convert -O raw IN OUT',
  ],
  [
    'qcow2 image (version 3)',
    'qcow2',
    header((put) => put.text(0, 'QFI\xfb').u32be(4, 3)),
    'qemu-img convert -O raw IN OUT',
  ],
  ['QED image', 'qed', fileWith('QED\0'), 'qemu-img'],
  ['VMDK image', 'vmdk', header((put) => put.text(0, 'KDMV').u32(4, 1).u64(20, 128n)), 'qemu-img'],
  ['VMDK image (ESX sparse)', 'vmdk', header((put) => put.text(0, 'COWD').u32(4, 1)), 'qemu-img'],
  ['VMDK descriptor', 'vmdk', fileWith('# Disk DescriptorFile\nversion=1\n'), 'qemu-img'],
  ['VDI image', 'vdi', fileWith('\x7f\x10\xda\xbe', 64), 'qemu-img'],
  ['VHDX image', 'vhdx', fileWith('vhdxfile'), 'qemu-img'],
  ['dynamic VHD image', 'vhd', fileWith(vhdFooter(3)), 'qemu-img convert -f vpc'],
  ['dynamic VHD image', 'vhd', fileWith(vhdFooter(4)), 'qemu-img convert -f vpc'],
  ['Parallels image', 'parallels', fileWith('WithoutFreeSpace'), 'qemu-img'],
  ['EWF (E01) image', 'ewf', fileWith('EVF\x09\x0d\x0a\xff\x00'), 'ewfexport'],
  ['EWF (L01) logical', 'ewf', fileWith('LVF\x09\x0d\x0a\xff\x00'), 'ewfexport'],
  ['EWF2 (Ex01) image', 'ewf2', fileWith('EVF2\x0d\x0a\x81\x00'), 'ewfexport'],
  ['AFF image', 'aff', fileWith('AFF10\x0d\x0a\x00'), 'affconvert'],
  ['AFF4 image', 'aff4', zipWith('container.description'), 'aff4imager'],
  ['AFF4 image', 'aff4', zipWith('aff4%3A%2F%2F05d7e827/information.turtle'), 'aff4imager'],
  ['Apple disk image (dmg)', 'dmg', fileWith('koly\0\0\0\x04\0\0\x02\0', 8192 - 512), 'dmg2img'],
  [
    'Android sparse image',
    'android-sparse',
    header((put) => put.u32(0, 0xed26ff3a).u16(4, 1).u16(8, 28).u16(10, 12).u32(12, 4096)),
    'simg2img',
  ],
  ['partclone image', 'partclone', fileWith('partclone-image'), 'partclone.restore'],
  ['ntfsclone image', 'ntfsclone', fileWith('\0ntfsclone-image'), 'ntfsclone'],
  ['gzip file', 'gzip', gzipSync(Buffer.alloc(5000)), 'gunzip -k IN'],
  ['xz file', 'xz', fileWith('\xfd7zXZ\0\0\x04'), 'xz -dk IN'],
  ['zstd file', 'zstd', fileWith('\x28\xb5\x2f\xfd'), 'zstd -d IN'],
  ['zstd file', 'zstd', header((put) => put.u32(0, 0x184d2a50).u32(4, 4).u32(12, 0xfd2fb528)), 'zstd -d IN'],
  ['bzip2 file', 'bzip2', fileWith('BZh91AY&SY'), 'bunzip2 -k IN'],
  ['bzip2 file', 'bzip2', fileWith('BZh1\x17\x72\x45\x38\x50\x90'), 'bunzip2 -k IN'],
  ['lz4 file', 'lz4', fileWith('\x04\x22\x4d\x18'), 'lz4 -d IN OUT'],
  ['lzip file', 'lzip', fileWith('LZIP\x01'), 'lzip'],
  ['lzop file', 'lzop', fileWith('\x89LZO\0\x0d\x0a\x1a\x0a'), 'lzop'],
  ['7z archive', '7z', fileWith('7z\xbc\xaf\x27\x1c'), '7z x IN'],
  ['zip archive', 'zip', zipWith('disk.img'), 'unzip IN'],
  ['RAR archive', 'rar', fileWith('Rar!\x1a\x07\x01\0'), 'unrar x IN'],
  ['tar archive', 'tar', fileWith('ustar\x0000', 257), 'tar -xf IN'],
];

describe('recogniseContainer', () => {
  test.each(CASES)('%s', (name, id, bytes, hint) => {
    const found = recogniseContainer(new MemorySource(bytes));
    expect(found?.name.startsWith(name)).toBe(true);
    expect(found).toMatchObject({ id, rawInside: false });
    expect(found?.hint.startsWith(hint)).toBe(true);
    const content = recogniseContent(new MemorySource(bytes), { base: 0n, length: BigInt(bytes.length) });
    expect(content.some((match) => match.id === id && match.class === 'container')).toBe(true);
  });

  test('a fixed VHD is raw data with a footer', () => {
    const bytes = new Uint8Array(SIZE);
    new Put(bytes, SIZE - 512).text(0, vhdFooter(2));
    expect(recogniseContainer(new MemorySource(bytes))).toMatchObject({
      id: 'vhd-fixed',
      name: 'fixed VHD (raw data with a footer)',
      rawInside: true,
    });
    bytes[SIZE - 512 + 63] = 3;
    expect(recogniseContainer(new MemorySource(bytes))).toBeUndefined();
  });

  test.each([
    ['qcow of an unknown version', header((put) => put.text(0, 'QFI\xfb').u32be(4, 9))],
    ['the gzip magic with reserved flags', header((put) => put.u8(0, 0x1f, 0x8b, 8, 0xe0))],
    [
      'the gzip magic from an unknown system',
      header((put) => put.u8(0, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 99)),
    ],
    ['BZh without a block', fileWith('BZh9 is not bzip2')],
    ['a zip magic without a member', header((put) => put.text(0, 'PK\x03\x04'))],
    [
      'a skippable frame without a zstd frame behind it',
      header((put) => put.u32(0, 0x184d2a50).u32(4, 0xffffffff)),
    ],
    [
      'KDMV with a grain that is no power of two',
      header((put) => put.text(0, 'KDMV').u32(4, 1).u64(20, 100n)),
    ],
  ])('%s is nothing', (_, bytes) => {
    expect(recogniseContainer(new MemorySource(bytes))).toBeUndefined();
  });

  test('raw disks with content are no containers', () => {
    for (const { name, write } of FOREIGN_CONTENT) {
      const bytes = new Uint8Array(CONTENT_BYTES);
      write(bytes);
      expect([name, recogniseContainer(new MemorySource(bytes))]).toEqual([name, undefined]);
    }
  });

  test('cut files, unread starts and noise never throw', () => {
    for (const [, , bytes] of CASES) {
      for (const length of [0, 1, 3, 4, 9, 29, 63, 512]) {
        expect(() => recogniseContainer(new MemorySource(bytes.subarray(0, length)))).not.toThrow();
      }
      const bad = [{ start: 0n, end: 512n, reason: 'I/O error' }];
      const found = recogniseContainer(new MemorySource(bytes, { bad }));
      expect(found === undefined || found.id === 'dmg').toBe(true);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(CASES.length - 1), (tail, index) => {
        const bytes = new Uint8Array(1200);
        bytes.set(CASES[index]?.[2].subarray(0, 64) ?? []);
        bytes.set(tail, 12);
        recogniseContainer(new MemorySource(bytes));
      }),
    );
  });
});

describe('against the real tools', () => {
  const formats: readonly [format: string, options: string[], name: string][] = [
    ['qcow2', [], 'qcow2 image (version 3)'],
    ['qcow2', ['-o', 'compat=0.10'], 'qcow2 image (version 2)'],
    ['qcow', [], 'qcow image (version 1)'],
    ['qed', [], 'QED image'],
    ['vmdk', [], 'VMDK image'],
    ['vmdk', ['-o', 'subformat=streamOptimized'], 'VMDK image'],
    ['vdi', [], 'VDI image'],
    ['vhdx', [], 'VHDX image'],
    ['vpc', [], 'dynamic VHD image'],
    ['vpc', ['-o', 'subformat=fixed'], 'fixed VHD (raw data with a footer)'],
    ['parallels', [], 'Parallels image'],
  ];
  for (const [format, options, name] of formats) {
    testWith('qemu-img')(`qemu-img makes ${[format, ...options].join(' ')}, recognised as ${name}`, () => {
      const found = withFile(SIZE, (raw) => {
        const out = `${raw}.out`;
        expect(runTool('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, out]).status).toBe(
          0,
        );
        return recogniseContainer(new MemorySource(readImage(out)));
      });
      expect(found?.name).toBe(name);
    });
  }

  const compressors: readonly [tool: string, args: string[], suffix: string, id: string][] = [
    ['gzip', ['-k1'], '.gz', 'gzip'],
    ['gzip', ['-k9'], '.gz', 'gzip'],
    ['xz', ['-k'], '.xz', 'xz'],
    ['zstd', ['-qk'], '.zst', 'zstd'],
    ['bzip2', ['-k'], '.bz2', 'bzip2'],
    ['lz4', ['-qk'], '.lz4', 'lz4'],
  ];
  for (const [tool, args, suffix, id] of compressors) {
    testWith(tool)(`${tool} ${args.join(' ')} makes what is recognised as ${id}`, () => {
      const found = withFile(SIZE, (raw) => {
        expect(runTool(tool, tool === 'lz4' ? [...args, raw, raw + suffix] : [...args, raw]).status).toBe(0);
        return recogniseContainer(new MemorySource(readImage(raw + suffix)));
      });
      expect([found?.id, findTool(tool) !== null]).toEqual([id, true]);
    });
  }
});
