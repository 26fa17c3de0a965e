import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const packageFile = z.object({ name: z.string(), version: z.string() });

/** Version in Tiller's package.json, which lies one folder up from src/ and two up from dist/src/. */
export function readVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const found = readPackage(join(folder, 'package.json'));
    if (found?.name === 'tiller') return found.version;
    if (dirname(folder) === folder) return 'unknown';
  }
}

function readPackage(path: string): z.infer<typeof packageFile> | null {
  try {
    return packageFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}
