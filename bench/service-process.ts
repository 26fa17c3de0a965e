import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { cacheDirectory, checkout } from './checkout.ts';

const pollMilliseconds = 10;
const startDeadline = 120_000;

/** `tiller serve` as a process of its own, timed from before it is spawned. */
export class ServiceProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #began: number;

  private constructor(url: string, child: ChildProcess, began: number) {
    this.url = url;
    this.#child = child;
    this.#began = began;
  }

  /** Spawns it with further flags of `tiller serve`; it is not ready yet. */
  static async start(model: string, more: readonly string[] = []): Promise<ServiceProcess> {
    const port = await freePort();
    const main = join(import.meta.dirname, '..', 'src', 'main.js');
    const flags = ['--model', model, '--port', String(port), '--cache-dir', cacheDirectory, '--log-level', 'warn'];
    // as of a second start: what ships is in the store already, and nobody's own store is touched
    flags.push('--data-dir', join(cacheDirectory, 'bench-data'), '--embedder', 'none');
    const began = performance.now();
    const child = spawn(process.execPath, [main, 'serve', ...flags, '--offline', ...more], {
      cwd: checkout,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return new ServiceProcess(`http://127.0.0.1:${port}`, child, began);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('tiller serve could not be started');
    return this.#child.pid;
  }

  /** Seconds since before the process was spawned. */
  elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** Asks again and again until `accept` takes the answer; a port that does not listen yet is no answer. */
  async poll(ask: () => Promise<Response>, accept: (response: Response) => boolean): Promise<Response> {
    for (;;) {
      const response = await ask().catch(() => null);
      if (response && accept(response)) return response;
      await response?.body?.cancel();
      if (this.#child.exitCode !== null) throw new Error(`tiller serve ended (exit status ${this.#child.exitCode})`);
      if (this.elapsed() * 1000 > startDeadline) throw new Error('tiller serve was not ready in time');
      await delay(pollMilliseconds);
    }
  }

  async waitForReady(): Promise<void> {
    const response = await this.poll(
      () => this.get('/readyz'),
      ({ status }) => status === 200,
    );
    await response.body?.cancel();
  }

  get(path: string): Promise<Response> {
    return fetch(this.url + path);
  }

  post(path: string, body: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** Token ids of a text, nothing prepended. */
  async tokenize(text: string): Promise<readonly number[]> {
    const response = await this.post('/tokenize', { prompt: text, add_special_tokens: false });
    if (!response.ok) throw new Error(`/tokenize answers ${response.status}: ${await response.text()}`);
    return z.object({ tokens: z.array(z.number()) }).parse(await response.json()).tokens;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(timer);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
