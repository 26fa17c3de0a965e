import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { checkout } from './checkout.ts';
import type { Machine } from './results-common.ts';

/** What a figure depends on besides the code. `llamaCpp` is null where no peer took part. */
export function describeMachine(llamaCpp: Machine['llamaCpp']): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    onnxruntime: packageVersion('onnxruntime-node'),
    llamaCpp,
    date: new Date().toISOString(),
    commit: gitCommit(),
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

function packageVersion(name: string): string {
  const file = createRequire(join(checkout, 'package.json')).resolve(`${name}/package.json`);
  return String(JSON.parse(readFileSync(join(dirname(file), 'package.json'), 'utf8')).version);
}

/** The commit, with `+` where tracked files differ from it (the benchmarks' own results aside); `unknown` outside git. */
function gitCommit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!bench/results', ':!README.md');
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? '+' : '');
  } catch {
    return 'unknown';
  }
}
