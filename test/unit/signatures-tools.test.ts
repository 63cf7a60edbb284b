// SPDX-License-Identifier: GPL-2.0-or-later
// Recognising other content against the real tools, where they are installed: blkid knows the generators of these tests
// by the same names, and what mkfs and its like make is recognised and can be wiped.
import { FOREIGN_CONTENT } from '../support/content';
import { recognise, wipe } from '../support/recognise';
import { fillFile, readImage, runTool, testWith, withFile } from '../support/tools';

describe('against the real tools', () => {
  const wanted = FOREIGN_CONTENT.flatMap(({ name, write, blkid }) =>
    blkid === undefined ? [] : [{ name, write, blkid }],
  );

  testWith('blkid')('blkid knows the generators by the same names', () => {
    const answers = wanted.map(({ name, write, blkid }) => {
      const size = ['zfs_member', 'gfs2'].includes(blkid) ? 64 : 16;
      const bytes = new Uint8Array(size * 1024 * 1024);
      write(bytes);
      const said = withFile(bytes.length, (path) => {
        fillFile(path, bytes);
        return runTool('blkid', ['-p', '-o', 'value', '-s', 'TYPE', '-s', 'PTTYPE', path]).stdout.trim();
      });
      return [name, said.split('\n')[0]];
    });
    expect(answers).toEqual(wanted.map(({ name, blkid }) => [name, blkid]));
  });

  const makers: [tool: string, megabytes: number, args: string[], id: string][] = [
    ['mkfs.ext2', 16, ['-q', '-F'], 'ext2'],
    ['mkfs.ext3', 16, ['-q', '-F'], 'ext3'],
    ['mkfs.ext4', 16, ['-q', '-F'], 'ext4'],
    ['mkfs.ext4', 16, ['-q', '-F', '-b', '1024', '-O', '^has_journal'], 'ext4'],
    ['mkfs.ext4', 16, ['-q', '-F', '-O', 'journal_dev'], 'jbd'],
    ['mkfs.xfs', 320, ['-q', '-f'], 'xfs'],
    ['mkfs.btrfs', 128, ['-q', '-f'], 'btrfs'],
    ['mkfs.f2fs', 64, ['-q', '-f'], 'f2fs'],
    ['jfs_mkfs', 32, ['-q'], 'jfs'],
    ['mkreiserfs', 64, ['-q', '-ff'], 'reiserfs'],
    ['mkfs.nilfs2', 160, ['-q'], 'nilfs2'],
    ['mkntfs', 32, ['-q', '-F'], 'ntfs'],
    ['mkfs.exfat', 32, [], 'exfat'],
    ['mkfs.vfat', 2, ['-F', '12'], 'fat12'],
    ['mkfs.vfat', 32, ['-F', '16'], 'fat16'],
    ['mkfs.vfat', 64, ['-F', '32'], 'fat32'],
    ['mkudffs', 32, [], 'udf'],
    ['mkudffs', 32, ['-b', '4096'], 'udf'],
    ['mkswap', 8, [], 'swap'],
    ['make-bcache', 32, ['-B'], 'bcache'],
    ['make-bcache', 64, ['-C'], 'bcache'],
  ];
  for (const [tool, megabytes, args, id] of makers) {
    testWith(tool)(`${[tool, ...args].join(' ')} makes what is recognised as ${id}`, () => {
      const found = withFile(megabytes << 20, (path) => {
        const made = runTool(tool, [...args, path]);
        expect([made.status, made.status === 0 ? '' : made.stderr]).toEqual([0, '']);
        const bytes = readImage(path);
        const before = recognise(bytes).map((match) => match.id);
        wipe(bytes, recognise(bytes));
        expect(recognise(bytes)).toEqual([]);
        return before;
      });
      expect([...new Set(found)]).toEqual([id]);
    });
  }

  for (const type of ['luks1', 'luks2']) {
    testWith('cryptsetup')(`cryptsetup makes what is recognised as ${type}`, () => {
      const args = [
        'luksFormat',
        '-q',
        '--type',
        type,
        '--pbkdf',
        'pbkdf2',
        '--pbkdf-force-iterations',
        '1000',
      ];
      const found = withFile(32 << 20, (path) => {
        expect(runTool('cryptsetup', [...args, path, '-'], 'secret').status).toBe(0);
        return recognise(readImage(path)).map((match) => match.id);
      });
      expect(found).toEqual(type === 'luks1' ? ['luks1'] : ['luks2', 'luks2']);
    });
  }
});
