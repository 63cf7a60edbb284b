// SPDX-License-Identifier: GPL-2.0-or-later
// Signatures of metadata that is called dm-remap but has another layout than v4 of this project. They are only named.
import { type Place, type Signature, signature } from './signature';

const SECTORS = (...sectors: number[]): readonly Place[] => sectors.map((sector) => sector * 512);

/** Bytes that structure_size has in the two layouts which share a magic. */
const DMR4_KERNEL_BYTES = 84288;
const DMR4_SCRIPT_BYTES = 2048;

export const DIALECTS: readonly Signature[] = [
  // Both layouts of DMR4 use sectors 0 and 1024; structure_size tells them apart.
  signature(
    'dm-remap-dmr4',
    'dm-remap metadata of another layout (DMR4)',
    'other',
    SECTORS(0, 256, 512, 768, 1024, 2048, 4096, 8192),
    ['4RMD\x04\x00\x00\x00'],
    {
      size: 36,
      check: ({ block }) => {
        const size = block.u32(32);
        if (size === DMR4_KERNEL_BYTES) return { name: 'dm-remap metadata of another layout (DMR4, kernel)' };
        if (size === DMR4_SCRIPT_BYTES) return { name: 'dm-remap metadata of another layout (DMR4, script)' };
        return {};
      },
    },
  ),
  signature('dm-remap-v3', 'dm-remap metadata of another layout (DMREMAP3)', 'other', [0], ['DMREMAP3']),
  signature(
    'dm-remap-setup',
    'dm-remap metadata of another layout (setup, 0xAB5EAB1E)',
    'other',
    SECTORS(0, 1024, 2048, 4096, 8192),
    ['\x1e\xab\x5e\xab'],
  ),
  signature(
    'dm-remap-dmrm',
    'dm-remap metadata of another layout (DMRM)',
    'other',
    SECTORS(0, 1024, 2048, 4096, 8192),
    ['MRMD'],
  ),
  signature(
    'dm-remap-real',
    'dm-remap metadata of another layout (DM_REMAP_V4.0R)',
    'other',
    SECTORS(0, 1024, 2048, 4096, 8192),
    ['DM_REMAP_V4.0R'],
  ),
];
