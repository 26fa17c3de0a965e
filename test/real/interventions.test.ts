import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greedyRequest, logitsAfter, patchActivations } from '../../engine/index.ts';
import { type RealService, startRealService } from '../harness/real-service.ts';

/** Activation patching and interventions with the default model, as it is served. */
const clean = 'The Eiffel Tower is in the city of';
const corrupted = 'The Colosseum is in the city of';
const posts = [0, 3, 7, 14, 22, 29].map((block) => `blocks.${block}.hook_resid_post`);

interface Patching {
  readonly hook_points: readonly string[];
  readonly positions: readonly number[];
  readonly corrupted_tokens: readonly { readonly id: number }[];
  readonly metric: { readonly clean: number; readonly corrupted: number };
  readonly normalised: readonly (readonly number[])[];
}
interface Runs {
  readonly baseline: Run;
  readonly intervened: Run;
  readonly interventions: readonly { readonly positions: readonly number[]; readonly relative_change: number }[];
}
interface Run {
  readonly top: readonly { readonly id: number; readonly logit: number }[];
  readonly text: string;
}

describe('interventions on the default model', () => {
  let service: RealService;
  beforeAll(async () => {
    service = await startRealService();
  }, 300_000);
  afterAll(() => service.close());

  const encode = (text: string) => service.ready.model.encoder.encode(text, { addSpecialTokens: true });

  it('changes nothing, to the last bit, where a run is patched with its own values', { timeout: 300_000 }, async () => {
    const ids = await encode(corrupted);
    const { engine, model } = service.ready;
    const tokens = Int32Array.of(100, 2000, 30_000);
    const own = { clean: ids, corrupted: ids, positions: [...ids.keys()], tokens, blocks: model.config.blocks };
    const { patched, corrupted: before } = await patchActivations(engine, { ...own, id: 'own', hookPoints: posts });
    const runs = posts.length * ids.length;
    expect(patched).toEqual(Float32Array.from({ length: runs * 3 }, (_, at) => before[at % 3] as number));
    for await (const event of engine.submit(
      greedyRequest('plain', ids, 0, { promptLogits: logitsAfter(ids.length, tokens) }),
    )) {
      if (event.type === 'logits') expect(event.rows.at(-1)?.values).toEqual(before);
    }
  });

  it('finds the subject early and the answer late', { timeout: 300_000 }, async () => {
    const body = { clean: { text: clean }, corrupted: { text: corrupted }, layers: [0, 3, 7, 14, 22, 29] };
    const found = await service.ask<Patching>('/api/v1/activation-patching', {
      ...body,
      answer: ' Paris',
      contrast: ' Rome',
    });
    const last = found.positions.length - 1;
    const row = (at: number) => found.normalised[at] ?? [];
    expect(found.metric.clean).toBeGreaterThan(found.metric.corrupted);
    // whatever stood before is gone after the last block: all of it comes from the last position there
    expect(row(5)[last]).toBeCloseTo(1, 4);
    for (let position = 0; position < last; position++) expect(row(5)[position]).toBeCloseTo(0, 4);
    // the first token is the same in both, and so is all that it has seen
    for (const [at] of posts.entries()) expect(Math.abs(row(at)[0] ?? 1)).toBeLessThan(1e-3);
    const subject = Math.max(...row(0).slice(1, last));
    expect(subject).toBeGreaterThan(0.3);
    expect(row(0)[last]).toBeLessThan(subject);
  });

  it('gives the logits of the plain form', { timeout: 300_000 }, async () => {
    const { engine, model } = service.ready;
    const [from, into] = [await encode(clean), await encode(corrupted)];
    const tokens = Int32Array.of(100, 2000, 30_000);
    const hookPoint = 'blocks.7.hook_resid_post';
    const work = { clean: from, corrupted: into, positions: [2, 5], tokens, blocks: model.config.blocks };
    const { patched } = await patchActivations(engine, { ...work, id: 'fast', hookPoints: posts });
    let values = new Float32Array() as Float32Array;
    for await (const event of engine.submit(greedyRequest('tap', from, 0, { taps: [hookPoint] }))) {
      if (event.type === 'activations') values = event.taps.get(hookPoint) ?? values;
    }
    for (const [column, position] of [2, 5].entries()) {
      const mask = Uint8Array.from(into, (_, at) => Number(at === position));
      const request = greedyRequest(`plain-${position}`, into, 0, {
        replacements: [{ hookPoint, values, mask }],
        promptLogits: logitsAfter(into.length, tokens),
      });
      for await (const event of engine.submit(request)) {
        if (event.type !== 'logits') continue;
        const at = (2 * 2 + column) * 3;
        for (let k = 0; k < 3; k++) expect(patched[at + k]).toBeCloseTo(event.rows.at(-1)?.values[k] as number, 3);
      }
    }
  });

  it('splices with the error term and changes nothing, and without it and does', { timeout: 300_000 }, async () => {
    const text = 'My cat chased the other cats around the garden, and the kitten slept in the';
    const ask = (error_term: boolean) =>
      service.ask<Runs>('/api/v1/interventions', {
        text,
        interventions: [{ kind: 'splice', source: '17-res-4k', error_term }],
        max_tokens: 4,
      });
    const kept = await ask(true);
    const cut = await ask(false);
    const largest = (run: Run) => run.top.map(({ logit }) => logit);
    for (const [at, logit] of largest(kept.intervened).entries()) {
      expect(Math.abs(logit - (largest(kept.baseline)[at] ?? 0))).toBeLessThan(2e-2);
    }
    expect(kept.interventions[0]?.relative_change).toBeLessThan(1e-5);
    expect(kept.intervened.text).toBe(kept.baseline.text);
    expect(cut.interventions[0]?.relative_change).toBeGreaterThan(0.05);
    expect(Math.abs((largest(cut.intervened)[0] ?? 0) - (largest(cut.baseline)[0] ?? 0))).toBeGreaterThan(0.05);
  });

  it('ablates while generating, and refuses too much before any work', { timeout: 300_000 }, async () => {
    const interventions = [{ kind: 'zero', hook_point: 'blocks.1.mlp.hook_out', positions: 'all' }];
    const { baseline, intervened } = await service.ask<Runs>('/api/v1/interventions', {
      text: clean,
      interventions,
      max_tokens: 8,
    });
    expect(intervened.text).not.toBe(baseline.text);
    const unequal = { clean: { text: clean }, corrupted: { text: `${corrupted} old` }, answer: 5 };
    const answers = [
      [unequal, /9 tokens and the corrupted one 10|tokens and the corrupted one/],
      [{ clean: { token_ids: ids(400) }, corrupted: { token_ids: ids(400) }, answer: 5 }, /12000 runs; 8192/],
      [
        { clean: { token_ids: ids(2000) }, corrupted: { token_ids: ids(2000) }, answer: 5, layers: [0, 1] },
        /compute about \d+ tokens .*262144/,
      ],
    ] as const;
    for (const [body, reason] of answers) {
      const response = await service.post('/api/v1/activation-patching', body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ detail: expect.stringMatching(reason) });
    }
  });
});

function ids(count: number): number[] {
  return Array.from({ length: count }, (_, at) => 100 + (at % 50));
}
