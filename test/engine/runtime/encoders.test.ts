import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  concatenateActivations,
  type Encoder,
  type EncoderInput,
  type EncoderRule,
  type Encoding,
  type Executor,
  type RowResult,
  truncatedTokens,
} from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { randomEncoder, referenceActive, referenceSums, type Stored, toldOf } from '../../harness/encoders.ts';
import { operatorSets } from '../../harness/kernels.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const site = 'blocks.0.hook_resid_post';
const weights = writeTinyWeights();
const ids = Int32Array.from({ length: 21 }, (_, at) => (at * 37 + 5) % tinyConfig.vocabularySize);
const next = randomNumbers(99);
const bias = Float32Array.from({ length: tinyConfig.dModel }, () => next() * 0.2);

type Rule = Exclude<EncoderRule, { kind: 'threshold' }>;
const rules: (Rule | undefined)[] = [
  undefined,
  { kind: 'largest', count: 9, rectified: true },
  { kind: 'largest', count: 70, rectified: false },
  { kind: 'largest_of_runs', count: 15 },
];
const inputs: Partial<EncoderInput>[] = [
  {},
  { scale: 1.7, bias },
  { centred: true },
  { norm: 'root_mean_square', centred: true, scale: 0.5 },
  { norm: 'deviation', epsilon: 0.01, bias },
];

describe.each(await operatorSets())('encoders with the operators of $operators', ({ operators, kernels }) => {
  let executor: Executor;
  beforeAll(async () => {
    const how = { config: tinyConfig, weights, slots: 3, context: 64, threads: 2, kernels, encoderBytes: 1 << 20 };
    executor = await openExecutor(how);
  });
  afterAll(() => executor.close());

  /** Reads the tokens in chunks of the given sizes, the rest one by one as decode steps. */
  async function read(encodings: readonly Encoding[], chunks: readonly number[], taps: readonly string[] = [site]) {
    await executor.prepare({ edits: [], taps, encodings });
    const results: RowResult[] = [];
    const sizes = [...chunks, ...Array.from({ length: ids.length }, () => 1)];
    for (let start = 0, at = 0; start < ids.length; at++) {
      const count = Math.min(sizes[at] as number, ids.length - start);
      const tokens = ids.slice(start, start + count);
      const row = { requestId: 'a', slot: 0, tokens, start, edits: [], taps, encodings };
      const kind = at < chunks.length ? 'prefill' : 'decode';
      const [result] = await executor.run({ kind, rows: [{ ...row, logits: 'last' }] });
      results.push(result as RowResult);
      start += count;
    }
    return {
      activations: encodings.map((_, k) =>
        concatenateActivations(results.map((each) => each.activations?.[k] as never)),
      ),
      stream: Float32Array.from(results.flatMap(({ taps }) => [...(taps.get(site) ?? [])])),
    };
  }

  function check(encoder: Encoder, got: Awaited<ReturnType<typeof read>>, k = 0, limit = encoder.outputs) {
    const activations = got.activations[k] as NonNullable<RowResult['activations']>[number];
    expect(activations.tokens).toBe(ids.length);
    let most = 0;
    for (let t = 0; t < ids.length; t++) {
      const x = got.stream.subarray(t * encoder.width, (t + 1) * encoder.width);
      const magnitudes = referenceSums(encoder, x, true);
      const want = referenceActive(encoder, referenceSums(encoder, x));
      const told = toldOf(activations, t);
      expect(activations.active[t]).toBe(want.size);
      expect(activations.norms[t]).toBeCloseTo(Math.hypot(...x), 4);
      const kept = [...want].sort((a, b) => b[1] - a[1]).slice(0, limit);
      expect([...told.keys()]).toEqual(kept.map(([j]) => j).sort((a, b) => a - b));
      for (const [j, value] of told) {
        const exact = want.get(j) as number;
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(
          Math.max(1e-5 * Math.abs(exact), 4e-7 * (magnitudes[j] as number)),
        );
      }
      most = Math.max(most, want.size);
    }
    expect(most).toBeGreaterThan(0);
  }

  const cases = rules.flatMap((rule) => inputs.map((input) => ({ rule, input })));
  it.each(cases)('equals float64: $rule.kind of $input', async ({ rule, input }) => {
    const encoder = randomEncoder({ hookPoint: site, width: 32, outputs: 150, rule, input });
    check(encoder, await read([{ encoder, limit: 150 }], [7, 10]));
  });

  it.each(['float16', 'bfloat16', 'float32'] satisfies Stored[])('reads weights that are %s', async (stored) => {
    const how = { hookPoint: site, width: 32, stored, factors: true };
    // in the last one alone there is a number that the smaller forms do not have
    const encoder = randomEncoder({ ...how, outputs: 97 });
    check(encoder, await read([{ encoder, limit: 97 }], [21]));
  });

  it('takes those of lower indices where sums are equal', async () => {
    const plain = randomEncoder({
      hookPoint: site,
      width: 32,
      outputs: 128,
      rule: { kind: 'largest', count: 10, rectified: true },
    });
    // rows come four times each, far apart
    const encoder = { ...plain, key: 'equal', bias: new Float32Array(128), rows: repeated(plain, 32) };
    check(encoder, await read([{ encoder, limit: 128 }], [21]));
    const runs: Encoder = { ...encoder, key: 'equal runs', rule: { kind: 'largest_of_runs', count: 2 } };
    check(runs, await read([{ encoder: runs, limit: 128 }], [21]));
  });

  it.each(rules)('tells the largest and how many there are where there are more than are told: %o', async (rule) => {
    const encoder = randomEncoder({ hookPoint: site, width: 32, outputs: 150, rule, seed: 12 });
    const got = await read([{ encoder, limit: 5 }], [21]);
    check(encoder, got, 0, 5);
    expect(truncatedTokens(got.activations[0] as never)).toBe(ids.length);
  });

  it('reads several at once, at one place and at others, in one width and another', async () => {
    const encoders = [
      randomEncoder({ hookPoint: site, width: 32, outputs: 64, seed: 1 }),
      randomEncoder({ hookPoint: site, width: 32, outputs: 200, seed: 2 }),
      randomEncoder({ hookPoint: 'blocks.1.mlp.hook_post', width: 48, outputs: 70, seed: 3 }),
      randomEncoder({ hookPoint: 'blocks.0.mlp.hook_in', width: 32, outputs: 70, seed: 4 }),
    ];
    const encodings = encoders.map((encoder) => ({ encoder, limit: 200 }));
    const taps = [site, 'blocks.1.mlp.hook_post', 'blocks.0.mlp.hook_in'];
    const together = await read(encodings, [16], taps);
    check(encoders[0] as Encoder, together, 0);
    check(encoders[1] as Encoder, together, 1);
    for (const [k, encoder] of encoders.entries()) {
      const alone = await read([{ encoder, limit: 200 }], [16], []);
      expect(alone.activations[0]).toEqual(together.activations[k]);
    }
  });

  it('changes nothing for rows that share a step, and reads them alike', async () => {
    const encoder = randomEncoder({ hookPoint: site, width: 32, outputs: 150 });
    const encodings = [{ encoder, limit: 150 }];
    await executor.prepare({ edits: [], taps: [], encodings });
    const row = { requestId: 'a', tokens: ids, start: 0, edits: [], taps: [], logits: 'last' as const };
    for (const slot of [0, 1]) await executor.run({ kind: 'prefill', rows: [{ ...row, slot }] });
    const decode = (slot: number, reads: boolean) => ({
      ...row,
      requestId: `row ${slot}`,
      slot,
      tokens: Int32Array.of(9 + slot),
      start: ids.length,
      ...(reads ? { encodings } : {}),
    });
    const bits = (result?: RowResult) => [...(result?.logits[0]?.full() ?? [])];
    const alone = bits((await executor.run({ kind: 'decode', rows: [decode(0, false), decode(1, false)] }))[0]);
    const [chat, reader] = await executor.run({ kind: 'decode', rows: [decode(0, false), decode(1, true)] });
    expect(bits(chat)).toEqual(alone);
    expect(chat?.activations).toEqual([]);
    const [single] = await executor.run({
      kind: 'decode',
      rows: [decode(1, true)].map((each) => ({ ...each, slot: 1 })),
    });
    if (operators === 'tiller') expect(single?.activations).toEqual(reader?.activations);
    expect(single?.activations?.[0]?.active).toEqual(reader?.activations?.[0]?.active);
  });

  it('reads before edits, and runs no block that nobody needs', async () => {
    const encoder = randomEncoder({ hookPoint: site, width: 32, outputs: 150 });
    const encodings = [{ encoder, limit: 150 }];
    const plain = await read(encodings, [21], []);
    await executor.prepare({ edits: [], taps: [], encodings, tapsOnly: true });
    const row = { requestId: 'a', slot: 0, tokens: ids, start: 0, edits: [], taps: [], encodings };
    const [only] = await executor.run({ kind: 'prefill', rows: [{ ...row, logits: 'never' }] });
    expect(only?.activations).toEqual(plain.activations);
  });

  it('lets encoders go for others, refuses what does not fit, and what does not belong', async () => {
    const big = (seed: number) => randomEncoder({ hookPoint: site, width: 32, outputs: 5000, seed });
    const first = big(1);
    const before = await read([{ encoder: first, limit: 40 }], [21]);
    for (const seed of [2, 3, 4]) await read([{ encoder: big(seed), limit: 40 }], [21]);
    expect(await read([{ encoder: first, limit: 40 }], [21])).toEqual(before);
    const both = [first, big(2)].map((encoder) => ({ encoder, limit: 40 }));
    await expect(executor.prepare({ edits: [], taps: [], encodings: both })).rejects.toThrow(/in use/);
    const other = { ...first, key: 'other', width: 31 };
    const wrong = executor.prepare({ edits: [], taps: [], encodings: [{ encoder: other, limit: 40 }] });
    await expect(wrong).rejects.toThrow(/32 wide/);
  });
});

/** Row j is row j mod `period`. */
function repeated(encoder: Encoder, period: number): Encoder['rows'] {
  return (first, count) => {
    const made = new Float32Array(count * encoder.width);
    for (let j = 0; j < count; j++) made.set(encoder.rows((first + j) % period, 1), j * encoder.width);
    return made;
  };
}
