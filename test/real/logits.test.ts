import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acquireModel } from '../../engine/checkpoint/acquire/index.ts';
import {
  compileEdits,
  createEngine,
  type Edit,
  type EditSpecification,
  type Engine,
  mostUnembedded,
  openUnembedding,
} from '../../engine/index.ts';
import type { LoadedModel } from '../../engine/load-model.ts';
import { openRegistry, type Registry } from '../../sae-registry/index.ts';
import { type ComparisonContext, compareLogits } from '../../src/logits/compare.ts';
import { readLogits } from '../../src/logits/read.ts';
import { loadDefaultModel, testCache } from '../harness/default-model.ts';
import { floats, type GoldenEdit, goldenModel, goldenSteering } from '../harness/golden.ts';

const modelId = 'smollm2-135m-instruct';
const sourceId = `${modelId}/17-res-4k`;
const golden = goldenModel();
let model: LoadedModel;
let registry: Registry;
let engine: Engine;
let context: ComparisonContext;
/** Largest deviations seen, for docs/correctness.md. */
const worst = { logprob: 0, lens: 0, divergence: 0 };
const note = (kind: keyof typeof worst, deviation: number) => {
  worst[kind] = Math.max(worst[kind], deviation);
  return deviation;
};
beforeAll(async () => {
  model = await loadDefaultModel({ slots: 8 });
  const { dModel: width, blocks, eosTokenIds } = model.config;
  registry = await openRegistry({
    model: { id: modelId, dModel: width, blocks, hash: model.hash },
    sources: [sourceId],
  });
  const { executor, tokenizer } = model;
  engine = createEngine({ executor, tokenizer, eosTokenIds, queueLimit: 16 });
  context = { submit: (request) => engine.submit(request), executor, width, blocks };
});
afterAll(async () => {
  console.log('largest deviations of logits, the lens and KL', worst);
  await engine.close();
});

const chosen = Int32Array.from({ length: 1024 }, (_, at) => at * 47 + 5);

function textOf(ids: readonly number[], positions: 'all' | 'last', edits: readonly Edit[] = []) {
  const mask = new Uint8Array(ids.length).fill(1, positions === 'all' ? 0 : ids.length - 1);
  return {
    tokenIds: Int32Array.from(ids),
    positionContext: {
      promptLength: ids.length,
      assistantRanges: [],
      promptIsSpecial: new Uint8Array(ids.length),
      specialTokenIds: model.tokenizer.specialTokenIds,
    },
    ...{ edits, logits: { mask, top: 50, tokenIds: chosen }, signal: new AbortController().signal },
  };
}

function specify(edit: GoldenEdit, index: number): EditSpecification {
  const target =
    edit.feature === undefined
      ? registry.vectorTarget('inline', edit.hook_point as string, floats(edit.vector as string))
      : registry.target(`${sourceId}/${edit.feature}`, 'feature');
  return {
    ...{ target, mode: edit.mode, number: edit.strength ?? edit.value ?? edit.factor ?? null },
    unit: edit.mode === 'ablate' || edit.factor !== undefined ? null : 'raw',
    ...{
      positions: edit.positions ?? 'all_but_first',
      skipSpecial: false,
      onlyIfActive: false,
      param: `edits[${index}]`,
    },
  };
}

describe('logits of the default model', () => {
  it.each(golden.forward)('$name: as transformers gives them', async ({ ids, token_logprobs, logits_last }) => {
    const { positions } = await readLogits(context, { ...textOf(ids, 'all'), lens: [], directions: [] });
    const expected = floats(token_logprobs);
    expect(positions).toHaveLength(ids.length);
    for (const [t, logprob] of expected.entries()) {
      const { next, logSumExp } = positions[t] ?? { next: null, logSumExp: Number.NaN };
      expect(note('logprob', Math.abs((next?.logit ?? Number.NaN) - logSumExp - logprob))).toBeLessThan(1e-3);
    }
    const last = positions.at(-1);
    expect(last?.logSumExp).toBeCloseTo(logits_last.logsumexp, 2);
    for (const [rank, value] of floats(logits_last.top_values).entries()) {
      expect(Math.abs((last?.topValues[rank] as number) - value)).toBeLessThan(2e-3);
    }
    expect(last?.topTokenIds[0]).toBe(logits_last.top_ids[0]);
  });

  it('come out of the lens bit for bit where no block is left, at every position', async () => {
    const { ids } = golden.forward[2] as (typeof golden.forward)[number];
    const lens = [`blocks.${model.config.blocks - 1}.hook_resid_post`, 'blocks.9.hook_resid_post'];
    const { positions, lens: seen } = await readLogits(context, { ...textOf(ids, 'all'), lens, directions: [] });
    expect(seen[0]?.positions).toEqual(positions);
    expect(seen[1]?.positions.map(({ logSumExp }) => logSumExp)).not.toEqual(positions.map((row) => row.logSumExp));
  });

  it('come out of the lens as final norm and unembedding make them of transformers’ stream', async () => {
    const { ids, taps_last_position: taps } = golden.forward[0] as (typeof golden.forward)[number];
    const lens = Object.keys(taps);
    const { lens: seen } = await readLogits(context, { ...textOf(ids, 'last'), lens, directions: [] });
    const expected = await referenceLens(lens.map((name) => floats(taps[name] as string)));
    expect(seen.map(({ hookPoint }) => hookPoint)).toEqual(lens);
    for (const [at, { positions }] of seen.entries()) {
      const logits = expected[at] as Float64Array;
      const [row] = positions;
      for (const [k, id] of chosen.entries()) {
        expect(note('lens', Math.abs((row?.values[k] as number) - (logits[id] as number)))).toBeLessThan(5e-3);
      }
      const most = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
      const sum = logits.reduce((total, value) => total + Math.exp(value - most), 0);
      expect(Math.abs((row?.logSumExp as number) - most - Math.log(sum))).toBeLessThan(5e-3);
    }
  });

  it('diverge under steering as transformers has it', async () => {
    for (const { ids, edits, kl_steered_from_unsteered: expected } of goldenSteering()) {
      const { dModel, blocks } = model.config;
      const compiled = compileEdits(edits.map(specify), { dModel, blocks, maxEdits: 8, promptLength: ids.length });
      const text = textOf(
        ids,
        'last',
        compiled.map(({ edit }) => edit),
      );
      const { divergence } = await compareLogits(context, text);
      const difference = Math.abs((divergence[0] as number) - expected) / (expected + 1e-3);
      expect(note('divergence', difference)).toBeLessThan(0.02);
    }
  });

  it('are made in pieces that take little longer than a step that decodes', async () => {
    const { executor, config } = model;
    const vectors = new Float32Array(mostUnembedded * config.dModel).map((_, at) => Math.sin(at));
    const row = {
      requestId: 'a',
      slot: 0,
      tokens: Int32Array.of(5),
      start: 0,
      logits: 'last',
      edits: [],
      taps: [],
    } as const;
    const pieces: number[] = [];
    const steps: number[] = [];
    const timed = async (times: number[], work: () => Promise<unknown>) => {
      const began = performance.now();
      await work();
      times.push(performance.now() - began);
    };
    for (let round = 0; round < 12; round++) {
      await timed(pieces, () => executor.unembed('stream', vectors, () => null));
      await timed(steps, () => executor.run({ kind: 'decode', rows: [row] }));
    }
    const ratio = Math.min(...pieces) / Math.min(...steps);
    console.log(`${mostUnembedded} vectors to logits take ${ratio.toFixed(2)} times a step of one row`);
    expect(ratio).toBeLessThan(2.5);
  });
});

/** In float64, of the checkpoint's own weights. */
async function referenceLens(streams: readonly Float32Array[]): Promise<Float64Array[]> {
  const { path } = await acquireModel(modelId, { cacheDirectory: testCache });
  const unembedding = await openUnembedding(path);
  const gain = await unembedding.gain();
  const normalised = streams.map((x) => {
    const square = x.reduce((sum, value) => sum + value * value, 0) / x.length;
    const scale = Math.sqrt(square + model.config.normEpsilon);
    return Float64Array.from(x, (value, i) => (value / scale) * (gain[i] as number));
  });
  const logits = streams.map(() => new Float64Array(unembedding.tokens));
  for await (const { first, rows, values } of unembedding.rows()) {
    for (let row = 0; row < rows; row++) {
      for (const [s, x] of normalised.entries()) {
        let sum = 0;
        for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (values[row * x.length + i] as number);
        (logits[s] as Float64Array)[first + row] = sum;
      }
    }
  }
  return logits;
}
