import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import type { ActivationsEvent, activationsResponseSchema } from '../../routes/native/activation-schemas.ts';
import { floats, goldenEncodings, goldenModel, relativeDifference } from '../harness/golden.ts';
import { sseData } from '../harness/http.ts';
import { readSafetensors } from '../harness/read-safetensors.ts';
import { type RealService, startRealService } from '../harness/real-service.ts';

type Activations = z.infer<typeof activationsResponseSchema>;

/** Inspection over HTTP against SAELens and transformers, on the default model. */
let service: RealService;
beforeAll(async () => {
  const source = ['8-res-4k', '17-res-4k', '25-res-4k'].map((name) => `smollm2-135m-instruct/${name}`);
  service = await startRealService({ source, maxRows: '8' });
});
afterAll(() => service.close());

describe('activations against SAELens', () => {
  it.each([
    ['8-res-4k', 'sae-8-res-4k.json'],
    ['17-res-4k', 'sae.json'],
    ['25-res-4k', 'sae-25-res-4k.json'],
  ] as const)('%s: the same features fire, with the same values', async (name, file) => {
    const cases = goldenEncodings(file).filter(({ ids }) => ids.length > 1);
    const { inputs } = await service.ask<Activations>('/api/v1/activations', {
      inputs: cases.map(({ ids }) => ({ token_ids: ids })),
      sources: [name],
      top_k_per_token: 200,
      include_sinks: true,
    });
    const source = service.ready.registry.sourcesNamed([name])[0];
    const { rule } = service.ready.registry.encoder(source as never);
    if (rule.kind !== 'threshold') throw new Error('another rule');
    let [compared, worst, doubtful] = [0, 0, 0];
    for (const [i, { features_by_position: expected }] of cases.entries()) {
      const tokens = inputs[i]?.sources[0]?.tokens.slice(1) ?? [];
      expect(tokens).toHaveLength(expected.length);
      for (const [t, pairs] of expected.entries()) {
        const told = new Map(tokens[t]?.map(({ index, value }) => [index, value]));
        const wanted = new Map(pairs);
        for (const index of new Set([...told.keys(), ...wanted.keys()])) {
          const [value, exact] = [told.get(index), wanted.get(index)];
          compared++;
          if (value === undefined || exact === undefined) {
            doubtful++;
            const threshold = rule.thresholds[index] as number;
            expect(Math.abs((value ?? exact ?? 0) - threshold)).toBeLessThan(1e-3 * Math.max(1, threshold));
          } else worst = Math.max(worst, Math.abs(value - exact) / exact);
        }
      }
    }
    console.log(
      `${name}: ${compared} activations, largest relative difference ${worst}, on one side alone ${doubtful}`,
    );
    expect(compared).toBeGreaterThan(1000);
    expect(worst).toBeLessThan(1e-3);
  });
});

describe('taps against transformers', () => {
  it('are the stream at every hook point within 1e-4', async () => {
    const forward = goldenModel().forward.filter(({ ids }) => ids.length > 1);
    const names = Object.keys(forward[0]?.taps_last_position ?? {});
    const response = await service.post('/api/v1/taps', {
      inputs: forward.map(({ ids }) => ({ token_ids: ids })),
      hook_points: names,
    });
    expect(response.status).toBe(200);
    const { tensors } = readSafetensors(new Uint8Array(await response.arrayBuffer()));
    let worst = 0;
    for (const [i, example] of forward.entries()) {
      for (const name of names) {
        const tensor = tensors.get(`inputs.${i}.${name}`);
        const values = tensor?.values as Float32Array;
        const [tokens = 0, width = 0] = tensor?.shape ?? [];
        expect(tokens).toBe(example.ids.length);
        const last = relativeDifference(values.slice(-width), floats(example.taps_last_position[name] as string));
        const norms = example.ids.map((_, t) => Math.hypot(...values.subarray(t * width, (t + 1) * width)));
        const all = relativeDifference(Float32Array.from(norms), floats(example.tap_norms[name] as string));
        worst = Math.max(worst, last, all);
      }
    }
    console.log(`taps: largest relative difference ${worst}`);
    expect(names.length).toBeGreaterThan(3);
    expect(worst).toBeLessThan(1e-4);
  });
});

describe('inspecting while it answers', () => {
  it('streams each token with its features; they are what the reply gives as a prompt', async () => {
    const body = {
      messages: [{ role: 'user', content: 'Tell me about your cat.' }],
      sources: ['17-res-4k'],
      over: 'generated',
      generation: { max_tokens: 12, ignore_eos: true },
    };
    const response = await service.post('/api/v1/activations', { ...body, stream: true });
    const events = sseData(await response.text()).map((data) => JSON.parse(data) as ActivationsEvent);
    const tokens = events.flatMap((event) => (event.type === 'token' ? [event] : []));
    expect(tokens).toHaveLength(12);
    expect(tokens.at(-1)?.sources).toBeNull();
    const whole = await service.ask<Activations>('/api/v1/activations', body);
    const ids = whole.inputs[0]?.tokens.map(({ id }) => id) ?? [];
    const prompt = whole.inputs[0]?.prompt_tokens as number;
    const again = await service.ask<Activations>('/api/v1/activations', {
      token_ids: ids.slice(0, -1),
      sources: ['17-res-4k'],
    });
    const expected = again.inputs[0]?.sources[0]?.tokens.slice(prompt) ?? [];
    for (const [at, { sources }] of tokens.slice(0, -1).entries()) {
      const found = sources?.[0]?.features ?? [];
      expect(found.length).toBeGreaterThan(0);
      const [strongest, other] = [found[0], expected[at]?.[0]];
      expect(strongest?.index).toBe(other?.index);
      expect(strongest?.value).toBeCloseTo(other?.value as number, 1);
    }
  });

  it('under steering reads what the steering makes of the stream, before the edits of the same place', async () => {
    const id = 'smollm2-135m-instruct/8-res-4k/5';
    const read = async (steering?: object) => {
      const body = { text: 'The cat sat on the mat and slept.', sources: ['8-res-4k', '17-res-4k'], steering };
      const answer = await service.ask<Activations>('/api/v1/activations', body);
      return { found: answer.inputs[0]?.sources.map(({ tokens }) => tokens) ?? [], steering: answer.steering };
    };
    const plain = await read();
    const steered = await read({ edits: [{ feature: id, mode: 'add', strength: 2 }] });
    expect(steered.found[0]).toEqual(plain.found[0]);
    expect(steered.found[1]).not.toEqual(plain.found[1]);
    expect([plain.steering, steered.steering?.edits[0]?.target]).toEqual([undefined, id]);
  });
});
