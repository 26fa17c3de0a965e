import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MeasuredSource, measureQuality, type PrecisionModel } from '../../../bench/quality/measure.ts';
import type { Executor } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const hookPoint = 'blocks.0.hook_resid_post';
const next = randomNumbers(7);
const windows = [1, 2].map(() =>
  Int32Array.from({ length: 20 }, (_, t) =>
    t === 0 ? 1 : Math.floor((next() + 0.5) * (tinyConfig.vocabularySize - 2)) + 2,
  ),
);
/** Each number of the stream is a feature of its own. */
const source: MeasuredSource = {
  hookPoint,
  dIn: tinyConfig.dModel,
  features: tinyConfig.dModel,
  encode: (stream) => stream.map((value) => Math.max(0, value)),
  sinkNorm: Number.POSITIVE_INFINITY,
};
const common = { windows, source, vocabularySize: tinyConfig.vocabularySize, oneByOne: 12 };
const open = (seed: number, maxChunk: number) =>
  openExecutor({
    config: tinyConfig,
    weights: writeTinyWeights(tinyConfig, seed),
    slots: 1,
    context: 32,
    threads: 1,
    maxChunk,
  });

let reference: PrecisionModel;
let twin: PrecisionModel;
let stranger: PrecisionModel;
beforeAll(async () => {
  reference = { precision: 'f32', executor: await open(1, 8) };
  twin = { precision: 'twin', executor: await open(1, 8) };
  stranger = { precision: 'stranger', executor: await open(2, 6) };
});
afterAll(async () => {
  for (const { executor } of [reference, twin, stranger]) await executor.close();
});

describe('measuring what a precision costs', () => {
  it('finds nothing between a model, itself and one of the same weights', async () => {
    const quality = await measureQuality({ ...common, reference, models: [reference, twin] });
    expect(quality.featurePositions).toBe(2 * 19);
    expect(quality.precisions.map(({ precision }) => precision)).toEqual(['f32', 'twin']);
    for (const { prompt, oneByOne, ownPath, features, stream } of quality.precisions) {
      expect(prompt).toMatchObject({ tokens: 2 * 19, divergence: { mean: 0, max: 0 }, topAgreement: 1 });
      expect(oneByOne).toMatchObject({ tokens: 12, topAgreement: 1 });
      expect(oneByOne.divergence.max).toBeLessThan(1e-6);
      expect(ownPath).toEqual(oneByOne);
      expect(features).toMatchObject({ jaccard: 1, precision: 1, recall: 1, weightedJaccard: 1 });
      expect(stream.cosine.least).toBeCloseTo(1, 9);
      expect(stream.relativeError.p99).toBe(0);
    }
  });

  it("gives the perplexity that the model's own log-probabilities give", async () => {
    const { precisions } = await measureQuality({ ...common, reference, models: [reference] });
    let surprisal = 0;
    for (const window of windows) {
      for (let t = 0; t + 1 < window.length; t++) {
        const row = {
          requestId: 'check',
          slot: 0,
          tokens: window.slice(t, t + 1),
          start: t,
          logits: 'last',
          edits: [],
          taps: [],
        } as const;
        const [result] = await reference.executor.run({ kind: 'prefill', rows: [row] });
        const logits = result.logits[0];
        surprisal += logits.logSumExp - logits.full()[window[t + 1]];
      }
    }
    expect(precisions[0].prompt.perplexity).toBeCloseTo(Math.exp(surprisal / (2 * 19)), 2);
  });

  it('finds a model of other weights, whose steps are of another size too', async () => {
    const { precisions } = await measureQuality({ ...common, reference, models: [reference, stranger] });
    const [own, other] = precisions;
    expect(own.prompt.divergence.max).toBe(0);
    expect(other.prompt.divergence.mean).toBeGreaterThan(0.05);
    expect(other.oneByOne.divergence.mean).toBeGreaterThan(0.05);
    // Wrong as it is, it reads one token a step as it reads many.
    expect(other.ownPath.divergence.max).toBeLessThan(1e-6);
    expect(other.prompt.topAgreement).toBeLessThan(0.5);
    expect(other.features.jaccard).toBeLessThan(0.7);
    expect(other.stream.cosine.median).toBeLessThan(0.9);
  });

  it('leaves attention sinks out', async () => {
    const sinkNorm = 0;
    await expect(
      measureQuality({ ...common, source: { ...source, sinkNorm }, reference, models: [reference] }),
    ).rejects.toThrow(/no feature|no values/);
  });

  it('refuses logits that are not finite', async () => {
    const run: Executor['run'] = async (plan) =>
      (await twin.executor.run(plan)).map((result) => ({
        ...result,
        logits: result.logits.map((row) => ({ ...row, full: () => row.full().map(() => Number.NaN) })),
      }));
    const broken = withRun(twin.executor, run);
    const models = [{ precision: 'broken', executor: broken }];
    await expect(measureQuality({ ...common, reference, models })).rejects.toThrow(/finite/);
  });
});

/** The executor with another `run`. */
function withRun(executor: Executor, run: Executor['run']): Executor {
  return new Proxy(executor, {
    get: (target, name) => {
      if (name === 'run') return run;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
