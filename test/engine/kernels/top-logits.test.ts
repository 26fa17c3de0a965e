import { describe, expect, it } from 'vitest';
import { floats, runOperator } from '../../harness/run-operator.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const next = randomNumbers(31);

async function topLogits(logits: Float32Array, rows: number, count: number, threads = 2) {
  const width = logits.length / rows;
  const { outputs } = await runOperator({
    operator: 'TopLogits',
    attributes: { count },
    inputs: [floats([rows, width], logits)],
    outputs: [
      { type: 'float32', shape: [rows, count] },
      { type: 'int64', shape: [rows, count] },
      { type: 'float32', shape: [rows] },
    ],
    threads,
  });
  const [values, indices, totals] = outputs as [ArrayBuffer, ArrayBuffer, ArrayBuffer];
  return {
    values: new Float32Array(values),
    indices: Array.from(new BigInt64Array(indices), Number),
    totals: new Float32Array(totals),
  };
}

/** Of equal logits the first comes first. */
function sorted(row: Float32Array, count: number): number[] {
  const order = Array.from(row.keys());
  order.sort((a, b) => (row[b] as number) - (row[a] as number) || a - b);
  return order.slice(0, count);
}

function logSumExp(row: Float32Array): number {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

describe('TopLogits', () => {
  it.each([
    { name: 'all different', width: 49152, count: 256, draw: () => next() * 30 },
    { name: 'many equal', width: 5000, count: 256, draw: () => Math.round(next() * 4) },
    { name: 'all equal', width: 1000, count: 100, draw: () => 2 },
    { name: 'fewer stretches than wanted', width: 777, count: 256, draw: () => next() * 9 },
    { name: 'all wanted', width: 100, count: 100, draw: () => next() },
    { name: 'one wanted', width: 4097, count: 1, draw: () => next() },
    { name: 'ascending', width: 20000, count: 256, draw: (at: number) => at / 100 },
    {
      name: 'some beyond reach',
      width: 3000,
      count: 50,
      draw: (at: number) => (at % 3 ? Number.NEGATIVE_INFINITY : next()),
    },
  ])('finds the largest in order, and the sum: $name', async ({ width, count, draw }) => {
    const rows = 3;
    const logits = Float32Array.from({ length: rows * width }, (_, at) => draw(at % width));
    const got = await topLogits(logits, rows, count);
    for (let row = 0; row < rows; row++) {
      const own = logits.subarray(row * width, (row + 1) * width);
      const want = sorted(own, count);
      expect(got.indices.slice(row * count, (row + 1) * count)).toEqual(want);
      expect([...got.values.subarray(row * count, (row + 1) * count)]).toEqual(want.map((index) => own[index]));
      const total = logSumExp(own);
      expect(Math.abs((got.totals[row] as number) - total)).toBeLessThan(4e-6 + Math.abs(total) * 1.2e-7);
      const alone = await topLogits(own.slice(), 1, count, 1);
      expect(alone.totals[0]).toBe(got.totals[row]);
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('shows %f in the sum of its row and in no other', async (value) => {
    for (const place of [0, 77, 2999]) {
      const logits = Float32Array.from({ length: 9000 }, () => next());
      logits[3000 + place] = value;
      const { totals, indices } = await topLogits(logits, 3, 64);
      expect([...totals].map(Number.isFinite)).toEqual([true, false, true]);
      for (const index of indices) expect(index >= 0 && index < 3000).toBe(true);
    }
    const { totals, indices } = await topLogits(new Float32Array(300).fill(value), 1, 64);
    expect(totals[0]).toBeNaN();
    expect(indices.every((index) => index >= 0 && index < 300)).toBe(true);
  });

  it('refuses to give more than there are', async () => {
    await expect(topLogits(new Float32Array(10), 1, 11)).rejects.toThrow(/TopLogits: /);
  });
});
