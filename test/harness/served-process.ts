import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { testCache } from './default-model.ts';
import { until } from './real-service.ts';

/** What `npm run build` made; tests of the process run it, as users do. */
const main = resolve(import.meta.dirname, '..', '..', 'dist', 'src', 'main.js');

/** `tiller serve` as a process of its own. */
export interface ServedProcess {
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

const started: ServedProcess[] = [];

function dataFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tiller-data-'));
}

/** Fails where there is nothing built to run. */
export function requireBuild(): void {
  if (!existsSync(main)) throw new Error(`${main} is missing: run 'npm run build' before this test.`);
}

/** Starts it on a free port, offline, with the tests' cache and a store of its own. */
export function serveProcess(...flags: string[]): ServedProcess {
  const all = [
    'serve',
    '--port',
    '0',
    '--offline',
    '--cache-dir',
    testCache,
    '--data-dir',
    dataFolder(),
    '--embedder',
    'none',
    ...flags,
  ];
  const child = spawn(process.execPath, [main, ...all], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', error: '' };
  child.stdout.on('data', (chunk) => {
    texts.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    texts.error += chunk;
  });
  const served = {
    process: child,
    stdout: () => texts.out,
    stderr: () => texts.error,
    ended: new Promise<number | null>((settle) => child.once('close', settle)),
  };
  started.push(served);
  return served;
}

/** The address that it prints once it is ready. */
export async function readyAddress(served: ServedProcess): Promise<string> {
  const address = () => / at (http:\S+)/.exec(served.stdout())?.[1];
  await until(() => address() !== undefined || served.process.exitCode !== null);
  const url = address();
  if (url === undefined) throw new Error(`it ended: ${served.stderr()}`);
  return url;
}

/** Ends every process that was started; for `afterEach`. */
export async function killProcesses(): Promise<void> {
  for (const { process: child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
}
