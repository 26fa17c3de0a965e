import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { testCache } from '../harness/default-model.ts';
import { sseData } from '../harness/http.ts';
import { until } from '../harness/real-service.ts';
import { killProcesses, readyAddress, requireBuild, serveProcess } from '../harness/served-process.ts';

/** `tiller serve` as a process of its own: what it prints, how it stops, how it fails. */
const json = { 'Content-Type': 'application/json' };

async function freePort(): Promise<{ readonly port: number; release(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, release: () => new Promise((closed) => server.close(() => closed())) };
}

beforeAll(async () => {
  requireBuild();
  await acquireModel('smollm2-135m-instruct', { cacheDirectory: testCache });
});
afterEach(killProcesses);

describe('tiller serve', () => {
  it('prints three commands that work as they stand', async () => {
    const served = serveProcess();
    const url = await readyAddress(served);
    await until(() => served.stdout().includes('features/search'));
    const [plain, steered, ...others] = served
      .stdout()
      .split('\n')
      .filter((line) => line.startsWith('curl '));
    expect(others).toHaveLength(1);
    const answers = [];
    for (const command of [plain, steered]) {
      const [, address = '', body = ''] =
        /^curl -s (\S+) -H 'content-type: application\/json' -d '(.*)'$/.exec(command ?? '') ?? [];
      expect(address).toBe(`${url}/v1/chat/completions`);
      const response = await fetch(address, { method: 'POST', headers: json, body });
      expect(response.status).toBe(200);
      answers.push(await response.json());
    }
    expect(answers[0]).not.toHaveProperty('steering');
    expect(answers[1]).toHaveProperty('steering.edits');
    const [, search = ''] = /^curl -s '(.*)'$/.exec(others[0] ?? '') ?? [];
    expect(await (await fetch(search)).json()).toHaveProperty('features.0.label');
    served.process.kill('SIGINT');
    expect(await served.ended).toBe(0);
  });

  it('on SIGTERM finishes what runs, answers what is new 503 with Retry-After, and exits with 0', async () => {
    const served = serveProcess('--drain-seconds', '120');
    const url = await readyAddress(served);
    const ask = (fields: object) =>
      fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ prompt: 'Once', ...fields }),
      });
    const running = await ask({
      max_tokens: 150,
      ignore_eos: true,
      stream: true,
      stream_options: { include_usage: true },
    });
    served.process.kill('SIGTERM');
    let refused = await ask({ max_tokens: 1 });
    while (refused.status === 200) refused = await ask({ max_tokens: 1 });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: { code: 'draining' } });
    const readiness = await fetch(`${url}/readyz`);
    expect(readiness.status).toBe(503);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    const data = sseData(await running.text());
    expect(data.at(-1)).toBe('[DONE]');
    expect(JSON.parse(data.at(-2) ?? '')).toMatchObject({ usage: { completion_tokens: 150 } });
    expect(await served.ended).toBe(0);
  });

  it('cuts what has not finished by the deadline, and exits with 1', async () => {
    const served = serveProcess('--drain-seconds', '1');
    const url = await readyAddress(served);
    const body = JSON.stringify({ prompt: 'Once', max_tokens: 2000, ignore_eos: true, stream: true });
    const running = await fetch(`${url}/v1/completions`, { method: 'POST', headers: json, body });
    served.process.kill('SIGTERM');
    const text = await running.text().catch(() => '');
    expect(text).not.toContain('"finish_reason":"length"');
    expect(await served.ended).toBe(1);
  });

  it('answers while it loads, and can be stopped then', async () => {
    const { port, release } = await freePort();
    await release();
    const served = serveProcess('--port', String(port));
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
    let readiness = await get('/readyz');
    while (!readiness) readiness = await get('/readyz');
    expect(readiness.status).toBe(503);
    expect(readiness.headers.get('Retry-After')).not.toBeNull();
    expect((await get('/healthz'))?.status).toBe(200);
    expect(await (await get('/metrics'))?.text()).not.toContain('model_name=');
    served.process.kill('SIGTERM');
    expect(await served.ended).toBe(0);
    expect(served.stdout()).toBe('');
  });
});

describe('what cannot start ends with one line and a code', () => {
  const empty = () => mkdtempSync(join(tmpdir(), 'tiller-empty-'));
  it.each([
    ['an unknown model', () => ['--model', 'smolm2'], 1, /No model .*'smolm2'.*smollm2/],
    ['a path that is not there', () => ['--model', '/no/such/model.gguf'], 1, /\/no\/such\/model\.gguf/],
    ['an empty cache without network', () => ['--cache-dir', empty()], 1, /not in the cache .*--offline/],
    ['an unknown source', () => ['--source', '/no/such/source'], 1, /\/no\/such\/source/],
    ['a folder that is no source', () => ['--source', empty()], 1, /no dictionary of a known format .*SAELens/],
    ['a profile that is not saved', () => ['--profile', 'pirate'], 1, /no profile 'pirate'/],
    ['a wrong flag value', () => ['--port', 'x'], 2, /'x' for --port/],
    ['an unknown flag', () => ['--prot', '1'], 2, /--prot/],
  ] as const)('%s', async (_, flags, code, message) => {
    const served = serveProcess(...flags());
    expect(await served.ended).toBe(code);
    expect(served.stdout()).toBe('');
    const told = served
      .stderr()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{'));
    expect(told[0]).toMatch(message);
    expect(served.stderr()).not.toMatch(/^\s+at /m);
    if (code === 1) expect(told).toHaveLength(1);
  });

  it('a port that is taken', async () => {
    const { port, release } = await freePort();
    const served = serveProcess('--port', String(port));
    expect(await served.ended).toBe(1);
    expect(served.stderr()).toMatch(new RegExp(`^tiller: Port ${port} .*--port`));
    await release();
  });
});
