import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Edit, GenerateRequest, Positions, PrefixSharing } from '../../engine/core/index.ts';
import { createEngine } from '../../engine/engine.ts';
import type { LoadedModel } from '../../engine/load-model.ts';
import { createPrefixSharing } from '../../engine/prefix-sharing.ts';
import { loadDefaultModel } from '../harness/default-model.ts';
import { lendExecutor } from '../harness/lend-executor.ts';
import { type Reply, read, requestFrom } from '../harness/requests.ts';
import { randomNumbers } from '../harness/tiny-model.ts';

/** A long prompt on the default model: what comes from the cache gives the tokens, log-probabilities and reports of an uncached run. */
let model: LoadedModel;
beforeAll(async () => {
  model = await loadDefaultModel({ slots: 4 });
});
afterAll(() => model.executor.close());

const promptLength = 600;
const random = randomNumbers(3);
const direction = (length: number) => {
  const values = Float32Array.from({ length }, () => random());
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
};

/** Reads a direction and pushes along another, strongly enough to change the text. */
function editAt(hookPoint: string, positions: Positions, vectors: { read: Float32Array; write: Float32Array }): Edit {
  return {
    hookPoint,
    read: { direction: vectors.read, bias: 0.1, threshold: 0 },
    coefficient: { beta: 60, gamma: 0.5, low: 0, high: 80 },
    write: vectors.write,
    positions,
    skipSpecial: false,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm: 1000,
  };
}

function promptOf(): Int32Array {
  const { tokenizer } = model;
  const words = ['river', 'letter', 'winter', 'bread', 'teacher', 'engine', 'garden', 'moon', 'market', 'violin'];
  const text = Array.from(
    { length: 120 },
    (_, i) => `The ${words[(i * 7) % 10]} of the ${words[(i * i) % 10]} was ${words[(i * 3 + (i % 4)) % 10]}-like.`,
  );
  return tokenizer.encode(text.join(' '), { addSpecialTokens: true }).slice(0, promptLength);
}

interface Told extends Reply {
  readonly cachedTokens: number;
}

async function ask(prefix: PrefixSharing | null, more: Partial<GenerateRequest>): Promise<Told> {
  const { tokenizer } = model;
  const engine = createEngine({
    executor: lendExecutor(model.executor),
    tokenizer,
    eosTokenIds: [],
    queueLimit: 4,
    prefix,
  });
  const prompt = [...promptOf()];
  const sketch = requestFrom({ prompt, logprobs: 2, stop: { maxTokens: 12, ignoreEos: true } });
  const reply = await read(engine.submit({ ...sketch, ...more }));
  await engine.close();
  const [told] = reply.events;
  return { ...reply, cachedTokens: told?.type === 'prompt' ? told.cachedTokens : Number.NaN };
}

const logprobsOf = (told: Told | undefined) =>
  (told?.events ?? []).flatMap((event) => (event.type === 'token' ? [event.logprob?.logprob ?? Number.NaN] : []));

function expectSame(cached: Told, alone: Told): void {
  expect(cached.error).toBeNull();
  expect(cached.tokenIds).toEqual(alone.tokenIds);
  const expected = logprobsOf(alone);
  expect(expected).toHaveLength(12);
  for (const [at, value] of logprobsOf(cached).entries()) {
    expect(Math.abs(value - (expected[at] as number))).toBeLessThan(1e-3);
  }
  cached.finish?.edits.forEach((report, edit) => {
    const own = alone.finish?.edits[edit];
    expect([report.tokens, report.sinkTokens]).toEqual([own?.tokens, own?.sinkTokens]);
    for (const name of ['readBefore', 'readAfter'] as const) {
      for (const bound of ['min', 'max', 'mean'] as const) {
        expect(report[name]?.[bound]).toBeCloseTo(own?.[name]?.[bound] as number, 2);
      }
    }
    expect(report.relativeDose).toBeCloseTo(own?.relativeDose as number, 4);
    expect(report.coefficient?.max).toBeCloseTo(own?.coefficient?.max as number, 2);
  });
}

describe('a prompt of 600 tokens on the default model', () => {
  it('comes from the cache as it was computed, for everyone whose steering touches it alike', async () => {
    const { executor, config } = model;
    const vectors = () => ({ read: direction(config.dModel), write: direction(config.dModel) });
    const [one, two] = [vectors(), vectors()];
    const everywhere = [editAt('blocks.9.hook_resid_post', 'all_but_first', one)];
    const steerings: Record<string, readonly Edit[]> = {
      none: [],
      decodeOnly: [editAt('blocks.17.hook_resid_post', 'generated', one)],
      late: [editAt('blocks.9.hook_resid_post', { from: 400, to: 420 }, one)],
      everywhere,
      other: [editAt('blocks.9.hook_resid_post', 'all_but_first', two)],
      both: [...everywhere, editAt('blocks.17.hook_resid_post', 'last', two)],
    };
    const alone: Record<string, Told> = {};
    for (const [name, edits] of Object.entries(steerings)) alone[name] = await ask(null, { edits });

    const budgetBytes = 400 * executor.blocks.blockBytes;
    const prefix = createPrefixSharing({ blocks: executor.blocks, budgetBytes, salt: model.hash }) as PrefixSharing;
    const whole = Math.floor((promptLength - 1) / 16) * 16;
    const expected: [string, number][] = [
      ['everywhere', 0],
      ['none', 0],
      ['decodeOnly', whole],
      ['other', 0],
      ['none', whole],
      ['late', 400],
      ['late', whole],
      ['everywhere', whole],
      ['both', whole],
      ['other', whole],
      ['decodeOnly', whole],
    ];
    for (const [name, cachedTokens] of expected) {
      const told = await ask(prefix, { edits: steerings[name] });
      expect([name, told.cachedTokens]).toEqual([name, cachedTokens]);
      expectSame(told, alone[name] as Told);
    }
    // the steerings do something, or else nothing has been shown
    for (const name of ['none', 'other', 'both']) {
      const difference = logprobsOf(alone.everywhere).map((value, at) => value - (logprobsOf(alone[name])[at] ?? 0));
      expect(Math.max(...difference.map(Math.abs))).toBeGreaterThan(0.05);
    }
    prefix.evict(Number.MAX_SAFE_INTEGER);
  });
});
