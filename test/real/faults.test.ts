import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { testCache } from '../harness/default-model.ts';
import { until } from '../harness/real-service.ts';
import {
  killProcesses,
  readyAddress,
  requireBuild,
  type ServedProcess,
  serveProcess,
} from '../harness/served-process.ts';

/** Clients that are killed in the middle of a stream: what they held must come back. */
const clients = resolve(import.meta.dirname, '..', 'harness', 'stream-clients.mjs');

beforeAll(async () => {
  requireBuild();
  await acquireModel('smollm2-135m-instruct', { cacheDirectory: testCache });
});
afterEach(killProcesses);

/** What the service holds, as /metrics tells it. */
interface Held {
  readonly running: number;
  readonly waiting: number;
  /** Bytes of keys and values in rows, and in prefix blocks. */
  readonly rowBytes: number;
  readonly prefixBytes: number;
  /** Of its own: pages of mapped weights come as they are read, and the system takes them back. */
  readonly ownMegabytes: number;
  readonly disconnects: number;
}

/** Anonymous memory, from /proc/PID/status; where there is none, all that is resident. */
function ownBytes({ process: child }: ServedProcess): number | null {
  if (process.platform !== 'linux') return null;
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error('/proc says nothing of anonymous memory');
  return Number(kilobytes) * 1024;
}

async function readHeld(url: string, served: ServedProcess): Promise<Held> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const read = (name: string, label = '') => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(name) && candidate.includes(label));
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
  };
  return {
    running: read('vllm:num_requests_running'),
    waiting: read('vllm:num_requests_waiting{'),
    rowBytes: read('tiller_kv_cache_bytes', 'holder="rows"'),
    prefixBytes: read('tiller_kv_cache_bytes', 'holder="prefix"'),
    ownMegabytes: Math.round((ownBytes(served) ?? read('process_resident_memory_bytes')) / 1e6),
    disconnects: read('tiller_client_disconnects_total', 'route="/v1/completions"'),
  };
}

/** Starts a client process with so many streams, and kills it once text has come on each. Returns how it ended. */
async function killInMidStream(url: string, streams: number, body: object): Promise<string> {
  const child = spawn(process.execPath, [clients, url, String(streams), JSON.stringify(body)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<string>((settle) => {
    child.once('exit', (code, signal) => settle(signal ?? `exit ${code}`));
  });
  const begun = new Promise<void>((settle) => child.stdout.once('data', () => settle()));
  await Promise.race([begun, ended]);
  child.kill('SIGKILL');
  return ended;
}

/**
 * Kills processes of so many streams each, one after the other: first one group of `batches`, which makes what stays
 * (threads, buffers, compiled code, the heap's size), then `groups` of them. Returns what is held after the first group and
 * after each of the others.
 *
 * Memory moves by tens of megabytes for reasons of its own (the collector's timing, compiled code), so that
 * one difference says little. What a dead stream leaves behind it leaves every time: it shows in the median of the groups.
 */
async function killMany(
  url: string,
  served: ServedProcess,
  { streams, batches, groups }: { readonly streams: number; readonly batches: number; readonly groups: number },
  body: object,
) {
  const ends: string[] = [];
  const held: Held[] = [];
  for (let group = 0; group <= groups; group++) {
    for (let at = 0; at < batches; at++) ends.push(await killInMidStream(url, streams, body));
    await until(async () => {
      const { running, waiting, rowBytes } = await readHeld(url, served);
      return running + waiting + rowBytes === 0;
    });
    held.push(await readHeld(url, served));
  }
  const [before, after] = [held[0], held.at(-1)] as [Held, Held];
  const growths = held.slice(1).map((now, at) => now.ownMegabytes - (held[at] as Held).ownMegabytes);
  return { before, after, growths, ends };
}

const median = (values: readonly number[]) =>
  [...values].sort((one, other) => one - other)[values.length >> 1] as number;

function tell(what: string, { before, after, growths }: Awaited<ReturnType<typeof killMany>>): void {
  const lines = [what, `before ${JSON.stringify(before)}`, `after  ${JSON.stringify(after)}`];
  process.stdout.write(`${lines.join('\n  ')}\n  megabytes that each group left: ${growths.join(', ')}\n`);
}

/** The tiny model with room for replies that outlive their client by far. */
function endlessTinyModel(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tiller-faults-'));
  cpSync(resolve(import.meta.dirname, '..', 'fixtures', 'tiny-llama', 'f32'), folder, { recursive: true });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...config, max_position_embeddings: 65_536 }));
  return folder;
}

describe('SIGKILL of clients in mid-stream', () => {
  it('1,000 times: rows, keys and values, queue and memory come back', async () => {
    const folder = endlessTinyModel();
    const served = serveProcess('--model', folder, '--max-rows', '20', '--log-level', 'warn');
    const url = await readyAddress(served);
    const body = { prompt: 'the quick brown fox', max_tokens: 60_000, ignore_eos: true, stream: true };
    const seen = await killMany(url, served, { streams: 20, batches: 10, groups: 5 }, body);
    tell('1,000 streams of the tiny model, killed in batches of 20:', seen);
    expect(new Set(seen.ends)).toEqual(new Set(['SIGKILL']));
    const { before, after, growths } = seen;
    expect(after.disconnects - before.disconnects).toBe(1000);
    expect(after).toMatchObject({ running: 0, waiting: 0, rowBytes: 0 });
    // 50 kB for each lost stream would be 10 MB a group
    expect(median(growths)).toBeLessThan(8);
    const answer = await fetch(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ prompt: 'the', max_tokens: 4 }),
    });
    expect(answer.status).toBe(200);
    rmSync(folder, { recursive: true });
  });

  it('on the default model, whose rows hold 46 kB a token: their pages come back', async () => {
    const served = serveProcess('--max-rows', '8', '--prefix-cache-bytes', '0', '--log-level', 'warn');
    const url = await readyAddress(served);
    const prompt = 'Once upon a time there was a king who had three sons and a very old horse. '.repeat(3);
    const times = { streams: 8, batches: 1, groups: 5 };
    const seen = await killMany(url, served, times, { prompt, max_tokens: 2000, ignore_eos: true, stream: true });
    tell('40 streams of the default model, killed in batches of 8:', seen);
    expect(new Set(seen.ends)).toEqual(new Set(['SIGKILL']));
    const { before, after, growths } = seen;
    expect(after.disconnects - before.disconnects).toBe(40);
    expect(after).toMatchObject({ running: 0, waiting: 0, rowBytes: 0, prefixBytes: 0 });
    // 8 rows of 60 tokens are 22 MB of keys and values a group
    expect(median(growths)).toBeLessThan(12);
  });
});
