import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../engine/load-model.ts';
import { loadDefaultModel } from '../harness/default-model.ts';
import { floats, goldenModel, logitsDifference, relativeDifference } from '../harness/golden.ts';
import { runPrompt } from '../harness/run-prompt.ts';

const golden = goldenModel();
let model: LoadedModel;
/** Largest deviations seen, for docs/correctness.md. */
const worst = { logits: 0, logprobs: 0, stream: 0 };
const note = (kind: keyof typeof worst, deviation: number) => {
  worst[kind] = Math.max(worst[kind], deviation);
  return deviation;
};
beforeAll(async () => {
  model = await loadDefaultModel({ slots: 2 });
});
afterAll(async () => {
  console.log('largest deviations from transformers', worst);
  await model.executor.close();
});

describe('the default model against transformers in float32', () => {
  it.each(golden.forward)('$name: logits, log-probabilities and stream', async (example) => {
    const names = Object.keys(example.taps_last_position);
    const run = await runPrompt(model.executor, example.ids, { logits: 'all', taps: names });
    const last = run.logits.at(-1) as Float32Array;
    expect(note('logits', logitsDifference(last, example.logits_last))).toBeLessThan(2e-3);
    expect(last.reduce((sum, value) => sum + value, 0) / last.length).toBeCloseTo(example.logits_last.mean, 3);

    const logprobs = floats(example.token_logprobs);
    expect(logprobs).toHaveLength(example.ids.length - 1);
    for (const [t, expected] of logprobs.entries()) {
      const next = example.ids[t + 1] as number;
      const got = (run.logits[t]?.[next] as number) - (run.rows[t]?.logSumExp as number);
      expect(note('logprobs', Math.abs(got - expected))).toBeLessThan(1e-3);
    }

    const { dModel } = model.config;
    for (const name of names) {
      const tap = run.taps.get(name) as Float32Array;
      const lastPosition = relativeDifference(tap.slice(-dModel), floats(example.taps_last_position[name] as string));
      expect(note('stream', lastPosition)).toBeLessThan(1e-4);
      const norms = example.ids.map((_, t) => Math.hypot(...tap.subarray(t * dModel, (t + 1) * dModel)));
      const allNorms = relativeDifference(Float32Array.from(norms), floats(example.tap_norms[name] as string));
      expect(note('stream', allNorms)).toBeLessThan(1e-4);
    }
  });

  it.each(golden.greedy)('$name: the greedy continuation', async (example) => {
    const prompt = await runPrompt(model.executor, example.ids);
    let top = prompt.rows.at(-1);
    const continuation: number[] = [];
    // Beyond a margin below 1e-3 another implementation may rightly differ; none of the recorded ones is that small.
    expect(example.smallest_margin).toBeGreaterThan(1e-3);
    while (continuation.length < example.continuation.length) {
      const token = top?.topTokenIds[0] as number;
      continuation.push(token);
      const start = example.ids.length + continuation.length - 1;
      const row = {
        requestId: 'g',
        slot: 0,
        tokens: Int32Array.of(token),
        start,
        logits: 'last',
        edits: [],
        taps: [],
      } as const;
      top = (await model.executor.run({ kind: 'decode', rows: [row] }))[0]?.logits[0];
    }
    expect(continuation).toEqual(example.continuation);
    expect(model.tokenizer.decode(continuation, { skipSpecial: false })).toBe(example.text);
  });

  it('gives identical token ids on every tokenizer string', () => {
    expect(golden.tokenizer.length).toBeGreaterThan(20);
    for (const { text, ids } of golden.tokenizer) {
      expect([...model.tokenizer.encode(text, { addSpecialTokens: false })], JSON.stringify(text)).toEqual(ids);
    }
  });
});
