import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Edit, Engine, EngineEvent, Executor, PrefixSharing } from '../../../engine/core/index.ts';
import { createEngine } from '../../../engine/engine.ts';
import { createPrefixSharing } from '../../../engine/prefix-sharing.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { createFakeTokenizer } from '../../harness/fake-tokenizer.ts';
import { testKernels } from '../../harness/kernels.ts';
import { lendExecutor } from '../../harness/lend-executor.ts';
import { editOf, generate, type Reply, type RequestSketch } from '../../harness/requests.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

/** Who shares what with whom, through the engine and the real executor on a model of two blocks. */
const tokenizer = createFakeTokenizer();
const config = { ...tinyConfig, vocabularySize: tokenizer.vocabularySize, contextLength: 192 };
const weights = writeTinyWeights(config, 9);
const random = randomNumbers(77);
const text = Array.from({ length: 160 }, () => Math.floor((random() + 0.5) * config.vocabularySize));
const write = Float32Array.from({ length: config.dModel }, () => random() * 3);
const edit = (beta: number, positions: Edit['positions']): Edit => ({ ...editOf(beta, positions), write });

let executor: Executor;
beforeAll(async () => {
  const kernels = await testKernels();
  executor = await openExecutor({ config, weights, slots: 3, context: 192, threads: 1, maxChunk: 32, kernels });
});
afterAll(() => executor.close());

const cachedTokens = ({ events }: Reply) => {
  const [prompt] = events;
  return prompt?.type === 'prompt' ? prompt.cachedTokens : null;
};

/** An engine of its own over the same executor, so that each test begins with an empty cache. */
async function withEngine(
  check: (tools: {
    engine: Engine;
    prefix: PrefixSharing;
    events: EngineEvent[];
    ask: (sketch: RequestSketch) => Promise<Reply>;
    /** Tokens of a prompt that are taken from the cache. */
    cached: (prompt: readonly number[], edits?: readonly Edit[]) => Promise<number | null>;
  }) => Promise<void>,
): Promise<void> {
  const budgetBytes = 100 * executor.blocks.blockBytes;
  const prefix = createPrefixSharing({ blocks: executor.blocks, budgetBytes, salt: 'tiny' }) as PrefixSharing;
  const events: EngineEvent[] = [];
  const engine = createEngine({
    executor: lendExecutor(executor),
    tokenizer,
    eosTokenIds: [],
    queueLimit: 10,
    prefix,
    observer: (event) => events.push(event),
  });
  const ask = (sketch: RequestSketch) =>
    generate(engine, { stop: { maxTokens: 3, ignoreEos: true }, logprobs: 1, ...sketch });
  const cached = async (prompt: readonly number[], edits: readonly Edit[] = []) => {
    const reply = await ask({ prompt, edits });
    expect(reply.error).toBeNull();
    return cachedTokens(reply);
  };
  try {
    await check({ engine, prefix, events, ask, cached });
  } finally {
    await engine.drain(1000);
    prefix.evict(Number.MAX_SAFE_INTEGER);
    await engine.close();
  }
}

const prompt = text.slice(0, 80);

describe('the engine with a prefix cache', () => {
  it('shares a prompt among all whose steering touches it alike', () =>
    withEngine(async ({ cached }) => {
      expect(await cached(prompt)).toBe(0);
      expect(await cached(prompt)).toBe(64);
      expect(await cached([...prompt, 3])).toBe(80);
      // decode-only steering does not fork the prompt
      expect(await cached(prompt, [edit(1, 'generated')])).toBe(64);
      // what lies before the first steered position is shared with everybody
      expect(await cached(prompt, [edit(1, { from: 40, to: 44 })])).toBe(32);
      expect(await cached(prompt, [edit(1, { from: 40, to: 44 })])).toBe(64);
      expect(await cached(prompt, [edit(2, { from: 40, to: 44 })])).toBe(32);
      expect(await cached(prompt, [edit(1, { from: 40, to: 45 })])).toBe(32);
      // identical steerings share, different ones never do
      expect(await cached(prompt, [edit(1, 'all')])).toBe(0);
      expect(await cached(prompt, [edit(1, 'all')])).toBe(64);
      expect(await cached(prompt, [edit(1, 'all_but_first')])).toBe(0);
      expect(await cached(prompt, [edit(2, 'all')])).toBe(0);
      expect(await cached(prompt)).toBe(64);
    }));

  it('shares no steered tail of a shorter prompt with a longer one, nor the other way', () =>
    withEngine(async ({ cached, ask }) => {
      const last = [edit(1.5, 'last')];
      expect(await cached(text.slice(0, 64), last)).toBe(0);
      const long = await ask({ prompt, edits: last });
      expect(cachedTokens(long)).toBe(48);
      expect(await cached(text.slice(0, 65), last)).toBe(64);
      expect(await cached([...text.slice(0, 64), 3], [])).toBe(64);
      expect(long.finish?.edits[0]?.tokens).toBe(1);
    }));

  it('lets a finished reply serve the next turn', () =>
    withEngine(async ({ ask, cached }) => {
      const edits = [edit(1, 'all')];
      for (const own of [[], edits]) {
        const reply = await ask({ prompt, edits: own, stop: { maxTokens: 30, ignoreEos: true } });
        // the last token of a reply is computed by nobody
        expect(await cached([...prompt, ...reply.tokenIds, 7, 8, 9], own)).toBe(96);
      }
    }));

  it('tells of a steered prompt what it would tell without a cache', () =>
    withEngine(async ({ ask }) => {
      const reads: Edit = {
        ...edit(0.5, { from: 10, to: 60 }),
        read: { direction: write, bias: 0.1, threshold: 0 },
        coefficient: { beta: 0.5, gamma: -0.3, low: -2, high: 2 },
      };
      const edits = [reads, edit(1, 'all')];
      const first = await ask({ prompt, edits });
      const second = await ask({ prompt, edits });
      expect([cachedTokens(first), cachedTokens(second)]).toEqual([0, 64]);
      expect(second.tokenIds).toEqual(first.tokenIds);
      expect(second.finish?.edits.map(({ tokens }) => tokens)).toEqual([50, 82]);
      first.finish?.edits.forEach((report, at) => {
        const own = second.finish?.edits[at];
        expect(own?.tokens).toBe(report.tokens);
        expect(own?.relativeDose).toBeCloseTo(report.relativeDose as number, 5);
        expect(own?.coefficient?.min).toBeCloseTo(report.coefficient?.min as number, 5);
        if (report.readBefore) expect(own?.readBefore?.mean).toBeCloseTo(report.readBefore.mean, 4);
        if (report.readAfter) expect(own?.readAfter?.mean).toBeCloseTo(report.readAfter.mean, 4);
      });
    }));

  it('computes a prompt whose log-probabilities are wanted', () =>
    withEngine(async ({ ask, cached }) => {
      await cached(prompt);
      const reply = await ask({ prompt, promptLogprobs: 0 });
      expect(cachedTokens(reply)).toBe(0);
      const [told] = reply.events;
      expect(told?.type === 'prompt' && told.logprobs?.length).toBe(80);
    }));

  it('keeps nothing of a row that failed', () =>
    withEngine(async ({ ask, prefix }) => {
      const hot = { ...edit(3e38, { from: 70, to: 71 }), write: write.map((value) => 50 * value) };
      const reply = await ask({ prompt, edits: [hot] });
      expect(reply.error).not.toBeNull();
      // the chunks before the one that failed were whole
      expect(prefix.tokens).toBeLessThanOrEqual(64);
      expect((await ask({ prompt })).error).toBeNull();
      const other = await ask({ prompt, edits: [hot] });
      expect(other.error?.message).toBe(reply.error?.message);
    }));

  it('counts what was looked up and found, by the kind of steering', () =>
    withEngine(async ({ cached, engine, events }) => {
      await cached(prompt);
      await cached(prompt, [edit(1, 'generated')]);
      await cached(prompt, [edit(1, 'all')]);
      await cached(prompt, [edit(1, 'all')]);
      expect(engine.statistics()).toMatchObject({ prefixQueries: 320, prefixHits: 128, prefixTokens: 176 });
      const reads = events.flatMap((event) => (event.type === 'prompt_read' ? [event] : []));
      expect(reads.map(({ steeringClass, cachedTokens }) => [steeringClass, cachedTokens])).toEqual([
        ['none', 0],
        ['decode_only', 64],
        ['prompt', 0],
        ['prompt', 64],
      ]);
    }));

  it('lets rows that come together read their prompt once', () =>
    withEngine(async ({ ask }) => {
      const replies = await Promise.all([1, 2, 3].map(() => ask({ prompt })));
      expect(replies.map(cachedTokens).sort()).toEqual([0, 64, 64]);
      expect(new Set(replies.map(({ tokenIds }) => tokenIds.join())).size).toBe(1);
    }));
});
