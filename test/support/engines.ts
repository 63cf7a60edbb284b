// SPDX-License-Identifier: GPL-2.0-or-later
// The host's faster engines for the core, as the commands install them on Node. Imported for its effect by tests that
// judge thousands of copies; the results are the same without.
import { installSameContents } from '../../src/core/bytes';
import { useZlibCrc32 } from '../../src/host/crc';

useZlibCrc32();
installSameContents((a, b) => Buffer.compare(a, b) === 0);
