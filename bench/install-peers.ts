import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { peersDirectory } from './checkout.ts';

/**
 * Installs what bench/peers pins, exactly as its lock file says, unless it is there already. npm prints its progress. Only benchmarks
 * need it: installing Tiller never does.
 */
export async function installPeers(): Promise<void> {
  const installed = join(peersDirectory, 'node_modules', 'node-llama-cpp', 'package.json');
  const wanted = JSON.parse(readFileSync(join(peersDirectory, 'package.json'), 'utf8')).dependencies['node-llama-cpp'];
  if (existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === wanted) return;
  console.error(`Installing node-llama-cpp ${wanted} in bench/peers (about 120 MB) ...`);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const child = spawn(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: peersDirectory,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new Error(`npm ci in bench/peers failed (exit status ${code})`);
}
