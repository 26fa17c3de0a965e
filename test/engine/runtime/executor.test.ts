import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyReading, type Edit, type EditReading, type Executor, type RowStep } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { applyEdits } from '../../../engine/steering/index.ts';
import { operatorSets } from '../../harness/kernels.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const weights = writeTinyWeights();
const options = { config: tinyConfig, weights, context: 48, threads: 2, maxChunk: 16 };
/** Of the operator set that is being tested. */
let executor: Executor;

const { dModel, vocabularySize } = tinyConfig;
const next = randomNumbers(7);
const tokensOf = (count: number) =>
  Int32Array.from({ length: count }, () => Math.floor((next() + 0.5) * vocabularySize));
const directionOf = (scale = 1) => Float32Array.from({ length: dModel }, () => next() * scale);

function row(slot: number, tokens: Int32Array, start: number, more: Partial<RowStep> = {}): RowStep {
  return { requestId: `slot-${slot}`, slot, tokens, start, logits: 'last', edits: [], taps: [], ...more };
}

async function one(step: RowStep) {
  const [result] = await executor.run({ kind: 'prefill', rows: [step] });
  if (!result) throw new Error('no result');
  return result;
}

const fullLogits = (result: { logits: readonly { full(): Float32Array }[] }) =>
  (result.logits.at(-1)?.full() ?? new Float32Array()).slice();

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] as number))), 0);
}

function editAt(hookPoint: string, more: Partial<Edit> = {}): Edit {
  return {
    hookPoint,
    read: { direction: directionOf(), bias: 0.1, threshold: 0.2 },
    coefficient: { beta: 0.5, gamma: -0.7, low: -3, high: 4 },
    write: directionOf(3),
    positions: 'all',
    skipSpecial: false,
    activeAbove: -Infinity,
    sinkNorm: Infinity,
    ...more,
  };
}
const everywhere = (count: number) => new Float32Array(count).fill(1);

describe.each(await operatorSets())('with the operators of $operators', ({ kernels }) => {
  beforeAll(async () => {
    executor = await openExecutor({ ...options, slots: 6, kernels });
  });
  afterAll(() => executor.close());

  describe('executor', () => {
    it('gives the same logits for a prompt in one piece, in chunks, and token by token', async () => {
      const tokens = tokensOf(16);
      const whole = fullLogits(await one(row(0, tokens, 0)));
      await one(row(1, tokens.slice(0, 5), 0));
      const chunked = fullLogits(await one(row(1, tokens.slice(5), 5)));
      for (let t = 0; t < 15; t++) await one(row(2, tokens.slice(t, t + 1), t));
      const single = fullLogits(await one(row(2, tokens.slice(15), 15)));
      expect(largestDifference(whole, chunked)).toBeLessThan(1e-4);
      expect(largestDifference(whole, single)).toBeLessThan(1e-4);
      expect(largestDifference(whole, fullLogits(await one(row(3, tokens.slice(1), 0))))).toBeGreaterThan(1e-2);
    });

    it('decodes a ragged batch as it decodes each row alone', async () => {
      const prompts = [3, 9, 1, 14].map(tokensOf);
      const following = tokensOf(4);
      const alone: Float32Array[] = [];
      for (const [slot, prompt] of prompts.entries()) {
        await one(row(5, prompt, 0));
        alone.push(fullLogits(await one(row(5, following.slice(slot, slot + 1), prompt.length))));
      }
      for (const [slot, prompt] of prompts.entries()) await one(row(slot, prompt, 0));
      const together = await executor.run({
        kind: 'decode',
        rows: prompts.map((prompt, slot) => row(slot, following.slice(slot, slot + 1), prompt.length)),
      });
      for (const [slot, result] of together.entries()) {
        expect(largestDifference(fullLogits(result), alone[slot] as Float32Array)).toBeLessThan(1e-4);
      }
    });

    it('copies a slot with copySlot', async () => {
      const prompt = tokensOf(10);
      const following = tokensOf(1);
      await one(row(0, prompt, 0));
      await executor.copySlot(0, 4, 10);
      const original = fullLogits(await one(row(0, following, 10)));
      expect(largestDifference(original, fullLogits(await one(row(4, following, 10))))).toBe(0);
      await one(row(4, tokensOf(10), 0));
      expect(largestDifference(original, fullLogits(await one(row(4, following, 10))))).toBeGreaterThan(1e-3);
    });

    it('returns the largest logits, their log-sum-exp and logits of every position', async () => {
      const tokens = tokensOf(6);
      const [result] = await executor.run({ kind: 'prefill', rows: [row(0, tokens, 0, { logits: 'all' })] });
      expect(result?.logits).toHaveLength(6);
      for (const logits of result?.logits ?? []) {
        const sorted = [...logits.full()]
          .map((value, id) => ({ value, id }))
          .sort((a, b) => b.value - a.value || a.id - b.id);
        expect([...logits.topTokenIds.slice(0, 20)]).toEqual(sorted.slice(0, 20).map(({ id }) => id));
        expect(logits.topValues[7]).toBe(sorted[7]?.value);
        const sum = sorted.reduce((total, { value }) => total + Math.exp(value), 0);
        expect(logits.logSumExp).toBeCloseTo(Math.log(sum), 4);
      }
    });
  });

  describe('the graph form of an edit', () => {
    const sites = [
      'blocks.0.hook_resid_pre',
      'blocks.0.hook_resid_mid',
      'blocks.0.hook_resid_post',
      'blocks.1.hook_resid_post',
    ];

    it.each(sites)('equals the reference arithmetic at %s', async (site) => {
      const tokens = tokensOf(7);
      const plain = (await one(row(0, tokens, 0, { taps: [site] }))).taps.get(site) as Float32Array;
      const norms = Array.from({ length: 7 }, (_, t) => Math.hypot(...plain.subarray(t * dModel, (t + 1) * dModel)));
      const sinkNorm = [...norms].sort((a, b) => a - b)[4] as number;
      const mask = Float32Array.of(0, 1, 1, 1, 0, 1, 1);
      const edits = [
        { edit: editAt(site), mask },
        {
          edit: editAt(site, { read: null, coefficient: { beta: 1.5, gamma: 0, low: -Infinity, high: Infinity } }),
          mask,
        },
        { edit: editAt(site, { sinkNorm: sinkNorm + 1e-3, activeAbove: 0 }), mask: everywhere(7) },
      ];
      const expected = applyEdits(plain, 7, dModel, edits);
      const result = await one(row(0, tokens, 0, { edits, taps: [site] }));
      const edited = result.taps.get(site) as Float32Array;
      expect(largestDifference(edited, expected.stream)).toBeLessThan(2e-4);
      expect(largestDifference(edited, plain)).toBeGreaterThan(0.1);
      for (const [k, reading] of result.readings.entries()) {
        const want = expected.readings[k];
        if (!want) throw new Error('the reference has no such reading');
        const { values } = copyReading(reading);
        for (const key of ['gate', 'sink', 'coefficient', 'readingBefore', 'readingAfter', 'streamNorm'] as const) {
          expect(largestDifference(values[key], want.values[key]), `${key} of edit ${k}`).toBeLessThan(5e-4);
        }
      }
      const { sink } = copyReading(result.readings[2] as EditReading).values;
      expect(sink.some((value) => value === 1)).toBe(true);
    });

    it('would be caught with read and write directions exchanged', async () => {
      const site = sites[2] as string;
      const tokens = tokensOf(7);
      const plain = (await one(row(0, tokens, 0, { taps: [site] }))).taps.get(site) as Float32Array;
      const edit = editAt(site);
      const exchanged = {
        ...edit,
        write: edit.read?.direction as Float32Array,
        read: { direction: edit.write, bias: 0.1, threshold: 0.2 },
      };
      const expected = applyEdits(plain, 7, dModel, [{ edit, mask: everywhere(7) }]).stream;
      const wrong = await one(row(0, tokens, 0, { edits: [{ edit: exchanged, mask: everywhere(7) }], taps: [site] }));
      expect(largestDifference(wrong.taps.get(site) as Float32Array, expected)).toBeGreaterThan(0.05);
    });

    it('leaves rows without edits alone, bit for bit, in a batch with steered ones', async () => {
      const prompts = [tokensOf(4), tokensOf(6), tokensOf(5)];
      const following = tokensOf(3);
      for (const [slot, prompt] of prompts.entries()) await one(row(slot, prompt, 0));
      const steps = prompts.map((prompt, slot) => row(slot, following.slice(slot, slot + 1), prompt.length));
      const plain = (await executor.run({ kind: 'decode', rows: steps })).map(fullLogits);
      const site = 'blocks.0.hook_resid_mid';
      const steered = steps.map((step, slot) =>
        slot === 1
          ? { ...step, edits: [editAt(site), editAt(site)].map((edit) => ({ edit, mask: everywhere(1) })) }
          : step,
      );
      const mixed = (await executor.run({ kind: 'decode', rows: steered })).map(fullLogits);
      expect(largestDifference(mixed[0] as Float32Array, plain[0] as Float32Array)).toBeLessThan(1e-5);
      expect(largestDifference(mixed[2] as Float32Array, plain[2] as Float32Array)).toBeLessThan(1e-5);
      expect(largestDifference(mixed[1] as Float32Array, plain[1] as Float32Array)).toBeGreaterThan(1e-3);
    });
  });

  describe('variants in use', () => {
    it('an open hook point that nobody edits changes nothing, and a wider ready variant serves a narrower step', async () => {
      const sites = ['blocks.0.hook_resid_mid', 'blocks.1.hook_resid_mid'];
      const tokens = tokensOf(6);
      const edits = [{ edit: editAt(sites[0] as string), mask: everywhere(6) }];
      const exact = fullLogits(await one(row(0, tokens, 0, { edits })));
      await executor.prepare({ edits: sites, taps: [] });
      const other = await openExecutor({ ...options, slots: 2, kernels });
      await other.prepare({ edits: sites, taps: [] });
      const built = other.statistics().variantsBuilt;
      const [wider] = await other.run({ kind: 'prefill', rows: [row(0, tokens, 0, { edits })] });
      expect(other.statistics().variantsBuilt).toBe(built);
      expect(wider?.readings).toHaveLength(1);
      expect(largestDifference(fullLogits(wider as NonNullable<typeof wider>), exact)).toBeLessThan(1e-5);
      await other.close();
    });
  });
});
