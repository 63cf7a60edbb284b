// SPDX-License-Identifier: GPL-2.0-or-later
// Which documents are generated, in whole or in part. Writes nothing: scripts/docs.ts does, and the tests compare.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dependencyParts } from './dependencies';
import { findingsDocument } from './findings';
import { formatParts } from './format-tables';
import { readmeSession, readmeTables } from './readme';
import { schemaParts } from './schemas';
import type { Parts } from './splice';
import { splice } from './splice';
import { exampleParts } from './worked-example';

/** [path from the root, text]. */
export type Document = readonly [path: string, text: string];

function spliced(root: string, path: string, parts: Parts, others: readonly string[] = []): Document {
  return [path, splice(readFileSync(join(root, path), 'utf8'), parts, others)];
}

const SESSION_PARTS = ['check', 'repair', 'undo'] as const;

/** What follows from the sources alone. */
export function documentsFromSources(root: string): Document[] {
  return [
    ['docs/FINDINGS.md', findingsDocument()],
    spliced(root, 'docs/FORMAT.md', { ...formatParts(), ...exampleParts(root) }),
    spliced(root, 'docs/schemas/README.md', schemaParts(root)),
    spliced(root, 'README.md', readmeTables(), SESSION_PARTS),
  ];
}

/** What follows from the build: these run the commands, or look at what was bundled. */
export function documentsFromBuild(root: string): Document[] {
  return [
    spliced(root, 'docs/DEPENDENCIES.md', dependencyParts(root)),
    spliced(root, 'README.md', { ...readmeTables(), ...readmeSession(root) }),
  ];
}
