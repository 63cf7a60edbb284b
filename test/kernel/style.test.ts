// SPDX-License-Identifier: GPL-2.0-or-later
// The module's sources to the kernel's own checkers, and the ways in which they are built: make and dkms. Warnings of the
// compiler are errors in every build (kernel/Kbuild).
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { checkpatchComplaints, complaintsIn, runOrThrow, WITH_SPARSE } from '../support/kernel/builds';
import { describeKernel, kernelOf, ROOT } from '../support/kernel/environment';
import type { Series } from '../support/kernel/environment';
import { removeTree, temporaryDirectory } from '../support/temporary';

const SERIES: readonly Series[] = ['6.1', '6.12'];

describeKernel("the module's sources", () => {
  test('checkpatch.pl has nothing to say', () => {
    expect(checkpatchComplaints([])).toEqual([]);
  });
});

describeKernel('building by hand', () => {
  let folder = '';
  let copy = '';

  beforeEach(() => {
    folder = temporaryDirectory();
    copy = join(folder, 'dm-remap-4.0.0');
    cpSync(join(ROOT, 'kernel'), copy, { recursive: true });
  });
  afterEach(() => removeTree(folder));

  test.each(SERIES)(
    'make, with sparse that has nothing to say, make install and make clean for %s',
    (series) => {
      const kernel = kernelOf(series);
      const root = join(folder, 'root');
      const place = join(root, 'lib', 'modules', kernel.release);
      mkdirSync(place, { recursive: true });
      // As the headers of an installed kernel are found from KVERSION. Without BTF: that needs all of the kernel.
      const words = [
        `KVERSION=${kernel.release}`,
        `KDIR=${kernel.headers}`,
        'CONFIG_DEBUG_INFO_BTF_MODULES=',
      ];
      expect(complaintsIn(runOrThrow('make', [...words, ...WITH_SPARSE], copy))).toEqual([]);
      const module = join(copy, 'dm-remap.ko');
      const about = (field: string): string => runOrThrow('modinfo', ['-F', field, module]);
      expect(about('vermagic').split(' ')[0]).toBe(kernel.release);
      expect(about('license')).toBe('GPL\n');
      // By this name device-mapper finds the module for a table's target.
      expect(about('alias').split('\n')).toContain('dm-remap');

      // depmod is for the running machine's modules, and these are not its own.
      const bin = join(folder, 'bin');
      mkdirSync(bin);
      symlinkSync('/bin/true', join(bin, 'depmod'));
      const path = `PATH=${bin}:${process.env['PATH'] ?? ''}`;
      runOrThrow('env', [path, 'make', 'install', ...words, `INSTALL_MOD_PATH=${root}`], copy);
      expect(runOrThrow('find', [place, '-name', 'dm-remap.ko*'])).toMatch(/dm-remap\.ko/);

      runOrThrow('make', ['clean', ...words], copy);
      expect(readdirSync(copy).sort()).toEqual(readdirSync(join(ROOT, 'kernel')).sort());
    },
  );

  test('dkms.conf names this version, and its commands are those of the Makefile', () => {
    const conf = readFileSync(join(copy, 'dkms.conf'), 'utf8');
    const shown = runOrThrow('bash', [
      '-c',
      'kernelver=6.1.0-x; kernel_source_dir=/h; . "$1"; printf "%s\\n" "$PACKAGE_NAME" "$PACKAGE_VERSION" "${MAKE[0]}" "$CLEAN" "${BUILT_MODULE_NAME[0]}"',
      'conf',
      join(copy, 'dkms.conf'),
    ]).split('\n');
    expect(shown.slice(0, 5)).toEqual([
      'dm-remap',
      '4.0.0',
      'make KVERSION=6.1.0-x KDIR=/h',
      'make clean KVERSION=6.1.0-x KDIR=/h',
      'dm-remap',
    ]);
    expect(conf).toMatch(/^AUTOINSTALL="yes"$/m);
    // Without headers of that kernel the Makefile must say so, and not build for the running one.
    const done = spawnSync('make', ['KVERSION=6.1.0-x'], { cwd: copy, encoding: 'utf8' });
    expect(done.status).not.toBe(0);
    expect(done.stderr).toMatch(/6\.1\.0-x/);
  });
});
