import type { FeatureVectors } from '../feature-vectors.ts';
import type { Pace } from '../relations/pace.ts';

/** Cosines of every pair, [rows, columns], row major. */
export interface PairValues {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Columns that are multiplied with a row at a time: their products are summed side by side. */
const abreast = 4;
const block = 64;

/** Unit vectors of all features, [features, width]; those of length 0 stay 0. Float64, because widening each number at every product takes longer. */
export async function unitVectors(vectors: FeatureVectors, pace: Pace | null): Promise<Float64Array> {
  const { features, width } = vectors;
  const units = new Float64Array(features * width);
  const piece = Math.max(1, Math.min(vectors.piece, Math.floor(2 ** 20 / width)));
  for (let first = 0; first < features; first += piece) {
    if (pace?.isDue()) await pace.turn();
    const count = Math.min(piece, features - first);
    const rows = vectors.read(first, count);
    for (let j = 0; j < count; j++) {
      let square = 0;
      for (let i = 0; i < width; i++) square += rows[j * width + i] ** 2;
      const length = Math.sqrt(square);
      if (length > 0) for (let i = 0; i < width; i++) units[(first + j) * width + i] = rows[j * width + i] / length;
    }
  }
  return units;
}

/** Cosines of unit vectors `a` and `b`, both [features, width]. `progress` gets the rows done. Sums in float64. */
export async function cosineMatrix(
  a: Float64Array,
  b: Float64Array,
  width: number,
  { pace, progress }: { readonly pace: Pace | null; readonly progress?: (rows: number) => void },
): Promise<PairValues> {
  const [rows, columns] = [a.length / width, b.length / width];
  const values = new Float32Array(rows * columns);
  for (let row0 = 0; row0 < rows; row0 += block) {
    const row1 = Math.min(rows, row0 + block);
    for (let column0 = 0; column0 < columns; column0 += block) {
      if (pace?.isDue()) await pace.turn();
      multiplyBlock(a, b, width, [row0, row1], [column0, Math.min(columns, column0 + block)], values, columns);
    }
    progress?.(row1);
  }
  return { rows, columns, values };
}

function multiplyBlock(
  a: Float64Array,
  b: Float64Array,
  width: number,
  [row0, row1]: readonly [number, number],
  [column0, column1]: readonly [number, number],
  into: Float32Array,
  columns: number,
): void {
  let row = row0;
  for (; row + 2 <= row1; row += 2) {
    const x0 = row * width;
    const x1 = x0 + width;
    let column = column0;
    for (; column + abreast <= column1; column += abreast) {
      const b0 = column * width;
      const b1 = b0 + width;
      const b2 = b1 + width;
      const b3 = b2 + width;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      let t0 = 0;
      let t1 = 0;
      let t2 = 0;
      let t3 = 0;
      for (let i = 0; i < width; i++) {
        // plain constants: destructuring here takes four times as long
        const x = a[x0 + i];
        const y = a[x1 + i];
        const p = b[b0 + i];
        const q = b[b1 + i];
        const r = b[b2 + i];
        const s = b[b3 + i];
        s0 += x * p;
        s1 += x * q;
        s2 += x * r;
        s3 += x * s;
        t0 += y * p;
        t1 += y * q;
        t2 += y * r;
        t3 += y * s;
      }
      const [at, below] = [row * columns + column, (row + 1) * columns + column];
      into[at] = s0;
      into[at + 1] = s1;
      into[at + 2] = s2;
      into[at + 3] = s3;
      into[below] = t0;
      into[below + 1] = t1;
      into[below + 2] = t2;
      into[below + 3] = t3;
    }
    multiplyPlainly(a, b, width, [row, row + 2], [column, column1], into, columns);
  }
  multiplyPlainly(a, b, width, [row, row1], [column0, column1], into, columns);
}

/** What is left at the edges. */
function multiplyPlainly(
  a: Float64Array,
  b: Float64Array,
  width: number,
  [row0, row1]: readonly [number, number],
  [column0, column1]: readonly [number, number],
  into: Float32Array,
  columns: number,
): void {
  for (let row = row0; row < row1; row++) {
    for (let column = column0; column < column1; column++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += a[row * width + i] * b[column * width + i];
      into[row * columns + column] = sum;
    }
  }
}
