import { describe, expect, it } from 'vitest';
import {
  placeEightBits,
  placeFourBits,
  placeNumbers,
  scaleIndex,
  type TileBits,
  tileShapes,
} from '../../../engine/checkpoint/tile-layout.ts';
import { halfBits, roundedToHalf } from '../../harness/half.ts';
import { floats, type OperatorInput, runOperator } from '../../harness/run-operator.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const next = randomNumbers(23);
const random = (count: number, scale = 1) => Float32Array.from({ length: count }, () => next() * scale);
const integer = (below: number) => Math.floor(((next() + 1) / 2) * below) % below;

/** A matrix [outputs, width] in plain numbers, and as the operator takes it. */
interface Matrix {
  readonly weights: Float64Array;
  readonly inputs: readonly OperatorInput[];
}

function matrix({ outputs, width, bits, minima: withMinima = false }: Case): Matrix {
  const blocks = width / 32;
  const shapes = tileShapes(outputs, width, bits);
  const size = (shape: readonly number[]) => shape.reduce((product, each) => product * each, 1);
  const tiles = new Uint32Array(size(shapes.tiles) / 4);
  const scales = new Uint16Array(size(shapes.scales));
  const minima = new Uint16Array(size(shapes.scales));
  const weights = new Float64Array(outputs * width);
  for (let output = 0; output < outputs; output++) {
    for (let block = 0; block < blocks; block++) {
      const at = scaleIndex(output, block, blocks);
      const scale = roundedToHalf(next() * 0.1);
      const minimum = roundedToHalf(next());
      const own = weights.subarray(output * width + block * 32, output * width + (block + 1) * 32);
      if (bits === 16) {
        const numbers = new Uint32Array(random(32).buffer).map((each) => each & 0xffff0000);
        own.set(new Float32Array(numbers.buffer));
        placeNumbers(tiles, output, block, blocks, numbers, 0);
        continue;
      }
      scales[at] = halfBits(scale);
      if (bits === 8) {
        const bytes = Uint8Array.from({ length: 32 }, (_, i) => (i < 2 ? i * 255 : integer(256)));
        own.set(Float64Array.from(bytes, (q) => scale * (q - 128)));
        placeEightBits(tiles, output, block, blocks, bytes, 0);
      } else {
        const quants = Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? i : integer(16)));
        const pairs = Uint8Array.from({ length: 16 }, (_, i) => (quants[2 * i] ?? 0) | ((quants[2 * i + 1] ?? 0) << 4));
        minima[at] = halfBits(minimum);
        const offset = withMinima ? Math.fround(8 * scale + minimum) : 0;
        own.set(Float64Array.from(quants, (q) => scale * (q - 8) + offset));
        placeFourBits(tiles, output, block, blocks, pairs, 0);
      }
    }
  }
  const inputs: OperatorInput[] = [{ type: 'uint8', shape: shapes.tiles, values: new Uint8Array(tiles.buffer) }];
  if (bits !== 16) inputs.push({ type: 'float16', shape: shapes.scales, values: scales });
  if (withMinima) inputs.push({ type: 'float16', shape: shapes.scales, values: minima });
  return { weights, inputs };
}

interface Case {
  readonly bits: TileBits;
  readonly outputs: number;
  readonly width: number;
  /** Of 4 bits. */
  readonly minima?: boolean;
}

async function product(x: Float32Array, { bits, outputs, width }: Case, { inputs }: Matrix, plain: 0 | 1, threads = 2) {
  const rows = x.length / width;
  const run = await runOperator({
    operator: 'Product',
    attributes: { bits, outputs, plain },
    inputs: [floats([rows, width], x), ...inputs],
    outputs: [{ type: 'float32', shape: [rows, outputs] }],
    threads,
  });
  return new Float32Array(run.outputs[0] as ArrayBuffer);
}

/** Largest |got − x·Wᵀ| in float32's unit in the last place of Σ |x·w|; NaN counts as infinitely far. */
function distance(got: Float32Array, x: Float32Array, { outputs, width }: Case, { weights }: Matrix): number {
  let most = 0;
  for (let row = 0; row < x.length / width; row++) {
    for (let output = 0; output < outputs; output++) {
      let sum = 0;
      let size = 0;
      for (let i = 0; i < width; i++) {
        const term = (x[row * width + i] as number) * (weights[output * width + i] as number);
        sum += term;
        size += Math.abs(term);
      }
      const far = Math.abs((got[row * outputs + output] as number) - sum) / (size * 2 ** -24);
      if (!(far <= most)) most = Number.isNaN(far) ? Number.POSITIVE_INFINITY : far;
    }
  }
  return most;
}

/** Outputs that fill strips and that do not; one block and many. */
const cases: readonly Case[] = (
  [
    { bits: 4, minima: true },
    { bits: 4, minima: false },
    { bits: 8, minima: false },
    { bits: 16, minima: false },
  ] as const
).flatMap((kind) => [
  { ...kind, outputs: 96, width: 32 },
  { ...kind, outputs: 70, width: 576 },
  { ...kind, outputs: 5, width: 64 },
]);
const ways = [
  { plain: 0, way: 'by the matrix extension where there is one' },
  { plain: 1, way: 'plainly' },
] as const;

describe.each(ways)('Product, $way', ({ plain }) => {
  it.each(cases)('equals the sums in double precision: $bits bits, $outputs outputs of $width inputs', async (of) => {
    const weights = matrix(of);
    for (const rows of [1, 3, 16, 17, 32, 50, 131]) {
      const x = random(rows * of.width, 3);
      // what 16 bits of the inputs alone would miss is some 500 units
      expect(distance(await product(x, of, weights, plain), x, of, weights)).toBeLessThan(16);
    }
  });

  it.each(cases)(
    'gives a row the same bits whatever rows share the step: $bits bits, $outputs by $width',
    async (of) => {
      const weights = matrix(of);
      const x = random(147 * of.width);
      const together = await product(x, of, weights, plain);
      const alone = await product(x.slice(0, 147 * of.width), of, weights, plain, 1);
      expect(Buffer.from(alone.buffer).equals(Buffer.from(together.buffer))).toBe(true);
      for (const [from, to] of [
        [0, 1],
        [130, 147],
        [7, 40],
        [20, 24],
        [60, 65],
        [60, 66],
        [146, 147],
      ] as const) {
        const some = await product(x.slice(from * of.width, to * of.width), of, weights, plain);
        expect([...some]).toEqual([...together.subarray(from * of.outputs, to * of.outputs)]);
      }
    },
  );

  it.each([4, 8, 16] as const)('keeps what is not a number in its row, %i bits', async (bits) => {
    const of = { bits, outputs: 33, width: 64 };
    const weights = matrix({ ...of, bits });
    const x = random(20 * of.width);
    const clean = await product(x, of, weights, plain);
    for (const poison of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const spoilt = x.slice();
      spoilt[3 * of.width + 5] = poison;
      const got = await product(spoilt, of, weights, plain);
      const row = (values: Float32Array, at: number) => [...values.subarray(at * of.outputs, (at + 1) * of.outputs)];
      for (let at = 0; at < 20; at++) {
        if (at !== 3) expect(row(got, at)).toEqual(row(clean, at));
        else expect(row(got, at).some(Number.isFinite)).toBe(false);
      }
    }
  });

  it('takes small numbers beside large ones exactly', async () => {
    const of = { bits: 16, outputs: 32, width: 32 } as const;
    const weights = matrix({ ...of, bits: 16 });
    const x = random(32).map((value, i) => value * 2 ** (i - 16));
    expect(distance(await product(x, of, weights, plain), x, of, weights)).toBeLessThan(8);
  });

  it('fails with another layout', async () => {
    const of = { bits: 4, outputs: 64, width: 64 } as const;
    const weights = matrix({ ...of, bits: 4, minima: true });
    const [tiles, ...others] = weights.inputs as [OperatorInput, ...OperatorInput[]];
    const swapped = Uint8Array.from(tiles.values as Uint8Array, (byte) => (byte >> 4) | ((byte & 15) << 4));
    const x = random(4 * of.width);
    const wrong = { ...weights, inputs: [{ ...tiles, values: swapped }, ...others] };
    expect(distance(await product(x, of, wrong, plain), x, of, weights)).toBeGreaterThan(1e4);
  });
});

describe('Product', () => {
  it.each([
    ['a width that is no multiple of 32', { bits: 4, outputs: 32 }, 33],
    ['tiles of another matrix', { bits: 4, outputs: 96 }, 64],
    ['weights of 5 bits', { bits: 5, outputs: 32 }, 64],
    ['integers without scales', { bits: 8, outputs: 16 }, 64],
  ])('refuses %s', async (_, attributes, width) => {
    const tiles = { type: 'uint8', shape: [2048], values: new Uint8Array(2048) } as const;
    const run = runOperator({
      operator: 'Product',
      attributes,
      inputs: [floats([1, width], random(width)), tiles],
      outputs: [{ type: 'float32', shape: [1, attributes.outputs] }],
    });
    await expect(run).rejects.toThrow(/Product: /);
  });
});
