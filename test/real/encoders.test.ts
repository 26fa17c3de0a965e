import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { concatenateActivations, hookPointShapes, type RowResult } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import type { LoadedModel } from '../../engine/load-model.ts';
import { encoderOf, openRegistry, type Registry, type Source } from '../../sae-registry/index.ts';
import { featureReading } from '../../src/read-features.ts';
import { loadDefaultModel } from '../harness/default-model.ts';
import { toldOf } from '../harness/encoders.ts';
import { goldenModel } from '../harness/golden.ts';
import { lendExecutor } from '../harness/lend-executor.ts';

/** Enough texts for a thousand activations. */
const golden = goldenModel();
const texts = [...golden.forward, ...golden.greedy].map(({ ids }) => ids).filter((ids) => ids.length > 1);

describe('the bundled dictionaries read at full width', () => {
  let model: LoadedModel;
  let registry: Registry;
  beforeAll(async () => {
    model = await loadDefaultModel({ slots: 2 });
    const { dModel, blocks } = model.config;
    registry = await openRegistry({
      model: {
        id: 'smollm2-135m-instruct',
        dModel,
        blocks,
        hash: model.hash,
        hookPoints: hookPointShapes(model.config),
      },
      sources: ['smollm2-135m-instruct/17-res-4k'],
    });
  });
  afterAll(() => model.executor.close());

  it('finds what a text is about', async () => {
    const engine = createEngine({
      executor: lendExecutor(model.executor),
      tokenizer: model.tokenizer,
      eosTokenIds: [],
      queueLimit: 4,
    });
    const { searchByActivation } = featureReading({ engine, registry, tokenizer: model.tokenizer });
    const text = 'My cat chased the other cats around the garden, and the kitten slept.';
    const tokenIds = await model.encoder.encode(text, { addSpecialTokens: true });
    const found = await searchByActivation({ tokenIds, sources: ['17-res-4k'], by: 'max', limit: 40 });
    const [source] = found.sources;
    expect(source).toMatchObject({ id: 'smollm2-135m-instruct/17-res-4k', truncated: [] });
    expect(source?.ignored).toContain(0);
    const labels = (source?.features ?? []).map(({ label }) => label?.toLowerCase() ?? '');
    for (const theme of [/gardens/, /sleeping/, /'other'/])
      expect(labels.some((label) => theme.test(label))).toBe(true);
    const values = (source?.features ?? []).map(({ max }) => max);
    expect(values).toEqual(values.toSorted((a, b) => b - a));
    await engine.close();
  });

  it('equals float64 on real activations within 1e-5, with the same active features', async () => {
    const [source] = registry.sources as [Source];
    const encoder = encoderOf(source, model.config);
    const encodings = [{ encoder, limit: 4096 }];
    const taps = [encoder.hookPoint];
    await model.executor.prepare({ edits: [], taps, encodings });
    const { rule } = encoder;
    if (rule.kind !== 'threshold') throw new Error('another rule');
    let [compared, worst, doubtful, tokens] = [0, 0, 0, 0];
    for (const ids of texts) {
      const results: RowResult[] = [];
      for (let start = 0; start < ids.length; start += model.executor.maxChunk) {
        const chunk = Int32Array.from(ids.slice(start, start + model.executor.maxChunk));
        const row = {
          requestId: 'a',
          slot: 0,
          tokens: chunk,
          start,
          edits: [],
          taps,
          encodings,
          logits: 'none' as const,
        };
        results.push((await model.executor.run({ kind: 'prefill', rows: [row] }))[0] as RowResult);
      }
      const stream = Float32Array.from(results.flatMap((each) => [...(each.taps.get(encoder.hookPoint) ?? [])]));
      const got = concatenateActivations(results.map((each) => each.activations?.[0] as never));
      const want = source.dictionary.encode(stream);
      for (let t = 0; t < ids.length; t++) {
        const norm = got.norms[t] as number;
        // attention sinks: the dictionary says nothing there
        if (t === 0 || norm > 1128) continue;
        tokens++;
        const told = toldOf(got, t);
        for (let j = 0; j < encoder.outputs; j++) {
          const exact = want[t * encoder.outputs + j] as number;
          const value = told.get(j) ?? 0;
          if (exact === 0 && value === 0) continue;
          compared++;
          const threshold = rule.thresholds[j] as number;
          if (exact === 0 || value === 0) {
            doubtful++;
            expect(Math.abs(Math.max(exact, value) - threshold)).toBeLessThan(1e-5 * norm);
          } else worst = Math.max(worst, Math.abs(value - exact) / exact);
        }
      }
    }
    console.log(
      `${tokens} tokens, ${compared} activations, largest relative difference ${worst}, on one side alone ${doubtful}`,
    );
    expect(compared).toBeGreaterThan(1000);
    expect(worst).toBeLessThan(1e-5);
    expect(doubtful).toBeLessThan(compared / 1000);
  });
});
