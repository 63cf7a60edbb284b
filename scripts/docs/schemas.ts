// SPDX-License-Identifier: GPL-2.0-or-later
// The list of schemas in docs/schemas/README.md, from the schema files themselves.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from './dependencies';
import type { Parts } from './splice';
import { table } from './splice';

export function schemaParts(root: string): Parts {
  const files = readdirSync(join(root, 'docs/schemas')).filter((name) => name.endsWith('.json'));
  const rows = files.sort().map((file) => {
    const { $id, description } = readJson(root, `docs/schemas/${file}`) as {
      $id: string;
      description: string;
    };
    return [`\`${$id}\``, `[${file}](${file})`, description];
  });
  return { schemas: table(['schema', 'file', 'what it is'], rows) };
}
