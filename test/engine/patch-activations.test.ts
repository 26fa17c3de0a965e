import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Engine,
  type Executor,
  type GenerateRequest,
  hookPointShapes,
  KeptRun,
  logitsAfter,
  plainFeatures,
} from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import { greedyRequest } from '../../engine/greedy-request.ts';
import { patchActivations } from '../../engine/patch-activations.ts';
import { firstBlockOf, planStarts } from '../../engine/patch-starts.ts';
import { openExecutor } from '../../engine/runtime/index.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';
import { operatorSets } from '../harness/kernels.ts';
import { read, requestFrom } from '../harness/requests.ts';
import { tinyConfig, writeTinyWeights } from '../harness/tiny-model.ts';

/**
 * Patched runs that begin at the patched layer and position against the plain form: the whole corrupted prompt with one value replaced, a
 * request for each.
 */
const tokenizer = createFakeTokenizer();
const blocks = 9;
const base = {
  ...tinyConfig,
  ...plainFeatures({ blocks, headDim: 16 }, 10_000),
  blocks,
  vocabularySize: tokenizer.vocabularySize,
  contextLength: 96,
};
const models = [
  { name: 'llama', config: base },
  {
    name: 'parallel residual, learned positions, window',
    config: {
      ...base,
      parallelResidual: true,
      norm: 'layer' as const,
      gatedMlp: false,
      learnedPositions: true,
      rotary: [],
      biases: { queryKeyValue: true, attentionOutput: true, mlp: true },
      layers: Array.from({ length: blocks }, (_, at) => ({ window: at % 2 ? 5 : null, rotary: null })),
    },
  },
];
const length = 21;
const clean = Int32Array.from({ length }, (_, at) => (at * 37 + 5) % base.vocabularySize);
const corrupted = clean.map((id, at) => (at === 4 || at === 9 ? (id + 31) % base.vocabularySize : id));
const tokens = Int32Array.of(7, 100, 41);
const cases = (await operatorSets()).flatMap((set) => models.map((model) => ({ ...set, ...model })));

describe.each(cases)('patching $name with the operators of $operators', ({ config, kernels }) => {
  let executor: Executor;
  let engine: Engine;
  const post = Array.from({ length: blocks }, (_, block) => `blocks.${block}.hook_resid_post`);
  const positions = Array.from({ length }, (_, at) => at);
  const options = { clean, corrupted, positions, tokens, blocks };

  beforeAll(async () => {
    const weights = writeTinyWeights(config, 5);
    executor = await openExecutor({ config, weights, slots: 6, context: 96, threads: 1, maxChunk: 32, kernels });
    engine = createEngine({ executor, tokenizer, eosTokenIds: [], queueLimit: 4 });
  });
  afterAll(() => engine.close());

  async function logits(id: string, ids: Int32Array, more: Partial<GenerateRequest> = {}) {
    let found: Float32Array = new Float32Array();
    const taps = new Map<string, Float32Array>();
    for await (const event of engine.submit(
      greedyRequest(id, ids, 0, { promptLogits: logitsAfter(ids.length, tokens), ...more }),
    )) {
      if (event.type === 'logits') found = event.rows.at(-1)?.values ?? found;
      if (event.type === 'activations') for (const [name, values] of event.taps) taps.set(name, values);
    }
    return { logits: found, taps };
  }

  it('gives the logits of the plain form at every layer and position', { timeout: 180_000 }, async () => {
    const hookPoints = [...post, 'blocks.4.attn.hook_z', 'blocks.0.hook_resid_pre', 'blocks.7.mlp.hook_post'];
    const result = await patchActivations(engine, { ...options, id: 'all', hookPoints });
    const source = await logits('source', clean, { taps: hookPoints });
    expect(result.runs).toBe(hookPoints.length * length);
    let moved = 0;
    for (const [row, hookPoint] of hookPoints.entries()) {
      const values = source.taps.get(hookPoint) as Float32Array;
      for (const position of [0, 4, 5, 9, 15, length - 1]) {
        const mask = new Uint8Array(length);
        mask[position] = 1;
        const plain = await logits(`${hookPoint}-${position}`, corrupted, {
          replacements: [{ hookPoint, values, mask }],
        });
        const at = (row * length + position) * tokens.length;
        for (let k = 0; k < tokens.length; k++) {
          const value = result.patched[at + k] as number;
          expect(Math.abs(value - (plain.logits[k] as number))).toBeLessThan(1e-4);
          moved = Math.max(moved, Math.abs(value - (result.corrupted[k] as number)));
        }
      }
    }
    // another layer's plain form is told apart
    const at = (2 * length + 4) * tokens.length;
    const mask = Uint8Array.from(corrupted, (_, position) => Number(position === 4));
    const values = source.taps.get(post[5] as string) as Float32Array;
    const wrong = await logits('wrong', corrupted, { replacements: [{ hookPoint: post[5] as string, values, mask }] });
    expect(Math.abs((result.patched[at] as number) - (wrong.logits[0] as number))).toBeGreaterThan(1e-3);
    // what is compared is no run that stayed as it was
    expect(moved).toBeGreaterThan(0.1);
    const last = (post.length - 1) * length + length - 1;
    for (let k = 0; k < tokens.length; k++) {
      expect(result.patched[last * tokens.length + k]).toBeCloseTo(result.clean[k] as number, 3);
    }
  });

  it('gives the clean prompt where everything is patched at one layer', { timeout: 180_000 }, async () => {
    for (const hookPoint of [post[0], post[5], post[8]] as string[]) {
      const source = await logits('all-source', clean, { taps: [hookPoint] });
      const values = source.taps.get(hookPoint) as Float32Array;
      const whole = [{ hookPoint, values, mask: new Uint8Array(length).fill(1) }];
      const patched = await logits('all-patched', corrupted, { replacements: whole });
      for (let k = 0; k < tokens.length; k++) {
        expect(Math.abs((patched.logits[k] as number) - (source.logits[k] as number))).toBeLessThan(1e-4);
      }
    }
  });

  it('refuses branches of other tokens, that read, and from places that are none', async () => {
    const keeps = new KeptRun();
    await logits('kept', corrupted, { keeps });
    await keeps.kept();
    const branch = { run: keeps, position: 3, entry: null, open: [] };
    const submit =
      (more: Partial<GenerateRequest>, ids = corrupted) =>
      () =>
        engine.submit(greedyRequest('bad', ids, 0, more));
    expect(submit({ branch }, corrupted.subarray(1))).toThrow(/has 21 tokens, and it has 20/);
    expect(submit({ branch: { ...branch, position: 21 } })).toThrow(/position 21 of 21/);
    expect(submit({ branch, taps: post })).toThrow(/neither generates nor reads/);
    const stream = new Float32Array(length * config.dModel);
    expect(submit({ branch: { ...branch, entry: { block: 1, stream: stream.subarray(1) } } })).toThrow(/as long as/);
    const beyond = { branch: { ...branch, entry: { block: blocks + 1, stream } } };
    await expect(logits('beyond', corrupted, beyond)).rejects.toThrow(/starts at 10/);
    const wide = {
      branch: { ...branch, entry: { block: 2, stream: new Float32Array(length * 3) } },
    };
    await expect(logits('wide', corrupted, wide)).rejects.toThrow(/another width/);
    keeps.release();
    expect(submit({ branch })).toThrow(/has 0 tokens/);
  });

  it('changes nothing but the last bits of other shapes of products where a run is patched with its own values', {
    timeout: 180_000,
  }, async () => {
    const same = await patchActivations(engine, { ...options, clean: corrupted, id: 'same', hookPoints: post });
    const differences = new Set<number>();
    for (let at = 0; at < same.patched.length; at += tokens.length) {
      for (let k = 0; k < tokens.length; k++) {
        differences.add(Math.abs((same.patched[at + k] as number) - (same.corrupted[k] as number)));
      }
    }
    // products over float32 matrices add up by their shape; test/real has those that do not, and finds no difference
    expect(Math.max(...differences)).toBeLessThan(1e-5);
  });

  it('reads other requests meanwhile as if it were alone', { timeout: 180_000 }, async () => {
    const other = () => requestFrom({ prompt: [5, 6, 7, 8, 9, 10, 11], stop: { maxTokens: 24, ignoreEos: true } });
    const alone = await read(engine.submit(other()));
    const patching = patchActivations(engine, { ...options, id: 'beside', hookPoints: post.slice(2, 5) });
    const beside = await Promise.all([0, 1, 2].map(() => read(engine.submit(other()))));
    for (const reply of beside) expect(reply.tokenIds).toEqual(alone.tokenIds);
    const undisturbed = await patchActivations(engine, { ...options, id: 'after', hookPoints: post.slice(2, 5) });
    expect((await patching).patched).toEqual(undisturbed.patched);
  });

  it('gives all its memory back, and stops when its caller leaves', { timeout: 180_000 }, async () => {
    const leaving = new AbortController();
    const onRun = (done: number) => {
      if (done === 5) leaving.abort();
    };
    const started = patchActivations(engine, {
      ...options,
      id: 'left',
      hookPoints: post,
      signal: leaving.signal,
      onRun,
    });
    await expect(started).rejects.toMatchObject({ code: 'cancelled' });
    await read(engine.submit(requestFrom({ prompt: [1, 2, 3], stop: { maxTokens: 1 } })));
    expect(engine.statistics()).toMatchObject({ running: 0, waiting: 0, keyValueTokens: 0 });
  });

  it('refuses prompts of unequal length with both lengths', async () => {
    const short = clean.subarray(0, 20);
    const started = patchActivations(engine, { ...options, clean: short, id: 'short', hookPoints: post });
    await expect(started).rejects.toThrow(/20 tokens and the corrupted one 21/);
  });
});

describe('where patched runs start', () => {
  it('is in front of what is patched, and for a few hook points no earlier than it must', () => {
    const config = { ...base, outputNorms: true };
    for (const name of hookPointShapes(config).keys()) {
      const [group] = planStarts([name], blocks);
      expect(group?.block).toBe(firstBlockOf(name, blocks));
    }
    const post = Array.from({ length: 30 }, (_, block) => `blocks.${block}.hook_resid_post`);
    const groups = planStarts(post, 30);
    expect(groups.map(({ block }) => block)).toEqual([1, 6, 12, 18, 24, 30]);
    for (const { block, hookPoints } of groups) {
      for (const name of hookPoints) expect(firstBlockOf(name, 30)).toBeGreaterThanOrEqual(block);
    }
    expect(groups.flatMap(({ hookPoints }) => hookPoints)).toEqual(post);
  });
});
