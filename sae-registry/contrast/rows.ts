import type { Pace } from '../relations/pace.ts';

/** Multiplications between two looks at the clock. */
const burst = 2 ** 18;

/** A matrix that is only ever multiplied: a data set's samples, one a row. Sums in float64, in the order of the numbers. */
export interface Rows {
  readonly rows: number;
  readonly width: number;
  /** Each row's dot product with `vector` [width]; [rows]. */
  times(vector: ArrayLike<number>, pace: Pace | null): Promise<Float64Array>;
  /** The sum of the rows, each times its weight [rows]; [width]. */
  combine(weights: ArrayLike<number>, pace: Pace | null): Promise<Float64Array>;
  /** Only these rows, in this order; nothing is copied. */
  only(rows: ArrayLike<number>): Rows;
}

/** Rows that lie behind each other in one array, [rows, width]. */
export function denseRows(
  values: Float32Array | Float64Array,
  width: number,
  chosen: ArrayLike<number> | null = null,
): Rows {
  const rows = chosen?.length ?? values.length / width;
  const at = (row: number) => (chosen?.[row] ?? row) * width;
  const rowsInBurst = Math.max(1, Math.floor(burst / width));
  return {
    rows,
    width,
    async times(vector, pace) {
      const products = new Float64Array(rows);
      for (let row = 0; row < rows; row++) {
        if (row % rowsInBurst === 0 && pace?.isDue()) await pace.turn();
        const from = at(row);
        let sum = 0;
        for (let i = 0; i < width; i++) sum += values[from + i] * vector[i];
        products[row] = sum;
      }
      return products;
    },
    async combine(weights, pace) {
      const total = new Float64Array(width);
      for (let row = 0; row < rows; row++) {
        if (row % rowsInBurst === 0 && pace?.isDue()) await pace.turn();
        const [from, weight] = [at(row), weights[row]];
        if (weight === 0) continue;
        for (let i = 0; i < width; i++) total[i] += values[from + i] * weight;
      }
      return total;
    },
    only: (some) =>
      denseRows(
        values,
        width,
        Int32Array.from(some, (row) => chosen?.[row] ?? row),
      ),
  };
}

/** A copy of the rows without their centre [width], each times `factor`. */
export async function centredRows(
  rows: Rows,
  centreOf: (row: number) => ArrayLike<number>,
  factor: number,
  pace: Pace | null,
): Promise<Rows> {
  const { width } = rows;
  const values = new Float64Array(rows.rows * width);
  for (let row = 0; row < rows.rows; row++) {
    const one = await rows.only([row]).combine([1], pace);
    const centre = centreOf(row);
    for (let i = 0; i < width; i++) values[row * width + i] = (one[i] - centre[i]) * factor;
  }
  return denseRows(values, width);
}

/** The mean of the rows. */
export async function meanRow(rows: Rows, pace: Pace | null): Promise<Float64Array> {
  return rows.combine(new Float64Array(rows.rows).fill(1 / rows.rows), pace);
}

/** One row of a sparse matrix: its columns that are not 0. */
export interface SparseRow {
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

/** Rows of which only what is not 0 is kept. */
export function sparseRows(rows: readonly SparseRow[], width: number): Rows {
  return {
    rows: rows.length,
    width,
    async times(vector, pace) {
      const products = new Float64Array(rows.length);
      for (const [at, { columns, values }] of rows.entries()) {
        if (pace?.isDue()) await pace.turn();
        let sum = 0;
        for (let i = 0; i < columns.length; i++) sum += values[i] * vector[columns[i]];
        products[at] = sum;
      }
      return products;
    },
    async combine(weights, pace) {
      const total = new Float64Array(width);
      for (const [at, { columns, values }] of rows.entries()) {
        if (pace?.isDue()) await pace.turn();
        for (let i = 0; i < columns.length; i++) total[columns[i]] += values[i] * weights[at];
      }
      return total;
    },
    only: (some) =>
      sparseRows(
        Array.from(some, (row) => rows[row]),
        width,
      ),
  };
}
