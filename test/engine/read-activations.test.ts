import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  concatenateActivations,
  type Encoding,
  type Executor,
  type SparseActivations,
} from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { readActivations } from '../../engine/read-activations.ts';
import { openExecutor } from '../../engine/runtime/index.ts';
import { randomEncoder } from '../harness/encoders.ts';
import { createFakeTokenizer } from '../harness/fake-tokenizer.ts';
import { testKernels } from '../harness/kernels.ts';
import { lendExecutor } from '../harness/lend-executor.ts';
import { editOf, generate, type Reply } from '../harness/requests.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../harness/tiny-model.ts';

const tokenizer = createFakeTokenizer();
const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize, contextLength: 192 };
const weights = writeTinyWeights(config, 9);
const random = randomNumbers(7);
const text = Array.from({ length: 100 }, () => Math.floor((random() + 0.5) * config.vocabularySize));
const site = 'blocks.0.hook_resid_post';
const encoder = randomEncoder({ hookPoint: site, width: 32, outputs: 150 });
const encodings: Encoding[] = [{ encoder, limit: 150 }];

let executor: Executor;
beforeAll(async () => {
  const kernels = await testKernels();
  executor = await openExecutor({ config, weights, slots: 3, context: 192, threads: 1, maxChunk: 32, kernels });
});
afterAll(() => executor.close());

function openEngine(keyValueTokenLimit?: number) {
  const prefix = createPrefixSharing({
    blocks: executor.blocks,
    budgetBytes: 100 * executor.blocks.blockBytes,
    salt: 'tiny',
  });
  const engine = createEngine({
    executor: lendExecutor(executor),
    tokenizer,
    eosTokenIds: [],
    queueLimit: 10,
    prefix,
    ...(keyValueTokenLimit === undefined ? {} : { keyValueTokenLimit }),
  });
  const close = async () => {
    await engine.drain(1000);
    prefix?.evict(Number.MAX_SAFE_INTEGER);
    await engine.close();
  };
  return { engine, prefix, close };
}

/** What an isolated, uncached run of these tokens reads; not while an engine has the slots. */
async function expected(tokens: readonly number[], edits = false): Promise<SparseActivations> {
  const edit = { ...editOf(2, 'all', site), write };
  await executor.prepare({ edits: edits ? [site] : [], taps: [], encodings });
  const parts: SparseActivations[] = [];
  for (let start = 0; start < tokens.length; start += 32) {
    const chunk = Int32Array.from(tokens.slice(start, start + 32));
    const mask = new Float32Array(chunk.length).fill(1);
    const row = {
      requestId: 'x',
      slot: 0,
      tokens: chunk,
      start,
      edits: edits ? [{ edit, mask }] : [],
      taps: [],
      encodings,
    };
    const [result] = await executor.run({ kind: 'prefill', rows: [{ ...row, logits: 'none' }] });
    parts.push(result?.activations?.[0] as SparseActivations);
  }
  return concatenateActivations(parts);
}
const write = Float32Array.from({ length: 32 }, () => random() * 3);

function activationsOf({ events }: Reply): SparseActivations {
  return concatenateActivations(
    events.flatMap((event) => (event.type === 'activations' ? [event.activations[0] as SparseActivations] : [])),
  );
}

describe('reading activations through the engine', () => {
  it('reads sequences in their order, beside others, as an isolated run does', async () => {
    const { engine, close } = openEngine();
    const sequences = [text, text.slice(0, 1), text.slice(3, 60), text.slice(10)].map((ids) => Int32Array.from(ids));
    const chat = generate(engine, { prompt: text.slice(0, 40), stop: { maxTokens: 30 } });
    const got: SparseActivations[] = [];
    for await (const { activations, tokenIds } of readActivations(engine, sequences, { id: 'r', encodings })) {
      expect(tokenIds).toBe(sequences[got.length]);
      got.push(activations[0] as SparseActivations);
    }
    const reply = await chat;
    await close();
    for (const [at, ids] of sequences.entries()) expect(got[at]).toEqual(await expected([...ids]));
    const alone = openEngine();
    expect(reply.tokenIds).toEqual(
      (await generate(alone.engine, { prompt: text.slice(0, 40), stop: { maxTokens: 30 } })).tokenIds,
    );
    await alone.close();
  });

  it('reads a prompt that the prefix cache holds, and leaves nothing there that others could take', async () => {
    const want = await expected(text);
    const { engine, prefix, close } = openEngine();
    await generate(engine, { prompt: text, stop: { maxTokens: 1 } });
    expect(prefix?.tokens).toBeGreaterThan(0);
    const held = prefix?.tokens;
    const reader = await generate(engine, { prompt: text, encodings, stop: { maxTokens: 0 } });
    expect(activationsOf(reader)).toEqual(want);
    const other = text.toReversed();
    await generate(engine, { prompt: other, encodings, stop: { maxTokens: 0 } });
    expect(prefix?.tokens).toBe(held);
    const chat = await generate(engine, { prompt: other, stop: { maxTokens: 5 } });
    const [first] = chat.events;
    expect(first).toMatchObject({ type: 'prompt', cachedTokens: 0 });
    await close();
  });

  it('reads what it generates, each token once and in order, also when its memory was taken meanwhile', async () => {
    for (const limit of [undefined, 130]) {
      const { engine, close } = openEngine(limit);
      const ask = (prompt: number[]) =>
        generate(engine, { prompt, encodings, stop: { maxTokens: 25, ignoreEos: true } });
      const replies = await Promise.all([ask(text.slice(0, 50)), ask(text.slice(20, 70))]);
      await close();
      for (const [at, reply] of replies.entries()) {
        expect(reply.error).toBeNull();
        const prompt = text.slice(at * 20, at * 20 + 50);
        const all = [...prompt, ...reply.tokenIds.slice(0, -1)];
        const starts = reply.events.flatMap((event) => (event.type === 'activations' ? [event.start] : []));
        expect(starts[0]).toBe(0);
        const got = activationsOf(reply);
        expect(got.tokens).toBe(all.length);
        const want = await expected(all);
        expect(got.indices).toEqual(want.indices);
        for (const [i, value] of got.values.entries()) expect(value).toBeCloseTo(want.values[i] as number, 4);
      }
    }
  });

  it('reads before the edits of its own hook point, and tells the same of them', async () => {
    expect(await expected(text, true)).toEqual(await expected(text, false));
    const { engine, close } = openEngine();
    const edits = [{ ...editOf(2, 'all', site), write }];
    const stop = { maxTokens: 6, ignoreEos: true };
    const steered = await generate(engine, { prompt: text, edits, stop });
    const read = await generate(engine, { prompt: text, edits, encodings, stop });
    expect(read.tokenIds).toEqual(steered.tokenIds);
    expect(read.finish?.edits).toEqual(steered.finish?.edits);
    await close();
  });

  it('ends with its caller, and refuses what cannot be read', async () => {
    const { engine, close } = openEngine();
    const sequences = [Int32Array.from(text), Int32Array.from(text)];
    for await (const _ of readActivations(engine, sequences, { id: 'a', encodings })) break;
    const too = readActivations(engine, [Int32Array.from({ length: 500 }, () => 1)], { id: 'b', encodings });
    await expect(too.next()).rejects.toMatchObject({ code: 'context_length_exceeded' });
    const twice = readActivations(engine, sequences, { id: 'c', encodings: [...encodings, ...encodings] });
    await expect(twice.next()).rejects.toThrow(/named twice/);
    await close();
    expect(engine.statistics()).toMatchObject({ draining: true });
  });
});
