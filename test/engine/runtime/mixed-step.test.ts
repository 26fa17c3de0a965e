import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  copyReading,
  type Edit,
  type Executor,
  type ReadingValues,
  type RowResult,
  type RowStep,
} from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { randomEncoder } from '../../harness/encoders.ts';
import { testKernels } from '../../harness/kernels.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const { dModel, vocabularySize } = tinyConfig;
const next = randomNumbers(57);
const direction = (scale: number) => Float32Array.from({ length: dModel }, () => next() * scale);
const place = 'blocks.1.hook_resid_mid';

function edit(hookPoint: string): Edit {
  return {
    hookPoint,
    read: { direction: direction(1), bias: 0.1, threshold: 0.2 },
    coefficient: { beta: 0.5, gamma: -0.7, low: -3, high: 4 },
    write: direction(3),
    positions: 'all',
    skipSpecial: false,
    activeAbove: Number.NEGATIVE_INFINITY,
    sinkNorm: Number.POSITIVE_INFINITY,
  };
}

const promptLength = 24;
const prompt = Int32Array.from({ length: promptLength }, (_, t) => (t * 29 + 3) % vocabularySize);
const edits = { decode: edit(place), other: edit('blocks.0.hook_resid_post'), prompt: edit(place) };

interface Told {
  readonly logits: readonly Float32Array[];
  readonly readings: readonly ReadingValues[];
}

function told({ logits, readings }: RowResult): Told {
  return {
    logits: logits.map((row) => row.full().slice()),
    readings: readings.map((reading) => copyReading(reading).values),
  };
}

/** Dense products of float32 are ONNX Runtime's, which sums in another order for other numbers of rows. (With Tiller's own, test/real has the same bits.) */
const tolerance = 5e-5;

function expectClose(got: Told | undefined, want: Told): void {
  expect(got?.logits.length).toBe(want.logits.length);
  expect(got?.readings.length).toBe(want.readings.length);
  const pairs = want.logits.map((values, at) => [got?.logits[at], values] as const);
  for (const [at, reading] of want.readings.entries()) {
    const own = got?.readings[at];
    expect(own?.gate).toEqual(reading.gate);
    pairs.push(
      ...(Object.keys(reading) as (keyof ReadingValues)[]).map((name) => [own?.[name], reading[name]] as const),
    );
  }
  for (const [own, values] of pairs) {
    expect(own?.length).toBe(values.length);
    for (let i = 0; i < values.length; i++) {
      expect(Math.abs((own?.[i] ?? Number.NaN) - (values[i] as number))).toBeLessThan(
        tolerance * (1 + Math.abs(values[i] as number)),
      );
    }
  }
}

describe('a step of rows that decode and of a prompt', () => {
  let executor: Executor;
  beforeAll(async () => {
    const kernels = await testKernels();
    const options = { config: tinyConfig, weights: writeTinyWeights(), slots: 6, context: 48, threads: 2 };
    executor = await openExecutor({ ...options, maxChunk: promptLength, kernels });
    for (const [slot, length] of [
      [1, 9],
      [4, 5],
      [6, 14],
    ] as const) {
      const tokens = Int32Array.from({ length }, (_, t) => (t * 13 + slot * 5) % vocabularySize);
      await executor.run({ kind: 'prefill', rows: [{ ...decodeRow(slot, 0), tokens, start: 0, logits: 'none' }] });
    }
  });
  afterAll(() => executor.close());

  function decodeRow(slot: number, start: number, own: readonly Edit[] = []): RowStep {
    const masked = own.map((each) => ({ edit: each, mask: Float32Array.of(1) }));
    return {
      requestId: `${slot}`,
      slot,
      tokens: Int32Array.of(slot * 7),
      start,
      logits: 'last',
      edits: masked,
      taps: [],
    };
  }
  const decoding = () => [decodeRow(6, 14), decodeRow(1, 9, [edits.decode, edits.other]), decodeRow(4, 5)];

  function promptRow(from: number, to: number, logits: RowStep['logits'] = 'last', steered = true): RowStep {
    const mask = Float32Array.from({ length: to - from }, (_, t) => Number((from + t) % 3 > 0));
    const masked = steered ? [{ edit: edits.prompt, mask }] : [];
    return { requestId: 'p', slot: 2, tokens: prompt.slice(from, to), start: from, logits, edits: masked, taps: [] };
  }

  async function apart(row: RowStep): Promise<Told[]> {
    const alone: Told[] = [];
    for (const one of decoding()) alone.push(...(await executor.run({ kind: 'decode', rows: [one] })).map(told));
    return [...alone, ...(await executor.run({ kind: 'prefill', rows: [row] })).map(told)];
  }

  it.each([
    ['steered, its last logits', () => promptRow(0, promptLength)],
    ['steered, all its logits', () => promptRow(0, promptLength, 'all')],
    ['unsteered, no logits', () => promptRow(0, promptLength, 'none', false)],
    ['of one token', () => promptRow(0, 1)],
  ])('gives each what it gives alone: the prompt %s', async (_what, row) => {
    const want = await apart(row());
    const got = (await executor.run({ kind: 'mixed', rows: [...decoding(), row()] })).map(told);
    expect(got).toHaveLength(want.length);
    for (const [at, one] of want.entries()) expectClose(got[at], one);
  });

  it('reads several prompts at once', async () => {
    const rows = [promptRow(0, 11), { ...promptRow(0, 7, 'last', false), slot: 3, requestId: 'q' }];
    const want: Told[] = [];
    for (const row of rows) want.push(...(await executor.run({ kind: 'prefill', rows: [row] })).map(told));
    const got = (await executor.run({ kind: 'mixed', rows })).map(told);
    for (const [at, one] of want.entries()) expectClose(got[at], one);
  });

  it('leaves a prompt as whole steps leave it, whatever pieces it is read in', async () => {
    const whole = told((await executor.run({ kind: 'prefill', rows: [promptRow(0, promptLength)] }))[0] as RowResult);
    executor.freeSlot(2);
    const readings: number[] = [];
    let last: Told | undefined;
    for (let from = 0; from < promptLength; from += 7) {
      const row = promptRow(from, Math.min(promptLength, from + 7));
      last = told((await executor.run({ kind: 'mixed', rows: [...decoding(), row] })).at(-1) as RowResult);
      readings.push(...(last.readings[0]?.gate ?? []));
    }
    expectClose({ logits: last?.logits ?? [], readings: [] }, { ...whole, readings: [] });
    expect(readings).toEqual([...(whole.readings[0]?.gate ?? [])]);
    expect(readings).toContain(0);
    expect(readings).toContain(1);
  });

  it('shows the pattern of rows in any slots', async () => {
    const hook = 'blocks.1.attn.hook_pattern';
    const tapped = decoding().map((row) => ({ ...row, edits: [], taps: [hook] }));
    const together = await executor.run({ kind: 'decode', rows: tapped });
    for (const [r, row] of tapped.entries()) {
      const [alone] = await executor.run({ kind: 'prefill', rows: [row] });
      const [got, want] = [together[r]?.taps.get(hook) ?? [], alone?.taps.get(hook) ?? []];
      expect(got.length).toBe(want.length);
      for (let i = 0; i < want.length; i++) expect(got[i]).toBeCloseTo(want[i] as number, 4);
    }
  });

  it('reads, taps and replaces a prompt as a step of its own does, also one of which nothing else is wanted', async () => {
    const encoder = randomEncoder({ hookPoint: place, width: dModel, outputs: 100 });
    const values = Float32Array.from({ length: 8 * dModel }, () => next() * 3);
    const mask = Uint8Array.from({ length: 8 }, (_, t) => Number(t === 2 || t === 5));
    const replacements = [{ hookPoint: 'blocks.0.hook_resid_post', values, mask }];
    for (const logits of ['last', 'never'] as const) {
      const row = {
        ...promptRow(0, 8),
        logits,
        edits: [],
        taps: [place],
        encodings: [{ encoder, limit: 100 }],
        replacements,
      };
      const [alone] = await executor.run({ kind: 'prefill', rows: [row] });
      const together = await executor.run({ kind: 'mixed', rows: [decodeRow(1, 9), row] });
      const got = together[1];
      const [want, own] = [alone?.taps.get(place) ?? [], got?.taps.get(place) ?? []];
      expect(own.length).toBe(8 * dModel);
      for (let i = 0; i < want.length; i++) expect(own[i]).toBeCloseTo(want[i] as number, 3);
      expect(got?.activations?.[0]?.active).toEqual(alone?.activations?.[0]?.active);
      expect(got?.activations?.[0]?.indices).toEqual(alone?.activations?.[0]?.indices);
      expect(got?.activations?.[0]?.tokens).toBe(8);
      expect(together[0]?.activations).toEqual([]);
    }
  });

  it.each<[string, readonly RowStep[], RegExp]>([
    ['two rows in one slot', [decodeRow(2, 3), promptRow(0, 4)], /same slot/],
    ['more tokens than it takes', [promptRow(0, 24), { ...promptRow(0, 24), slot: 3 }], /48 tokens; 30 can be run/],
    [
      'taps that show keys',
      [decodeRow(1, 9), { ...promptRow(0, 4), taps: ['blocks.1.attn.hook_pattern'] }],
      /taps that show keys/,
    ],
    ['a prompt beyond the chunk', [decodeRow(1, 9), { ...promptRow(0, 4), tokens: new Int32Array(25) }], /1 to 24/],
  ])('is refused with %s', async (_what, rows, reason) => {
    await expect(executor.run({ kind: 'mixed', rows })).rejects.toThrow(reason);
  });

  it('is refused where operators cannot do it', async () => {
    const options = { config: tinyConfig, weights: writeTinyWeights(), slots: 3, context: 48, threads: 1 };
    const plain = await openExecutor(options);
    expect(plain.ragged).toBe(false);
    await expect(
      plain.run({ kind: 'mixed', rows: [decodeRow(0, 0), { ...promptRow(0, 4), slot: 1 }] }),
    ).rejects.toThrow(/share it/);
    const gap = [decodeRow(0, 0), decodeRow(2, 0)];
    await expect(plain.run({ kind: 'decode', rows: gap })).rejects.toThrow(/follow each other/);
    await plain.close();
  });
});
