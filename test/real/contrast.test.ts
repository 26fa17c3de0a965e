import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { contrastResponseSchema } from '../../routes/native/contrast-schemas.ts';
import { readDataSet } from '../../src/contrast/data-set.ts';
import { readItems } from '../../src/contrast/read-items.ts';
import { type RealService, startRealService } from '../harness/real-service.ts';

const hookPoint = 'blocks.14.hook_resid_post';
const width = 576;
const pairSchema = z.object({ positive: z.string(), negative: z.string(), topic: z.string() });
let service: RealService;
let pairs: z.infer<typeof pairSchema>[];
beforeAll(async () => {
  service = await startRealService({ warmUp: 'none', context: '512' });
  const data = await readDataSet('formal-casual');
  // some of every topic
  pairs = z
    .array(pairSchema)
    .parse('pairs' in data ? data.pairs : [])
    .filter((_, at) => at % 5 === 0);
  // what test/fixtures/make_contrast.py makes real.json of
  const { TILLER_WRITE_ACTIVATIONS: path } = process.env;
  if (path !== undefined) await writeActivations(path);
});
afterAll(() => service.close());

describe('formal and casual English in the default model', () => {
  it('are told apart on topics that were held out, by a vector near the features that say so', async () => {
    const request = {
      pairs,
      hook_points: [hookPoint, 'blocks.17.hook_resid_post'],
      features: { limit: 5 },
      save_as: { name: 'formal' },
    };
    const answer = contrastResponseSchema.parse(await service.ask('/api/v1/contrast', request));
    const { vector, sources, bag_of_words: words } = answer;
    console.log(`held-out AUROC ${vector.held_out.auroc}, of words alone ${words.auroc}`);
    expect(answer.items).toEqual({ positive: 42, negative: 42, topics: 10 });
    expect(vector.held_out.auroc).toBeGreaterThan(0.95);
    expect(vector.held_out.low).toBeGreaterThan(0.9);
    expect(vector.relative_norm).toBeGreaterThan(0.05);
    expect(vector.nearest_features.length).toBe(10);
    expect(Math.abs(vector.nearest_features[0].cosine)).toBeGreaterThan(0.2);
    expect(vector.saved).toMatchObject({ name: 'formal', version: 1, method: 'difference_of_means' });
    // the service has two sources over one dictionary: it is read once and both are answered
    expect(sources).toHaveLength(2);
    expect(sources[0].features[0].auroc).toBeGreaterThan(0.75);
    expect(sources[0].features.map(({ index }) => index)).toEqual(sources[1].features.map(({ index }) => index));
  });

  it('steers replies by its saved name', async () => {
    const ask = (strength: number) =>
      service.ask('/v1/chat/completions', {
        model: service.ready.id,
        messages: [{ role: 'user', content: 'What should I eat tonight?' }],
        max_tokens: 24,
        temperature: 0,
        ...(strength === 0 ? {} : { steering: { edits: [{ vector: 'formal', mode: 'add', strength }] } }),
      });
    const [formal, casual] = [await ask(0.15), await ask(-0.15)];
    expect(formal.choices[0].message.content).not.toBe(casual.choices[0].message.content);
    expect(formal.steering?.edits[0]).toMatchObject({ target: 'formal:1' });
  });

  it.each([
    [{ hook_points: ['blocks.30.hook_resid_post'] }, 404, 'hook_point_not_found', 'hook_points[0]'],
    [{ features: { sources: ['no-such'] } }, 404, 'source_not_found', undefined],
    [
      { pairs: [{ positive: 'long '.repeat(600), negative: 'short' }] },
      400,
      'context_length_exceeded',
      'pairs[0].positive',
    ],
    [
      { pairs: Array(3).fill({ positive: 'the same', negative: 'the same' }) },
      400,
      'invalid_request',
      'pairs[0].negative',
    ],
  ])('refuses %j', async (change, status, code, param) => {
    const response = await service.post('/api/v1/contrast', { pairs: pairs.slice(0, 8), folds: 2, ...change });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, ...(param ? { param } : {}) });
  });
});

/** The samples that a contrast is made of, in the order of the pairs. */
async function writeActivations(path: string): Promise<void> {
  const { model, engine } = service.ready;
  const texts = pairs.flatMap(({ positive, negative }) => [positive, negative]);
  const items = texts.map((text) => {
    const tokenIds = model.tokenizer.encode(text, { addSpecialTokens: true });
    return { tokenIds, own: { from: 0, to: tokenIds.length }, answer: null, topic: null, param: 'text' };
  });
  const readings = await readItems(engine, items, {
    ...{ id: 'fixture', positions: 'mean', sources: [], signal: new AbortController().signal },
    places: [{ hookPoint, width, sinkNorm: Number.POSITIVE_INFINITY }],
  });
  const samples = Buffer.concat(readings.map(({ places: [values] }) => Buffer.from(values.buffer)));
  const from = `smollm2-135m-instruct, ${hookPoint}, mean over tokens, every fifth pair of formal-casual`;
  writeFileSync(path, JSON.stringify({ from, rows: items.length, width, samples: samples.toString('base64') }));
}
