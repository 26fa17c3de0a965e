import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../engine/runtime/package-root.ts';

const packageFile = z.object({ version: z.string() });

/** Version in Tiller's package.json. */
export function readVersion(): string {
  const root = packageRoot();
  if (root === null) return 'unknown';
  return packageFile.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).version;
}
