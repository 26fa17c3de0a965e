import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { listen, type RunningServer } from '../../src/server.ts';
import { shutDown, shutDownOnSignals } from '../../src/shutdown.ts';
import type { FakeOptions } from '../harness/fake-services.ts';
import { fakeApp, gate, sseData } from '../harness/http.ts';

const chat = '/v1/chat/completions';
const ask = (server: RunningServer, body: object, signal?: AbortSignal) =>
  fetch(server.url + chat, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], ...body }),
    ...(signal ? { signal } : {}),
  });

const running: RunningServer[] = [];
async function start(options: FakeOptions = {}) {
  const fake = fakeApp(options);
  const server = await listen({ app: fake.app, host: '127.0.0.1', port: 0 });
  running.push(server);
  return { ...fake, server };
}
afterEach(async () => {
  for (const server of running.splice(0)) await server.close(0);
});

/** Settles once the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a client that leaves', () => {
  it.each([
    ['a stream', true],
    ['a whole answer', false],
  ])('%s: the signal of the engine request is aborted and the loss is counted once', async (_, stream) => {
    const { opened: never } = gate();
    const { server, engine, gone, observations } = await start({
      beforeToken: (_request, index) => (index === 3 ? never : Promise.resolve()),
    });
    const client = new AbortController();
    const response = ask(server, { stream, n: 2 }, client.signal).then((answer) => answer.text());
    await until(() => engine.requests.length === 2);
    if (stream) await new Promise(setImmediate);
    client.abort();
    await expect(response).rejects.toThrow();
    await until(() => engine.cancelled.length === 2 && observations.length === 1);
    expect(engine.requests.every(({ signal }) => signal?.aborted)).toBe(true);
    expect(gone).toEqual([chat]);
    expect(observations[0]?.status).toBe(499);
  });

  it('is not counted when the answer was complete', async () => {
    const { server, gone, engine } = await start();
    await (await ask(server, { stream: true })).text();
    await (await ask(server, {})).text();
    await server.close(1000);
    expect(gone).toEqual([]);
    expect(engine.requests.some(({ signal }) => signal?.aborted)).toBe(false);
  });
});

describe('draining', () => {
  async function startDrainable() {
    let draining = false;
    const { opened, open } = gate();
    let finished = 0;
    const { opened: engineEmpty, open: engineDone } = gate();
    const fake = await start({
      draining: () => draining,
      beforeToken: (_, index) => (index === 3 ? opened : Promise.resolve()),
    });
    const drain = async () => {
      draining = true;
      await engineEmpty;
      finished++;
    };
    return { ...fake, drain, finishReply: open, engineDone, drained: () => finished };
  }

  it('lets running replies finish, answers new ones 503, and closes kept-alive connections', async () => {
    const { server, engine, drain, finishReply, engineDone } = await startDrainable();
    const reply = ask(server, { stream: true });
    await until(() => engine.requests.length === 1);
    const down = shutDown({ server, drain, deadlineMilliseconds: 60_000 });
    const refused = await ask(server, {});
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: { code: 'draining' } });
    finishReply();
    engineDone();
    const data = sseData(await (await reply).text());
    expect(data.at(-1)).toBe('[DONE]');
    expect(await down).toBe('clean');
    await expect(ask(server, {})).rejects.toThrow();
  });

  it('cuts what has not finished by the deadline', async () => {
    const { server, engine, drain } = await startDrainable();
    const reply = ask(server, { stream: true }).then((answer) => answer.text());
    const lost = expect(reply).rejects.toThrow();
    await until(() => engine.requests.length === 1);
    expect(await shutDown({ server, drain, deadlineMilliseconds: 50 })).toBe('forced');
    await lost;
    expect(engine.cancelled).toHaveLength(1);
  });

  it('takes no longer for a connection that never sends anything', async () => {
    const { server } = await start();
    const idle = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const closed = new Promise((resolve) => idle.once('close', resolve));
    expect(await shutDown({ server, drain: async () => undefined, deadlineMilliseconds: 60_000 })).toBe('clean');
    await closed;
  });
});

describe('signals', () => {
  function onSignals(outcome: Promise<'clean' | 'forced'>) {
    const listeners = new Map<string, (signal: NodeJS.Signals) => void>();
    const exits: number[] = [];
    shutDownOnSignals({
      signals: { on: (signal, listener) => listeners.set(signal, listener) },
      shutDown: () => outcome,
      exit: (code) => exits.push(code),
    });
    return { send: (signal: NodeJS.Signals) => listeners.get(signal)?.(signal), exits };
  }

  it.each([
    ['clean', 0],
    ['forced', 1],
  ] as const)('a %s shutdown exits with %i', async (how, code) => {
    const { send, exits } = onSignals(Promise.resolve(how));
    send('SIGTERM');
    await new Promise(setImmediate);
    expect(exits).toEqual([code]);
  });

  it('a second one exits at once', () => {
    const { send, exits } = onSignals(gate().opened.then(() => 'clean'));
    send('SIGTERM');
    expect(exits).toEqual([]);
    send('SIGINT');
    expect(exits).toEqual([130]);
  });
});

describe('listening', () => {
  it('says which port is taken and how to choose another', async () => {
    const { server, app } = await start();
    await expect(listen({ app, host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
      param: 'port',
      message: expect.stringMatching(new RegExp(`Port ${server.port} .* --port`)),
    });
  });

  it('says which address this machine does not have', async () => {
    const { app } = fakeApp();
    await expect(listen({ app, host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ param: 'host' });
  });
});

describe('a body over the limit', () => {
  it.each([
    ['with a length', false],
    ['without one', true],
  ])('%s gets 413 over a socket', async (_, chunked) => {
    const { server } = await start();
    const text = JSON.stringify({ prompt: 'a'.repeat(200_000) });
    const body = chunked ? new Blob([text]).stream() : text;
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      ...(chunked ? { duplex: 'half' } : {}),
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(response.headers.get('Connection')).toBe('close');
    expect(await response.json()).toMatchObject({ error: { code: 'body_too_large' } });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});
