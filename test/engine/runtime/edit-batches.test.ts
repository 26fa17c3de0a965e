import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArrayReading, copyReading, type Edit, type Executor, type RowStep } from '../../../engine/core/index.ts';
import { openExecutor } from '../../../engine/runtime/index.ts';
import { operatorSets } from '../../harness/kernels.ts';
import { randomNumbers, tinyConfig, writeTinyWeights } from '../../harness/tiny-model.ts';

const rows = 8;
const weights = writeTinyWeights();
/** Of the operator set that is being tested. */
let executor: Executor;

const { dModel, vocabularySize } = tinyConfig;
const next = randomNumbers(31);
const direction = (scale = 1) => Float32Array.from({ length: dModel }, () => next() * scale);
const sites = ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_mid'] as const;
const one = Float32Array.of(1);

function edit(hookPoint: string, more: Partial<Edit> = {}): Edit {
  return {
    hookPoint,
    read: { direction: direction(), bias: 0.1, threshold: 0.2 },
    coefficient: { beta: 0.5, gamma: -0.7, low: -3, high: 4 },
    write: direction(3),
    positions: 'all',
    skipSpecial: false,
    activeAbove: -Infinity,
    sinkNorm: Infinity,
    ...more,
  };
}

interface Outcome {
  readonly logits: Float32Array;
  readonly readings: readonly ArrayReading[];
}

function decodeRow(slot: number, edits: readonly Edit[]): RowStep {
  const masked = edits.map((each) => ({ edit: each, mask: one }));
  const tokens = Int32Array.of(((slot + 1) * 37) % vocabularySize);
  return { requestId: `${slot}`, slot, tokens, start: 4 + slot, logits: 'last', edits: masked, taps: [] };
}

/** One decode step of the first so many slots; it may be run again, as it writes the same cache positions. */
async function decode(edits: readonly (readonly Edit[])[]): Promise<Outcome[]> {
  const results = await executor.run({ kind: 'decode', rows: edits.map((own, slot) => decodeRow(slot, own)) });
  return results.map(({ logits, readings }) => ({
    logits: (logits[0]?.full() ?? new Float32Array()).slice(),
    readings: readings.map((reading) => copyReading(reading)),
  }));
}

/** The row's step in a batch whose other rows have no edits: nothing to share, nothing to mix up. */
async function alone(slot: number, edits: readonly Edit[]): Promise<Outcome> {
  const results = await decode(Array.from({ length: slot + 1 }, (_, other) => (other === slot ? edits : [])));
  return results[slot] as Outcome;
}

function expectSame(got: Outcome | undefined, want: Outcome, label: string, tolerance = 5e-4): void {
  const far = want.logits.reduce((most, value, i) => Math.max(most, Math.abs(value - (got?.logits[i] ?? NaN))), 0);
  expect(far, label).toBeLessThan(1e-4);
  expect(got?.readings.length, label).toBe(want.readings.length);
  for (const [at, reading] of want.readings.entries()) {
    for (const [name, values] of Object.entries(reading.values) as [keyof ArrayReading['values'], Float32Array][]) {
      const value = got?.readings[at]?.values[name][0] ?? NaN;
      expect(Math.abs(value - (values[0] as number)), `${label}, ${name} of edit ${at}`).toBeLessThan(tolerance);
    }
  }
}

describe.each(await operatorSets())('with the operators of $operators', ({ kernels }) => {
  beforeAll(async () => {
    const options = { config: tinyConfig, weights, slots: rows, context: 48, threads: 2, maxChunk: 16 };
    executor = await openExecutor({ ...options, kernels });
    for (let slot = 0; slot < rows; slot++) {
      const tokens = Int32Array.from({ length: 4 + slot }, (_, t) => (t * 13 + slot * 5) % vocabularySize);
      const row: RowStep = { requestId: 'p', slot, tokens, start: 0, logits: 'none', edits: [], taps: [] };
      await executor.run({ kind: 'prefill', rows: [row] });
    }
  });
  afterAll(() => executor.close());

  describe('rows that decode together, each steered its own way', () => {
    const common = sites.map((site) => edit(site));
    const copies = () => common.map((each) => ({ ...each, write: each.write.slice() }));
    const batches: [string, Edit[][]][] = [
      ['all the same', Array.from({ length: rows }, copies)],
      ['one edit each, all different', Array.from({ length: rows }, (_, r) => [edit(sites[r % 2] as string)])],
      ['all different at one place', Array.from({ length: rows }, () => [edit(sites[0])])],
      [
        'different numbers of edits',
        Array.from({ length: rows }, (_, r) => Array.from({ length: r }, () => edit(sites[r % 2] as string))),
      ],
      ['steered and not', Array.from({ length: rows }, (_, r) => (r % 3 === 1 ? [...copies(), edit(sites[1])] : []))],
      [
        'the same twice in a row',
        Array.from({ length: rows }, (_, r) => (r === 2 ? [...common, ...common] : copies())),
      ],
      [
        'gates of every kind',
        Array.from({ length: rows }, (_, r) => [
          edit(sites[0], { sinkNorm: r * 0.7 }),
          edit(sites[1], { activeAbove: 0 }),
        ]),
      ],
    ];

    it.each(batches)('give what each gives by itself: %s', async (label, edits) => {
      const expected: Outcome[] = [];
      for (const [slot, own] of edits.entries()) expected.push(await alone(slot, own));
      // Twice: the second step finds everything as the first left it.
      for (const round of ['first', 'second']) {
        const together = await decode(edits);
        for (const [slot, want] of expected.entries())
          expectSame(together[slot], want, `${label}, ${round}, row ${slot}`);
      }
    });

    it('and while rows leave, come and change places', async () => {
      const owned = Array.from({ length: rows }, (_, r) => Array.from({ length: 1 + (r % 3) }, () => edit(sites[0])));
      const orders = [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3, 4, 5, 6],
        [6, 1, 2, 3, 4, 5],
        [6, 1],
        [6, 1, 7, 0, 3],
        [5, 4, 3, 2, 1, 0, 6, 7],
      ];
      for (const order of orders) {
        const edits = order.map((owner) => owned[owner] as Edit[]);
        const together = await decode(edits);
        for (const [slot, own] of edits.entries())
          expectSame(together[slot], await alone(slot, own), `${order}, row ${slot}`);
      }
    });

    it('without touching each other when one reads what is not a number', async () => {
      const unbounded = { beta: 1000, gamma: 0, low: -Infinity, high: Infinity };
      // Streams so large that reading with `wild` overflows in whatever row, in one direction or the other; 0 · ∞ is no number.
      // It reads one component alone: of several the sum depends on its order, ∞ or no number.
      const large = edit(sites[0], { read: null, coefficient: unbounded });
      const huge = new Float32Array(dModel);
      huge[5] = 3e38;
      const wild = [huge, huge.map((value) => -value)].map((each) =>
        edit(sites[1], { read: { direction: each, bias: 0, threshold: 0 }, coefficient: unbounded }),
      );
      const tame = edit(sites[1]);
      for (const own of [
        [[], wild, [tame]],
        [[tame], wild, [tame, tame], []],
      ]) {
        const company = own.map((edits) => [large, ...edits]);
        const together = await decode(company);
        expect(together[1]?.readings.some((reading) => Number.isNaN(reading.coefficient(0)))).toBe(true);
        for (const [slot, edits] of company.entries()) {
          if (slot !== 1) expectSame(together[slot], await alone(slot, edits), `row ${slot}`, 5e-2);
        }
      }
    });

    it('and prompts of other edits in between do not disturb them', async () => {
      const owned = Array.from({ length: rows - 1 }, () => [edit(sites[0]), edit(sites[1])]);
      const expected = await decode(owned);
      const tokens = Int32Array.of(1, 2, 3);
      const mask = Float32Array.of(0, 1, 1);
      const prompt = { requestId: 'p', slot: rows - 1, tokens, start: 0, logits: 'none', taps: [] } as const;
      for (let round = 0; round < 3; round++) {
        const edits = Array.from({ length: 3 + round }, () => ({ edit: edit(sites[round % 2] as string), mask }));
        await executor.run({ kind: 'prefill', rows: [{ ...prompt, edits }] });
        const again = await decode(owned);
        for (const [slot, want] of expected.entries()) expectSame(again[slot], want, `round ${round}, row ${slot}`);
      }
    });
  });
});
