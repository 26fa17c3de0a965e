import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { longestJoined } from '../../routes/openai/coalesce.ts';
import { listen, type RunningServer } from '../../src/server.ts';
import type { FakeOptions } from '../harness/fake-services.ts';
import { fakeApp, sseData } from '../harness/http.ts';

/** Streams over sockets of which one is not read: far more bytes than the kernel's buffers take. */
const open: (RunningServer | Socket)[] = [];
afterEach(async () => {
  for (const opened of open.splice(0)) {
    if ('inFlight' in opened) await opened.close(0);
    else opened.destroy();
  }
});

const reply = 'Once upon a time there was an ü. '.repeat(360);
const path = '/v1/chat/completions';
/** Some 2 kB a token. */
const body = JSON.stringify({
  messages: [{ role: 'user', content: 'x' }],
  logprobs: true,
  top_logprobs: 20,
  stream: true,
  stream_options: { include_usage: true },
});

async function serve(options: FakeOptions = {}) {
  let produced = 0;
  const fake = fakeApp({
    reply: () => reply,
    contextLength: 32_768,
    beforeToken: async (_, index) => {
      produced++;
      // as an engine does: a few tokens, then others have their turn
      if (index % 8 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    },
    ...options,
  });
  const server = await listen({ app: fake.app, host: '127.0.0.1', port: 0 });
  open.push(server);
  return { fake, server, produced: () => produced };
}

/** Asks for the stream and reads nothing of the answer. */
function askWithoutReading(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  open.push(socket);
  socket.pause();
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  socket.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  return socket;
}

/** The body of an HTTP answer in chunks, as text. */
function unchunk(answer: Buffer): string {
  const parts: Buffer[] = [];
  let at = answer.indexOf('\r\n\r\n') + 4;
  for (;;) {
    const end = answer.indexOf('\r\n', at);
    const length = Number.parseInt(answer.toString('latin1', at, end), 16);
    if (!(length > 0)) return Buffer.concat(parts).toString('utf8');
    parts.push(answer.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}

function told(stream: string) {
  const data = sseData(stream);
  const chunks = data.slice(0, -1).map((event) => JSON.parse(event));
  return {
    end: data.at(-1),
    chunks: chunks.length,
    longest: Math.max(...chunks.map(({ choices }) => choices[0]?.logprobs?.content.length ?? 0)),
    text: chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''),
    logprobs: chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []).map(({ bytes }) => bytes),
    finish: chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? []),
    usage: chunks.at(-1)?.usage,
  };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('a reader that does not read', () => {
  it('holds nobody up, and gets the same reply in fewer pieces once it reads', async () => {
    const { server, produced } = await serve();
    const slow = askWithoutReading(server.port);
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    });
    const fast = told(await response.text());
    expect(fast.text).toBe(reply);
    // the engine has done with both: what waits is the slow reader's reply, joined
    const tokens = Buffer.byteLength(reply) + 1;
    await until(() => produced() === 2 * tokens);
    expect(server.inFlight()).toBe(1);
    const received: Buffer[] = [];
    slow.on('data', (chunk) => received.push(chunk));
    slow.resume();
    await new Promise((resolve) => slow.once('end', resolve));
    const late = told(unchunk(Buffer.concat(received)));
    expect(late.chunks).toBeLessThan(fast.chunks);
    expect(late.longest).toBe(longestJoined);
    expect({ ...late, chunks: 0, longest: 0 }).toEqual({ ...fast, chunks: 0, longest: 0 });
    expect(late.usage.completion_tokens).toBe(tokens);
  });

  it('is dropped after the time that it has, as a client that left', async () => {
    const { fake, server } = await serve({ limits: { streamTimeoutSeconds: 0.3 } });
    const slow = askWithoutReading(server.port);
    await until(() => fake.gone.length > 0);
    await until(() => server.inFlight() === 0);
    expect(fake.gone).toEqual([path]);
    expect(fake.observations.map(({ status }) => status)).toEqual([499]);
    slow.on('error', () => undefined);
    slow.resume();
    await new Promise((resolve) => slow.once('close', resolve));
    expect(fake.unexpected).toEqual([]);
  });
});
