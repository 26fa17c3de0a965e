import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchDirectory } from './checkout.ts';

type Manifest = { readonly version: string; readonly dependencies: Readonly<Record<string, string>> };
const manifest = (path: string): Manifest => JSON.parse(readFileSync(path, 'utf8'));

/** Where a package that only benchmarks use was installed. */
export function installedPackage(name: string): string {
  return join(benchDirectory, 'node_modules', name);
}

/**
 * Installs what bench/package.json pins, exactly as its lock file says, unless it is there already. npm prints its progress. Only
 * benchmarks need it: installing Tiller never does.
 */
export async function installPackages(): Promise<void> {
  const wanted = Object.entries(manifest(join(benchDirectory, 'package.json')).dependencies);
  const there = wanted.every(([name, version]) => {
    const path = join(installedPackage(name), 'package.json');
    return existsSync(path) && manifest(path).version === version;
  });
  if (there) return;
  console.error(`Installing ${wanted.map((pair) => pair.join(' ')).join(', ')} in bench (about 120 MB) ...`);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const child = spawn(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: benchDirectory,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new Error(`npm ci in bench failed (exit status ${code})`);
}
