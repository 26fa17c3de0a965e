import { describe, expect, it } from 'vitest';
import { int8TileShapes, placeIntegers } from '../../../engine/checkpoint/int8-tile-layout.ts';
import { floats, type OperatorInput, runOperator } from '../../harness/run-operator.ts';
import { randomNumbers } from '../../harness/tiny-model.ts';

const next = randomNumbers(29);
const integer = (below: number) => Math.floor(((next() + 1) / 2) * below) % below;

interface Matrix {
  readonly outputs: number;
  readonly width: number;
  /** [outputs, width] */
  readonly weights: Int8Array;
  readonly scales: Float32Array;
  readonly inputs: readonly OperatorInput[];
}

/** Weights over the whole range, the extremes among them. */
function matrix(outputs: number, width: number): Matrix {
  const shapes = int8TileShapes(outputs, width);
  const size = (shape: readonly number[]) => shape.reduce((product, each) => product * each, 1);
  const tiles = new Uint32Array(size(shapes.tiles) / 4);
  const scales = new Float32Array(size(shapes.scales));
  const offsets = new Int32Array(size(shapes.scales));
  const weights = Int8Array.from({ length: outputs * width }, (_, i) => (i % width < 2 ? 127 : integer(255) - 127));
  for (let output = 0; output < outputs; output++) {
    scales[output] = next();
    offsets[output] = placeIntegers(tiles, output, weights.subarray(output * width, (output + 1) * width));
  }
  const inputs: OperatorInput[] = [
    { type: 'uint8', shape: shapes.tiles, values: new Uint8Array(tiles.buffer) },
    floats(shapes.scales, scales),
    { type: 'int32', shape: shapes.scales, values: offsets },
  ];
  return { outputs, width, weights, scales, inputs };
}

const quantaOf = (rows: number, width: number) =>
  Uint8Array.from({ length: rows * width }, (_, i) => (i % width < 2 ? 255 : 1 + integer(255)));

async function product(quanta: Uint8Array, rowScales: Float32Array, { width, outputs, inputs }: Matrix, way: number) {
  const rows = rowScales.length;
  const run = await runOperator({
    operator: 'IntegerProduct',
    attributes: { outputs, way },
    inputs: [{ type: 'uint8', shape: [rows, width], values: quanta }, floats([rows, 1], rowScales), ...inputs],
    outputs: [{ type: 'float32', shape: [rows, outputs] }],
    threads: 2,
  });
  return new Float32Array(run.outputs[0] as ArrayBuffer);
}

/** The same bits, in plain numbers: integer sums, then two products of float32. */
function expected(quanta: Uint8Array, rowScales: Float32Array, { outputs, width, weights, scales }: Matrix) {
  const y = new Float32Array(rowScales.length * outputs);
  for (const [row, rowScale] of rowScales.entries()) {
    for (let output = 0; output < outputs; output++) {
      let sum = 0;
      for (let i = 0; i < width; i++) {
        sum += ((quanta[row * width + i] as number) - 128) * (weights[output * width + i] as number);
      }
      y[row * outputs + output] = Math.fround(Math.fround(sum) * (scales[output] as number)) * rowScale;
    }
  }
  return y;
}

/** Outputs that fill strips and units of them and that do not; widths that fill blocks of 64 and that do not. */
const sizes = [
  [96, 64],
  [130, 576],
  [5, 100],
  [33, 7],
  [300, 128],
] as const;
const ways = [
  { way: 0, name: 'by whatever the processor has' },
  { way: 1, name: 'without a matrix extension' },
  { way: 2, name: 'plainly' },
] as const;

describe.each(ways)('IntegerProduct, $name', ({ way }) => {
  it.each(sizes)(
    'gives the very bits of exact sums, in any number of rows: %i outputs of %i inputs',
    async (...size) => {
      const of = matrix(...size);
      for (const rows of [1, 2, 3, 4, 5, 7, 16, 17, 31, 32, 33, 49, 70]) {
        const quanta = quantaOf(rows, of.width);
        const rowScales = Float32Array.from({ length: rows }, () => next());
        expect(await product(quanta, rowScales, of, way)).toEqual(expected(quanta, rowScales, of));
      }
    },
  );

  it('keeps what is not a number in its row', async () => {
    const of = matrix(40, 64);
    for (const rows of [3, 20]) {
      const scales = new Float32Array(rows).fill(1);
      scales[1] = Number.NaN;
      const y = await product(quantaOf(rows, 64), scales, of, way);
      y.forEach((value, at) => {
        expect(Number.isNaN(value)).toBe(Math.floor(at / 40) === 1);
      });
    }
  });
});

describe('IntegerProduct', () => {
  it('fails with another layout', async () => {
    const of = matrix(64, 64);
    const [tiles, ...others] = of.inputs as [OperatorInput, ...OperatorInput[]];
    const values = tiles.values as Uint8Array;
    const swapped = Uint8Array.from(values, (_, at) => values[at ^ 1] as number);
    const quanta = quantaOf(6, 64);
    const ones = new Float32Array(6).fill(1);
    const wrong = await product(quanta, ones, { ...of, inputs: [{ ...tiles, values: swapped }, ...others] }, 0);
    expect(wrong).not.toEqual(expected(quanta, ones, of));
  });

  it.each([
    ['tiles of another matrix', { outputs: 96, tiles: 4096, scales: 96 }],
    ['a scale too few', { outputs: 64, tiles: 4096, scales: 63 }],
  ])('refuses %s', async (_, { outputs, tiles, scales }) => {
    const run = runOperator({
      operator: 'IntegerProduct',
      attributes: { outputs },
      inputs: [
        { type: 'uint8', shape: [1, 64], values: new Uint8Array(64) },
        floats([1, 1], new Float32Array(1)),
        { type: 'uint8', shape: [tiles], values: new Uint8Array(tiles) },
        floats([scales], new Float32Array(scales)),
        { type: 'int32', shape: [scales], values: new Int32Array(scales) },
      ],
      outputs: [{ type: 'float32', shape: [1, outputs] }],
    });
    await expect(run).rejects.toThrow(/IntegerProduct: /);
  });
});
