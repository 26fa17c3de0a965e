import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..', '..');

/**
 * Builds a module of the checkout with all that it imports, and returns the folder, which is the caller's to remove. For code
 * that a test runs in a process of its own: Node 20 runs no TypeScript. It lies inside the checkout, so that packages are found.
 */
export function buildModules(...files: readonly string[]): string {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const built = mkdtempSync(join(root, '.cache', 'built-for-test-'));
  const configuration = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noEmit: false, rootDir: root, outDir: built, typeRoots: [join(root, 'node_modules/@types')] },
    include: [],
    files: files.map((file) => join(root, file)),
  };
  writeFileSync(join(built, 'tsconfig.json'), JSON.stringify(configuration));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(built, 'tsconfig.json')]);
  const migrations = join('sae-registry', 'store', 'migrations');
  cpSync(join(root, migrations), join(built, migrations), { recursive: true });
  return built;
}
