import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import { testCache } from '../harness/default-model.ts';
import { killProcesses, readyAddress, requireBuild, serveProcess } from '../harness/served-process.ts';

/** Jobs of `tiller serve` on the default model: killed as hard as can be, one goes on and loses and repeats nothing. */
beforeAll(async () => {
  requireBuild();
  await acquireModel('smollm2-135m-instruct', { cacheDirectory: testCache });
});
afterEach(killProcesses);

const headers = { 'Content-Type': 'application/json' };

const jobSchema = z.object({ id: z.string(), state: z.string(), done: z.number(), summary: z.unknown() });

async function job(url: string, id: string) {
  return jobSchema.parse(await (await fetch(`${url}/api/v1/jobs/${id}`)).json());
}

async function lines(url: string, id: string): Promise<string[]> {
  const text = await (await fetch(`${url}/api/v1/jobs/${id}/results`)).text();
  return text.split('\n').filter((line) => line !== '');
}

describe('a job of a process that is killed', () => {
  it('goes on in the next one, and ends with the lines of one that nobody killed', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'tiller-data-'));
    const flags = ['--data-dir', dataDir, '--max-rows', '2', '--warm-up', 'none'];
    const words = ['rivers', 'bread', 'winter', 'letters', 'engines', 'gardens', 'violins', 'markets'];
    const inputs = Array.from({ length: 60 }, (_, at) => ({
      text: `Number ${at}: a short text about ${words[at % 8]}, ${words[(at * 3) % 8]} and ${words[(at * 5 + 1) % 8]}.`,
    }));
    const body = JSON.stringify({ kind: 'activations', parameters: { sources: ['17-res-4k'], limit: 5 }, inputs });

    const first = serveProcess(...flags);
    const url = await readyAddress(first);
    const submitted = await fetch(`${url}/api/v1/jobs`, { method: 'POST', headers, body });
    expect(submitted.status).toBe(202);
    const { id } = jobSchema.parse(await submitted.json());
    for (let turn = 0; turn < 3000 && (await lines(url, id)).length < 5; turn++) await sleep(5);
    first.process.kill('SIGKILL');
    await first.ended;

    const second = serveProcess(...flags);
    const again = await readyAddress(second);
    const before = await lines(again, id);
    const { state, done } = await job(again, id);
    console.log('when it was killed', before.length, 'of', inputs.length, 'lines were there; then', state, done);
    expect(before.length).toBeLessThan(inputs.length);
    for (let turn = 0; turn < 6000 && (await job(again, id)).state !== 'done'; turn++) await sleep(20);
    expect(await job(again, id)).toMatchObject({ state: 'done', done: 60, summary: { texts: 60 } });
    const all = await lines(again, id);
    expect(all.map((line) => JSON.parse(line).key)).toEqual(inputs.map((_, at) => String(at)));
    expect(all.slice(0, before.length)).toEqual(before);
    const tensors = await fetch(`${again}/api/v1/jobs/${id}/results`, {
      headers: { Accept: 'application/vnd.safetensors' },
    });
    const bytes = Buffer.from(await tensors.arrayBuffer());
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
    expect(header['smollm2-135m-instruct/17-res-4k.offsets'].shape).toEqual([61]);

    // the same in one go
    const next = await fetch(`${again}/api/v1/jobs`, { method: 'POST', headers, body });
    const whole = jobSchema.parse(await next.json());
    for (let turn = 0; turn < 6000 && (await job(again, whole.id)).state !== 'done'; turn++) await sleep(20);
    expect(await lines(again, whole.id)).toEqual(all);
  }, 600_000);
});
