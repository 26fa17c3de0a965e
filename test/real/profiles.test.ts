import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SteeringBlockEdit } from '../../routes/services.ts';
import { type Answer, type RealService, startRealService } from '../harness/real-service.ts';
import { killProcesses, readyAddress, requireBuild, serveProcess } from '../harness/served-process.ts';

/** Profiles over the default model and its SAE: saved by a service, steering its requests, and those of the next process. */
const model = 'smollm2-135m-instruct';
const chat = '/v1/chat/completions';
const messages = [{ role: 'user' as const, content: 'Tell me about your day.' }];
const direction = Float32Array.from({ length: 576 }, (_, at) => Math.sin(3000 + at * 4));
const steering = {
  edits: [
    { feature: `${model}/17-res-4k/837`, mode: 'add', strength: 1.5 },
    { feature: `${model}/17-res-4k/307`, mode: 'set', value: 0.3, positions: 'generated' },
    {
      vector: { hook_point: 'blocks.12.hook_resid_post', data: Buffer.from(direction.buffer).toString('base64') },
      mode: 'add',
      strength: 0.2,
    },
  ],
};
/** With log-probabilities: every bit of them is compared, of first replies by the graph with every hook point open and of later ones. */
const asked = { messages, max_tokens: 24, temperature: 0.7, seed: 5, logprobs: true, top_logprobs: 2 };
/** Without what is measured: its last digits depend on the graph that ran and on what of the prompt was cached. */
const exact = ({ relative_dose: _dose, value_read_back: _read, coefficient, ...edit }: SteeringBlockEdit) => ({
  ...edit,
  ...(edit.mode === 'add' ? { coefficient } : {}),
});
let data: string;
let service: RealService;
beforeAll(async () => {
  requireBuild();
  data = mkdtempSync(join(tmpdir(), 'tiller-profiles-'));
  service = await startRealService({}, join(data, 'tiller.db'));
  await service.ask('/api/v1/profiles', { name: 'heaven', steering });
});
afterAll(async () => {
  await killProcesses();
  await service.close();
  rmSync(data, { recursive: true, force: true });
});

describe('a saved profile', () => {
  it('steers bit for bit as the same edits in the request, whatever the client', async () => {
    const inline = await service.ask(chat, { ...asked, steering });
    const named = await service.ask(chat, { ...asked, model: `${model}@heaven` });
    expect(named.choices).toEqual(inline.choices);
    expect(named.steering?.edits.map(exact)).toEqual(
      inline.steering?.edits.map((edit) => ({ ...exact(edit), from_profile: true })),
    );
    expect((await service.ask(chat, asked)).choices).not.toEqual(inline.choices);

    const client = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const reply = await client.chat.completions.create({ ...asked, model: `${model}@heaven:1` });
    expect(reply.choices[0]?.message.content).toBe(inline.choices[0]?.message.content);
    expect((await client.models.list()).data.map(({ id }) => id)).toContain(`${model}@heaven`);
  });

  it('is the default of a process that is told so, which says it in each answer', async () => {
    const inline = await service.ask(chat, { ...asked, steering });
    const served = serveProcess('--data-dir', data, '--profile', 'heaven');
    const url = await readyAddress(served);
    const ask = async (body: object): Promise<Answer> =>
      (await fetch(url + chat, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }).then((response) => response.json())) as Answer;
    const steered = await ask(asked);
    expect(steered.choices).toEqual(inline.choices);
    expect(steered.steering?.profile).toMatchObject({ name: 'heaven', version: 1, default: true });
    expect((await ask({ ...asked, steering: { profile: null } })).choices).toEqual(
      (await service.ask(chat, asked)).choices,
    );
    served.process.kill('SIGTERM');
    expect(await served.ended).toBe(0);
  });
});
