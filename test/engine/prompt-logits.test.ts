import { afterAll, describe, expect, it } from 'vitest';
import { mostChosenTokens, type PositionLogits, type PromptLogits } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { openExecutor } from '../../engine/runtime/index.ts';
import { engineOverFakes } from '../harness/engine-over-fakes.ts';
import { createFakeExecutor } from '../harness/fake-executor.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';
import { operatorSets } from '../harness/kernels.ts';
import { editOf, generate, type Reply } from '../harness/requests.ts';
import { runPrompt } from '../harness/run-prompt.ts';
import { tinyConfig, writeTinyWeights } from '../harness/tiny-model.ts';

const prompt = Array.from({ length: 21 }, (_, t) => 40 + ((t * 13) % 90));
const readOnly = { maxTokens: 0 };

function wants(positions: readonly number[], more: Partial<PromptLogits> = {}, length = prompt.length): PromptLogits {
  const mask = Uint8Array.from({ length }, (_, t) => Number(positions.includes(t)));
  return { mask, top: 3, tokenIds: Int32Array.of(7, 60), ...more };
}

const rowsOf = (reply: Reply): readonly PositionLogits[] =>
  reply.events.flatMap((event) => (event.type === 'logits' ? event.rows : []));

describe('logits at positions of a prompt, over fakes', () => {
  it('tells the positions asked for, in order, before the prompt is told, and computes no others', async () => {
    const { engine, executor } = engineOverFakes();
    const reply = await generate(engine, { prompt, stop: readOnly, promptLogits: wants([3, 9, 20]) });
    expect(reply.error).toBeNull();
    expect(rowsOf(reply).map(({ position }) => position)).toEqual([3, 9, 20]);
    expect(reply.events.map(({ type }) => type)).toEqual(['logits', 'logits', 'logits', 'prompt', 'finish']);
    const computed = executor.plans.flatMap(({ rows }) =>
      rows.map(({ logits, chosen }) => (logits === 'chosen' ? chosen?.reduce((sum, one) => sum + one, 0) : logits)),
    );
    expect(computed).toEqual([1, 1, 1]);
  });

  it('gives what the same request for prompt log-probabilities gives', async () => {
    const { engine } = engineOverFakes();
    const all = wants([...prompt.keys()]);
    const rows = rowsOf(await generate(engine, { prompt, stop: readOnly, promptLogits: all }));
    const other = await generate(engine, { prompt, stop: readOnly, promptLogprobs: 3 });
    const told = other.events.find((event) => event.type === 'prompt')?.logprobs ?? [];
    expect(rows).toHaveLength(prompt.length);
    for (const [at, { next, logSumExp, topTokenIds }] of rows.slice(0, -1).entries()) {
      const expected = told[at + 1];
      expect((next?.logit ?? Number.NaN) - logSumExp).toBeCloseTo(expected?.logprob ?? Number.NaN, 6);
      expect([...topTokenIds]).toEqual(expected?.top.map(({ tokenId }) => tokenId));
    }
    expect(rows.at(-1)?.next).toBeNull();
  });

  it('generates beside it what it generates without', async () => {
    const { engine } = engineOverFakes();
    const plain = await generate(engine, { prompt, stop: { maxTokens: 6, ignoreEos: true } });
    const both = await generate(engine, {
      prompt,
      stop: { maxTokens: 6, ignoreEos: true },
      promptLogits: wants([2, 20]),
    });
    expect(both.tokenIds).toEqual(plain.tokenIds);
    expect(rowsOf(both).map(({ position }) => position)).toEqual([2, 20]);
    expect(rowsOf(both)[1]?.topTokenIds[0]).toBe(plain.tokenIds[0]);
  });

  it('tells each position once where a row gives its memory back and reads again', async () => {
    const { engine, events } = engineOverFakes(
      { slots: 4 },
      { keyValueTokenLimit: 60, queueLimit: 8, growthTokens: 0 },
    );
    const sketch = { prompt, stop: { maxTokens: 30, ignoreEos: true }, promptLogits: wants([1, 8, 20]) };
    const replies = await Promise.all([generate(engine, sketch), generate(engine, sketch)]);
    expect(events.some(({ type }) => type === 'preempted')).toBe(true);
    for (const reply of replies) expect(rowsOf(reply).map(({ position }) => position)).toEqual([1, 8, 20]);
  });

  it('takes from the prefix cache where the last position alone is wanted, and says the same', async () => {
    const executor = createFakeExecutor();
    const prefix = createPrefixSharing({ blocks: executor.blocks, budgetBytes: 1e6, salt: 'fake' });
    const engine = createEngine({
      ...{ executor, tokenizer: createFakeTokenizer(), eosTokenIds: [], queueLimit: 2, prefix },
    });
    const first = await generate(engine, { prompt, stop: readOnly, promptLogits: wants([5, 20]) });
    const again = await generate(engine, { prompt, stop: readOnly, promptLogits: wants([5, 20]) });
    const last = await generate(engine, { prompt, stop: readOnly, promptLogits: wants([20]) });
    const cached = (reply: Reply) => reply.events.find((event) => event.type === 'prompt')?.cachedTokens;
    expect([cached(first), cached(again), cached(last)]).toEqual([0, 0, 20]);
    expect(rowsOf(last)).toEqual(rowsOf(first).slice(1));
    expect(rowsOf(again)).toEqual(rowsOf(first));
  });

  it.each([
    ['positions', wants([1], {}, 4)],
    ['top', wants([1], { top: 257 })],
    ['tokens', wants([1], { tokenIds: Int32Array.of(3, 260) })],
    ['tokens', wants([1], { tokenIds: new Int32Array(mostChosenTokens + 1) })],
  ])('refuses what it cannot tell, naming %s', async (param, promptLogits) => {
    const { engine } = engineOverFakes();
    expect(() => generate(engine, { prompt, promptLogits })).toThrow(
      expect.objectContaining({ code: 'invalid_request', param }),
    );
  });
});

describe.each(await operatorSets())('logits at positions of a prompt, with the operators of $operators', (set) => {
  const tokenizer = createFakeTokenizer();
  const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize, contextLength: 96 };
  const weights = writeTinyWeights(config, 5);
  const opened = openExecutor({
    config,
    weights,
    slots: 6,
    context: 96,
    threads: 1,
    maxChunk: 8,
    kernels: set.kernels,
  });
  afterAll(async () => (await opened).close());

  it('are those of the model, and requests that share its steps say what they say alone', async () => {
    const executor = await opened;
    const whole = await runPrompt(executor, prompt, { logits: 'all' });
    const engine = createEngine({ executor, tokenizer, eosTokenIds: [], queueLimit: 8 });
    const steered = [editOf(1, 'all', 'blocks.0.hook_resid_post', new Float32Array(config.dModel).fill(0.3))];
    const others = [
      { prompt: prompt.slice(3), stop: { maxTokens: 12, ignoreEos: true }, logprobs: 2 },
      { prompt: prompt.slice(0, 5), stop: { maxTokens: 20, ignoreEos: true }, logprobs: 2, edits: steered },
    ];
    const alone: Reply[] = [];
    for (const other of others) alone.push(await generate(engine, other));
    const asked = { prompt, stop: readOnly, promptLogits: wants([0, 4, 11, 20]) };
    const [reply, ...beside] = await Promise.all([
      generate(engine, asked),
      ...others.map((other) => generate(engine, other)),
      generate(engine, asked),
    ]);
    for (const [at, { tokenIds }] of alone.entries()) expect(beside[at]?.tokenIds).toEqual(tokenIds);
    for (const rows of [rowsOf(reply as Reply), rowsOf(beside[2] as Reply)]) {
      expect(rows.map(({ position }) => position)).toEqual([0, 4, 11, 20]);
      for (const row of rows) {
        const expected = whole.logits[row.position] as Float32Array;
        const best = [...expected.keys()].sort((a, b) => (expected[b] as number) - (expected[a] as number));
        expect([...row.topTokenIds]).toEqual(best.slice(0, 3));
        expect(row.values[1]).toBeCloseTo(expected[60] as number, 4);
        const next = prompt[row.position + 1];
        if (next === undefined) continue;
        expect(row.next?.logit).toBeCloseTo(expected[next] as number, 4);
        expect(row.next?.rank).toBe(best.indexOf(next));
      }
    }
  });
});
