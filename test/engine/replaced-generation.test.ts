import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Engine,
  type Executor,
  type GenerateRequest,
  logitsAfter,
  type RequestReplacement,
} from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import { greedyRequest } from '../../engine/greedy-request.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { openExecutor } from '../../engine/runtime/index.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';
import { operatorSets } from '../harness/kernels.ts';
import { lendExecutor } from '../harness/lend-executor.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../harness/tiny-model.ts';

const tokenizer = createFakeTokenizer();
const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize, contextLength: 128 };
const prompt = Int32Array.from({ length: 50 }, (_, at) => (at * 29 + 11) % config.vocabularySize);
const place = 'blocks.0.hook_resid_post';
const other = 'blocks.1.attn.hook_z';
const next = randomNumbers(9);
const width = config.dModel;
const zWidth = config.heads * config.headDim;

function replacement(
  hookPoint: string,
  size: number,
  named: readonly number[],
  generated: boolean,
): RequestReplacement {
  const values = Float32Array.from({ length: prompt.length * size }, () => next() * 3);
  const mask = Uint8Array.from(prompt, (_, at) => Number(named.includes(at)));
  return { hookPoint, values, mask, ...(generated ? { generated: values.slice(0, size) } : {}) };
}

describe.each(await operatorSets())(
  'values replaced while generating, with the operators of $operators',
  ({ kernels }) => {
    let executor: Executor;
    let engine: Engine;
    let shared: Engine;
    beforeAll(async () => {
      const weights = writeTinyWeights(config, 5);
      executor = await openExecutor({ config, weights, slots: 4, context: 128, threads: 1, maxChunk: 16, kernels });
      const more = { executor: lendExecutor(executor), tokenizer, eosTokenIds: [], queueLimit: 8 };
      engine = createEngine(more);
      const prefix = createPrefixSharing({ blocks: executor.blocks, budgetBytes: 1 << 24, salt: '' });
      shared = createEngine({ ...more, prefix });
    });
    afterAll(() => executor.close());

    async function reply(by: Engine, id: string, more: Partial<GenerateRequest>) {
      const tokens: number[] = [];
      const taps: number[] = [];
      let [cached, logits] = [0, new Float32Array() as Float32Array];
      const request = greedyRequest(id, prompt, 8, {
        promptLogits: logitsAfter(prompt.length, Int32Array.of(1, 2, 3)),
        ...more,
      });
      for await (const event of by.submit({ ...request, stop: { ...request.stop, ignoreEos: true } })) {
        if (event.type === 'prompt') cached = event.cachedTokens;
        if (event.type === 'logits') logits = event.rows.at(-1)?.values ?? logits;
        if (event.type === 'token') tokens.push(event.tokenId);
        if (event.type === 'activations') for (const values of event.taps.values()) taps.push(...values);
      }
      return { tokens, taps, cached, logits };
    }

    it('puts them at every position named, of the prompt and after it, and nowhere else', {
      timeout: 60_000,
    }, async () => {
      const whole = replacement(place, width, [3, 20, 49], true);
      const { taps, tokens } = await reply(engine, 'tapped', { replacements: [whole], taps: [place] });
      const plain = await reply(engine, 'plain', { taps: [place] });
      expect(tokens).not.toEqual(plain.tokens);
      for (let position = 0; position < prompt.length + 7; position++) {
        const own = taps.slice(position * width, (position + 1) * width);
        const named = position >= prompt.length || whole.mask[position] === 1;
        const from = position >= prompt.length ? 0 : position;
        const put = [...whole.values.subarray(from * width, (from + 1) * width)];
        if (named) expect(own).toEqual(put);
        else for (let at = 0; at < width; at++) expect(own[at]).not.toBe(put[at]);
      }
    });

    it('gives the same beside others as alone, at the same hook points and at others', {
      timeout: 60_000,
    }, async () => {
      const kinds = [
        [replacement(place, width, [7], true)],
        [replacement(other, zWidth, [30, 31], true), replacement(place, width, [], true)],
        [replacement(place, width, [48], false)],
        [],
      ];
      const alone = [];
      for (const [at, replacements] of kinds.entries())
        alone.push(await reply(engine, `alone-${at}`, { replacements }));
      const together = await Promise.all(
        kinds.map((replacements, at) => reply(engine, `with-${at}`, { replacements })),
      );
      expect(together.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens));
      expect(new Set(alone.map(({ tokens }) => tokens.join())).size).toBeGreaterThan(2);
    });

    it('shares what comes before the first value replaced, and the rest with who replaces the same', {
      timeout: 60_000,
    }, async () => {
      const replaced = [replacement(place, width, [20], true)];
      const changed = [
        { ...(replaced[0] as RequestReplacement), values: replaced[0]?.values.map((v) => v + 1) as Float32Array },
      ];
      const moved = [{ ...(replaced[0] as RequestReplacement), hookPoint: 'blocks.0.hook_attn_out' }];
      const cases = [
        { replacements: [], cached: 0 },
        { replacements: replaced, cached: 16 },
        { replacements: replaced, cached: 48 },
        { replacements: changed, cached: 16 },
        { replacements: moved, cached: 16 },
        { replacements: [], cached: 48 },
      ];
      for (const [at, { replacements, cached }] of cases.entries()) {
        const found = await reply(shared, `shared-${at}`, { replacements });
        const own = await reply(engine, `own-${at}`, { replacements });
        expect(found.cached).toBe(cached);
        expect(found.tokens).toEqual(own.tokens);
        for (let k = 0; k < 3; k++) expect(found.logits[k]).toBeCloseTo(own.logits[k] as number, 3);
      }
    });

    it('refuses a hook point twice, another width after the prompt, and numbers that are none', () => {
      const one = replacement(place, width, [1], false);
      const submit = (replacements: RequestReplacement[]) => () =>
        engine.submit(greedyRequest('bad', prompt, 4, { replacements }));
      expect(submit([one, one])).toThrow(/twice/);
      expect(submit([{ ...one, generated: new Float32Array(width - 1) }])).toThrow(/width/);
      expect(submit([{ ...one, generated: new Float32Array(width).fill(Number.NaN) }])).toThrow(/finite/);
      expect(submit([{ ...one, values: one.values.map(() => Number.NaN) }])).toThrow(/finite/);
    });
  },
);
